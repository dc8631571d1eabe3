//! `POST /v1/messages/count_tokens`: how long a conversation is before it is sent, exactly as the model would read it.

use axum::Json;
use axum::extract::State;

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
    let request = options::prompt(&(&asked).into())?;
    request.validate()?;
    let counted = state
        .app
        .inference()
        .count_tokens(&asked.model, request)
        .await?;
    Ok(Json(Count {
        input_tokens: counted.result,
    }))
}
