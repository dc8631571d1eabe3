//! What Zed asks of LM Studio beyond OpenAI's API: which models there are, in LM Studio's words.
//!
//! Answers come from the OpenAI dialect, whose shape this API shares.

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use hearth_app::models::{ModelDetails, ModelPurpose};
use serde_json::{Value, json};
use utoipa::OpenApi;

use crate::ollama::{context_tokens, loaded_context};
use crate::openai;
use crate::openai::error::Result;
use crate::state::ServerState;

/// The description of these routes; those that OpenAI's dialect answers are described there.
#[derive(OpenApi)]
#[openapi(paths(models, model))]
pub(crate) struct Description;

pub(crate) fn routes() -> Router<ServerState> {
    Router::new()
        .route("/api/v0/models", get(models))
        .route("/api/v0/models/{*id}", get(model))
        .route("/api/v0/chat/completions", post(openai::chat::create))
        .route("/api/v0/completions", post(openai::completions::create))
        .route("/api/v0/embeddings", post(openai::embeddings::create))
}

/// The models that can be used.
#[utoipa::path(get, path = "/api/v0/models", tag = "lm-studio", responses((status = 200, description = "The models")))]
pub(crate) async fn models(State(state): State<ServerState>) -> Result<Json<Value>> {
    let all = state.app.models().all_details().await?;
    let data: Vec<Value> = all.iter().map(|model| shown(&state, model)).collect();
    Ok(Json(json!({ "object": "list", "data": data })))
}

/// One model.
#[utoipa::path(get, path = "/api/v0/models/{id}", tag = "lm-studio",
    params(("id" = String, Path, description = "Its name")),
    responses((status = 200, description = "The model")))]
pub(crate) async fn model(
    State(state): State<ServerState>,
    Path(id): Path<String>,
) -> Result<Json<Value>> {
    let model = state.app.models().details(&id).await?;
    Ok(Json(shown(&state, &model)))
}

fn shown(state: &ServerState, model: &ModelDetails) -> Value {
    let header = &model.header;
    let loaded = loaded_context(&state.app.inference().state_of(&model.name));
    let mut shown = json!({
        "id": model.name,
        "object": "model",
        "type": match model.purpose {
            ModelPurpose::Chat if model.sees => "vlm",
            ModelPurpose::Chat => "llm",
            // There is no word for a reranker; none of its clients would chat with this one.
            ModelPurpose::Embed | ModelPurpose::Rerank => "embeddings",
        },
        "publisher": "hearth",
        "arch": header.architecture,
        "compatibility_type": "gguf",
        "quantization": header.quantisation,
        "state": if loaded.is_some() { "loaded" } else { "not-loaded" },
        // What a request can use: Zed plans with it when the model is not loaded.
        "max_context_length": context_tokens(state, model),
        "capabilities": if model.calls_tools { vec!["tool_use"] } else { vec![] },
    });
    if let Some(tokens) = loaded {
        shown["loaded_context_length"] = tokens.into();
    }
    shown
}
