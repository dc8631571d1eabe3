//! What models there are, what each one is, and which are loaded.
//!
//! `context_length` is what a request can use, which may be less than what the model was trained with: clients plan with it, and a
//! request here cannot make it longer.

use axum::Json;
use axum::extract::State;
use hearth_app::inference::{EngineState, LoadedModel};
use hearth_app::models::{ModelDetails, ModelPurpose};
use serde_json::{Map, Value, json};

use super::error::{Failure, Result};
use super::request::ModelRequest;
use super::shape::{Details, Process, Processes, Shown, Tag, Tags, Version};
use super::{API_VERSION, clock, names};
use crate::body::Body;
use crate::refusal::Refusal;
use crate::state::ServerState;

/// Which version of the API this is.
#[utoipa::path(get, path = "/api/version", tag = "ollama", operation_id = "ollama_version",
    responses((status = 200, description = "The version", body = Version), Failure))]
pub(crate) async fn version() -> Json<Version> {
    let version = API_VERSION;
    Json(Version { version })
}

/// The models that can be used, under each of their names: clients offer what is listed and nothing else.
#[utoipa::path(get, path = "/api/tags", tag = "ollama", operation_id = "ollama_models",
    responses((status = 200, description = "The models", body = Tags), Failure))]
pub(crate) async fn tags(State(state): State<ServerState>) -> Result<Json<Tags>> {
    let all = state.app.models().all_details().await?;
    let models = all
        .iter()
        .flat_map(|model| model.names().map(move |name| tag(model, name)))
        .collect();
    Ok(Json(Tags { models }))
}

/// What a model says about itself.
#[utoipa::path(post, path = "/api/show", tag = "ollama", operation_id = "ollama_show", request_body = ModelRequest,
    responses((status = 200, description = "The model", body = Shown), Failure))]
pub(crate) async fn show(
    State(state): State<ServerState>,
    body: std::result::Result<Body<ModelRequest>, Refusal>,
) -> Result<Json<Shown>> {
    let Body(asked) = body?;
    let name = wanted(&asked)?;
    let model = state.app.models().details(name).await?;
    let context_tokens = context_tokens(&state, &model);
    let fit = state.app.inference().fit(&model.name, None).await?;
    Ok(Json(Shown {
        fit: json!(fit),
        modelfile: format!("# Shown by Hearth\nFROM {}\n", names::tagged(&model.name)),
        parameters: format!("num_ctx                        {context_tokens}"),
        template: model.header.chat_template.clone().unwrap_or_default(),
        details: details(&model),
        model_info: model_info(&model, context_tokens),
        capabilities: capabilities(&model),
        modified_at: clock::rfc3339(model.modified_ms.unwrap_or(0)),
    }))
}

/// The models that are loaded.
#[utoipa::path(get, path = "/api/ps", tag = "ollama", operation_id = "ollama_loaded",
    responses((status = 200, description = "The loaded models", body = Processes), Failure))]
pub(crate) async fn ps(State(state): State<ServerState>) -> Result<Json<Processes>> {
    let mut models = Vec::new();
    for loaded in state.app.inference().loaded() {
        // A file that is gone since then has nothing more to say.
        if let Ok(model) = state.app.models().details(&loaded.name).await {
            models.push(running(&model, &loaded));
        }
    }
    Ok(Json(Processes { models }))
}

/// The name in whichever field it is.
pub(super) fn wanted(asked: &ModelRequest) -> std::result::Result<&str, Failure> {
    let name = [&asked.model, &asked.name]
        .into_iter()
        .find(|name| !name.trim().is_empty());
    name.map(String::as_str)
        .ok_or_else(|| Refusal::invalid("model", "is missing").into())
}

/// Tokens that fit the window now, or will when the model is loaded.
pub(crate) fn context_tokens(state: &ServerState, model: &ModelDetails) -> u32 {
    loaded_context(&state.app.inference().state_of(&model.name)).unwrap_or(model.context_tokens)
}

