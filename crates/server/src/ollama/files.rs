//! Changes of what is on the disk: removing, naming a second time, fetching.
//!
//! Only models in the user's own folder are touched, and only by their names; no path is made out of a request.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use hearth_app::Code;
use hearth_app::downloads::{Pull, is_hub_name};
use hearth_app::models::ModelSource;

use super::error::{Failure, Result};
use super::models::wanted;
use super::pull::{self, Pulling};
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

/// Fetches a model from the hub, or says that it is here. A client that goes away stops what it began; what came is kept.
#[utoipa::path(post, path = "/api/pull", tag = "ollama", operation_id = "ollama_pull", request_body = ModelRequest,
    responses((status = 200, description = "The model is here: lines of JSON, or one object with `stream: false`",
        content((Progress = "application/json"), (Vec<Progress> = "application/x-ndjson"))), Failure))]
pub(crate) async fn pull(
    State(state): State<ServerState>,
    body: std::result::Result<Body<ModelRequest>, Refusal>,
) -> Result {
    let Body(asked) = body?;
    let name = wanted(&asked)?.trim();
    let whole = asked.stream == Some(false);
    if !is_hub_name(name) {
        let model = state.app.models().resolve(name).await.map_err(not_here)?;
        return here(&state, &model, whole).await;
    }
    match state.app.downloads()?.pull(name).await? {
        Pull::Here(model) => here(&state, &model, whole).await,
        Pull::Running(follow) => pull::answer(Pulling::new(&state, follow)?, whole).await,
    }
}

fn not_here(error: hearth_app::Error) -> Refusal {
    let is_missing = error.code == Code::ModelMissing;
    let mut refusal = Refusal::from(error);
    if is_missing {
        refusal.hint =
            Some("To fetch one, name it as the hub does: `hf.co/owner/name:Q4_K_M`.".to_owned());
    }
    refusal
}

/// Says that a model is here, in the words in which it would have been fetched.
async fn here(state: &ServerState, name: &str, whole: bool) -> Result {
    if whole {
        return Ok(Json(Progress::said("success")).into_response());
    }
    let model = state.app.models().details(name).await?;
    let lines = [
        Progress::said("pulling manifest"),
        Progress::of_file(&model.digest, model.size_bytes, model.size_bytes),
        Progress::said("success"),
    ];
    let lines: Vec<String> = lines.iter().map(sse::line).collect();
    Ok(sse::lines(futures_util::stream::iter(lines)))
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
