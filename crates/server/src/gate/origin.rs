//! Web pages: which may send requests, and what a browser is told about it.
//!
//! A browser sends the requests of a page even when it hides the answer from it, so a request is refused, not only its answer.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::refuse::Refused;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
/// How long a browser may remember the answer, in seconds.
const MAX_AGE_S: HeaderValue = HeaderValue::from_static("600");
const PRIVATE_NETWORK_ASKED: &str = "access-control-request-private-network";
const PRIVATE_NETWORK: &str = "access-control-allow-private-network";
const FETCH_HEADERS: [&str; 4] = [
    "sec-fetch-site",
    "sec-fetch-mode",
    "sec-fetch-dest",
    "sec-fetch-user",
];

/// Whether the request comes from a listed page; refused when it comes from another one.
pub(super) fn check(
    listed: &[String],
    method: &Method,
    headers: &HeaderMap,
) -> Result<bool, Refused> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let origin = origins.next();
    if origins.next().is_some() {
        return Err(Refused::forbidden("at most one Origin header is allowed"));
    }
    let is_listed = match origin {
        None => false,
        Some(origin) if listed.iter().any(|o| o.as_bytes() == origin.as_bytes()) => true,
        Some(_) => return Err(Refused::forbidden("this Origin is not allowed")),
    };
    let mut sites = headers.get_all("sec-fetch-site").iter();
    let is_ours = sites.all(|site| matches!(site.as_bytes(), b"none" | b"same-origin"));
    if !is_ours && !is_listed {
        return Err(Refused::forbidden(
            "requests from other sites are not allowed",
        ));
    }
    let from_browser =
        origin.is_some() || FETCH_HEADERS.iter().any(|name| headers.contains_key(*name));
    if from_browser && has_body(method, headers) && !is_json(headers) {
        return Err(Refused::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "a body from a browser must be application/json",
        ));
    }
    Ok(is_listed)
}

/// Whether a body comes or may come.
fn has_body(method: &Method, headers: &HeaderMap) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
        || headers.contains_key(header::TRANSFER_ENCODING)
        || headers
            .get(header::CONTENT_LENGTH)
            .is_some_and(|length| length != "0")
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(first), None) = (types.next(), types.next()) else {
        return false;
    };
    let text = first.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// What a listed page may do. `asked` is the head of its request.
pub(super) fn answer_preflight(asked: &HeaderMap, answer: &mut HeaderMap) {
    answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    answer.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_S);
    // SDKs send many headers of their own; for a listed page none of them matters.
    if let Some(names) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    if asked.contains_key(PRIVATE_NETWORK_ASKED) {
        answer.insert(PRIVATE_NETWORK, HeaderValue::from_static("true"));
    }
}

/// Lets a page read the answer. `origin` has passed [`check`].
pub(super) fn mark(answer: &mut HeaderMap, origin: Option<HeaderValue>) {
    if let Some(origin) = origin {
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    answer.append(header::VARY, HeaderValue::from_static("Origin"));
}