pub(crate) fn loaded_context(state: &EngineState) -> Option<u32> {
    match state {
        EngineState::Ready { context_tokens, .. }
        | EngineState::Generating { context_tokens, .. } => Some(*context_tokens),
        _ => None,
    }
}

fn tag(model: &ModelDetails, name: &str) -> Tag {
    let name = names::tagged(name);
    Tag {
        model: name.clone(),
        name,
        modified_at: clock::rfc3339(model.modified_ms.unwrap_or(0)),
        size: model.size_bytes,
        digest: model.digest.clone(),
        details: details(model),
        capabilities: capabilities(model),
    }
}

fn running(model: &ModelDetails, loaded: &LoadedModel) -> Process {
    let name = names::tagged(&model.name);
    Process {
        model: name.clone(),
        name,
        size: loaded.bytes,
        digest: model.digest.clone(),
        details: details(model),
        expires_at: clock::rfc3339(loaded.expires_at_ms.unwrap_or(clock::NEVER_MS)),
        size_vram: on_gpu_bytes(loaded),
        context_length: loaded_context(&loaded.state).unwrap_or(model.context_tokens),
    }
}

/// All or nothing: where layers go to a GPU they all do.
fn on_gpu_bytes(loaded: &LoadedModel) -> u64 {
    if cfg!(target_os = "macos") && loaded_context(&loaded.state).is_some() {
        loaded.bytes
    } else {
        0
    }
}

fn details(model: &ModelDetails) -> Details {
    let header = &model.header;
    Details {
        parent_model: "",
        format: "gguf",
        family: header.architecture.clone(),
        families: vec![header.architecture.clone()],
        parameter_size: parameter_size(header.parameters),
        quantization_level: header.quantisation.unwrap_or("unknown"),
    }
}

/// As people say it: `134.5M`, `8.0B`.
fn parameter_size(parameters: u64) -> String {
    match parameters as f64 {
        n if n >= 1e9 => format!("{:.1}B", n / 1e9),
        n if n >= 1e6 => format!("{:.1}M", n / 1e6),
        n => format!("{:.1}K", n / 1e3),
    }
}

/// In Ollama's words. Filling in is not offered yet, so no model has it.
pub(crate) fn capabilities(model: &ModelDetails) -> Vec<&'static str> {
    let all = [
        ("completion", model.purpose == ModelPurpose::Chat),
        ("tools", model.calls_tools),
        ("vision", model.sees),
        ("thinking", model.thinks),
        ("embedding", model.purpose == ModelPurpose::Embed),
    ];
    all.into_iter()
        .filter_map(|(name, has)| has.then_some(name))
        .collect()
}

/// The metadata that clients look for, under the names that GGUF gives it.
fn model_info(model: &ModelDetails, context_tokens: u32) -> Map<String, Value> {
    let header = &model.header;
    let mut info = Map::new();
    let mut add = |key: &str, value: Value| info.insert(key.to_owned(), value);
    add("general.architecture", json!(header.architecture));
    let basename = header.basename.as_ref().or(header.name.as_ref());
    add("general.basename", json!(basename.unwrap_or(&model.title)));
    add("general.parameter_count", json!(header.parameters));
    for (key, text) in [
        ("general.name", &header.name),
        ("general.size_label", &header.size_label),
    ] {
        if let Some(text) = text {
            add(key, json!(text));
        }
    }
    let own = |key: &str| format!("{}.{key}", header.architecture);
    add(&own("context_length"), json!(context_tokens));
    add(&own("block_count"), json!(header.block_count));
    add(&own("embedding_length"), json!(header.embedding_length));
    add(&own("vocab_size"), json!(header.token_count));
    for (key, number) in [
        ("attention.head_count", header.head_count),
        ("attention.head_count_kv", header.head_count_kv),
        ("attention.key_length", header.key_length),
        ("attention.value_length", header.value_length),
    ] {
        if let Some(number) = number {
            add(&own(key), json!(number));
        }
    }
    info
}
