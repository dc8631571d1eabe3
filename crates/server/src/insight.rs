//! What goes on inside, for people and programs that watch: `/health`, `/slots`, `/metrics`, `/openapi.json`.
//!
//! It only reads; nothing here changes what the app does.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use hearth_app::inference::{CacheCounts, EngineState, LoadedModel};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use crate::description::description;
use crate::openai::error::Failure;
use crate::state::ServerState;
use crate::tokens;

/// The description of these routes.
#[derive(OpenApi)]
#[openapi(paths(health, slots, metrics, openapi, tokens::tokenize, tokens::detokenize))]
pub(crate) struct Description;

/// That the server answers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = hearth::Health)]
pub(crate) struct Health {
    status: &'static str,
}

/// Whether the program answers; says nothing about a model.
#[utoipa::path(get, path = "/health", tag = "hearth", operation_id = "health",
    responses((status = 200, description = "The server answers", body = Health), Failure))]
pub(crate) async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// A loaded model. `id`, `n_ctx` and `is_processing` are named as in llama.cpp's server.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = hearth::Slot)]
pub(crate) struct Slot {
    id: usize,
    model: String,
    /// `unloaded`, `loading`, `ready`, `generating` or `failed`.
    state: &'static str,
    /// Tokens; null while it is not known.
    n_ctx: Option<u32>,
    is_processing: bool,
    active_requests: u32,
    bytes: u64,
    pinned: bool,
    /// Unix milliseconds; null when it stays.
    expires_at_ms: Option<i64>,
}

/// What each loaded model does now.
#[utoipa::path(get, path = "/slots", tag = "hearth", operation_id = "slots",
    responses((status = 200, description = "The loaded models", body = Vec<Slot>), Failure))]
pub(crate) async fn slots(State(state): State<ServerState>) -> Json<Vec<Slot>> {
    let loaded = state.app.inference().loaded();
    let slots = loaded.into_iter().enumerate();
    Json(slots.map(|(id, model)| slot(id, model)).collect())
}

fn slot(id: usize, model: LoadedModel) -> Slot {
    let (state, n_ctx) = match &model.state {
        EngineState::Unloaded => ("unloaded", None),
        EngineState::Loading { .. } => ("loading", None),
        EngineState::Ready { context_tokens, .. } => ("ready", Some(*context_tokens)),
        EngineState::Generating { context_tokens, .. } => ("generating", Some(*context_tokens)),
        EngineState::Failed { .. } => ("failed", None),
    };
    Slot {
        id,
        model: model.name,
        state,
        n_ctx,
        is_processing: model.active_requests > 0,
        active_requests: model.active_requests,
        bytes: model.bytes,
        pinned: model.pinned,
        expires_at_ms: model.expires_at_ms,
    }
}

/// Counters and times in the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "hearth", operation_id = "metrics",
    responses((status = 200, description = "Counters and times", body = String, content_type = "text/plain"), Failure))]
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
#[utoipa::path(get, path = "/openapi.json", tag = "hearth", operation_id = "openapi",
    responses((status = 200, description = "OpenAPI 3.1", body = Object), Failure))]
pub(crate) async fn openapi() -> Json<utoipa::openapi::OpenApi> {
    Json(description())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{TestServer, text_of};

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
            // One of the two answers was computed.
            r#"hearth_time_to_first_token_seconds_count{dialect="openai",model="starter"} 1"#,
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
