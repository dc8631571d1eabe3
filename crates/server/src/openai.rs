//! The OpenAI dialect: what its clients send, and what they expect to be sent.

pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod embeddings;
pub(crate) mod error;
pub(crate) mod models;
mod output;
pub(crate) mod rerank;
pub(crate) mod responses;
mod sampling;
#[cfg(test)]
mod tests;
mod tools;

/// The name of the dialect in the metrics.
const DIALECT: &str = "openai";
