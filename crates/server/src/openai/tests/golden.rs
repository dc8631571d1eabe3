//! What each call style answers.

use std::time::Duration;

use axum::http::StatusCode;
use hearth_app::inference::CacheCounts;
use hearth_app::settings::SettingChange;
use serde_json::{Value, json};

use super::{events, scrub};
use crate::testing::TestServer;

const CHAT: &str = "/v1/chat/completions";

async fn post(path: &str, body: Value) -> Value {
    let (status, mut answer) = TestServer::start().post(path, &body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    scrub(&mut answer);
    answer
}

async fn stream(path: &str, mut body: Value) -> Vec<Value> {
    body["stream"] = true.into();
    let (status, text) = TestServer::start().stream(path, &body).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    events(&text)
}

fn said(text: &str) -> Value {
    json!({ "model": "starter", "messages": [{ "role": "user", "content": text }] })
}

fn with(mut body: Value, more: Value) -> Value {
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}

fn weather() -> Value {
    let parameters = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    json!({ "tools": [{ "type": "function", "function": { "name": "weather", "parameters": parameters } }] })
}

const CALLS: &str = "!say <tool_call>{\"name\": \"weather\", \"arguments\": {\"city\": \"Rome\"}}</tool_call>\
                     <tool_call>{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\"}}</tool_call>";

#[tokio::test]
async fn chat() {
    insta::assert_json_snapshot!(post(CHAT, said("!say hello")).await);
}

#[tokio::test]
async fn chat_streamed() {
    insta::assert_json_snapshot!(stream(CHAT, said("!say hello")).await);
}

#[tokio::test]
async fn chat_streamed_with_usage() {
    let body = with(
        said("!say hello"),
        json!({ "stream_options": { "include_usage": true } }),
    );
    insta::assert_json_snapshot!(stream(CHAT, body).await);
}

#[tokio::test]
async fn chat_with_several_answers() {
    let body = with(said("!say hello"), json!({ "n": 2, "seed": 7 }));
    insta::assert_json_snapshot!("several", post(CHAT, body.clone()).await);
    insta::assert_json_snapshot!("several_streamed", stream(CHAT, body).await);
}

#[tokio::test]
async fn chat_with_tools() {
    let body = with(said(CALLS), weather());
    insta::assert_json_snapshot!("tools", post(CHAT, body.clone()).await);
    insta::assert_json_snapshot!("tools_streamed", stream(CHAT, body.clone()).await);
    let one = with(body, json!({ "parallel_tool_calls": false }));
    let answer = post(CHAT, one.clone()).await;
    let calls = answer["choices"][0]["message"]["tool_calls"].clone();
    assert_eq!(calls.as_array().unwrap().len(), 1);
    let chunks = Value::from(stream(CHAT, one).await).to_string();
    assert!(chunks.contains("Rome") && !chunks.contains("Oslo"));
}

#[tokio::test]
async fn chat_with_a_conversation_of_every_role() {
    let call = json!({ "id": "c1", "type": "function", "function": { "name": "weather", "arguments": "{}" } });
    let body = json!({
        "model": "starter",
        "messages": [
            { "role": "developer", "content": "Be short." },
            { "role": "user", "content": [{ "type": "text", "text": "What" }, { "type": "text", "text": "now?" }] },
            { "role": "assistant", "content": null, "tool_calls": [call] },
            { "role": "tool", "tool_call_id": "c1", "content": "rain" },
            { "role": "user", "content": "!prompt" },
        ],
    });
    let answer = post(CHAT, body).await;
    insta::assert_snapshot!(answer["choices"][0]["message"]["content"].as_str().unwrap());
}

#[tokio::test]
async fn chat_stops_at_a_text_and_at_a_number_of_tokens() {
    for (more, text, reason) in [
        (json!({ "stop": " b" }), "a", "stop"),
        (json!({ "stop": ["x", "c"] }), "a b ", "stop"),
        (json!({ "max_tokens": 3 }), "a b", "length"),
        (
            json!({ "max_tokens": 1, "max_completion_tokens": 3 }),
            "a b",
            "length",
        ),
    ] {
        let answer = post(CHAT, with(said("!say a b c d"), more)).await;
        let choice = &answer["choices"][0];
        assert_eq!(choice["message"]["content"], text);
        assert_eq!(choice["finish_reason"], reason);
    }
}

#[tokio::test]
async fn chat_that_breaks_off() {
    let (status, answer) = TestServer::start().post(CHAT, &said("!error")).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    insta::assert_json_snapshot!("breaks_off", answer);
    insta::assert_json_snapshot!("breaks_off_streamed", stream(CHAT, said("!error")).await);
}

#[tokio::test]
async fn completions() {
    const PATH: &str = "/v1/completions";
    let body = json!({ "model": "starter", "prompt": "!say hello", "max_tokens": 4 });
    insta::assert_json_snapshot!("completion", post(PATH, body.clone()).await);
    let body = with(body, json!({ "stream_options": { "include_usage": true } }));
    insta::assert_json_snapshot!("completion_streamed", stream(PATH, body).await);
    let body = json!({ "model": "starter", "prompt": ["!say a", "!say b"], "n": 2, "echo": true });
    insta::assert_json_snapshot!("completions", post(PATH, body.clone()).await);
    insta::assert_json_snapshot!("completions_streamed", stream(PATH, body).await);
}

#[tokio::test]
async fn models() {
    let server = TestServer::start();
    insta::assert_json_snapshot!(server.get("/v1/models").await.1);
    let (status, one) = server.get("/v1/models/starter").await;
    assert_eq!((status, &one["id"]), (StatusCode::OK, &json!("starter")));
    let (status, missing) = server.get("/v1/models/org/some-model").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(missing["error"]["code"], "model_not_found");
}

#[tokio::test]
async fn unknown_fields_are_ignored_and_counted() {
    let server = TestServer::start();
    let body = with(said("!say hello"), json!({ "user": "me", "store": true }));
    let (status, _) = server.post(CHAT, &body).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn embeddings() {
    const PATH: &str = "/v1/embeddings";
    let body = json!({ "model": "embedder", "input": ["abc", "abc"], "dimensions": 2 });
    insta::assert_json_snapshot!("embeddings", post(PATH, body).await);
    let text = json!({ "model": "embedder", "input": "abc", "encoding_format": "base64" });
    insta::assert_json_snapshot!("embeddings_base64", post(PATH, text).await);
}

#[tokio::test]
async fn vectors_and_answers_are_computed_once() {
    let server = TestServer::start();
    let counts = || server.app.inference().cache_counts();
    let texts = |list: &[&str]| json!({ "model": "embedder", "input": list });
    let (_, first) = server.post("/v1/embeddings", &texts(&["a", "b"])).await;
    let (_, second) = server
        .post("/v1/embeddings", &texts(&["b", "c", "a"]))
        .await;
    assert_eq!(
        first["data"][0]["embedding"],
        second["data"][2]["embedding"]
    );
    assert_eq!(
        first["data"][1]["embedding"],
        second["data"][0]["embedding"]
    );
    assert_ne!(
        second["data"][1]["embedding"],
        second["data"][2]["embedding"]
    );
    assert_eq!(second["usage"]["prompt_tokens"], 9);
    assert_eq!((counts().1.hits, counts().1.misses), (2, 3));

    let body = with(said("!say hello"), json!({ "temperature": 0 }));
    let (_, first) = server.post(CHAT, &body).await;
    let (_, second) = server.post(CHAT, &body).await;
    assert_eq!(first["choices"], second["choices"]);
    assert_eq!((counts().0.hits, counts().0.misses), (1, 1));
    let prompt = second["usage"]["prompt_tokens"].clone();
    assert_eq!(
        second["usage"]["prompt_tokens_details"]["cached_tokens"],
        prompt
    );
    // Left to chance: computed each time.
    server.post(CHAT, &said("!say hello")).await;
    let off = SettingChange::ServerKeepAnswers(false);
    server.app.settings().set(off).await.unwrap();
    // Soon after, and with that what is held is forgotten.
    while counts().0.bytes > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    server.post(CHAT, &body).await;
    assert_eq!((counts().0.hits, counts().0.misses), (1, 1));
}

#[tokio::test]
async fn no_store_asks_for_a_new_answer() {
    let server = TestServer::start();
    let body = with(said("!say hello"), json!({ "seed": 3 })).to_string();
    for _ in 0..2 {
        let request = axum::http::Request::builder()
            .method("POST")
            .uri(CHAT)
            .header("host", "localhost:8100")
            .header("cache-control", "max-age=0, No-Store")
            .body(axum::body::Body::from(body.clone()))
            .unwrap();
        let answer = tower::ServiceExt::oneshot(server.router.clone(), request).await;
        assert_eq!(answer.unwrap().status(), StatusCode::OK);
    }
    assert_eq!(
        server.app.inference().cache_counts().0,
        CacheCounts::default()
    );
}

const RESPONSES: &str = "/v1/responses";

fn response_tools() -> Value {
    json!([{ "type": "function", "name": "weather", "parameters": { "type": "object" } }, { "type": "web_search" }])
}

#[tokio::test]
async fn responses() {
    let body = json!({ "model": "starter", "input": "!say hello", "instructions": "Be short." });
    insta::assert_json_snapshot!("response", post(RESPONSES, body.clone()).await);
    insta::assert_json_snapshot!("response_streamed", stream(RESPONSES, body).await);
}

#[tokio::test]
async fn responses_with_calls() {
    let body = json!({ "model": "starter", "input": CALLS, "tools": response_tools() });
    let whole = post(RESPONSES, body.clone()).await;
    insta::assert_json_snapshot!("response_calls", whole["output"]);
    insta::assert_json_snapshot!("response_calls_streamed", stream(RESPONSES, body).await);
}

#[tokio::test]
async fn responses_that_end_early() {
    let body = json!({ "model": "starter", "input": "!say hello", "max_output_tokens": 3 });
    let events = stream(RESPONSES, body).await;
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.incomplete");
    let why = &last["response"]["incomplete_details"]["reason"];
    assert_eq!(why, "max_output_tokens");
    let body = json!({ "model": "starter", "input": "!error" });
    let events = stream(RESPONSES, body.clone()).await;
    insta::assert_json_snapshot!("response_failed", events.last().unwrap());
    let (status, _) = TestServer::start().post(RESPONSES, &body).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn rerank() {
    let server = TestServer::start();
    server.add_reranker();
    let body = json!({
        "model": "reranker",
        "query": "abc",
        "documents": ["xyz", { "text": "cab" }, "a"],
        "return_documents": true,
    });
    let (status, answer) = server.post("/v1/rerank", &body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    insta::assert_json_snapshot!(answer);
    let (_, best) = server
        .post("/v1/rerank", &with(body, json!({ "top_n": 1 })))
        .await;
    assert_eq!(best["results"].as_array().unwrap().len(), 1);
    let (status, answer) = server
        .post(
            "/v1/embeddings",
            &json!({ "model": "reranker", "input": "a" }),
        )
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
}

#[tokio::test]
async fn a_completion_of_tokens_is_that_of_their_text() {
    let server = TestServer::start();
    let tokens = json!("!say a".bytes().collect::<Vec<u8>>());
    for prompt in [tokens.clone(), json!([tokens])] {
        let body = json!({ "model": "starter", "prompt": prompt, "echo": true });
        let (status, answer) = server.post("/v1/completions", &body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert_eq!(answer["choices"][0]["text"], "!say aa");
    }
}
