//! OpenAI's shape of an error: `{"error": {"message", "type", "param", "code"}}`, as a response and inside a stream.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::failure::{self, Dialect};
use crate::refusal::Refusal;

/// This dialect's way of saying errors.
#[derive(Debug)]
pub(crate) struct OpenAi;

/// A refusal in OpenAI's shape. Handlers return it by `?`.
pub(crate) type Failure = failure::Failure<OpenAi>;

/// What handlers of this dialect give.
pub(crate) type Result<T = Response> = std::result::Result<T, Failure>;

/// An error.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::ErrorBody)]
pub(crate) struct ErrorBody {
    error: ErrorDetails,
}

/// What is wrong.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::ErrorDetails)]
pub(crate) struct ErrorDetails {
    /// What happened, why, and what to do.
    message: String,
    #[serde(rename = "type")]
    kind: &'static str,
    /// The field of the request that is wrong.
    param: Option<String>,
    /// Clients switch on it.
    code: &'static str,
}

impl Dialect for OpenAi {
    type Body = ErrorBody;

    fn body(refusal: &Refusal) -> ErrorBody {
        ErrorBody {
            error: ErrorDetails {
                message: refusal.text(),
                kind: kind(refusal.status),
                param: refusal.param.as_deref().map(param),
                code: code(refusal.code),
            },
        }
    }
}

/// OpenAI's names where it has one for the same thing; clients switch on them.
fn code(code: &'static str) -> &'static str {
    match code {
        "model_missing" => "model_not_found",
        "context_overflow" => "context_length_exceeded",
        "busy" => "rate_limit_exceeded",
        other => other,
    }
}

/// The engine's names of fields as OpenAI's requests have them.
fn param(field: &str) -> String {
    match field {
        "json_schema" => "response_format.json_schema.schema".to_owned(),
        other => match other.strip_prefix("inputs") {
            Some(rest) => format!("input{rest}"),
            None => other.to_owned(),
        },
    }
}

fn kind(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}
