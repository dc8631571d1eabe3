//! OpenAI's shape of an error: `{"error": {"message", "type", "param", "code"}}`, as a response and inside a stream.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::refusal::Refusal;

/// A refusal in OpenAI's shape. Handlers return it by `?`.
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

/// The body, also of an error event in the middle of a stream.
pub(crate) fn body(refusal: &Refusal) -> Value {
    json!({
        "error": {
            "message": refusal.text(),
            "type": kind(refusal.status),
            "param": refusal.param.as_deref().map(param),
            "code": code(refusal.code),
        }
    })
}

/// OpenAI's names where it has one for the same thing; clients switch on them.
fn code(code: &str) -> &str {
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
