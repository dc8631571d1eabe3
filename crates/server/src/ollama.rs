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
mod pull;
mod request;
mod shape;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::routing::{any, delete, get, post};
use utoipa::OpenApi;

use self::error::{Failure, Ollama};
pub(crate) use self::models::{context_tokens, loaded_context};
use crate::failure::{no_method, no_route};
use crate::refusal::Refusal;
use crate::state::ServerState;

/// The version of Ollama's API that these routes keep to. Clients compare numbers: VS Code wants 0.6.4 or later.
pub(crate) const API_VERSION: &str = "0.12.0";

/// For the metrics.
const DIALECT: &str = "ollama";

/// The description of these routes.
#[derive(OpenApi)]
#[openapi(
    components(schemas(error::ErrorBody)),
    paths(
        running,
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
    )
)]
pub(crate) struct Description;

/// What Ollama's API has and this one has not: it is said to be so, since clients ask for it.
pub(crate) const NOT_OFFERED: [&str; 5] = [
    "/api/create",
    "/api/push",
    "/api/blobs/{digest}",
    "/api/me",
    "/api/signout",
];

pub(crate) fn routes() -> Router<ServerState> {
    let all = Router::new()
        .route("/", get(running))
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
        .route("/api/{*rest}", any(no_route::<Ollama>));
    let all = NOT_OFFERED
        .into_iter()
        .fold(all, |router, path| router.route(path, post(not_offered)));
    all.method_not_allowed_fallback(no_method::<Ollama>)
}

/// How clients see that a server is here.
#[utoipa::path(get, path = "/", tag = "ollama", operation_id = "ollama_running",
    responses((status = 200, description = "The server answers", body = String, content_type = "text/plain"), Failure))]
async fn running() -> &'static str {
    "Ollama is running"
}

async fn not_offered(uri: Uri) -> Failure {
    let message = format!("Hearth does not offer `{}`.", uri.path());
    let refusal = Refusal::new(StatusCode::NOT_IMPLEMENTED, "not_implemented", message);
    refusal
        .hint("Put a GGUF file into the models folder to add a model.")
        .into()
}
