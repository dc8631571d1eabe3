//! Anthropic's shape of an error: `{"type": "error", "error": {"type", "message"}}`, as a response and inside a stream.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::refusal::Refusal;

/// A refusal in Anthropic's shape. Handlers return it by `?`.
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

/// The body, also of an `error` event in the middle of a stream.
pub(crate) fn body(refusal: &Refusal) -> Value {
    // Claude Code shortens its conversation when it reads these words.
    let message = match (refusal.code, refusal.param.as_deref()) {
        ("context_overflow", _) => format!("prompt is too long: {}", refusal.text()),
        // The engine's names of fields, where requests of this dialect have others.
        (_, Some("json_schema")) => renamed(refusal, "json_schema", "output_config.format.schema"),
        (_, Some("stop")) => renamed(refusal, "stop", "stop_sequences"),
        _ => refusal.text(),
    };
    json!({ "type": "error", "error": { "type": kind(refusal.status), "message": message } })
}

fn renamed(refusal: &Refusal, field: &str, ours: &str) -> String {
    refusal
        .text()
        .replacen(&format!("`{field}`"), &format!("`{ours}`"), 1)
}

/// Anthropic's names; clients switch on them.
fn kind(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        504 => "timeout_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}
