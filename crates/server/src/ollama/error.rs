//! Ollama's shape of an error: `{"error": "text"}`, as a response and as a line in the middle of a stream.

use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::failure::{self, Dialect};
use crate::refusal::Refusal;

/// This dialect's way of saying errors.
#[derive(Debug)]
pub(crate) struct Ollama;

/// A refusal in Ollama's shape. Handlers return it by `?`.
pub(crate) type Failure = failure::Failure<Ollama>;

/// What handlers of this dialect give.
pub(crate) type Result<T = Response> = std::result::Result<T, Failure>;

/// An error.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ollama::ErrorBody)]
pub(crate) struct ErrorBody {
    /// What happened, why, and what to do.
    error: String,
}

impl Dialect for Ollama {
    type Body = ErrorBody;

    fn body(refusal: &Refusal) -> ErrorBody {
        // The engine's name of a field, where requests of this dialect have another.
        let error = match refusal.param.as_deref() {
            Some("json_schema") => refusal.text().replacen("`json_schema`", "`format`", 1),
            Some("inputs") => refusal.text().replacen("`inputs`", "`input`", 1),
            _ => refusal.text(),
        };
        ErrorBody { error }
    }
}
