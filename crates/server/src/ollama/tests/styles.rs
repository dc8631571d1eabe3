//! What is answered: golden answers for every way of asking.

use std::time::Duration;

use axum::body::Body;
use futures_util::StreamExt;
use http_body_util::BodyExt;
use insta::assert_json_snapshot;
use serde_json::{Value, json};

use super::{lines, steady};
use crate::testing::TestServer;

fn weather() -> Value {
    json!([{ "type": "function", "function": {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": { "type": "object", "properties": { "city": { "type": "string" } } },
    } }])
}

fn chat(text: &str) -> Value {
    json!({ "model": "starter", "messages": [{ "role": "user", "content": text }] })
}

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

async fn streamed(server: &TestServer, path: &str, body: &Value) -> Vec<Value> {
    let (status, text) = server.stream(path, body).await;
    assert_eq!(status, 200, "{text}");
    lines(&text)
}

async fn whole(server: &TestServer, path: &str, body: Value) -> Value {
    let (status, mut value) = server.post(path, &with(body, "stream", json!(false))).await;
    assert_eq!(status, 200, "{value}");
    steady(&mut value);
    value
}

const CALLS: &str = "!say Let me see. <tool_call>{\"name\": \"weather\", \"arguments\": {\"city\": \"Rom\"}}</tool_call><tool_call>{\"name\": \"weather\", \"arguments\": {}}</tool_call>";

#[tokio::test]
async fn chat_answers_line_by_line_or_as_one() {
    let server = TestServer::start();
    assert_json_snapshot!(
        "chat_lines",
        streamed(&server, "/api/chat", &chat("!say hi")).await
    );
    let mut body = chat("!say hi");
    body["model"] = json!("Starter:latest");
    body["options"] = json!({ "num_ctx": 4096, "temperature": 0, "stop": "x", "num_predict": 1.0 });
    assert_json_snapshot!("chat_whole", whole(&server, "/api/chat", body).await);
}

#[tokio::test]
async fn calls_of_tools_are_objects() {
    let server = TestServer::start();
    let body = with(chat(CALLS), "tools", weather());
    let lines = streamed(&server, "/api/chat", &body).await;
    let calls: Vec<&Value> = lines
        .iter()
        .filter(|line| line["message"].get("tool_calls").is_some())
        .collect();
    assert_json_snapshot!("tool_lines", calls);
    assert_json_snapshot!("tool_whole", whole(&server, "/api/chat", body).await);
}

#[tokio::test]
async fn half_a_call_is_text() {
    let server = TestServer::start();
    let mut body = with(chat(CALLS), "tools", weather());
    body["options"] = json!({ "num_predict": 70 });
    let answer = whole(&server, "/api/chat", body).await;
    assert_eq!(answer["done_reason"], "length");
    assert_eq!(answer["message"].get("tool_calls"), None, "{answer}");
    let text = answer["message"]["content"].as_str().unwrap();
    assert!(text.contains("weather({"), "{text}");
}

#[tokio::test]
async fn results_of_tools_reach_the_model() {
    let server = TestServer::start();
    let mut body = with(chat("hello"), "tools", weather());
    body["messages"] = json!([
        { "role": "user", "content": "hello" },
        { "role": "assistant", "content": "", "tool_calls":
            [{ "function": { "name": "weather", "arguments": { "city": "Rom" } } }] },
        { "role": "tool", "tool_name": "weather", "content": "sunny" },
        { "role": "user", "content": "!prompt" },
    ]);
    let answer = whole(&server, "/api/chat", body).await;
    let prompt = answer.to_string();
    assert!(
        prompt.contains("sunny") && prompt.contains("Rom"),
        "{prompt}"
    );
}

#[tokio::test]
async fn generate_answers_line_by_line_as_one_and_raw() {
    let server = TestServer::start();
    let body = json!({ "model": "starter", "prompt": "!say hi", "keep_alive": "5m" });
    assert_json_snapshot!(
        "generate_lines",
        streamed(&server, "/api/generate", &body).await
    );
    assert_json_snapshot!(
        "generate_whole",
        whole(&server, "/api/generate", body).await
    );
    let system = json!({ "model": "starter", "prompt": "!prompt", "system": "Be brief." });
    let prompt = whole(&server, "/api/generate", system).await;
    let prompt = prompt["response"].as_str().unwrap().to_owned();
    assert!(prompt.contains("system\nBe brief."), "{prompt}");
    let raw = json!({ "model": "starter", "prompt": "!say <b>", "raw": true, "suffix": "x" });
    let answer = whole(&server, "/api/generate", raw).await;
    assert_eq!(answer["response"], "<b>");
    assert_eq!(answer["prompt_eval_count"], 8, "no template");
}

