//! Anthropic's API: `POST /v1/messages`, whole or as a stream of named events, and the length of a conversation.
//!
//! The types are in [`request`]; [`conversation`] and [`options`] turn them into what the engine takes, [`events`] says what it
//! answers. What has no meaning here is accepted and ignored: `cache_control` (what was read is kept anyway), `metadata`,
//! `service_tier`, the version and beta headers.

mod conversation;
mod count_tokens;
pub(crate) mod error;
mod events;
mod messages;
mod options;
mod request;
mod shape;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::routing::post;
use utoipa::OpenApi;

use self::error::Anthropic;
use crate::failure::no_method;
use crate::state::ServerState;

/// For the metrics.
const DIALECT: &str = "anthropic";

/// The description of these routes.
#[derive(OpenApi)]
#[openapi(
    paths(messages::messages, count_tokens::count),
    components(schemas(error::ErrorBody))
)]
pub(crate) struct Description;

pub(crate) fn routes() -> Router<ServerState> {
    Router::new()
        .route("/v1/messages", post(messages::messages))
        .route("/v1/messages/count_tokens", post(count_tokens::count))
        .method_not_allowed_fallback(no_method::<Anthropic>)
}
