//! Ollama's shape of an error: `{"error": "text"}`, as a response and as a line in the middle of a stream.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::refusal::Refusal;

/// A refusal in Ollama's shape. Handlers return it by `?`.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) Refusal);

/// What handlers of this dialect give.
pub(crate) type Result<T = Response> = std::result::Result<T, Failure>;

impl<T: Into<Refusal>> From<T> for Failure {
    fn from(refusal: T) -> Self {
        Self(refusal.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = Json(body(&self.0)).into_response();
        self.0.mark(&mut response);
        response
    }
}

/// The body, also of a line in the middle of a stream.
pub(crate) fn body(refusal: &Refusal) -> Value {
    // The engine's name of a field, where requests of this dialect have another.
    let text = match refusal.param.as_deref() {
        Some("json_schema") => refusal.text().replacen("`json_schema`", "`format`", 1),
        Some("inputs") => refusal.text().replacen("`inputs`", "`input`", 1),
        _ => refusal.text(),
    };
    json!({ "error": text })
}
