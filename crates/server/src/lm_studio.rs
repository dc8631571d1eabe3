//! What Zed asks of LM Studio beyond OpenAI's API: which models there are, in LM Studio's words.
//!
//! Answers come from the OpenAI dialect, whose shape this API shares.

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use hearth_app::models::{ModelDetails, ModelPurpose};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use crate::ollama::{context_tokens, loaded_context};
use crate::openai;
use crate::openai::error::{Failure, Result};
use crate::state::ServerState;

/// The description of the routes that are not OpenAI's.
#[derive(OpenApi)]
#[openapi(paths(models, model))]
pub(crate) struct Description;

/// The routes that OpenAI's dialect answers, and what they are called there.
pub(crate) const SAME_AS: [(&str, &str); 3] = [
    ("/api/v0/chat/completions", "/v1/chat/completions"),
    ("/api/v0/completions", "/v1/completions"),
    ("/api/v0/embeddings", "/v1/embeddings"),
];

pub(crate) fn routes() -> Router<ServerState> {
    Router::new()
        .route("/api/v0/models", get(models))
        .route("/api/v0/models/{*id}", get(model))
        .route("/api/v0/chat/completions", post(openai::chat::create))
        .route("/api/v0/completions", post(openai::completions::create))
        .route("/api/v0/embeddings", post(openai::embeddings::create))
}

/// The models that can be used, under each of their names.
#[utoipa::path(get, path = "/api/v0/models", tag = "lm-studio", operation_id = "lm_studio_models",
    responses((status = 200, description = "The models", body = ModelList), Failure))]
pub(crate) async fn models(State(state): State<ServerState>) -> Result<Json<ModelList>> {
    let all = state.app.models().all_details().await?;
    Ok(Json(ModelList {
        object: "list",
        data: all
            .iter()
            .flat_map(|model| model.names().map(|name| shown(&state, model, name)))
            .collect(),
    }))
}

/// One model.
#[utoipa::path(get, path = "/api/v0/models/{id}", tag = "lm-studio", operation_id = "lm_studio_model",
    params(("id" = String, Path, description = "Its name")),
    responses((status = 200, description = "The model", body = Model), Failure))]
pub(crate) async fn model(
    State(state): State<ServerState>,
    Path(id): Path<String>,
) -> Result<Json<Model>> {
    let model = state.app.models().details(&id).await?;
    Ok(Json(shown(&state, &model, model.name_as_asked(&id))))
}

/// The models that can be used.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = lm_studio::ModelList)]
pub(crate) struct ModelList {
    object: &'static str,
    data: Vec<Model>,
}

/// A model.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = lm_studio::Model)]
pub(crate) struct Model {
    id: String,
    object: &'static str,
    /// `llm`, `vlm` (it sees pictures) or `embeddings`.
    #[serde(rename = "type")]
    kind: &'static str,
    publisher: &'static str,
    arch: String,
    compatibility_type: &'static str,
    quantization: Option<&'static str>,
    /// `loaded` or `not-loaded`.
    state: &'static str,
    /// What a request can use, in tokens: Zed plans with it when the model is not loaded.
    max_context_length: u32,
    capabilities: Vec<&'static str>,
    /// Tokens; absent when it is not loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    loaded_context_length: Option<u32>,
}

fn shown(state: &ServerState, model: &ModelDetails, name: &str) -> Model {
    let header = &model.header;
    let loaded = loaded_context(&state.app.inference().state_of(&model.name));
    Model {
        id: name.to_owned(),
        object: "model",
        kind: match model.purpose {
            ModelPurpose::Chat if model.sees => "vlm",
            ModelPurpose::Chat => "llm",
            // There is no word for a reranker; none of its clients would chat with this one.
            ModelPurpose::Embed | ModelPurpose::Rerank => "embeddings",
        },
        publisher: "hearth",
        arch: header.architecture.clone(),
        compatibility_type: "gguf",
        quantization: header.quantisation,
        state: if loaded.is_some() {
            "loaded"
        } else {
            "not-loaded"
        },
        max_context_length: context_tokens(state, model),
        capabilities: if model.calls_tools {
            vec!["tool_use"]
        } else {
            vec![]
        },
        loaded_context_length: loaded,
    }
}

#[cfg(test)]
mod tests {
    use hearth_app::settings::SettingChange;
    use serde_json::{Value, json};

    use crate::testing::TestServer;

    /// Waits until the starter model is described as `wanted`.
    async fn see(server: &TestServer, wanted: impl Fn(&Value) -> bool) {
        let mut model = Value::Null;
        for _ in 0..500 {
            model = server.get("/api/v0/models/starter").await.1;
            if wanted(&model) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("not seen in 5 s: {model}");
    }

    #[tokio::test]
    async fn the_context_is_what_the_settings_allow_and_a_change_unloads_what_is_idle() {
        let server = TestServer::start();
        let tokens = json!({ "model": "starter", "content": "a" });
        server.post("/tokenize", &tokens).await;
        let (_, model) = server.get("/api/v0/models/starter").await;
        assert_eq!(model["state"], "loaded", "{model}");
        let settings = server.app.settings();
        let smaller = SettingChange::ContextTokens(1024);
        settings.set(smaller).await.unwrap();
        // Waited for together: an answer that is put together while the change arrives may have one of both only.
        let unloaded =
            |model: &Value| model["state"] == "not-loaded" && model["max_context_length"] == 1024;
        see(&server, unloaded).await;
        // More than it was trained for is of no use to it.
        let more = SettingChange::ContextTokens(1 << 20);
        settings.set(more).await.unwrap();
        see(&server, |model| model["max_context_length"] == 8192).await;
        assert!(
            settings
                .set(SettingChange::ContextTokens(511))
                .await
                .is_err()
        );
    }
}
