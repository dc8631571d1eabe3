//! What the libraries of others really send, recorded by `scripts/test-clients`, sent again to the fake engine: the status and the shape
//! of every answer are golden.
//!
//! A shape is the answer with the kinds of its values in their places; alike neighbours in a list or a stream are one.

use std::path::Path;

use axum::body::Body;
use axum::http::Request;
use serde::Deserialize;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::testing::{TestServer, text_of};

/// A request as it was recorded.
#[derive(Deserialize)]
struct Recorded {
    method: String,
    path: String,
    headers: std::collections::BTreeMap<String, String>,
    body: Option<Value>,
}

fn shape(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Bool(_) => "bool".into(),
        Value::Number(_) => "number".into(),
        Value::String(_) => "text".into(),
        Value::Array(list) => alike_once(list.iter().map(shape)).into(),
        Value::Object(fields) => {
            let shapes = fields.iter().map(|(name, value)| match name.as_str() {
                // What clients switch on stands as it is.
                "type" | "object" | "role" | "finish_reason" | "stop_reason" | "done_reason"
                | "status" | "code" => (name.clone(), without_digest(value)),
                _ => (name.clone(), shape(value)),
            });
            Value::Object(shapes.collect())
        }
    }
}

/// Without the digest of a model's file, which is another one on each machine.
fn without_digest(value: &Value) -> Value {
    let is_digest = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_hexdigit());
    match value
        .as_str()
        .and_then(|text| text.strip_prefix("pulling "))
    {
        Some(what) if is_digest(what) => "pulling <digest>".into(),
        _ => value.clone(),
    }
}

fn alike_once(shapes: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut all: Vec<Value> = shapes.collect();
    all.dedup();
    all
}

/// The shape of a body: of the object, of each line, or of each event.
fn shape_of_body(kind: &str, text: &str) -> Value {
    let read = |text: &str| serde_json::from_str(text).map_or_else(|_| json!(text), |v| shape(&v));
    if kind.starts_with("text/event-stream") {
        let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
        return alike_once(events.map(read)).into();
    }
    if kind.starts_with("application/x-ndjson") {
        return alike_once(text.lines().map(read)).into();
    }
    read(text)
}

async fn replay(server: &TestServer, recorded: &Recorded) -> Value {
    let mut request = Request::builder()
        .method(recorded.method.as_str())
        .uri(&recorded.path)
        .header("host", "localhost:8100");
    for (name, value) in &recorded.headers {
        request = request.header(name, value);
    }
    let body = recorded
        .body
        .as_ref()
        .map_or_else(String::new, Value::to_string);
    let request = request.body(Body::from(body)).unwrap();
    let response = server.router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type").cloned();
    let kind = kind.as_ref().map_or("", |kind| kind.to_str().unwrap());
    let text = text_of(response).await;
    json!({
        "request": format!("{} {}", recorded.method, recorded.path),
        "status": status,
        "type": kind,
        "answer": shape_of_body(kind, &text),
    })
}

#[tokio::test]
async fn every_recorded_request_is_answered_as_before() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/recorded");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    files.sort();
    let clients = [
        "anthropic-",
        "javascript-",
        "langchain-",
        "ollama-",
        "openai-",
    ];
    for client in clients {
        let begins = |path: &std::path::PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with(client)
        };
        assert!(files.iter().any(begins), "nothing of {client} is recorded");
    }
    for path in files {
        // Each with nothing loaded before: what is loaded is among the answers.
        let server = TestServer::start();
        let text = std::fs::read_to_string(&path).unwrap();
        let requests: Vec<Recorded> = serde_json::from_str(&text).unwrap();
        let mut answers = Vec::with_capacity(requests.len());
        for request in &requests {
            answers.push(replay(&server, request).await);
        }
        let name = path.file_stem().unwrap().to_str().unwrap();
        insta::assert_json_snapshot!(name, answers);
    }
}

#[test]
fn shapes_keep_what_clients_switch_on() {
    let answer = json!({ "type": "error", "list": [1, 2, "a"], "none": null });
    let expected = json!({ "type": "error", "list": ["number", "text"], "none": null });
    assert_eq!(shape(&answer), expected);
    let lines = "{\"done\":false}\n{\"done\":false}\n{\"done\":true,\"n\":1}\n";
    let expected = json!([{ "done": "bool" }, { "done": "bool", "n": "number" }]);
    assert_eq!(shape_of_body("application/x-ndjson", lines), expected);
}
