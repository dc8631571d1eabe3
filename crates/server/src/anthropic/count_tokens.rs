//! `POST /v1/messages/count_tokens`: how long a conversation is before it is sent, exactly as the model would read it.
//!
//! The engine says it when it is about to read a prompt, and is let go then: nothing is generated, and of a long prompt the first
//! chunk at most is read, which the request that follows finds in the cache.

use axum::Json;
use axum::extract::State;
use hearth_app::engine::{Error, Event, FinishReason, Priority, Request};

use super::error::{Failure, Result};
use super::options;
use super::request::CountRequest;
use super::shape::Count;
use crate::body::Body;
use crate::refusal::Refusal;
use crate::state::ServerState;

/// Counts the tokens of a conversation with its tools.
#[utoipa::path(post, path = "/v1/messages/count_tokens", tag = "anthropic", operation_id = "anthropic_count", request_body = CountRequest,
    responses((status = 200, description = "How many tokens it has", body = Count), Failure))]
pub(crate) async fn count(
    State(state): State<ServerState>,
    body: std::result::Result<Body<CountRequest>, Refusal>,
) -> Result<Json<Count>> {
    let Body(asked) = body?;
    let request = Request {
        priority: Priority::Api,
        read_ahead: true,
        ..options::prompt(&(&asked).into())?
    };
    request.validate()?;
    let inference = state.app.inference();
    let started = inference.generate(&asked.model, request).await?;
    let mut events = started.generation.events;
    let tokens = match events.recv().await {
        // Too long to be answered is not too long to be counted.
        Some(
            Event::Started { prompt_tokens, .. }
            | Event::Failed(Error::ContextOverflow { prompt_tokens, .. }),
        ) => prompt_tokens,
        // All of it is in the cache, so there is nothing to begin.
        Some(Event::Finished(summary)) if summary.reason != FinishReason::Cancelled => {
            summary.prompt_tokens
        }
        Some(Event::Failed(error)) => return Err(error.into()),
        // The first event is one of these.
        _ => return Err(Error::ShutDown.into()),
    };
    Ok(Json(Count {
        input_tokens: tokens,
    }))
}
