//! `POST /api/chat`: the next message of a conversation.

use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hearth_app::engine::Request;

use super::error::{Failure, Result};
use super::lines::{Form, Heading, Lines};
use super::load::{self, Wish};
use super::options::Shared;
use super::request::ChatRequest;
use super::shape::{Line, SentLine};
use super::{DIALECT, conversation, keep_alive, names};
use crate::answer::{Answers, Ask, frames};
use crate::body::Body;
use crate::caching::Caching;
use crate::refusal::Refusal;
use crate::sse;
use crate::state::ServerState;

/// Answers a conversation.
#[utoipa::path(post, path = "/api/chat", tag = "ollama", operation_id = "ollama_chat", request_body = ChatRequest,
    responses((status = 200, description = "Lines of JSON, or one object with `stream: false`",
        content((Line = "application/json"), (Vec<SentLine> = "application/x-ndjson"))), Failure))]
pub(crate) async fn chat(
    State(state): State<ServerState>,
    caching: Caching,
    body: std::result::Result<Body<ChatRequest>, Refusal>,
) -> Result {
    let Body(asked) = body?;
    let wish = Wish {
        form: Form::Chat,
        shown: &asked.model,
        keep_alive: keep_alive::parse(asked.keep_alive.as_ref())?,
        stream: asked.stream != Some(false),
    };
    let request = request(&asked)?;
    Ok(answer(&state, wish, request, caching).await?)
}

/// Begins the generation and answers with lines or with one object. Without a request the model is only loaded or unloaded.
pub(super) async fn answer(
    state: &ServerState,
    wish: Wish<'_>,
    request: Option<Request>,
    caching: Caching,
) -> std::result::Result<Response, Refusal> {
    let model = names::resolve(state, wish.shown).await?;
    let Some(request) = request else {
        return load::load(state, wish, model).await;
    };
    let ask = Ask {
        dialect: DIALECT,
        model,
        request,
        keep_alive: wish.keep_alive,
        caching: caching.0,
    };
    let began = Instant::now();
    let answers = Answers::begin(state, vec![ask]).await?;
    let heading = Heading::new(wish.form, wish.shown, began);
    if wish.stream {
        return Ok(sse::lines(frames(answers, Lines::new(heading))));
    }
    let whole = answers.current.whole().await?;
    Ok(Json(heading.whole(&whole)).into_response())
}

/// What the engine is asked; `None` when there is nothing to answer.
fn request(asked: &ChatRequest) -> std::result::Result<Option<Request>, Refusal> {
    let mut request = Request::chat(conversation::messages(&asked.messages)?);
    Shared::from(asked).apply(&mut request)?;
    request.tools = conversation::tools(&asked.tools);
    request.parse = true;
    Ok((!asked.messages.is_empty()).then_some(request))
}
