//! A model on its way, in Ollama's words: a line for every change, or one object at the end.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use hearth_app::downloads::{Download, DownloadState, Downloads, Follow};
use hearth_app::{Code, Error};
use serde_json::{Value, json};

use super::error::Result;
use super::shape::Progress;
use crate::refusal::Refusal;
use crate::sse;
use crate::state::ServerState;

/// A download that a client waits for. Dropping it stops what this client began, as Ollama does.
pub(super) struct Pulling {
    downloads: Arc<Downloads>,
    follow: Follow,
    over: bool,
}

impl Pulling {
    pub(super) fn new(state: &ServerState, follow: Follow) -> Result<Self> {
        Ok(Self {
            downloads: state.app.downloads()?,
            follow,
            over: false,
        })
    }

    /// The next line; `None` after the last one.
    async fn next(&mut self) -> Option<std::result::Result<Progress, Error>> {
        if self.over {
            return None;
        }
        let Some(download) = self.follow.next().await else {
            self.over = true;
            return Some(Err(stopped()));
        };
        let said = say(download);
        self.over = !matches!(&said, Ok(progress) if progress.status != SUCCESS);
        Some(said)
    }
}

impl Drop for Pulling {
    fn drop(&mut self) {
        if !self.over && self.follow.begun {
            // One that has just ended needs no pause.
            let _ = self.downloads.pause(&self.follow.now().id);
        }
    }
}

const SUCCESS: &str = "success";

/// Answers with the whole way of a download.
pub(super) async fn answer(mut pulling: Pulling, whole: bool) -> Result {
    if whole {
        while let Some(said) = pulling.next().await {
            said?;
        }
        return Ok(Json(Progress::said(SUCCESS)).into_response());
    }
    Ok(lines(pulling))
}

fn lines(pulling: Pulling) -> Response {
    let first = sse::line(&Progress::said("pulling manifest"));
    let state = (Some(first), pulling);
    sse::lines(stream::unfold(state, |(first, mut pulling)| async move {
        let line = match first {
            Some(first) => first,
            None => match pulling.next().await? {
                Ok(progress) => sse::line(&progress),
                Err(error) => sse::line(&failed(error)),
            },
        };
        Some((line, (None, pulling)))
    }))
}

fn say(download: Download) -> std::result::Result<Progress, Error> {
    match download.state {
        DownloadState::Failed { error }
        | DownloadState::Paused {
            reason: Some(error),
        } => Err(error),
        DownloadState::Paused { reason: None } | DownloadState::Cancelled => Err(stopped()),
        DownloadState::Done { .. } => Ok(Progress::said(SUCCESS)),
        DownloadState::Verifying => Ok(Progress::said("verifying sha256 digest")),
        DownloadState::Queued => Ok(Progress::said("waiting for other downloads")),
        DownloadState::Checking | DownloadState::Fetching | DownloadState::Retrying { .. } => {
            let digest = download.digest.unwrap_or_default();
            Ok(Progress::of_file(
                &digest,
                download.done_bytes,
                download.total_bytes,
            ))
        }
    }
}

/// An error in the middle of a stream; the code is for our own command.
fn failed(error: Error) -> Value {
    let refusal = Refusal::from(error);
    json!({ "error": refusal.text(), "code": refusal.code })
}

fn stopped() -> Error {
    Error::new(Code::Network, "The download was stopped.").hint("Ask again to go on with it.")
}
