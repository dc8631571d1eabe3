//! How a refusal of the gate looks: the status, and a body that the client of each dialect can read.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::traffic::Reason;

/// A request that is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) reason: &'static str,
    pub(crate) retry_after_s: Option<u64>,
}

impl Refused {
    pub(crate) fn new(status: StatusCode, reason: &'static str) -> Self {
        Self {
            status,
            reason,
            retry_after_s: None,
        }
    }

    pub(crate) fn forbidden(reason: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, reason)
    }

    /// The type of the error as Anthropic names it; the code, as OpenAI does.
    fn names(&self) -> (&'static str, &'static str) {
        match self.status {
            StatusCode::UNAUTHORIZED => ("authentication_error", "invalid_api_key"),
            StatusCode::TOO_MANY_REQUESTS => ("rate_limit_error", "rate_limited"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => ("invalid_request_error", "invalid_input"),
            _ => ("permission_error", "forbidden"),
        }
    }

    /// The shape follows the path, because nothing of the body is read for somebody who is not let in.
    pub(crate) fn response(&self, path: &str) -> Response {
        let (kind, code) = self.names();
        let message = self.reason;
        let body = if path.starts_with("/api/") {
            json!({ "error": message })
        } else if path.starts_with("/v1/messages") {
            json!({ "type": "error", "error": { "type": kind, "message": message } })
        } else {
            json!({ "error": { "message": message, "type": kind, "param": null, "code": code } })
        };
        let mut response = (self.status, Json(body)).into_response();
        response.extensions_mut().insert(Reason(self.reason));
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
