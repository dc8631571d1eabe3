//! The routes and what they answer.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use hearth_app::{App, Code, Error};
use serde_json::{Value, json};

pub(crate) fn routes(app: Arc<App>) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/v1/models", get(models))
        .fallback(|| async { refuse(StatusCode::NOT_FOUND, "there is no such route", "not_found") })
        .with_state(app)
}

/// Whether the program answers; says nothing about a model.
async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// OpenAI's list of models: the usable ones.
async fn models(State(app): State<Arc<App>>) -> Response {
    match app.models().list().await {
        Ok(list) => {
            let usable = list.models.iter().filter(|m| m.problem.is_none());
            let data: Vec<Value> =
                usable.map(|m| json!({ "id": m.name, "object": "model", "created": 0, "owned_by": "hearth" })).collect();
            Json(json!({ "object": "list", "data": data })).into_response()
        }
        Err(error) => failed(&error),
    }
}

/// OpenAI's error shape.
fn refuse(status: StatusCode, message: &str, code: &str) -> Response {
    let body = json!({ "error": { "message": message, "type": "invalid_request_error", "param": null, "code": code } });
    (status, Json(body)).into_response()
}

fn failed(error: &Error) -> Response {
    let status = match error.code {
        Code::InvalidInput | Code::ContextOverflow => StatusCode::BAD_REQUEST,
        Code::NotFound | Code::ModelMissing => StatusCode::NOT_FOUND,
        Code::ModelInvalid | Code::ModelUnsupported | Code::ModelUnreadable => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Code::Busy => StatusCode::TOO_MANY_REQUESTS,
        Code::InsufficientMemory
        | Code::DiskFull
        | Code::EngineCrashed
        | Code::EngineUnresponsive
        | Code::EngineUnavailable
        | Code::Storage
        | Code::StorageReadOnly
        | Code::StorageNewer => StatusCode::SERVICE_UNAVAILABLE,
        Code::Network => StatusCode::BAD_GATEWAY,
        Code::Settings | Code::Unsupported | Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    };
    refuse(status, &error.message, error.code.name())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use hearth_app::inference::FakeEngines;
    use hearth_app::paths::Paths;
    use hearth_app::{App, Options};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    async fn ask(method: &str, path: &str, host: &str) -> (StatusCode, Value) {
        let home = tempfile::tempdir().unwrap();
        let paths = Paths::under(home.path());
        let app = App::open(Options {
            paths,
            engines: Arc::new(FakeEngines { in_child: false }),
        });
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", host)
            .body(Body::empty())
            .unwrap();
        let response = crate::router(app, 8100).oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    #[tokio::test]
    async fn the_gate_stands_before_every_route() {
        for path in ["/health", "/v1/models", "/nowhere"] {
            for method in ["GET", "POST", "OPTIONS"] {
                let (status, body) = ask(method, path, "evil.example:8100").await;
                assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}");
                assert_eq!(body["error"]["code"], "forbidden");
            }
        }
        assert_eq!(
            ask("GET", "/health", "localhost:8100").await.0,
            StatusCode::OK
        );
        assert_eq!(
            ask("GET", "/nowhere", "localhost:8100").await.0,
            StatusCode::NOT_FOUND
        );
    }

    #[tokio::test]
    async fn models_are_listed_in_openais_shape() {
        let (status, body) = ask("GET", "/v1/models", "127.0.0.1:8100").await;
        assert_eq!((status, &body["object"]), (StatusCode::OK, &json!("list")));
        assert!(body["data"].is_array());
    }
}