#[tokio::test]
async fn nothing_to_answer_loads_and_unloads() {
    let server = TestServer::start();
    for (path, empty) in [
        ("/api/generate", json!({ "model": "starter" })),
        ("/api/chat", json!({ "model": "starter", "messages": [] })),
    ] {
        let body = with(empty.clone(), "keep_alive", json!(-1));
        let answer = whole(&server, path, body).await;
        assert_eq!(
            (&answer["done"], &answer["done_reason"]),
            (&json!(true), &json!("load"))
        );
        // Once more, when there is nothing left to load and to read.
        let again = with(empty.clone(), "keep_alive", json!("-1m"));
        assert_eq!(whole(&server, path, again).await["done_reason"], "load");
        let (_, ps) = server.get("/api/ps").await;
        assert_eq!(ps["models"][0]["model"], "starter:latest");
        assert!(
            ps["models"][0]["expires_at"]
                .as_str()
                .unwrap()
                .starts_with("2318"),
            "kept for ever: {ps}"
        );
        let body = with(empty, "keep_alive", json!(0));
        let gone = streamed(&server, path, &body).await;
        assert_eq!(gone[0]["done_reason"], "unload");
        let (_, ps) = server.get("/api/ps").await;
        assert_eq!(ps, json!({ "models": [] }));
    }
}

#[tokio::test]
async fn errors_before_and_in_the_middle() {
    let server = TestServer::start();
    let missing = with(chat("hi"), "model", json!("nothing"));
    let (status, body) = server.post("/api/chat", &missing).await;
    assert_eq!(status, 404);
    assert_json_snapshot!("error_missing", body);
    let long = chat(&"long ".repeat(10_000));
    let (status, body) = server
        .post("/api/chat", &with(long, "truncate", json!(false)))
        .await;
    assert_eq!(status, 400, "{body}");
    let broken = streamed(&server, "/api/chat", &chat("!error")).await;
    let last = broken.last().unwrap();
    assert!(last["error"].is_string() && last.get("done").is_none());
    let (status, body) = server
        .post("/api/chat", &with(chat("!error"), "stream", json!(false)))
        .await;
    assert_eq!(status, 500);
    assert!(body["error"].is_string());
}

