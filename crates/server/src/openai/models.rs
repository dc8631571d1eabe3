//! `/v1/models`: the models that can be used.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use hearth_app::models::{ModelPurpose, ModelSummary};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{Failure, Result};
use crate::refusal::Refusal;
use crate::state::ServerState;

/// The usable models, under each of their names: clients offer what is listed and nothing else.
#[utoipa::path(get, path = "/v1/models", tag = "openai", operation_id = "openai_models",
    responses((status = 200, description = "The models on this machine", body = ModelList), Failure))]
pub(crate) async fn list(State(state): State<ServerState>) -> Result<Json<ModelList>> {
    Ok(Json(ModelList {
        object: "list",
        data: usable(&state).await?,
    }))
}

/// One model. Its id may hold slashes, as ids of other servers do.
#[utoipa::path(get, path = "/v1/models/{id}", tag = "openai", operation_id = "openai_model",
    params(("id" = String, Path, description = "Name of the model")),
    responses((status = 200, description = "The model", body = Model), Failure))]
pub(crate) async fn one(
    State(state): State<ServerState>,
    Path(id): Path<String>,
) -> Result<Json<Model>> {
    let models = usable(&state).await?;
    let found = models.into_iter().find(|model| model.id == id);
    let missing = || {
        let shown: String = id.chars().take(200).collect();
        let message = format!("There is no model named `{shown}`.");
        Refusal::new(StatusCode::NOT_FOUND, "model_missing", message)
            .hint("GET /v1/models lists the models on this machine.")
            .param("model")
    };
    Ok(Json(found.ok_or_else(missing)?))
}

async fn usable(state: &ServerState) -> Result<Vec<Model>> {
    let list = state.app.models().list().await?;
    let usable = list.models.iter().filter(|m| m.problem.is_none());
    let entries = usable.flat_map(|model| {
        let short = model.aliases.iter();
        let short = short.map(|alias| shape(model, alias, Some(&model.name)));
        [shape(model, &model.name, None)].into_iter().chain(short)
    });
    Ok(entries.collect())
}

/// The models that can be used.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::ModelList)]
pub(crate) struct ModelList {
    object: &'static str,
    data: Vec<Model>,
}

/// A model.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::Model)]
pub(crate) struct Model {
    id: String,
    object: &'static str,
    /// 0: when a file was made is not known, and a time that changes would look like another model.
    created: u64,
    owned_by: &'static str,
    meta: ModelMeta,
}

/// What is known of a model's file.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::ModelMeta)]
pub(crate) struct ModelMeta {
    title: String,
    /// `chat`, `embeddings` or `rerank`.
    purpose: &'static str,
    size_bytes: u64,
    quantisation: Option<String>,
    n_ctx_train: Option<u32>,
    /// The model that this short name of the user's stands for; absent when the id is the model's own name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    alias_of: Option<String>,
}

fn shape(model: &ModelSummary, id: &str, alias_of: Option<&str>) -> Model {
    Model {
        id: id.to_owned(),
        object: "model",
        created: 0,
        owned_by: "hearth",
        meta: ModelMeta {
            title: model.title.clone(),
            purpose: match model.purpose {
                Some(ModelPurpose::Embed) => "embeddings",
                Some(ModelPurpose::Rerank) => "rerank",
                _ => "chat",
            },
            size_bytes: model.size_bytes,
            quantisation: model.quantisation.clone(),
            n_ctx_train: model.context_tokens,
            alias_of: alias_of.map(str::to_owned),
        },
    }
}
