//! Which models are loaded, and unloading one: what `hearth ps` and `hearth stop` ask for.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, Router};
use hearth_app::inference::LoadedModel;
use hearth_app::{App, Code, Error};
use serde::Serialize;
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

/// The description of these routes.
#[derive(OpenApi)]
#[openapi(paths(list, unload))]
pub(crate) struct Description;

pub(crate) fn routes(app: Arc<App>) -> Router {
    Router::new()
        .route("/hearth/v1/loaded", get(list))
        .route("/hearth/v1/loaded/{*model}", delete(unload))
        .with_state(app)
}

/// What is loaded, and how many requests of programs there are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = hearth::Loaded)]
struct Loaded {
    #[schema(value_type = Vec<Model>)]
    models: Vec<LoadedModel>,
    running: u32,
    waiting: u32,
}

/// A loaded model, as the app writes it. Only described here.
#[derive(ToSchema)]
#[schema(as = hearth::LoadedModel, rename_all = "camelCase")]
#[allow(dead_code)] // Never made: it says what the app's own type looks like, which must not know HTTP.
struct Model {
    name: String,
    /// Its `type` is `unloaded`, `loading`, `ready`, `generating` or `failed`.
    #[schema(value_type = Object)]
    state: Value,
    /// Estimated memory.
    bytes: u64,
    /// Times are in Unix milliseconds.
    since_ms: i64,
    last_used_ms: i64,
    /// When it is unloaded if nobody uses it.
    expires_at_ms: Option<i64>,
    active_requests: u32,
    pinned: bool,
}

/// The app's own error shape: these routes belong to no dialect.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = hearth::ErrorBody)]
pub(crate) struct ErrorBody {
    #[schema(value_type = ErrorDetails)]
    pub(crate) error: Error,
}

/// What is wrong, as the app writes it; the gate adds `type` and `param`. Only described here.
#[derive(ToSchema)]
#[schema(as = hearth::ErrorDetails)]
#[allow(dead_code)] // Never made: it says what the app's own type looks like, which must not know HTTP.
struct ErrorDetails {
    code: String,
    /// What happened and why.
    message: String,
    /// What to do.
    hint: Option<String>,
}

/// Which models are loaded, and how many requests of programs run and wait.
#[utoipa::path(get, path = "/hearth/v1/loaded", tag = "hearth", operation_id = "loaded",
    responses((status = 200, description = "The loaded models", body = Loaded), (status = "4XX", description = "Why not", body = ErrorBody)))]
async fn list(State(app): State<Arc<App>>) -> Json<Loaded> {
    let (running, waiting) = app.inference().admitted();
    Json(Loaded {
        models: app.inference().loaded(),
        running,
        waiting,
    })
}

/// Unloads a model.
#[utoipa::path(delete, path = "/hearth/v1/loaded/{model}", tag = "hearth", operation_id = "unload",
    params(("model" = String, Path, description = "Its name")),
    responses((status = 204, description = "It is unloaded"), (status = "4XX", description = "Why not", body = ErrorBody), (status = "5XX", description = "Why not", body = ErrorBody)))]
async fn unload(State(app): State<Arc<App>>, Path(model): Path<String>) -> Response {
    match app.inference().unload(&model).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refused(error),
    }
}

fn refused(error: Error) -> Response {
    let status = match error.code {
        Code::NotFound | Code::ModelMissing => StatusCode::NOT_FOUND,
        Code::Busy => StatusCode::CONFLICT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, Json(ErrorBody { error })).into_response()
}
