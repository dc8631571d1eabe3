//! Changes of what is on the disk: removing, naming a second time, fetching.
//!
//! Only models in the user's own folder are touched, and only by their names; no path is made out of a request.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hearth_app::Code;
use hearth_app::models::ModelSource;

use super::error::{Failure, Result};
use super::models::wanted;
use super::request::{CopyRequest, ModelRequest};
use super::shape::Progress;
use crate::body::Body;
use crate::refusal::Refusal;
use crate::sse;
use crate::state::ServerState;

/// Removes a model, unloading it first.
#[utoipa::path(delete, path = "/api/delete", tag = "ollama", operation_id = "ollama_delete", request_body = ModelRequest,
    responses((status = 200, description = "It is gone"), Failure))]
pub(crate) async fn delete(
    State(state): State<ServerState>,
    body: std::result::Result<Body<ModelRequest>, Refusal>,
) -> Result<StatusCode> {
    let Body(asked) = body?;
    let model = own(&state, wanted(&asked)?, "removed").await?;
    state.app.remove_model(&model).await?;
    Ok(StatusCode::OK)
}

/// Gives a model a second name.
#[utoipa::path(post, path = "/api/copy", tag = "ollama", operation_id = "ollama_copy", request_body = CopyRequest,
    responses((status = 200, description = "It has both names"), Failure))]
pub(crate) async fn copy(
    State(state): State<ServerState>,
    body: std::result::Result<Body<CopyRequest>, Refusal>,
) -> Result<StatusCode> {
    let Body(asked) = body?;
    let model = own(&state, &asked.source, "copied").await?;
    let new_name = &asked.destination;
    let new_name = new_name.strip_suffix(":latest").unwrap_or(new_name);
    state.app.models().copy(&model, new_name).await?;
    Ok(StatusCode::OK)
}

/// Says that a model is here. Fetching one is not offered yet, and is said not to be.
#[utoipa::path(post, path = "/api/pull", tag = "ollama", operation_id = "ollama_pull", request_body = ModelRequest,
    responses((status = 200, description = "The model is here: lines of JSON, or one object with `stream: false`",
        content((Progress = "application/json"), (Vec<Progress> = "application/x-ndjson"))), Failure))]
pub(crate) async fn pull(
    State(state): State<ServerState>,
    body: std::result::Result<Body<ModelRequest>, Refusal>,
) -> Result {
    let Body(asked) = body?;
    let name = wanted(&asked)?;
    let model = state.app.models().details(name).await.map_err(|error| {
        let is_missing = error.code == Code::ModelMissing;
        let mut refusal = Refusal::from(error);
        if is_missing {
            refusal.hint = Some(
                "Hearth does not fetch models by this API yet: put a GGUF file into the models folder."
                    .to_owned(),
            );
        }
        refusal
    })?;
    if asked.stream == Some(false) {
        return Ok(Json(Progress::said("success")).into_response());
    }
    let digest = format!("sha256:{}", model.digest);
    let (total, short) = (
        model.size_bytes,
        &model.digest[..12.min(model.digest.len())],
    );
    let lines = [
        Progress::said("pulling manifest"),
        Progress {
            status: format!("pulling {short}"),
            digest: Some(digest),
            total: Some(total),
            completed: Some(total),
        },
        Progress::said("success"),
    ];
    Ok(said(&lines))
}

fn said(lines: &[Progress]) -> Response {
    let lines: Vec<String> = lines.iter().map(sse::line).collect();
    sse::lines(futures_util::stream::iter(lines))
}

/// The name of a model that the user may change.
async fn own(state: &ServerState, name: &str, done: &str) -> std::result::Result<String, Refusal> {
    if name.trim().is_empty() {
        return Err(Refusal::invalid("model", "is missing"));
    }
    let model = state.app.models().details(name).await?;
    if model.source == ModelSource::Bundled {
        let message = format!(
            "The model `{}` is part of Hearth and cannot be {done}.",
            model.name
        );
        return Err(Refusal::new(StatusCode::FORBIDDEN, "forbidden", message)
            .hint("Only models in your own models folder can be."));
    }
    Ok(model.name)
}
