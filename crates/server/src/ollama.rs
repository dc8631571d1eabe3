//! Ollama's API: its own routes under `/api`, answered line by line unless the client wants one object.
//!
//! The types are in [`request`]; [`conversation`] and [`options`] turn them into what the engine takes, [`lines`] says what it
//! answers. What cannot be honoured is accepted and ignored, because every client sends it: the context window (`num_ctx`) and the
//! way of computing (`num_gpu`, `num_thread`, `num_batch` and their like) belong to the loaded model, not to one request, and
//! `template` is in a language of Ollama's own.

mod chat;
mod clock;
mod conversation;
mod embed;
pub(crate) mod error;
mod files;
mod generate;
mod keep_alive;
mod lines;
mod load;
mod models;
mod names;
mod options;
mod request;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::routing::{any, delete, get, post};
use utoipa::OpenApi;

use self::error::Failure;
pub(crate) use self::models::{context_tokens, loaded_context};
use crate::refusal::Refusal;
use crate::state::ServerState;

/// The version of Ollama's API that these routes keep to. Clients compare numbers: VS Code wants 0.6.4 or later.
pub(crate) const API_VERSION: &str = "0.12.0";

/// For the metrics.
const DIALECT: &str = "ollama";

/// The description of these routes.
#[derive(OpenApi)]
#[openapi(paths(
    models::version,
    models::tags,
    models::show,
    models::ps,
    chat::chat,
    generate::generate,
    embed::create,
    embed::create_one,
    files::delete,
    files::copy,
    files::pull
))]
pub(crate) struct Description;

pub(crate) fn routes() -> Router<ServerState> {
    Router::new()
        .route("/", get(|| async { "Ollama is running" }))
        .route("/api/version", get(models::version))
        .route("/api/tags", get(models::tags))
        .route("/api/show", post(models::show))
        .route("/api/ps", get(models::ps))
        .route("/api/generate", post(generate::generate))
        .route("/api/chat", post(chat::chat))
        .route("/api/embed", post(embed::create))
        .route("/api/embeddings", post(embed::create_one))
        .route("/api/delete", delete(files::delete))
        .route("/api/copy", post(files::copy))
        .route("/api/pull", post(files::pull))
        .route("/api/create", any(not_offered))
        .route("/api/push", any(not_offered))
        .route("/api/blobs/{digest}", any(not_offered))
        .route("/api/me", any(not_offered))
        .route("/api/signout", any(not_offered))
        .route("/api/{*rest}", any(no_route))
        .method_not_allowed_fallback(no_method)
}

async fn not_offered(uri: Uri) -> Failure {
    let message = format!("Hearth does not offer `{}`.", uri.path());
    let refusal = Refusal::new(StatusCode::NOT_IMPLEMENTED, "not_implemented", message);
    Failure(refusal.hint("Put a GGUF file into the models folder to add a model."))
}

async fn no_route(uri: Uri) -> Failure {
    let path: String = uri.path().chars().take(200).collect();
    let message = format!("There is no route `{path}`.");
    Failure(Refusal::new(StatusCode::NOT_FOUND, "not_found", message))
}

async fn no_method(method: Method, uri: Uri) -> Failure {
    let message = format!("`{}` does not take the method {method}.", uri.path());
    let status = StatusCode::METHOD_NOT_ALLOWED;
    Failure(Refusal::new(status, "method_not_allowed", message))
}
