//! `/v1/responses`, without memory: nothing is stored, every request brings its whole conversation.

mod input;
mod items;
mod request;
mod shape;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;

use self::items::Items;
use self::request::ResponsesRequest;
use self::shape::ResponseShape;
use super::error::{Failure, Result};
use crate::answer::{self, Answers};
use crate::body::Body;
use crate::caching::Caching;
use crate::description::SentEvent;
use crate::refusal::Refusal;
use crate::sse;
use crate::state::ServerState;

/// Answers a list of items, at once or piece by piece.
#[utoipa::path(post, path = "/v1/responses", tag = "openai", operation_id = "openai_response", request_body = ResponsesRequest,
    responses((status = 200, description = "The response, or a stream of its events",
        content((ResponseShape = "application/json"), (SentEvent = "text/event-stream"))), Failure))]
pub(crate) async fn create(
    State(state): State<ServerState>,
    caching: Caching,
    body: std::result::Result<Body<ResponsesRequest>, Refusal>,
) -> Result {
    let Body(request) = body?;
    let is_streamed = request.stream == Some(true);
    let (ask, mut head) = request.ask(caching)?;
    let begun = Answers::begin(&state, vec![ask]).await;
    let mut answers = begun.map_err(in_own_words)?;
    head.model.clone_from(&answers.current.model);
    let mut items = Items::new(head);
    if is_streamed {
        return Ok(sse::events(answer::frames(answers, items)));
    }
    // The same events make both, so that they cannot say different things.
    let mut unsent = Vec::new();
    while let Some((_, event)) = answers.next().await {
        items.take(event?, &mut unsent);
        unsent.clear();
    }
    Ok(Json(items.response()).into_response())
}

/// The engine's names of fields as this API has them.
fn in_own_words(mut refusal: Refusal) -> Refusal {
    let own = match refusal.param.as_deref() {
        Some("json_schema") => "text.format.schema",
        Some("logprobs") => "top_logprobs",
        _ => return refusal,
    };
    refusal.param = Some(own.to_owned());
    refusal
}
