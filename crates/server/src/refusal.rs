//! Why a request is not answered: the status, the words and the field, the same for every dialect.
//!
//! Every error of the app is given its status here and nowhere else; a dialect only shapes the body. It must not know bodies.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hearth_app::engine;
use hearth_app::{Code, Error};

use crate::traffic::Reason;

/// After this many seconds an engine that ended is likely to run again.
const RESTART_S: u64 = 2;
/// After this many seconds an engine that gave up is asked again.
const GAVE_UP_S: u64 = 60;
/// After this many seconds a full queue is likely to have moved.
const QUEUE_S: u64 = 1;

/// A request that is not answered, or an answer that breaks off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// The name of a [`Code`], or one of this crate's own such as `not_found`.
    pub(crate) code: &'static str,
    /// What happened and why.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
    /// The field of the request that is wrong, as the client wrote it: `messages[0].content`.
    pub(crate) param: Option<String>,
    /// When another try is worth it, in seconds.
    pub(crate) retry_after_s: Option<u64>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            hint: None,
            param: None,
            retry_after_s: None,
        }
    }

    /// A field has a value that cannot be used. `reason` follows the name of the field in a sentence and has no full stop.
    pub(crate) fn invalid(param: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        let param = param.into();
        let message = format!("`{param}` {reason}.");
        Self {
            param: Some(param),
            ..Self::new(StatusCode::BAD_REQUEST, Code::InvalidInput.name(), message)
        }
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub(crate) fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// What happened and what to do, for dialects that have one text only.
    pub(crate) fn text(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{} {hint}", self.message),
            None => self.message.clone(),
        }
    }

    /// Sets the status and, where there is one, `Retry-After`, and says why for the log. For the response that a dialect made.
    pub(crate) fn mark(&self, response: &mut Response) {
        *response.status_mut() = self.status;
        response.extensions_mut().insert(Reason(self.code));
        if let Some(seconds) = self.retry_after_s {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
    }
}

/// Plain text, for what belongs to no dialect.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.text().into_response();
        self.mark(&mut response);
        response
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let (status, usual_s) = status(error.code);
        Self {
            param: field(&error),
            hint: error.hint,
            retry_after_s: error.retry_after_s.or(usual_s),
            ..Self::new(status, error.code.name(), error.message)
        }
    }
}

/// The app's errors have no field of their own, but those about one begin with its name: "`inputs[1]` is empty."
fn field(error: &Error) -> Option<String> {
    if error.code != Code::InvalidInput {
        return None;
    }
    let (field, _) = error.message.strip_prefix('`')?.split_once('`')?;
    Some(field.to_owned())
}

/// The engine's own errors say more than what the app makes of them: the field, and whether it is starting again.
impl From<engine::Error> for Refusal {
    fn from(error: engine::Error) -> Self {
        use engine::Error as Leaf;
        let param = match &error {
            Leaf::InvalidRequest { field, .. } => Some(field.clone()),
            _ => None,
        };
        let unavailable = match &error {
            Leaf::Crashed { .. } | Leaf::Unresponsive { .. } => Some(RESTART_S),
            Leaf::GaveUp { .. } => Some(GAVE_UP_S),
            _ => None,
        };
        let mut refusal = Self::from(Error::from(error));
        refusal.param = param;
        if unavailable.is_some() {
            refusal.status = StatusCode::SERVICE_UNAVAILABLE;
            refusal.retry_after_s = unavailable;
        }
        refusal
    }
}

/// The status of a code, and the seconds after which another try is worth it.
fn status(code: Code) -> (StatusCode, Option<u64>) {
    match code {
        Code::InvalidInput | Code::ContextOverflow => (StatusCode::BAD_REQUEST, None),
        Code::NotFound | Code::ModelMissing => (StatusCode::NOT_FOUND, None),
        Code::ModelInvalid | Code::ModelUnsupported | Code::ModelUnreadable => {
            (StatusCode::UNPROCESSABLE_ENTITY, None)
        }
        Code::Busy => (StatusCode::TOO_MANY_REQUESTS, Some(QUEUE_S)),
        Code::InsufficientMemory | Code::DiskFull | Code::Storage => {
            (StatusCode::SERVICE_UNAVAILABLE, None)
        }
        Code::StorageReadOnly | Code::StorageNewer => (StatusCode::SERVICE_UNAVAILABLE, None),
        Code::EngineUnresponsive | Code::EngineUnavailable => {
            (StatusCode::SERVICE_UNAVAILABLE, Some(RESTART_S))
        }
        Code::Refused => (StatusCode::FORBIDDEN, None),
        Code::Network => (StatusCode::BAD_GATEWAY, None),
        Code::EngineCrashed | Code::Settings | Code::Unsupported | Code::Internal => {
            (StatusCode::INTERNAL_SERVER_ERROR, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_status_that_is_an_error() {
        for code in Code::ALL {
            let (status, _) = status(code);
            assert!(
                status.is_client_error() || status.is_server_error(),
                "{code:?}"
            );
        }
        for (code, expected) in [
            (Code::InvalidInput, 400),
            (Code::ModelMissing, 404),
            (Code::ModelUnsupported, 422),
            (Code::Busy, 429),
            (Code::InsufficientMemory, 503),
            (Code::EngineCrashed, 500),
        ] {
            assert_eq!(status(code).0.as_u16(), expected, "{code:?}");
        }
    }

    #[test]
    fn the_engine_names_the_field_and_says_when_it_is_back() {
        let invalid = Refusal::from(engine::Error::InvalidRequest {
            field: "top_p".into(),
            reason: "must be between 0 and 1, not 2".into(),
        });
        assert_eq!(invalid.param.as_deref(), Some("top_p"));
        assert_eq!(invalid.message, "`top_p` must be between 0 and 1, not 2.");
        let failed = engine::Error::Backend { reason: "x".into() };
        assert_eq!(Refusal::from(failed).status.as_u16(), 500);
        let crashed = engine::Error::Crashed {
            how: "signal 6".into(),
            stderr_tail: String::new(),
        };
        let crashed = Refusal::from(crashed);
        assert_eq!(
            (crashed.status.as_u16(), crashed.retry_after_s),
            (503, Some(2))
        );
    }
}
