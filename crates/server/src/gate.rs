//! Who may talk to the server: decided once, before any route, whatever the route, the method or the bind address.
//!
//! A web page must not reach it: not by its own name bound to our address (the Host header gives it away), not by a request from
//! its origin. Programs on this machine send no Origin and a loopback Host.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// What is let in.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    hosts: [String; 3],
}

impl Gate {
    pub(crate) fn new(port: u16) -> Self {
        Self {
            hosts: ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}")),
        }
    }

    /// Why a request is refused, if so.
    fn refusal(&self, headers: &HeaderMap) -> Option<&'static str> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return Some("exactly one Host header is needed");
        };
        let host = host.to_str().unwrap_or_default().to_ascii_lowercase();
        if !self.hosts.contains(&host) {
            return Some("this Host is not one of this server");
        }
        if headers.contains_key(header::ORIGIN) {
            return Some("this Origin is not allowed");
        }
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        if site.is_some_and(|site| site != b"none" && site != b"same-origin") {
            return Some("requests from other sites are not allowed");
        }
        None
    }
}

/// The layer around every route, also those that do not exist.
pub(crate) async fn check(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    match gate.refusal(request.headers()) {
        None => next.run(request).await,
        Some(reason) => {
            let body = serde_json::json!({ "error": { "message": reason, "type": "forbidden", "code": "forbidden" } });
            (StatusCode::FORBIDDEN, axum::Json(body)).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn let_in(host: Option<&str>, origin: Option<&str>, site: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in [("host", host), ("origin", origin), ("sec-fetch-site", site)] {
            if let Some(value) = value {
                headers.insert(name, value.parse().unwrap());
            }
        }
        Gate::new(8100).refusal(&headers).is_none()
    }

    #[test]
    fn only_loopback_names_with_our_port() {
        for host in [
            "127.0.0.1:8100",
            "localhost:8100",
            "LOCALHOST:8100",
            "[::1]:8100",
        ] {
            assert!(let_in(Some(host), None, None), "{host}");
        }
        for host in [
            "0.0.0.0:8100",
            "localhost",
            "localhost:80",
            "localhost.:8100",
            "evil.example:8100",
            "localhost:8100@evil.example",
            "127.0.0.1.evil.example:8100",
            "",
        ] {
            assert!(!let_in(Some(host), None, None), "{host}");
        }
        assert!(!let_in(None, None, None));
    }

    #[test]
    fn no_web_page() {
        let host = Some("localhost:8100");
        for origin in [
            "null",
            "http://localhost:8100",
            "https://evil.example",
            "file://",
        ] {
            assert!(!let_in(host, Some(origin), None), "{origin}");
        }
        for site in ["cross-site", "same-site"] {
            assert!(!let_in(host, None, Some(site)), "{site}");
        }
        assert!(let_in(host, None, Some("none")));
    }

    #[test]
    fn two_host_headers_are_refused() {
        let mut headers = HeaderMap::new();
        headers.append(header::HOST, "localhost:8100".parse().unwrap());
        headers.append(header::HOST, "localhost:8100".parse().unwrap());
        assert!(Gate::new(8100).refusal(&headers).is_some());
    }
}
