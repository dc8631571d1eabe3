//! `POST /api/embed`: the vectors of texts; and `POST /api/embeddings`, the older form for one text.

use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hearth_app::engine::{self, LongText, Priority, embed};
use hearth_app::inference::KeepAlive;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{Failure, Result};
use super::request::{EmbedRequest, EmbeddingsRequest};
use super::{clock, keep_alive, names};
use crate::body::Body;
use crate::caching::Caching;
use crate::openai::embeddings::shorten;
use crate::refusal::Refusal;
use crate::state::ServerState;
use crate::traffic::Trace;

/// The vectors of some texts.
#[derive(Serialize, ToSchema)]
#[schema(as = ollama::Vectors)]
struct Vectors {
    /// As the client wrote it.
    model: String,
    embeddings: Vec<Vec<f32>>,
    /// Nanoseconds.
    total_duration: u64,
    prompt_eval_count: u32,
}

/// The vector of a text.
#[derive(Serialize, ToSchema)]
#[schema(as = ollama::Vector)]
struct Vector {
    embedding: Vec<f32>,
}

/// Turns texts into vectors of length 1. Without a text there are none.
#[utoipa::path(post, path = "/api/embed", tag = "ollama", operation_id = "ollama_embed", request_body = EmbedRequest,
    responses((status = 200, description = "A vector for each text, in their order", body = Vectors), Failure))]
pub(crate) async fn create(
    State(state): State<ServerState>,
    caching: Caching,
    body: std::result::Result<Body<EmbedRequest>, Refusal>,
) -> Result {
    let Body(asked) = body?;
    let began = Instant::now();
    let keep_alive = keep_alive::parse(asked.keep_alive.as_ref())?;
    let dimensions = dimensions(asked.dimensions)?;
    let model = names::resolve(&state, &asked.model).await?;
    let mut answer = Vectors {
        model: asked.model,
        embeddings: Vec::new(),
        total_duration: 0,
        prompt_eval_count: 0,
    };
    // As in Ollama, a request without text only asks whether the model is there.
    if asked.input.iter().any(|text| !text.is_empty()) {
        let mut request = engine::EmbedRequest::new(asked.input.clone());
        request.long = match asked.truncate {
            None => LongText::Split,
            Some(true) => LongText::Truncate,
            Some(false) => LongText::Refuse,
        };
        let made = compute(&state, &model, request, keep_alive, caching).await?;
        answer.prompt_eval_count = made.tokens.iter().sum();
        answer.embeddings = made.vectors;
        if let Some(count) = dimensions {
            for vector in &mut answer.embeddings {
                shorten(vector, count)?;
            }
        }
    }
    answer.total_duration = clock::nanoseconds(began.elapsed());
    Ok(Json(answer).into_response())
}

/// Turns one text into a vector, not scaled.
#[utoipa::path(post, path = "/api/embeddings", tag = "ollama", operation_id = "ollama_embeddings", request_body = EmbeddingsRequest,
    responses((status = 200, description = "The vector", body = Vector), Failure))]
pub(crate) async fn create_one(
    State(state): State<ServerState>,
    caching: Caching,
    body: std::result::Result<Body<EmbeddingsRequest>, Refusal>,
) -> Result<Response> {
    let Body(asked) = body?;
    let keep_alive = keep_alive::parse(asked.keep_alive.as_ref())?;
    let model = names::resolve(&state, &asked.model).await?;
    if asked.prompt.is_empty() {
        let embedding = Vec::new();
        return Ok(Json(Vector { embedding }).into_response());
    }
    let mut request = engine::EmbedRequest::new(vec![asked.prompt]);
    request.normalize = false;
    let made = compute(&state, &model, request, keep_alive, caching).await?;
    let embedding = made.vectors.into_iter().next().unwrap_or_default();
    Ok(Json(Vector { embedding }).into_response())
}

async fn compute(
    state: &ServerState,
    model: &str,
    mut request: engine::EmbedRequest,
    keep_alive: Option<KeepAlive>,
    caching: Caching,
) -> std::result::Result<engine::Embeddings, Refusal> {
    request.priority = Priority::Api;
    // Here too, because the engine's error names the field.
    embed::Task::Embed(request.clone()).validate()?;
    let inference = state.app.inference();
    let encoded = inference
        .embed(model, request, keep_alive, caching.0)
        .await?;
    let tokens = encoded.result.tokens.iter().map(|n| u64::from(*n)).sum();
    Trace::current().read(&encoded.model, tokens);
    Ok(encoded.result)
}

fn dimensions(asked: Option<i64>) -> std::result::Result<Option<u32>, Refusal> {
    match asked {
        // 0 is what a client sends that leaves it out.
        None | Some(0) => Ok(None),
        Some(count) => u32::try_from(count)
            .map(Some)
            .map_err(|_| Refusal::invalid("dimensions", format_args!("is out of range: {count}"))),
    }
}
