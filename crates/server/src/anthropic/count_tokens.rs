//! `POST /v1/messages/count_tokens`: how long a conversation is before it is sent, exactly as the model would read it.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::error::Result;
use super::options;
use super::request::CountRequest;
use crate::body::Body;
use crate::refusal::Refusal;
use crate::state::ServerState;

/// Counts the tokens of a conversation with its tools.
#[utoipa::path(post, path = "/v1/messages/count_tokens", tag = "anthropic", request_body = CountRequest,
    responses((status = 200, description = "How many tokens it has")))]
pub(crate) async fn count(
    State(state): State<ServerState>,
    body: std::result::Result<Body<CountRequest>, Refusal>,
) -> Result<Json<Value>> {
    let Body(asked) = body?;
    let request = options::prompt(&(&asked).into())?;
    request.validate()?;
    let counted = state
        .app
        .inference()
        .count_tokens(&asked.model, request)
        .await?;
    Ok(Json(json!({ "input_tokens": counted.result })))
}
