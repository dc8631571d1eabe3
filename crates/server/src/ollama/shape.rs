//! Answers of this dialect as they are written. They must not know how an answer is made.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::error::ErrorBody;

/// A line of an answer, or the whole of it.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = ollama::Line)]
pub(crate) struct Line {
    /// As the client wrote it.
    pub(super) model: String,
    /// RFC 3339.
    pub(super) created_at: String,
    /// Of `chat`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) message: Option<MessageShape>,
    /// Of `generate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) response: Option<String>,
    /// Of `generate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) thinking: Option<String>,
    pub(super) done: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(super) logprobs: Vec<TokenShape>,
    /// `stop`, `length`, `load` or `unload`; in the last line.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) done_reason: Option<&'static str>,
    /// Durations are in nanoseconds; in the last line.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) total_duration: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) load_duration: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) prompt_eval_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) prompt_eval_duration: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) eval_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) eval_duration: Option<u64>,
}

/// What stands in a line of a stream. Only described here: each is written for itself.
#[derive(ToSchema)]
#[schema(as = ollama::SentLine)]
#[serde(untagged)]
#[allow(dead_code)] // Never made.
pub(crate) enum SentLine {
    Line(Box<Line>),
    /// The answer broke off.
    Error(ErrorBody),
}

/// What the model says.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ollama::AnswerMessage)]
pub(crate) struct MessageShape {
    pub(super) role: &'static str,
    pub(super) content: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) thinking: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(super) tool_calls: Vec<CallShape>,
}

/// A call, always whole.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ollama::AnswerCall)]
pub(crate) struct CallShape {
    pub(super) id: String,
    pub(super) function: FunctionShape,
}

/// What is called, and how.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ollama::AnswerFunction)]
pub(crate) struct FunctionShape {
    pub(super) index: usize,
    pub(super) name: String,
    #[schema(value_type = Object)]
    pub(super) arguments: Map<String, Value>,
}

/// A token and how likely it was.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ollama::TokenLogprob)]
pub(crate) struct TokenShape {
    pub(super) token: String,
    pub(super) logprob: f32,
    pub(super) bytes: Vec<u8>,
    /// The likeliest ones in its place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(no_recursion, required = false)]
    pub(super) top_logprobs: Vec<TokenShape>,
}

/// The version of the API.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ollama::Version)]
pub(crate) struct Version {
    pub(super) version: &'static str,
}

/// The models that can be used.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ollama::Tags)]
pub(crate) struct Tags {
    pub(super) models: Vec<Tag>,
}

/// A model that can be used.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ollama::Tag)]
pub(crate) struct Tag {
    pub(super) name: String,
    pub(super) model: String,
    /// RFC 3339.
    pub(super) modified_at: String,
    /// Bytes.
    pub(super) size: u64,
    pub(super) digest: String,
    pub(super) details: Details,
    pub(super) capabilities: Vec<&'static str>,
}

/// The models that are loaded.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ollama::Processes)]
pub(crate) struct Processes {
    pub(super) models: Vec<Process>,
}

/// A model that is loaded.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ollama::Process)]
pub(crate) struct Process {
    pub(super) name: String,
    pub(super) model: String,
    /// Bytes.
    pub(super) size: u64,
    pub(super) digest: String,
    pub(super) details: Details,
    /// RFC 3339; far away when there is no end in sight: it is in use, pinned, or kept for ever.
    pub(super) expires_at: String,
    /// Bytes.
    pub(super) size_vram: u64,
    /// Tokens.
    pub(super) context_length: u32,
}

/// What a model says about itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ollama::Shown)]
pub(crate) struct Shown {
    pub(super) modelfile: String,
    pub(super) parameters: String,
    pub(super) template: String,
    pub(super) details: Details,
    /// Metadata under the names that GGUF gives it.
    #[schema(value_type = Object)]
    pub(super) model_info: Map<String, Value>,
    pub(super) capabilities: Vec<&'static str>,
    /// RFC 3339.
    pub(super) modified_at: String,
    /// Our own: whether it fits into this machine, and what it takes by part, in bytes.
    #[schema(value_type = Object)]
    pub(super) fit: Value,
}

/// Of what kind a model is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ollama::Details)]
pub(crate) struct Details {
    /// Always empty.
    pub(super) parent_model: &'static str,
    pub(super) format: &'static str,
    pub(super) family: String,
    pub(super) families: Vec<String>,
    /// As people say it: `134.5M`.
    pub(super) parameter_size: String,
    pub(super) quantization_level: &'static str,
}

/// How far a model has been fetched.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = ollama::Progress)]
pub(crate) struct Progress {
    pub(super) status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) digest: Option<String>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) total: Option<u64>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) completed: Option<u64>,
}

impl Progress {
    pub(super) fn said(status: impl Into<String>) -> Self {
        Self {
            status: status.into(),
            ..Self::default()
        }
    }

    /// How far a file is, by its hash in hexadecimal digits.
    pub(super) fn of_file(sha256: &str, completed: u64, total: u64) -> Self {
        Self {
            status: format!("pulling {}", &sha256[..12.min(sha256.len())]),
            digest: Some(format!("sha256:{sha256}")),
            total: Some(total),
            completed: Some(completed),
        }
    }
}
