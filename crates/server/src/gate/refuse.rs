//! How a refusal of the gate looks: the status, and a body that the client of each dialect can read.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::anthropic::error::Anthropic;
use crate::failure::Failure;
use crate::ollama::error::Ollama;
use crate::openai::error::OpenAi;
use crate::refusal::Refusal;

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

    fn code(&self) -> &'static str {
        match self.status {
            StatusCode::UNAUTHORIZED => "invalid_api_key",
            StatusCode::TOO_MANY_REQUESTS => "rate_limited",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "invalid_input",
            _ => "forbidden",
        }
    }

    /// The shape follows the path, because nothing of the body is read for somebody who is not let in.
    pub(crate) fn response(&self, path: &str) -> Response {
        let refusal = Refusal {
            retry_after_s: self.retry_after_s,
            ..Refusal::new(self.status, self.code(), self.reason)
        };
        // LM Studio's API has OpenAI's shapes.
        let mut response = if path.starts_with("/api/") && !path.starts_with("/api/v0/") {
            Failure::<Ollama>::from(refusal).into_response()
        } else if path.starts_with("/v1/messages") {
            Failure::<Anthropic>::from(refusal).into_response()
        } else {
            Failure::<OpenAi>::from(refusal).into_response()
        };
        response.extensions_mut().insert(Reason(self.reason));
        if self.status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}
