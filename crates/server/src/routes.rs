//! The list of routes, and what every one of them has: a record of how long it took, and an answer when there is none.

use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};

use crate::failure::{no_method, no_route};
use crate::insight;
use crate::openai::{self, error::OpenAi};
use crate::state::ServerState;
use crate::tokens;

pub(crate) fn routes(state: ServerState) -> Router {
    Router::new()
        .merge(crate::ollama::routes())
        .merge(crate::lm_studio::routes())
        .merge(crate::anthropic::routes())
        .route("/health", get(insight::health))
        .route("/slots", get(insight::slots))
        .route("/metrics", get(insight::metrics))
        .route("/tokenize", post(tokens::tokenize))
        .route("/detokenize", post(tokens::detokenize))
        .route("/openapi.json", get(insight::openapi))
        .route("/v1/models", get(openai::models::list))
        .route("/v1/models/{*id}", get(openai::models::one))
        .route("/v1/chat/completions", post(openai::chat::create))
        .route("/v1/completions", post(openai::completions::create))
        .route("/v1/embeddings", post(openai::embeddings::create))
        .route("/v1/responses", post(openai::responses::create))
        .route("/v1/rerank", post(openai::rerank::create))
        .fallback(no_route::<OpenAi>)
        .method_not_allowed_fallback(no_method::<OpenAi>)
        .layer(middleware::from_fn_with_state(state.clone(), record))
        .with_state(state)
}

/// Counts every request by its route, never by its path: paths come from strangers and have no end.
async fn record(State(state): State<ServerState>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let status = response.status().as_u16();
    state.metrics.request(route, status, begun.elapsed());
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use tower::ServiceExt;

    use crate::testing::TestServer;

    async fn status(server: &TestServer, method: &str, path: &str, host: &str) -> StatusCode {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", host)
            .body(Body::empty())
            .unwrap();
        server
            .router
            .clone()
            .oneshot(request)
            .await
            .unwrap()
            .status()
    }

    #[tokio::test]
    async fn what_is_not_there_is_said_after_the_gate() {
        let server = TestServer::start();
        for path in ["/health", "/nowhere"] {
            let status = status(&server, "GET", path, "evil.example:8100").await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
        }
        for (method, path, expected) in [
            ("GET", "/health", StatusCode::OK),
            ("GET", "/nowhere", StatusCode::NOT_FOUND),
            ("DELETE", "/health", StatusCode::METHOD_NOT_ALLOWED),
        ] {
            let status = status(&server, method, path, "localhost:8100").await;
            assert_eq!(status, expected, "{method} {path}");
        }
    }
}
