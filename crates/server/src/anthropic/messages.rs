//! `POST /v1/messages`: the next message of a conversation.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;

use super::error::{Failure, Result};
use super::events::{Events, Heading};
use super::request::MessagesRequest;
use super::shape::MessageShape;
use super::{DIALECT, options};
use crate::answer::{Answers, Ask, frames};
use crate::body::Body;
use crate::caching::Caching;
use crate::description::SentEvent;
use crate::refusal::Refusal;
use crate::sse;
use crate::state::ServerState;

/// Answers a conversation.
#[utoipa::path(post, path = "/v1/messages", tag = "anthropic", operation_id = "anthropic_message", request_body = MessagesRequest,
    responses((status = 200, description = "A message, or with `stream` its events",
        content((MessageShape = "application/json"), (SentEvent = "text/event-stream"))), Failure))]
pub(crate) async fn messages(
    State(state): State<ServerState>,
    caching: Caching,
    body: std::result::Result<Body<MessagesRequest>, Refusal>,
) -> Result {
    let Body(asked) = body?;
    let request = options::request(&asked)?;
    let heading = Heading::new(&asked.model, request.thinking == Some(true));
    let ask = Ask {
        dialect: DIALECT,
        model: asked.model,
        request,
        keep_alive: None,
        caching: caching.0,
    };
    let answers = Answers::begin(&state, vec![ask]).await?;
    let answer = &answers.current;
    if asked.stream {
        let events = Events::new(heading, answer.prompt_tokens, answer.cached_tokens);
        return Ok(sse::events(frames(answers, events)));
    }
    let whole = answers.current.whole().await?;
    Ok(Json(heading.whole(&whole)).into_response())
}
