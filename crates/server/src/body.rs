//! A request's body as a value: JSON, whatever its content type says, with the field named when it is wrong.
//!
//! Fields that nobody knows are ignored, because clients send what other servers understand, and counted, so that one can see what
//! is missing. How much may be sent is a limit; how deep it may be nested is one of serde_json (128 levels). It must not know a
//! dialect: a handler takes `Result<Body<T>, Refusal>` and gives the refusal the dialect's shape.

use axum::body::to_bytes;
use axum::extract::{FromRequest, MatchedPath, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use tower_http::timeout::TimeoutError;

use crate::refusal::Refusal;
use crate::state::ServerState;

/// A body that was read and understood.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<ServerState> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &ServerState) -> Result<Self, Refusal> {
        let route = request.extensions().get::<MatchedPath>().cloned();
        let limits = &state.limits;
        let read = to_bytes(request.into_body(), limits.body_bytes);
        let bytes = tokio::time::timeout(limits.body, read)
            .await
            .map_err(|_| too_slow())?
            .map_err(|error| unread(&error, limits.body_bytes))?;
        let (value, ignored) = parse(&bytes)?;
        if !ignored.is_empty() {
            let route = route.as_ref().map_or("", MatchedPath::as_str);
            // Not their names: those are the client's text too.
            let count = ignored.len();
            tracing::debug!(route, count, "fields of a request were ignored");
            state.metrics.ignored_fields(route, ignored.len());
        }
        Ok(Self(value))
    }
}

/// Most names of ignored fields that are kept.
const MAX_NAMED: usize = 32;

/// The value, and the paths of the fields that it has no place for (not more than [`MAX_NAMED`]).
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, Vec<String>), Refusal> {
    // Serde would take a list for a struct, field by field.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        let message = "The request's body is a list; a JSON object is needed.";
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "invalid_input",
            message,
        ));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let mut ignored = Vec::new();
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut json, &mut track);
    let parsed = serde_ignored::deserialize(tracked, |path| {
        if ignored.len() < MAX_NAMED {
            ignored.push(path.to_string());
        }
    });
    let value = match parsed {
        Ok(value) => value,
        Err(error) => return Err(unfit(&error, &track.path())),
    };
    json.end().map_err(|error| no_json(&error))?;
    Ok((value, ignored))
}

fn unfit(error: &serde_json::Error, path: &serde_path_to_error::Path) -> Refusal {
    if !error.is_data() {
        return no_json(error);
    }
    // The place in the text helps nobody who built the request with a library; the path does.
    let reason = error.to_string();
    let reason = reason.rsplit_once(" at line ").map_or(&*reason, |(r, _)| r);
    let path = path.to_string();
    // A field that is missing is named by the error, its place by the path.
    let missing = reason
        .strip_prefix("missing field `")
        .and_then(|rest| rest.strip_suffix('`'));
    match (missing, path.as_str()) {
        (Some(field), ".") => Refusal::invalid(field, "is missing"),
        (Some(field), path) => Refusal::invalid(format!("{path}.{field}"), "is missing"),
        (None, ".") => Refusal::new(
            StatusCode::BAD_REQUEST,
            "invalid_input",
            format!("The request's body cannot be used: {reason}."),
        ),
        (None, path) => Refusal::invalid(path, format_args!("cannot be used: {reason}")),
    }
}

fn no_json(error: &serde_json::Error) -> Refusal {
    let message = if error.is_eof() && error.column() == 0 {
        "The request has no body; a JSON object is needed.".to_owned()
    } else {
        format!("The request's body is not JSON: {error}.")
    };
    Refusal::new(StatusCode::BAD_REQUEST, "invalid_json", message)
}

fn too_slow() -> Refusal {
    let message = "The request's body did not come in time.";
    let status = StatusCode::REQUEST_TIMEOUT;
    Refusal::new(status, "body_too_slow", message).hint("Send it whole and at once.")
}

fn unread(error: &axum::Error, limit: usize) -> Refusal {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            let message = format!("The request's body is larger than {limit} bytes.");
            return Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message);
        }
        if error.is::<TimeoutError>() {
            return too_slow();
        }
        cause = error.source();
    }
    let message = format!("The request's body could not be read: {error}.");
    Refusal::new(StatusCode::BAD_REQUEST, "body_unreadable", message)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)] // Only read by serde.
    struct Outer {
        list: Vec<Inner>,
        number: Option<f32>,
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)] // Only read by serde.
    struct Inner {
        name: String,
    }

    fn refused(text: &str) -> (&'static str, Option<String>, String) {
        let refusal = parse::<Outer>(text.as_bytes()).unwrap_err();
        (refusal.code, refusal.param, refusal.message)
    }

    #[test]
    fn the_field_is_named() {
        for (text, param, says) in [
            ("{}", "list", "`list` is missing."),
            (
                r#"{"list": [{"name": "a"}, {}]}"#,
                "list[1].name",
                "is missing",
            ),
            (
                r#"{"list": [{"name": 3}]}"#,
                "list[0].name",
                "invalid type: integer `3`, expected a string.",
            ),
            (r#"{"list": [], "number": "x"}"#, "number", "expected f32."),
            (r#"{"list": {}}"#, "list", "expected a sequence."),
        ] {
            let (code, found, message) = refused(text);
            assert_eq!((code, found.as_deref()), ("invalid_input", Some(param)));
            assert!(message.contains(says), "{message}");
        }
    }

    #[test]
    fn what_is_no_json_is_said_to_be_none() {
        for text in ["{", "", "nonsense", "{\"list\": []} x", "\u{0}"] {
            assert_eq!(refused(text).0, "invalid_json", "{text}");
        }
        assert!(refused("").2.contains("no body"));
        assert_eq!(refused("[]").0, "invalid_input");
        assert_eq!(refused(r#"[[{"name": "a"}], 1]"#).0, "invalid_input");
    }

    #[test]
    fn unknown_fields_are_ignored_and_named() {
        let text = r#"{"list": [{"name": "a", "b": 1}], "user": {"c": 2}}"#;
        let (_, ignored) = parse::<Outer>(text.as_bytes()).unwrap();
        assert_eq!(ignored, ["list.0.b", "user"]);
    }
}
