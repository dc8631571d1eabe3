//! The requests of this dialect as they are written. A field that is not here is ignored and counted.
//!
//! Blocks of content are one type with every field of every kind, and not an enum: so a wrong field is named by its whole path.
//! They must not know the engine.

use std::fmt;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use utoipa::ToSchema;

use crate::lenient::{or_default, whole};

/// `POST /v1/messages`.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = anthropic::MessagesRequest)]
pub(crate) struct MessagesRequest {
    pub(super) model: String,
    pub(super) messages: Vec<Message>,
    /// Limit of generated tokens, at least 1.
    pub(super) max_tokens: u32,
    /// One text, or blocks of text.
    #[serde(default)]
    #[schema(value_type = Option<Value>)]
    pub(super) system: Option<Content>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) stream: bool,
    /// 0 to 1.
    pub(super) temperature: Option<f32>,
    pub(super) top_p: Option<f32>,
    #[serde(default, deserialize_with = "whole")]
    #[schema(value_type = Option<i64>)]
    pub(super) top_k: Option<i64>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) stop_sequences: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) tools: Vec<Tool>,
    pub(super) tool_choice: Option<Choice>,
    /// Without it the model does not think, as far as that can be asked for, and no thoughts are sent.
    pub(super) thinking: Option<Kind>,
    /// What the answer must conform to.
    pub(super) output_config: Option<OutputConfig>,
    /// The older place of the same.
    pub(super) output_format: Option<Format>,
}

/// `POST /v1/messages/count_tokens`: what the prompt is made of.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = anthropic::CountRequest)]
pub(crate) struct CountRequest {
    pub(super) model: String,
    pub(super) messages: Vec<Message>,
    /// One text, or blocks of text.
    #[serde(default)]
    #[schema(value_type = Option<Value>)]
    pub(super) system: Option<Content>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) tools: Vec<Tool>,
    pub(super) tool_choice: Option<Choice>,
    pub(super) thinking: Option<Kind>,
}

/// One message of a conversation.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = anthropic::Message)]
pub(crate) struct Message {
    /// `user`, `assistant` or `system`.
    pub(super) role: String,
    /// One text, or blocks.
    #[schema(value_type = Value)]
    pub(super) content: Content,
}

/// One text, or blocks.
#[derive(Debug)]
pub(crate) enum Content {
    Text(String),
    Blocks(Vec<Block>),
}

/// A block of content. Which fields it has depends on its type.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = anthropic::Block)]
pub(crate) struct Block {
    /// `text`, `image`, `document`, `tool_use`, `tool_result`, `thinking` or `redacted_thinking`.
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) text: Option<String>,
    pub(super) source: Option<Source>,
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) input: Option<Value>,
    pub(super) tool_use_id: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<Value>)]
    pub(super) content: Option<Content>,
}

/// Where a picture or a document is.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = anthropic::Source)]
pub(crate) struct Source {
    /// `base64` or `text`.
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) data: String,
}

/// A function that the model may ask for.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = anthropic::Tool)]
pub(crate) struct Tool {
    /// Absent or `custom`; tools that a server runs are refused.
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) description: String,
    /// A JSON Schema of an object.
    pub(super) input_schema: Option<Value>,
}

/// Whether the model has to call something.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = anthropic::Choice)]
pub(crate) struct Choice {
    /// `auto`, `any`, `tool` or `none`.
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) disable_parallel_tool_use: bool,
}

/// Something of which only the type matters here.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = anthropic::Kind)]
pub(crate) struct Kind {
    /// `enabled`, `adaptive` or `disabled`.
    #[serde(rename = "type")]
    pub(super) kind: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = anthropic::OutputConfig)]
pub(crate) struct OutputConfig {
    pub(super) format: Option<Format>,
}

/// A form of the answer.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = anthropic::Format)]
pub(crate) struct Format {
    /// `json_schema`.
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) schema: Option<Value>,
}

impl<'de> Deserialize<'de> for Content {
    /// By hand, so that the path of a wrong field inside of a block stays known.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrBlocks;

        impl<'de> Visitor<'de> for TextOrBlocks {
            type Value = Content;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("a text or a list of blocks")
            }

            fn visit_str<E>(self, text: &str) -> Result<Content, E> {
                Ok(Content::Text(text.to_owned()))
            }

            fn visit_string<E>(self, text: String) -> Result<Content, E> {
                Ok(Content::Text(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, blocks: A) -> Result<Content, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(blocks)).map(Content::Blocks)
            }
        }

        deserializer.deserialize_any(TextOrBlocks)
    }
}
