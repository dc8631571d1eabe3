//! `/v1/chat/completions`.

mod messages;
pub(super) mod request;
mod stream;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use self::request::{ChatRequest, View};
use self::stream::Chunks;
use super::error::{Failure, Result};
use super::output::{self, CallShape, ChatLogprobs, Timings, Usage, UsageShape};
use crate::answer::{self, Answers, Whole};
use crate::body::Body;
use crate::caching::Caching;
use crate::description::SentEvent;
use crate::refusal::Refusal;
use crate::sse;
use crate::state::ServerState;

/// Answers a conversation, at once or piece by piece.
#[utoipa::path(post, path = "/v1/chat/completions", tag = "openai", operation_id = "openai_chat", request_body = ChatRequest,
    responses((status = 200, description = "The answer, or a stream of its pieces that `[DONE]` ends",
        content((ChatCompletion = "application/json"), (SentEvent = "text/event-stream"))), Failure))]
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
    Ok(Json(completion(model, wholes, view)).into_response())
}

/// A whole answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::ChatCompletion)]
pub(crate) struct ChatCompletion {
    id: String,
    object: &'static str,
    /// Unix seconds.
    created: u64,
    model: String,
    system_fingerprint: &'static str,
    choices: Vec<ChatChoice>,
    usage: UsageShape,
    timings: Option<Timings>,
}

/// One of the answers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::ChatChoice)]
pub(crate) struct ChatChoice {
    index: usize,
    message: ChatAnswer,
    logprobs: Option<ChatLogprobs>,
    /// `stop`, `length` or `tool_calls`.
    finish_reason: &'static str,
}

/// What the model says.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::ChatAnswer)]
pub(crate) struct ChatAnswer {
    role: &'static str,
    /// Null when it only calls tools.
    content: Option<String>,
    /// Always null.
    refusal: Option<String>,
    /// What it thought; absent when it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    tool_calls: Option<Vec<CallShape>>,
}

fn completion(model: String, wholes: Vec<Whole>, view: View) -> ChatCompletion {
    let mut usage = Usage::default();
    for (at, whole) in wholes.iter().enumerate() {
        usage.add(&whole.summary, at > 0);
    }
    let timings = wholes.first().map(|whole| output::timings(&whole.summary));
    let choices = wholes.into_iter().enumerate();
    ChatCompletion {
        id: output::id("chatcmpl-"),
        object: "chat.completion",
        created: output::created(),
        model,
        system_fingerprint: output::FINGERPRINT,
        choices: choices.map(|(at, whole)| choice(at, whole, view)).collect(),
        usage: usage.shape(),
        timings,
    }
}

fn choice(index: usize, whole: Whole, view: View) -> ChatChoice {
    let calls: Vec<CallShape> = whole.tool_calls.into_iter().map(output::call).collect();
    let has_content = calls.is_empty() || !whole.text.is_empty();
    ChatChoice {
        index,
        message: ChatAnswer {
            role: "assistant",
            content: has_content.then_some(whole.text),
            refusal: None,
            reasoning_content: Some(whole.reasoning).filter(|thoughts| !thoughts.is_empty()),
            tool_calls: Some(calls).filter(|calls| !calls.is_empty()),
        },
        logprobs: output::chat_logprobs(&whole.logprobs, view.logprobs),
        finish_reason: output::finish_reason(whole.summary.reason),
    }
}
