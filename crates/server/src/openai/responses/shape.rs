//! A response and its items as they are written. They must not know how an answer is made.

use serde::Serialize;
use utoipa::ToSchema;

use super::request::Head;
use crate::openai::output::TokenShape;

/// A response.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::Response)]
pub(crate) struct ResponseShape {
    #[serde(flatten)]
    pub(super) head: Head,
    pub(super) object: &'static str,
    /// `in_progress`, `completed`, `incomplete` or `failed`.
    pub(super) status: &'static str,
    pub(super) output: Vec<OutputItem>,
    pub(super) error: Option<ResponseError>,
    pub(super) incomplete_details: Option<Incomplete>,
    /// Always null: nothing is stored.
    pub(super) previous_response_id: Option<String>,
    pub(super) store: bool,
    pub(super) truncation: &'static str,
    /// Null until the end.
    pub(super) usage: Option<ResponseUsage>,
}

/// Why it broke off.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::ResponseError)]
pub(crate) struct ResponseError {
    pub(super) code: &'static str,
    pub(super) message: String,
}

/// Why it is shorter than it would be.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::Incomplete)]
pub(crate) struct Incomplete {
    pub(super) reason: &'static str,
}

/// Tokens read and written.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::ResponseUsage)]
pub(crate) struct ResponseUsage {
    pub(super) input_tokens: u32,
    pub(super) input_tokens_details: InputDetails,
    pub(super) output_tokens: u32,
    pub(super) total_tokens: u32,
}

/// Where the tokens of the input came from.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::InputDetails)]
pub(crate) struct InputDetails {
    /// Those that were read before.
    pub(super) cached_tokens: u32,
}

/// An item of the output; `type` says which.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = openai::OutputItem)]
#[serde(untagged)]
pub(crate) enum OutputItem {
    Message(MessageItem),
    Reasoning(ReasoningItem),
    Call(CallItem),
}

/// Text.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = openai::MessageItem)]
pub(crate) struct MessageItem {
    pub(super) id: String,
    /// `message`.
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) status: &'static str,
    pub(super) role: &'static str,
    pub(super) content: Vec<OutputPart>,
}

/// Thoughts.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = openai::ReasoningItem)]
pub(crate) struct ReasoningItem {
    pub(super) id: String,
    /// `reasoning`.
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) status: &'static str,
    /// Always empty: thoughts are shown, not summed up.
    pub(super) summary: Vec<OutputPart>,
    pub(super) content: Vec<OutputPart>,
}

/// A call of a function.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = openai::CallItem)]
pub(crate) struct CallItem {
    pub(super) id: String,
    /// `function_call`.
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) status: &'static str,
    pub(super) call_id: String,
    pub(super) name: String,
    /// A string of JSON.
    pub(super) arguments: String,
}

/// A part of an item.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = openai::OutputPart)]
pub(crate) struct OutputPart {
    /// `output_text` or `reasoning_text`.
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) text: String,
    /// Always empty; text only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) annotations: Option<Vec<String>>,
    /// Text only; empty unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) logprobs: Option<Vec<TokenShape>>,
}
