//! What an answer can be made to conform to.

use serde::{Deserialize, Serialize};

/// A language the answer is held to, token by token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum Constraint {
    /// Any JSON object.
    JsonObject,
    /// JSON that is valid under this schema.
    JsonSchema(serde_json::Value),
    /// A grammar in llama.cpp's GBNF; the start symbol is `root`.
    Gbnf(String),
    /// A regular expression for the whole answer.
    Regex(String),
}
