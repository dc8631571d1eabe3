//! The API key of a request: where it stands, what the route needs, and what follows when it is wrong.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::http::{HeaderMap, Method, StatusCode, header};
use hearth_app::keys::{Keys, Scope, Verdict};

use super::backoff::Backoff;
use super::refuse::Refused;

/// What a route asks of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Open to everybody the gate lets in: says nothing but that the server runs.
    Nothing,
    AnyKey,
    Scope(Scope),
}

fn need(method: &Method, path: &str) -> Need {
    let reads = *method == Method::GET || *method == Method::HEAD;
    match path {
        "/health" if reads => Need::Nothing,
        "/" | "/v1/models" | "/api/tags" | "/api/version" if reads => Need::AnyKey,
        "/api/pull" | "/api/push" | "/api/delete" | "/api/copy" | "/api/create" => {
            Need::Scope(Scope::Models)
        }
        _ if path.starts_with("/api/blobs/") || path.starts_with("/hearth/v1/loaded") => {
            Need::Scope(Scope::Models)
        }
        "/metrics" | "/slots" => Need::Scope(Scope::Admin),
        _ if path.starts_with("/hearth/") => Need::Scope(Scope::Admin),
        // Also what does not exist, so that a wrong key is said first.
        _ => Need::Scope(Scope::Inference),
    }
}

/// The key that a client sent, wherever its dialect puts it.
pub(crate) fn presented(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text(header::AUTHORIZATION.as_str()).and_then(|value| {
        let (scheme, key) = value.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    });
    bearer
        .or_else(|| text("x-api-key"))
        .or_else(|| text("api-key"))
}

pub(super) fn check(
    keys: &Arc<Keys>,
    backoff: &Backoff,
    (method, path, headers): (&Method, &str, &HeaderMap),
    peer: IpAddr,
    now: Instant,
) -> Result<(), Refused> {
    let scope = match need(method, path) {
        Need::Nothing => return Ok(()),
        Need::AnyKey => None,
        Need::Scope(scope) => Some(scope),
    };
    let Some(key) = presented(headers) else {
        return Err(Refused::new(
            StatusCode::UNAUTHORIZED,
            "an API key is needed; make one in Hearth, Server, Access",
        ));
    };
    if let Some(seconds) = backoff.wait_s(peer, key, now) {
        return Err(Refused {
            retry_after_s: Some(seconds),
            ..Refused::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too many requests with a wrong API key; wait before the next",
            )
        });
    }
    match keys.check(key, scope) {
        Verdict::Allowed => {
            backoff.succeeded(peer, key);
            Ok(())
        }
        Verdict::OutOfScope => Err(Refused::forbidden("this API key may not do that")),
        Verdict::Unknown => {
            backoff.failed(peer, key, now);
            Err(Refused::new(
                StatusCode::UNAUTHORIZED,
                "this API key is not known",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_where_each_dialect_puts_it() {
        let found = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            presented(&headers).map(str::to_owned)
        };
        for (name, value) in [
            ("authorization", "Bearer k"),
            ("authorization", "bearer  k "),
            ("x-api-key", "k"),
            ("api-key", "k"),
        ] {
            assert_eq!(found(name, value).as_deref(), Some("k"), "{name}: {value}");
        }
        assert_eq!(found("authorization", "Basic k"), None);
        assert_eq!(found("authorization", "k"), None);
    }
}
