//! `/v1/chat/completions`.

mod messages;
pub(super) mod request;
mod stream;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use self::request::{ChatRequest, View};
use self::stream::Chunks;
use super::error::Result;
use super::output::{self, Usage};
use crate::answer::{self, Answers, Whole};
use crate::body::Body;
use crate::caching::Caching;
use crate::refusal::Refusal;
use crate::sse;
use crate::state::ServerState;

/// Answers a conversation, at once or piece by piece.
#[utoipa::path(post, path = "/v1/chat/completions", tag = "openai", request_body = ChatRequest,
    responses((status = 200, description = "The answer, or a stream of its pieces"), (status = "4XX", description = "What is wrong with the request"), (status = "5XX", description = "Why it cannot be answered")))]
pub(crate) async fn create(
    State(state): State<ServerState>,
    caching: Caching,
    body: std::result::Result<Body<ChatRequest>, Refusal>,
) -> Result {
    let Body(request) = body?;
    let is_streamed = request.stream == Some(true);
    let (asks, view) = request.asks(caching)?;
    let answers = Answers::begin(&state, asks).await?;
    let model = answers.current.model.clone();
    if is_streamed {
        let chunks = Chunks::new(model, view);
        return Ok(sse::events(answer::frames(answers, chunks)));
    }
    let wholes = answers.wholes().await?;
    Ok(Json(completion(&model, wholes, view)).into_response())
}

fn completion(model: &str, wholes: Vec<Whole>, view: View) -> Value {
    let mut usage = Usage::default();
    for (at, whole) in wholes.iter().enumerate() {
        usage.add(&whole.summary, at > 0);
    }
    let timings = wholes.first().map(|whole| output::timings(&whole.summary));
    let choices = wholes.into_iter().enumerate();
    let choices: Vec<Value> = choices.map(|(at, whole)| choice(at, whole, view)).collect();
    json!({
        "id": output::id("chatcmpl-"),
        "object": "chat.completion",
        "created": output::created(),
        "model": model,
        "system_fingerprint": output::FINGERPRINT,
        "choices": choices,
        "usage": usage.shape(),
        "timings": timings,
    })
}

fn choice(index: usize, whole: Whole, view: View) -> Value {
    let mut message = json!({ "role": "assistant", "content": whole.text, "refusal": null });
    if !whole.reasoning.is_empty() {
        message["reasoning_content"] = whole.reasoning.into();
    }
    if !whole.tool_calls.is_empty() {
        let calls: Vec<Value> = whole.tool_calls.iter().map(output::call).collect();
        message["tool_calls"] = calls.into();
        if whole.text.is_empty() {
            message["content"] = Value::Null;
        }
    }
    json!({
        "index": index,
        "message": message,
        "logprobs": output::chat_logprobs(&whole.logprobs, view.logprobs),
        "finish_reason": output::finish_reason(whole.summary.reason),
    })
}
