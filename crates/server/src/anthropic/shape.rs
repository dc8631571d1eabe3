//! A message of the assistant as it is written. It must not know how an answer is made.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A message of the assistant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = anthropic::Answer)]
pub(crate) struct MessageShape {
    pub(super) id: String,
    /// `message`.
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) role: &'static str,
    /// As the client wrote it.
    pub(super) model: String,
    pub(super) content: Vec<ContentBlock>,
    #[serde(flatten)]
    pub(super) stop: Stop,
    pub(super) usage: Usage,
}

/// Why it ended.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = anthropic::Stop)]
pub(crate) struct Stop {
    /// `end_turn`, `max_tokens`, `stop_sequence` or `tool_use`; null while it goes on.
    pub(super) stop_reason: Option<&'static str>,
    pub(super) stop_sequence: Option<String>,
}

/// Tokens read and written.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = anthropic::Usage)]
#[allow(clippy::struct_field_names)] // The API names them so.
pub(crate) struct Usage {
    /// Those of the prompt that were not read before.
    pub(super) input_tokens: u32,
    pub(super) cache_creation_input_tokens: u32,
    pub(super) cache_read_input_tokens: u32,
    pub(super) output_tokens: u32,
}

/// A block of the answer; `type` says which.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = anthropic::AnswerBlock)]
#[serde(untagged)]
pub(crate) enum ContentBlock {
    Thinking(Thoughts),
    Text(Text),
    ToolUse(ToolUse),
}

/// What the model thought.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = anthropic::Thinking)]
pub(crate) struct Thoughts {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) thinking: String,
    /// Always empty: thoughts are not signed here.
    pub(super) signature: &'static str,
}

/// What it says.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = anthropic::Text)]
pub(crate) struct Text {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) text: String,
}

/// A function that it asks for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = anthropic::ToolUse)]
pub(crate) struct ToolUse {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) id: String,
    pub(super) name: String,
    #[schema(value_type = Object)]
    pub(super) input: Map<String, Value>,
}

/// The length of a conversation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = anthropic::Count)]
pub(crate) struct Count {
    pub(super) input_tokens: u32,
}
