//! What is answered: golden answers for every way of asking.

use std::time::Duration;

use futures_util::StreamExt;
use insta::assert_json_snapshot;
use serde_json::{Value, json};

use crate::testing::TestServer;

const PATH: &str = "/v1/messages?beta=true";

fn ask(text: &str) -> Value {
    json!({
        "model": "starter",
        "max_tokens": 2000,
        "messages": [{ "role": "user", "content": text }],
    })
}

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

fn weather() -> Value {
    json!([{
        "name": "weather",
        "description": "The weather in a city",
        "input_schema": { "type": "object", "properties": { "city": { "type": "string" } } },
        "cache_control": { "type": "ephemeral" },
    }])
}

const CALLS: &str = "!say Let me see. <tool_call>{\"name\": \"weather\", \"arguments\": {\"city\": \"Rom\"}}</tool_call><tool_call>{\"name\": \"weather\", \"arguments\": {}}</tool_call>";

/// Ids change from run to run; that they are there and how they begin does not.
fn steady(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(steady),
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                match value {
                    Value::String(id) if name == "id" => {
                        let start = id.split('_').next().unwrap_or_default();
                        *id = format!("<{start}>");
                    }
                    other => steady(other),
                }
            }
        }
        _ => {}
    }
}

async fn whole(server: &TestServer, body: &Value) -> Value {
    let (status, mut value) = server.post(PATH, body).await;
    assert_eq!(status, 200, "{value}");
    steady(&mut value);
    value
}

/// The events of a stream; each must be named as its type.
async fn events(server: &TestServer, body: &Value) -> Vec<Value> {
    let (status, text) = server
        .stream(PATH, &with(body.clone(), "stream", json!(true)))
        .await;
    assert_eq!(status, 200, "{text}");
    let events = text.split("\n\n").filter(|event| !event.is_empty());
    events
        .map(|event| {
            let (name, data) = event.split_once('\n').unwrap();
            let mut data: Value =
                serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            assert_eq!(name.strip_prefix("event: ").unwrap(), data["type"]);
            steady(&mut data);
            data
        })
        .collect()
}

/// The deltas of each block joined, as clients do it.
fn joined(events: &[Value]) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    for event in events {
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                assert_eq!(event["index"], blocks.len(), "blocks are counted");
                blocks.push(format!(
                    "{}:",
                    event["content_block"]["type"].as_str().unwrap()
                ));
            }
            "content_block_delta" => {
                let delta = &event["delta"];
                let texts = ["text", "partial_json", "thinking"].map(|f| delta[f].as_str());
                let text = texts.into_iter().flatten().collect::<String>();
                blocks.last_mut().unwrap().push_str(&text);
            }
            _ => {}
        }
    }
    blocks
}

#[tokio::test]
async fn text_comes_whole_or_as_events() {
    let server = TestServer::start();
    assert_json_snapshot!("text_whole", whole(&server, &ask("!say hi")).await);
    assert_json_snapshot!("text_events", events(&server, &ask("!say hi")).await);
}

#[tokio::test]
async fn calls_of_tools_are_blocks() {
    let server = TestServer::start();
    let body = with(ask(CALLS), "tools", weather());
    assert_json_snapshot!("tool_whole", whole(&server, &body).await);
    let streamed = events(&server, &body).await;
    assert_eq!(
        joined(&streamed),
        [
            "text:Let me see.",
            "tool_use:{\"city\": \"Rom\"}",
            "tool_use:{}"
        ]
    );
    let last = &streamed[streamed.len() - 2];
    assert_eq!(last["delta"]["stop_reason"], "tool_use");
}

#[tokio::test]
async fn one_call_at_a_time_if_asked_for() {
    let server = TestServer::start();
    let choice = json!({ "type": "auto", "disable_parallel_tool_use": true });
    let body = with(with(ask(CALLS), "tools", weather()), "tool_choice", choice);
    let content = whole(&server, &body).await["content"].clone();
    assert_eq!(content.as_array().unwrap().len(), 2, "{content}");
    let streamed = joined(&events(&server, &body).await);
    assert_eq!(streamed.len(), 2, "{streamed:?}");
}

#[tokio::test]
async fn the_end_has_a_reason() {
    let server = TestServer::start();
    let stops = with(
        ask("!say one two three"),
        "stop_sequences",
        json!(["x", " tw"]),
    );
    let answer = whole(&server, &stops).await;
    assert_eq!(answer["content"][0]["text"], "one");
    assert_eq!(
        (&answer["stop_reason"], &answer["stop_sequence"]),
        (&json!("stop_sequence"), &json!(" tw"))
    );
    let streamed = events(&server, &stops).await;
    assert_eq!(
        streamed[streamed.len() - 2]["delta"],
        json!({ "stop_reason": "stop_sequence", "stop_sequence": " tw" })
    );
    let short = whole(&server, &with(ask("!say one two"), "max_tokens", json!(3))).await;
    assert_eq!(short["stop_reason"], "max_tokens");
    assert_eq!(short["usage"]["output_tokens"], 3);
}

