//! Lets the model read a message while it is being typed, so that the answer begins sooner.
//!
//! Nothing of it is stored: what was read lies in the memory of the engine alone. What may be wasted is bounded: one draft is read at a
//! time, only what is new in it is computed, and the window asks at most a dozen times for each message.

use std::sync::{Arc, PoisonError};

use hearth_engine::{self as engine, Event, Generation, Priority, Request};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Chats, check_length, generation};
use crate::error::Result;

/// A draft that is being read; dropping it ends that.
pub(super) struct Reading {
    _cancels: DropGuard,
}

impl Chats {
    /// Begins to read a message that is not finished, in place of any other; whether it does. It does not when the user has switched
    /// it off, while an answer is being written in the chat, or when the model is not loaded.
    pub async fn read_ahead(&self, chat_id: &str, draft: &str) -> Result<bool> {
        self.stop_reading();
        let settings = self.settings.get();
        let draft = draft.trim();
        if !settings.read_ahead || draft.is_empty() || self.is_running(chat_id) {
            return Ok(false);
        }
        check_length(draft)?;
        let id = chat_id.to_owned();
        let history = self
            .on_disk(move |db| match db.chats().get(&id)?.head_id {
                Some(head) => db.messages().branch_to(&head),
                None => Ok(Vec::new()),
            })
            .await?;
        let mut messages = generation::conversation(&history, &settings);
        messages.push(engine::Message::new(engine::Role::User, draft));
        let request = Request {
            priority: Priority::Background,
            read_ahead: true,
            ..generation::request(messages, &settings)
        };
        let inference = Arc::clone(&self.inference);
        let Some(started) = inference.generate_if_ready(&settings.model, request).await else {
            return Ok(false);
        };
        let token = CancellationToken::new();
        let reading = Reading {
            _cancels: token.clone().drop_guard(),
        };
        *self.reading.lock().unwrap_or_else(PoisonError::into_inner) = Some(reading);
        // The message may have been sent meanwhile.
        if self.is_running(chat_id) {
            self.stop_reading();
        }
        tokio::spawn(read(started.generation, token));
        Ok(true)
    }

    /// Ends the reading of a draft, if there is one.
    pub(super) fn stop_reading(&self) {
        self.reading
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }

    fn is_running(&self, chat_id: &str) -> bool {
        self.running().contains_key(chat_id)
    }
}

/// Holds a generation until its end or until it is cancelled; letting it go cancels the work.
async fn read(mut generation: Generation, cancelled: CancellationToken) {
    let end = async {
        while let Some(event) = generation.events.recv().await {
            if let Event::Failed(error) = &event {
                tracing::debug!(%error, "a draft could not be read ahead");
            }
        }
    };
    tokio::select! {
        () = end => {}
        () = cancelled.cancelled() => {}
    }
}
