//! The OpenAI dialect: what its clients send, and what they expect to be sent.

use utoipa::OpenApi;

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

/// The description of these routes.
#[derive(OpenApi)]
#[openapi(
    components(schemas(error::ErrorBody)),
    paths(
        models::list,
        models::one,
        chat::create,
        completions::create,
        embeddings::create,
        rerank::create,
        responses::create
    )
)]
pub(crate) struct Description;

/// The name of the dialect in the metrics.
const DIALECT: &str = "openai";
