//! Anthropic's shape of an error: `{"type": "error", "error": {"type", "message"}}`, as a response and inside a stream.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::failure::{self, Dialect};
use crate::refusal::Refusal;

/// This dialect's way of saying errors.
#[derive(Debug)]
pub(crate) struct Anthropic;

/// A refusal in Anthropic's shape. Handlers return it by `?`.
pub(crate) type Failure = failure::Failure<Anthropic>;

/// What handlers of this dialect give.
pub(crate) type Result<T = Response> = std::result::Result<T, Failure>;

/// An error.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = anthropic::ErrorBody)]
pub(crate) struct ErrorBody {
    /// `error`.
    #[serde(rename = "type")]
    kind: &'static str,
    error: ErrorDetails,
}

/// What is wrong.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = anthropic::ErrorDetails)]
pub(crate) struct ErrorDetails {
    /// Clients switch on it.
    #[serde(rename = "type")]
    kind: &'static str,
    /// What happened, why, and what to do.
    message: String,
}

impl Dialect for Anthropic {
    type Body = ErrorBody;

    fn body(refusal: &Refusal) -> ErrorBody {
        // Claude Code shortens its conversation when it reads these words.
        let message = match (refusal.code, refusal.param.as_deref()) {
            ("context_overflow", _) => format!("prompt is too long: {}", refusal.text()),
            // The engine's names of fields, where requests of this dialect have others.
            (_, Some("json_schema")) => {
                renamed(refusal, "json_schema", "output_config.format.schema")
            }
            (_, Some("stop")) => renamed(refusal, "stop", "stop_sequences"),
            _ => refusal.text(),
        };
        let kind = kind(refusal.status);
        ErrorBody {
            kind: "error",
            error: ErrorDetails { kind, message },
        }
    }
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
