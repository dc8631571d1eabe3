//! Which models are loaded, and unloading one: what `hearth ps` and `hearth stop` ask for.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, Router};
use hearth_app::{App, Code, Error};
use serde_json::{Value, json};

pub(crate) fn routes(app: Arc<App>) -> Router {
    Router::new()
        .route("/hearth/v1/loaded", get(list))
        .route("/hearth/v1/loaded/{*model}", delete(unload))
        .with_state(app)
}

async fn list(State(app): State<Arc<App>>) -> Json<Value> {
    let (running, waiting) = app.inference().admitted();
    let models = app.inference().loaded();
    Json(json!({ "models": models, "running": running, "waiting": waiting }))
}

async fn unload(State(app): State<Arc<App>>, Path(model): Path<String>) -> Response {
    match app.inference().unload(&model).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refused(&error),
    }
}

/// The app's own error shape: this route belongs to no dialect.
fn refused(error: &Error) -> Response {
    let status = match error.code {
        Code::NotFound | Code::ModelMissing => StatusCode::NOT_FOUND,
        Code::Busy => StatusCode::CONFLICT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, Json(json!({ "error": error }))).into_response()
}
