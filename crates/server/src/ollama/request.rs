//! The requests of this dialect as they are written. A field that is not here is ignored and counted.
//!
//! They must not know the engine; `null` stands for a field that is absent, as Go reads it.

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::lenient::{or_default, texts, whole};

/// `POST /api/chat`. Without messages the model is loaded, or unloaded by a `keep_alive` of 0.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ollama::ChatRequest)]
pub(crate) struct ChatRequest {
    pub(super) model: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) messages: Vec<Message>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) tools: Vec<Tool>,
    /// Absent means line by line.
    pub(super) stream: Option<bool>,
    /// `"json"`, or a JSON Schema.
    pub(super) format: Option<Value>,
    /// Seconds, or a duration such as `"5m"`; negative is for ever, 0 unloads afterwards.
    pub(super) keep_alive: Option<Value>,
    /// Whether the model thinks first: `true`, `false`, or a level, which counts as `true`.
    pub(super) think: Option<Value>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) options: Options,
    /// Whether the oldest turns are left out of a conversation that is too long; absent means yes.
    pub(super) truncate: Option<bool>,
    /// Whether the answer goes on when the window is full; absent means no, unlike in Ollama: such answers get odd.
    pub(super) shift: Option<bool>,
    pub(super) logprobs: Option<bool>,
    #[serde(default, deserialize_with = "whole")]
    #[schema(value_type = Option<i64>)]
    pub(super) top_logprobs: Option<i64>,
}

/// `POST /api/generate`. Without a prompt the model is loaded, or unloaded by a `keep_alive` of 0.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ollama::GenerateRequest)]
pub(crate) struct GenerateRequest {
    pub(super) model: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) prompt: String,
    /// What comes after the answer; refused unless it is empty or the request is raw.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) suffix: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) system: String,
    /// Refused in a raw request, ignored otherwise.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) template: String,
    /// The prompt goes to the model as it is, without its chat template.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) raw: bool,
    /// Base64.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) images: Vec<String>,
    /// Absent means line by line.
    pub(super) stream: Option<bool>,
    /// `"json"`, or a JSON Schema.
    pub(super) format: Option<Value>,
    /// Seconds, or a duration such as `"5m"`; negative is for ever, 0 unloads afterwards.
    pub(super) keep_alive: Option<Value>,
    /// Whether the model thinks first: `true`, `false`, or a level, which counts as `true`.
    pub(super) think: Option<Value>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) options: Options,
    /// Whether the beginning is left out of a conversation that is too long; absent means yes.
    pub(super) truncate: Option<bool>,
    /// Whether the answer goes on when the window is full; absent means no, unlike in Ollama: such answers get odd.
    pub(super) shift: Option<bool>,
    pub(super) logprobs: Option<bool>,
    #[serde(default, deserialize_with = "whole")]
    #[schema(value_type = Option<i64>)]
    pub(super) top_logprobs: Option<i64>,
}

/// One message of a conversation.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[schema(as = ollama::Message)]
pub(crate) struct Message {
    /// `system`, `user`, `assistant` or `tool`.
    pub(super) role: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) content: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) thinking: String,
    /// Base64.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) images: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) tool_calls: Vec<Call>,
    /// The tool whose result this is.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) tool_name: String,
    /// The call whose result this is.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) tool_call_id: String,
}

/// A call that the assistant made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(as = ollama::Call)]
pub(crate) struct Call {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) id: String,
    pub(super) function: CalledFunction,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(as = ollama::CalledFunction)]
pub(crate) struct CalledFunction {
    pub(super) name: String,
    /// An object here; text that holds one, as OpenAI's API has it, is taken too.
    #[serde(default)]
    pub(super) arguments: Value,
}

/// A function that the model may ask for.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(as = ollama::Tool)]
pub(crate) struct Tool {
    pub(super) function: ToolFunction,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(as = ollama::ToolFunction)]
pub(crate) struct ToolFunction {
    pub(super) name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) description: String,
    /// A JSON Schema of an object.
    #[serde(default)]
    pub(super) parameters: Value,
}

/// How the next token is chosen. Not here and so ignored: `num_ctx`, `num_keep`, `num_batch`, `num_gpu`, `main_gpu`, `use_mmap`,
/// `num_thread`, `draft_num_predict` and others that belong to a loaded model and not to a request.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[schema(as = ollama::Options)]
pub(crate) struct Options {
    /// Limit of generated tokens; 0 and less is none.
    #[serde(default, deserialize_with = "whole")]
    #[schema(value_type = Option<i64>)]
    pub(super) num_predict: Option<i64>,
    /// Negative draws one.
    #[serde(default, deserialize_with = "whole")]
    #[schema(value_type = Option<i64>)]
    pub(super) seed: Option<i64>,
    pub(super) temperature: Option<f32>,
    #[serde(default, deserialize_with = "whole")]
    #[schema(value_type = Option<i64>)]
    pub(super) top_k: Option<i64>,
    pub(super) top_p: Option<f32>,
    pub(super) min_p: Option<f32>,
    pub(super) typical_p: Option<f32>,
    /// -1 is the whole context.
    #[serde(default, deserialize_with = "whole")]
    #[schema(value_type = Option<i64>)]
    pub(super) repeat_last_n: Option<i64>,
    pub(super) repeat_penalty: Option<f32>,
    pub(super) presence_penalty: Option<f32>,
    pub(super) frequency_penalty: Option<f32>,
    #[serde(default, deserialize_with = "whole")]
    #[schema(value_type = Option<i64>)]
    pub(super) mirostat: Option<i64>,
    pub(super) mirostat_tau: Option<f32>,
    pub(super) mirostat_eta: Option<f32>,
    /// One text or a list.
    #[serde(default, deserialize_with = "texts")]
    #[schema(value_type = Vec<String>)]
    pub(super) stop: Vec<String>,
}

/// `POST /api/embed`.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ollama::EmbedRequest)]
pub(crate) struct EmbedRequest {
    pub(super) model: String,
    /// One text or a list.
    #[serde(default, deserialize_with = "texts")]
    #[schema(value_type = Vec<String>)]
    pub(super) input: Vec<String>,
    /// `true` takes the beginning of a text that is too long, `false` refuses it; absent means all of it, in parts.
    pub(super) truncate: Option<bool>,
    /// Takes this many elements of each vector, scaled to length 1 again.
    #[serde(default, deserialize_with = "whole")]
    #[schema(value_type = Option<i64>)]
    pub(super) dimensions: Option<i64>,
    pub(super) keep_alive: Option<Value>,
}

/// `POST /api/embeddings`, the older form: one text, and its vector as the model gives it.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ollama::EmbeddingsRequest)]
pub(crate) struct EmbeddingsRequest {
    pub(super) model: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) prompt: String,
    pub(super) keep_alive: Option<Value>,
}

/// A model by its name, in either of the two fields that clients use.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = ollama::ModelRequest)]
pub(crate) struct ModelRequest {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) model: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) name: String,
    /// For `pull`: absent means line by line.
    pub(super) stream: Option<bool>,
}

/// `POST /api/copy`.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ollama::CopyRequest)]
pub(crate) struct CopyRequest {
    pub(super) source: String,
    pub(super) destination: String,
}
