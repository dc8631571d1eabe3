//! An answer of another program as a generation of ours, so that chats know no difference.

use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::{Stream, StreamExt};
use hearth_engine::{
    self as engine, Cancel, Event, FinishReason, Generation, ModelInfo, Prompt, Request, State,
    Summary,
};
use hearth_providers::{self as remote, Address, Chat, Client, Piece, Role, Turn};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::error::{Code, Error, Result};

/// Asks, and returns once the other side has taken the question.
pub(super) async fn start(
    client: &Client,
    address: &Address,
    key: Option<&str>,
    model: String,
    request: &Request,
) -> Result<Generation> {
    let chat = chat(model, request)?;
    let pieces = remote::chat(client, address, key, &chat).await?;
    let (sender, events) = mpsc::unbounded_channel();
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        let count = AtomicU32::new(0);
        let last = tokio::select! {
            last = pass_on(Box::pin(pieces), &sender, &count) => last,
            () = cancelled.cancelled() => Event::Finished(Summary {
                tokens: count.load(Ordering::Relaxed),
                ..summary(FinishReason::Cancelled, &remote::Ended::default())
            }),
        };
        // Nobody may listen any more.
        let _ = sender.send(last);
    });
    Ok(Generation {
        events: events.into(),
        cancel: Cancel::new(move || token.cancel()),
    })
}

/// A model that is somewhere else is always ready.
pub(super) fn ready() -> watch::Receiver<State> {
    let info = ModelInfo::without_weights(0);
    watch::channel(State::Ready { info, active: 1 }).1
}

fn chat(model: String, request: &Request) -> Result<Chat> {
    let unsupported = |what: &str| {
        let message = format!("A model of another program cannot be asked with {what}.");
        Error::new(Code::Unsupported, message).hint("Choose one of Hearth's own models.")
    };
    let Prompt::Chat(messages) = &request.prompt else {
        return Err(unsupported("a bare prompt"));
    };
    if request.images().next().is_some() {
        return Err(unsupported("pictures"));
    }
    if request.constraint.is_some() || !request.tools.is_empty() {
        return Err(unsupported("tools or a form of the answer"));
    }
    let turns = messages.iter().filter_map(|message| {
        let role = match message.role {
            engine::Role::System => Role::System,
            engine::Role::User => Role::User,
            engine::Role::Assistant => Role::Assistant,
            engine::Role::Tool => return None,
        };
        let text = message.content.clone();
        Some(Turn { role, text })
    });
    Ok(Chat {
        model,
        turns: turns.collect(),
        temperature: Some(request.sampling.temperature),
        top_p: Some(request.sampling.top_p),
        max_tokens: request.max_tokens,
    })
}

/// Passes pieces on until the end, and returns the last event.
async fn pass_on(
    mut pieces: impl Stream<Item = remote::Result<Piece>> + Unpin,
    events: &mpsc::UnboundedSender<Event>,
    count: &AtomicU32,
) -> Event {
    while let Some(piece) = pieces.next().await {
        let event = match piece {
            // How long the prompt is comes at the end, if at all.
            Ok(Piece::Begun) => Event::Started {
                prompt_tokens: 0,
                cached_tokens: 0,
                cut_messages: 0,
                notice: None,
            },
            Ok(Piece::Text(text)) => Event::Text {
                text,
                logprobs: Vec::new(),
            },
            Ok(Piece::Thought(text)) => Event::Reasoning { text },
            Ok(Piece::Ended(ended)) => {
                let reason = if ended.cut {
                    FinishReason::Length
                } else {
                    FinishReason::Stop
                };
                let mut summary = summary(reason, &ended);
                if ended.tokens.is_none() {
                    // Those that do not count send a token a piece.
                    summary.tokens = count.load(Ordering::Relaxed);
                }
                return Event::Finished(summary);
            }
            Err(error) => return failed(&error),
        };
        if matches!(event, Event::Text { .. } | Event::Reasoning { .. }) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if events.send(event).is_err() {
            break;
        }
    }
    Event::Failed(engine::Error::ShutDown)
}

fn failed(error: &remote::Error) -> Event {
    Event::Failed(engine::Error::Backend {
        reason: error.to_string(),
    })
}

fn summary(reason: FinishReason, ended: &remote::Ended) -> Summary {
    Summary {
        reason,
        stop: None,
        prompt_tokens: ended.prompt_tokens.unwrap_or_default(),
        cached_tokens: 0,
        tokens: ended.tokens.unwrap_or_default(),
        ttft_ms: ended.first_after.as_secs_f64() * 1000.0,
        prefill_ms: 0.0,
        decode_ms: ended.wrote_for.as_secs_f64() * 1000.0,
    }
}
