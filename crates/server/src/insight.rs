//! What goes on inside, for people and programs that watch: `/health`, `/slots`, `/metrics`, `/openapi.json`.
//!
//! It only reads; nothing here changes what the app does.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use hearth_app::inference::{CacheCounts, EngineState, LoadedModel};
use serde_json::{Value, json};
use utoipa::OpenApi;

use crate::state::ServerState;
use crate::{anthropic, lm_studio, ollama, openai, tokens};

/// The description of all routes, each dialect's own among them.
fn description() -> utoipa::openapi::OpenApi {
    let mut all = Description::openapi();
    all.merge(ollama::Description::openapi());
    all.merge(lm_studio::Description::openapi());
    all.merge(anthropic::Description::openapi());
    all
}

/// The description of the routes that watch, and of OpenAI's dialect. No route leads to chats, settings, keys or files.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hearth",
        description = "Models on this machine, in the dialects that clients know."
    ),
    paths(
        health,
        slots,
        metrics,
        openapi,
        tokens::tokenize,
        tokens::detokenize,
        openai::models::list,
        openai::models::one,
        openai::chat::create,
        openai::completions::create,
        openai::embeddings::create,
        openai::rerank::create,
        openai::responses::create
    )
)]
pub(crate) struct Description;

/// Whether the program answers; says nothing about a model.
#[utoipa::path(get, path = "/health", tag = "hearth", responses((status = 200, description = "The server answers")))]
pub(crate) async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// What each loaded model does now.
#[utoipa::path(get, path = "/slots", tag = "hearth", responses((status = 200, description = "The loaded models")))]
pub(crate) async fn slots(State(state): State<ServerState>) -> Json<Value> {
    let loaded = state.app.inference().loaded();
    let slots = loaded.iter().enumerate().map(|(id, model)| slot(id, model));
    Json(slots.collect::<Vec<Value>>().into())
}

/// `id`, `n_ctx` and `is_processing` are named as in llama.cpp's server.
fn slot(id: usize, model: &LoadedModel) -> Value {
    let (name, context_tokens) = match &model.state {
        EngineState::Unloaded => ("unloaded", None),
        EngineState::Loading { .. } => ("loading", None),
        EngineState::Ready { context_tokens, .. } => ("ready", Some(*context_tokens)),
        EngineState::Generating { context_tokens, .. } => ("generating", Some(*context_tokens)),
        EngineState::Failed { .. } => ("failed", None),
    };
    json!({
        "id": id,
        "model": model.name,
        "state": name,
        "n_ctx": context_tokens,
        "is_processing": model.active_requests > 0,
        "active_requests": model.active_requests,
        "bytes": model.bytes,
        "pinned": model.pinned,
        "expires_at_ms": model.expires_at_ms,
    })
}

/// Counters and times in the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "hearth", responses((status = 200, description = "Counters and times", content_type = "text/plain")))]
pub(crate) async fn metrics(State(state): State<ServerState>) -> impl IntoResponse {
    let inference = state.app.inference();
    state.metrics.models(&inference.loaded());
    let (answers, vectors) = inference.cache_counts();
    for (name, counts) in [("answers", answers), ("vectors", vectors)] {
        let CacheCounts {
            hits,
            misses,
            bytes,
        } = counts;
        state.metrics.cache(name, hits, misses, bytes);
    }
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], state.metrics.render())
}

/// This description.
#[utoipa::path(get, path = "/openapi.json", tag = "hearth", responses((status = 200, description = "OpenAPI 3.1")))]
pub(crate) async fn openapi() -> Json<utoipa::openapi::OpenApi> {
    Json(description())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestServer, text_of};

    #[test]
    fn the_description_is_the_agreed_one() {
        let mut description = serde_json::to_value(description()).unwrap();
        description["info"]["version"] = "version".into();
        // In the order of the letters, which does not depend on how maps are built.
        let sorted: std::collections::BTreeMap<String, Value> =
            serde_json::from_value(description["paths"].take()).unwrap();
        let paths: Vec<&String> = sorted.keys().collect();
        insta::assert_json_snapshot!("paths", paths);
        insta::assert_json_snapshot!("chat", sorted["/v1/chat/completions"]);
        let schemas = description["components"]["schemas"].as_object().unwrap();
        assert!(schemas.contains_key("ChatRequest") && schemas.contains_key("ResponsesRequest"));
        // Each dialect has its own types of the same name.
        for dialect in ["ollama.ChatRequest", "anthropic.MessagesRequest"] {
            assert!(schemas.contains_key(dialect), "{dialect}");
        }
    }

    #[tokio::test]
    async fn every_described_route_is_there() {
        let server = TestServer::start();
        let (_, description) = server.get("/openapi.json").await;
        for (path, methods) in description["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys() {
                let path = path.replace("{id}", "starter");
                let method = method.to_uppercase();
                let status = server.send(&method, &path, "{}").await.status().as_u16();
                assert!(status == 200 || status == 400, "{method} {path}: {status}");
            }
        }
    }

    #[tokio::test]
    async fn figures_of_what_was_done() {
        let server = TestServer::start();
        assert_eq!(server.get("/slots").await.1, json!([]));
        let body = json!({
            "model": "starter",
            "messages": [{ "role": "user", "content": "!say hello" }],
            "temperature": 0,
            "unheard_of": 1,
        });
        for _ in 0..2 {
            server.post("/v1/chat/completions", &body).await;
        }
        server.post("/v1/chat/completions", &json!({})).await;
        let mut slots = server.get("/slots").await.1;
        for _ in 0..500 {
            if slots[0]["is_processing"] == false {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            slots = server.get("/slots").await.1;
        }
        assert_eq!(slots[0]["model"], "starter");
        assert!(slots[0]["n_ctx"].is_u64(), "{slots}");
        let response = server.send("GET", "/metrics", "").await;
        let text = text_of(response).await;
        for line in [
            r#"hearth_requests_total{route="/v1/chat/completions",status="200"} 2"#,
            r#"hearth_requests_total{route="/v1/chat/completions",status="400"} 1"#,
            r#"hearth_ignored_fields_total{route="/v1/chat/completions"} 2"#,
            r#"hearth_generations_total{dialect="openai",model="starter"} 2"#,
            r#"hearth_cache_hits_total{cache="answers"} 1"#,
            r#"hearth_cache_misses_total{cache="answers"} 1"#,
            r#"hearth_model_active_requests{model="starter"} 0"#,
            r#"hearth_time_to_first_token_seconds{dialect="openai",model="starter",quantile="0.95"}"#,
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        server.app.inference().unload("starter").await.unwrap();
        let text = text_of(server.send("GET", "/metrics", "").await).await;
        assert!(
            text.contains(r#"hearth_model_bytes{model="starter"} 0"#),
            "{text}"
        );
    }
}
