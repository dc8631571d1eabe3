//! `/v1/models`: the models that can be used.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use hearth_app::models::{ModelPurpose, ModelSummary};
use serde_json::{Value, json};

use super::error::Result;
use crate::refusal::Refusal;
use crate::state::ServerState;

/// The usable models.
#[utoipa::path(get, path = "/v1/models", tag = "openai", responses((status = 200, description = "The models on this machine")))]
pub(crate) async fn list(State(state): State<ServerState>) -> Result<Json<Value>> {
    let data: Vec<Value> = usable(&state).await?.iter().map(shape).collect();
    Ok(Json(json!({ "object": "list", "data": data })))
}

/// One model. Its id may hold slashes, as ids of other servers do.
#[utoipa::path(get, path = "/v1/models/{id}", tag = "openai",
    params(("id" = String, Path, description = "Name of the model")),
    responses((status = 200, description = "The model"), (status = 404, description = "There is no such model")))]
pub(crate) async fn one(
    State(state): State<ServerState>,
    Path(id): Path<String>,
) -> Result<Json<Value>> {
    let models = usable(&state).await?;
    let found = models.iter().find(|model| model.name == id).map(shape);
    let missing = || {
        let shown: String = id.chars().take(200).collect();
        let message = format!("There is no model named `{shown}`.");
        Refusal::new(StatusCode::NOT_FOUND, "model_missing", message)
            .hint("GET /v1/models lists the models on this machine.")
            .param("model")
    };
    Ok(Json(found.ok_or_else(missing)?))
}

async fn usable(state: &ServerState) -> Result<Vec<ModelSummary>> {
    let list = state.app.models().list().await?;
    let usable = list.models.into_iter().filter(|m| m.problem.is_none());
    Ok(usable.collect())
}

/// `created` is 0: when a file was made is not known, and a time that changes would look like another model.
fn shape(model: &ModelSummary) -> Value {
    let purpose = match model.purpose {
        Some(ModelPurpose::Embed) => "embeddings",
        Some(ModelPurpose::Rerank) => "rerank",
        _ => "chat",
    };
    json!({
        "id": model.name,
        "object": "model",
        "created": 0,
        "owned_by": "hearth",
        "meta": {
            "title": model.title,
            "purpose": purpose,
            "size_bytes": model.size_bytes,
            "quantisation": model.quantisation,
            "n_ctx_train": model.context_tokens,
        },
    })
}