#[tokio::test]
async fn who_hangs_up_stops_the_work() {
    let server = TestServer::start();
    let text = format!("!slow 20 {}", "word ".repeat(400));
    let response = server
        .send("POST", "/api/chat", chat(&text).to_string())
        .await;
    let mut body = response.into_body().into_data_stream();
    body.next().await.unwrap().unwrap();
    drop(body);
    for _ in 0..100 {
        let loaded = server.app.inference().loaded();
        if loaded[0].active_requests == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the answer goes on without a reader");
}

#[tokio::test]
async fn the_server_introduces_itself() {
    let server = TestServer::start();
    let response = server.send("GET", "/", Body::empty()).await;
    let text = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(text, "Ollama is running");
    for path in ["/", "/api/version", "/api/tags"] {
        let response = server.send("HEAD", path, Body::empty()).await;
        assert_eq!(response.status(), 200, "HEAD {path}");
    }
    let (_, version) = server.get("/api/version").await;
    let version = version["version"].as_str().unwrap().to_owned();
    let numbers: Vec<u32> = version.split('.').map(|n| n.parse().unwrap()).collect();
    assert!(numbers >= vec![0, 6, 4], "VS Code asks for it");
}

#[tokio::test]
async fn models_are_described() {
    let server = TestServer::start();
    let (_, mut tags) = server.get("/api/tags").await;
    for model in tags["models"].as_array().unwrap() {
        assert_eq!(model["digest"].as_str().unwrap().len(), 64);
    }
    steady(&mut tags);
    assert_json_snapshot!("tags", tags);
    // Continue sends `name`, others `model`.
    let (_, mut show) = server
        .post("/api/show", &json!({ "name": "starter:latest" }))
        .await;
    assert!(show["template"].as_str().unwrap().contains("im_start"));
    show["template"] = json!("<template>");
    steady(&mut show);
    assert_json_snapshot!("show", show);
    let (_, embedder) = server
        .post(
            "/api/show",
            &json!({ "model": "embedder", "verbose": true }),
        )
        .await;
    assert_eq!(embedder["capabilities"], json!(["embedding"]));
}

#[tokio::test]
async fn vectors_have_length_one_unless_asked_for_by_the_older_route() {
    let server = TestServer::start();
    let body = json!({ "model": "embedder:latest", "input": ["one", "two"], "dimensions": 4, "keep_alive": "1m" });
    let answer = whole(&server, "/api/embed", body).await;
    let vectors = answer["embeddings"].as_array().unwrap();
    assert_eq!(vectors.len(), 2);
    let squares = |vector: &Value| -> f64 {
        let numbers = vector.as_array().unwrap().iter();
        numbers.map(|x| x.as_f64().unwrap().powi(2)).sum()
    };
    for vector in vectors {
        assert_eq!(vector.as_array().unwrap().len(), 4);
        assert!((squares(vector) - 1.0).abs() < 1e-5, "{vector}");
    }
    assert!(answer["prompt_eval_count"].as_u64().unwrap() > 0);
    assert_eq!(answer["model"], "embedder:latest");
    let one = whole(
        &server,
        "/api/embed",
        json!({ "model": "embedder", "input": "one" }),
    )
    .await;
    assert_eq!(one["embeddings"].as_array().unwrap().len(), 1);
    let old = whole(
        &server,
        "/api/embeddings",
        json!({ "model": "embedder", "prompt": "one" }),
    )
    .await;
    let old = old["embedding"].as_array().unwrap();
    assert_eq!(old.len(), one["embeddings"][0].as_array().unwrap().len());
    for (path, body) in [
        ("/api/embed", json!({ "model": "embedder", "input": "" })),
        ("/api/embeddings", json!({ "model": "embedder" })),
    ] {
        let nothing = whole(&server, path, body).await;
        let list = nothing.get("embeddings").or(nothing.get("embedding"));
        assert_eq!(list, Some(&json!([])));
    }
}

#[tokio::test]
async fn zed_sees_models_as_lm_studio_has_them() {
    let server = TestServer::start();
    let (status, list) = server.get("/api/v0/models").await;
    assert_eq!(status, 200);
    assert_json_snapshot!("lm_studio", list);
    whole(&server, "/api/generate", json!({ "model": "starter" })).await;
    let (_, one) = server.get("/api/v0/models/starter").await;
    assert_eq!(one["state"], "loaded");
    assert_eq!(one["loaded_context_length"], 16_384);
    assert_eq!(server.get("/api/v0/models/none").await.0, 404);
    let (status, answer) = server
        .post("/api/v0/chat/completions", &chat("!say hi"))
        .await;
    assert_eq!(status, 200);
    assert_eq!(answer["choices"][0]["message"]["content"], "hi");
}

#[tokio::test]
async fn vs_code_goes_on_with_openais_api_under_the_same_name() {
    let server = TestServer::start();
    let (_, tags) = server.get("/api/tags").await;
    let body = with(chat("!say hi"), "model", tags["models"][0]["model"].clone());
    let (status, answer) = server.post("/v1/chat/completions", &body).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["choices"][0]["message"]["content"], "hi");
}

#[tokio::test]
async fn own_models_are_copied_removed_and_pulled() {
    let server = TestServer::start();
    let folder = server.home.path().join("models");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(
        server.home.path().join("bundled/all-MiniLM-L6-v2.F16.gguf"),
        folder.join("mine.gguf"),
    )
    .unwrap();
    let copy = json!({ "source": "mine:latest", "destination": "second:latest" });
    assert_eq!(server.post("/api/copy", &copy).await.0, 200);
    assert!(folder.join("second.gguf").exists());
    let response = server
        .send("DELETE", "/api/delete", r#"{"model": "mine"}"#)
        .await;
    assert_eq!(response.status(), 200);
    assert!(!folder.join("mine.gguf").exists());
    let pulled = streamed(&server, "/api/pull", &json!({ "model": "second" })).await;
    assert_eq!(pulled.last().unwrap(), &json!({ "status": "success" }));
    let pulled = whole(&server, "/api/pull", json!({ "name": "second" })).await;
    assert_eq!(pulled, json!({ "status": "success" }));
    for body in [r#"{"model": "starter"}"#, r#"{"name": "starter"}"#] {
        let response = server.send("DELETE", "/api/delete", body).await;
        assert_eq!(response.status(), 403);
    }
    let copy = json!({ "source": "starter", "destination": "x" });
    assert_eq!(server.post("/api/copy", &copy).await.0, 403);
}