#[tokio::test]
async fn the_conversation_reaches_the_model() {
    let server = TestServer::start();
    let body = json!({
        "model": "starter",
        "max_tokens": 4000,
        "system": [
            { "type": "text", "text": "x-anthropic-billing-header: cc_version=1; cch=abc;" },
            { "type": "text", "text": "Be brief.", "cache_control": { "type": "ephemeral" } },
        ],
        "tools": weather(),
        "messages": [
            { "role": "user", "content": [{ "type": "text", "text": "Weather" }, { "type": "text", "text": "in Rom?" }] },
            { "role": "assistant", "content": [
                { "type": "thinking", "thinking": "secret thought", "signature": "x" },
                { "type": "text", "text": "I look." },
                { "type": "tool_use", "id": "toolu_1", "name": "weather", "input": { "city": "Rom" } },
            ] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "toolu_1", "content": [{ "type": "text", "text": "sunny" }] },
            ] },
            { "role": "user", "content": "!prompt" },
        ],
    });
    let first = whole(&server, &body).await;
    let prompt = first["content"].to_string();
    for part in ["Be brief.", "Weather\\nin Rom?", "I look.", "Rom", "sunny"] {
        assert!(prompt.contains(part), "{part}: {prompt}");
    }
    for part in ["billing", "secret"] {
        assert!(!prompt.contains(part), "{part}: {prompt}");
    }
    // The line that changes does not change the prompt.
    let mut again = body.clone();
    again["system"][0]["text"] = json!("x-anthropic-billing-header: cc_version=2; cch=def;");
    let second = whole(&server, &again).await;
    assert_eq!(first["content"], second["content"]);
    let usage = &second["usage"];
    assert!(
        usage["cache_read_input_tokens"].as_u64().unwrap() > 0,
        "{usage}"
    );
}

#[tokio::test]
async fn a_conversation_is_counted_as_it_would_be_read() {
    let server = TestServer::start();
    let mut body = with(ask("hello"), "tools", weather());
    body["system"] = json!("Be brief.");
    let path = "/v1/messages/count_tokens?beta=true";
    let (status, count) = server.post(path, &body).await;
    assert_eq!(status, 200, "{count}");
    let usage = whole(&server, &body).await["usage"].clone();
    let read = usage["input_tokens"].as_u64().unwrap()
        + usage["cache_read_input_tokens"].as_u64().unwrap();
    assert_eq!(count, json!({ "input_tokens": read }));
    let (_, again) = server.post(path, &body).await;
    assert_eq!(again, count, "all of it is in the cache now");
    // The fake engine has a token for each byte and 16,384 of them.
    let (status, count) = server.post(path, &ask(&"long ".repeat(10_000))).await;
    assert_eq!(status, 200, "{count}");
    assert!(count["input_tokens"].as_u64().unwrap() > 50_000, "{count}");
    let (status, error) = server.post(path, &json!({ "model": "starter" })).await;
    assert_eq!(status, 400);
    assert_eq!(error["error"]["type"], "invalid_request_error");
}

#[tokio::test]
async fn errors_before_and_in_the_middle() {
    let server = TestServer::start();
    let (status, body) = server
        .post(PATH, &with(ask("hi"), "model", json!("none")))
        .await;
    assert_eq!(status, 404);
    assert_json_snapshot!("error_missing", body);
    let (status, body) = server.post(PATH, &ask(&"long ".repeat(10_000))).await;
    assert_eq!(
        (status.as_u16(), &body["error"]["type"]),
        (400, &json!("invalid_request_error"))
    );
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("prompt is too long"), "{message}");
    let broken = events(&server, &ask("!error")).await;
    let last = broken.last().unwrap();
    assert_eq!(
        (&last["type"], &last["error"]["type"]),
        (&json!("error"), &json!("api_error"))
    );
    assert_eq!(server.post(PATH, &ask("!error")).await.0, 500);
}

#[tokio::test]
async fn who_hangs_up_stops_the_work() {
    let server = TestServer::start();
    let text = format!("!slow 20 {}", "word ".repeat(400));
    let body = with(ask(&text), "stream", json!(true)).to_string();
    let response = server.send("POST", PATH, body).await;
    let mut body = response.into_body().into_data_stream();
    body.next().await.unwrap().unwrap();
    drop(body);
    for _ in 0..100 {
        if server.app.inference().loaded()[0].active_requests == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the answer goes on without a reader");
}
