//! Requests that cannot be meant: each with its exact status, and the words that say what is wrong.

use serde_json::Value;

use crate::testing::{TestServer, text_of};

/// A field of a request, status, words.
#[rustfmt::skip] // A row is a case.
const FIELDS: &[(&str, u16, &str)] = &[
    (r#""max_tokens": null"#, 400, "`max_tokens`"),
    (r#""max_tokens": "10""#, 400, "`max_tokens`"),
    (r#""max_tokens": 0"#, 400, "at least 1"),
    (r#""max_tokens": -1"#, 400, "`max_tokens`"),
    (r#""max_tokens": 1.5"#, 400, "`max_tokens`"),
    (r#""max_tokens": 99999999999"#, 400, "`max_tokens`"),
    (r#""model": "none""#, 404, "none"),
    (r#""model": "../starter""#, 404, "../starter"),
    (r#""model": null"#, 400, "`model`"),
    (r#""model": 1"#, 400, "`model`"),
    (r#""model": "embedder""#, 422, "cannot chat"),
    (r#""messages": []"#, 400, "`messages`"),
    (r#""messages": null"#, 400, "`messages`"),
    (r#""messages": "hi""#, 400, "`messages`"),
    (r#""messages": {}"#, 400, "`messages`"),
    (r#""messages": ["hi"]"#, 400, "messages[0]"),
    (r#""messages": [{}]"#, 400, "`messages[0].role` is missing"),
    (r#""messages": [{"role": "user"}]"#, 400, "`messages[0].content` is missing"),
    (r#""messages": [{"role": 1, "content": "a"}]"#, 400, "messages[0].role"),
    (r#""messages": [{"role": "robot", "content": "a"}]"#, 400, "\"robot\""),
    (r#""messages": [{"role": "tool", "content": "a"}]"#, 400, "\"tool\""),
    (r#""messages": [{"role": "user", "content": 1}]"#, 400, "messages[0].content"),
    (r#""messages": [{"role": "user", "content": null}]"#, 400, "messages[0].content"),
    (r#""messages": [{"role": "user", "content": {}}]"#, 400, "messages[0].content"),
    (r#""messages": [{"role": "user", "content": ["a"]}]"#, 400, "messages[0].content[0]"),
    (r#""messages": [{"role": "user", "content": [{}]}]"#, 400, "`messages[0].content[0].type` is missing"),
    (r#""messages": [{"role": "user", "content": [{"type": 1}]}]"#, 400, "messages[0].content[0].type"),
    (r#""messages": [{"role": "user", "content": [{"type": "audio"}]}]"#, 400, "\"audio\""),
    (r#""messages": [{"role": "user", "content": [{"type": "tool_use", "id": "a", "name": "b"}]}]"#, 400, "\"tool_use\""),
    (r#""messages": [{"role": "user", "content": [{"type": "text"}]}]"#, 400, "`messages[0].content[0].text` is missing"),
    (r#""messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]"#, 400, "messages[0].content[0].text"),
    (r#""messages": [{"role": "user", "content": [{"type": "image"}]}]"#, 400, "content[0].source` is missing"),
    (r#""messages": [{"role": "user", "content": [{"type": "image", "source": "x"}]}]"#, 400, "content[0].source"),
    (r#""messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]"#, 400, "source.type"),
    (r#""messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "http://a"}}]}]"#, 400, "base64 only"),
    (r#""messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "data": "aGk="}}]}]"#, 400, "cannot see"),
    (r#""messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "data": "no base64"}}]}]"#, 400, "not base64"),
    (r#""messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "base64", "data": "aGk="}}]}]"#, 400, "plain text"),
    (r#""messages": [{"role": "user", "content": [{"type": "document"}]}]"#, 400, "source` is missing"),
    (r#""messages": [{"role": "user", "content": [{"type": "tool_result"}]}]"#, 400, "tool_use_id` is missing"),
    (r#""messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": 1}]}]"#, 400, "tool_use_id"),
    (r#""messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": 1}]}]"#, 400, "content[0].content"),
    (r#""messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [{"type": "audio"}]}]}]"#, 400, "content[0].content[0].type"),
    (r#""messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text"}]}]}]"#, 400, "content[0].content[0].text"),
    (r#""messages": [{"role": "assistant", "content": "I begin"}]"#, 400, "must end with a message of the user"),
    (r#""messages": [{"role": "assistant", "content": [{"type": "tool_use"}]}]"#, 400, "content[0].id` is missing"),
    (r#""messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "a"}]}]"#, 400, "content[0].name` is missing"),
    (r#""messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "b", "input": 1}]}]"#, 400, "content[0].input"),
    (r#""messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "b", "input": []}]}]"#, 400, "must be an object"),
    (r#""messages": [{"role": "assistant", "content": [{"type": "tool_result", "tool_use_id": "a"}]}]"#, 400, "\"tool_result\""),
    (r#""system": 1"#, 400, "`system`"),
    (r#""system": {}"#, 400, "`system`"),
    (r#""system": ["a"]"#, 400, "system[0]"),
    (r#""system": [{"text": "a"}]"#, 400, "system[0].type"),
    (r#""system": [{"type": "text"}]"#, 400, "system[0].text"),
    (r#""system": [{"type": "thinking", "thinking": "a"}]"#, 400, "\"thinking\""),
    (r#""stream": "yes""#, 400, "`stream`"),
    (r#""stream": 1"#, 400, "`stream`"),
    (r#""temperature": "hot""#, 400, "`temperature`"),
    (r#""temperature": -0.1"#, 400, "`temperature`"),
    (r#""temperature": 1.1"#, 400, "between 0 and 1"),
    (r#""temperature": 1e39"#, 400, "`temperature`"),
    (r#""top_p": 1.1"#, 400, "`top_p`"),
    (r#""top_p": -1"#, 400, "`top_p`"),
    (r#""top_p": "x""#, 400, "`top_p`"),
    (r#""top_k": -1"#, 400, "`top_k`"),
    (r#""top_k": 1.5"#, 400, "`top_k`"),
    (r#""top_k": "x""#, 400, "`top_k`"),
    (r#""top_k": 99999999999"#, 400, "`top_k`"),
    (r#""top_k": 2000000"#, 400, "`top_k`"),
    (r#""stop_sequences": "a""#, 400, "`stop_sequences`"),
    (r#""stop_sequences": [1]"#, 400, "stop_sequences[0]"),
    (r#""stop_sequences": ["a","b","c","d","e","f","g","h","i","j","k","l","m","n","o","p","q"]"#, 400, "`stop_sequences` has 17"),
    (r#""tools": {}"#, 400, "`tools`"),
    (r#""tools": ["a"]"#, 400, "tools[0]"),
    (r#""tools": [{}]"#, 400, "`tools[0].name` is missing"),
    (r#""tools": [{"name": 1}]"#, 400, "tools[0].name"),
    (r#""tools": [{"name": "a b"}]"#, 400, "a b"),
    (r#""tools": [{"name": "a", "description": 1}]"#, 400, "tools[0].description"),
    (r#""tools": [{"name": "a", "input_schema": 1}]"#, 400, "`tools`"),
    (r#""tools": [{"name": "a", "input_schema": {"type": "array"}}]"#, 400, "object"),
    (r#""tools": [{"name": "a"}, {"name": "a"}]"#, 400, "two tools named `a`"),
    (r#""tools": [{"type": "web_search_20250305", "name": "web_search"}]"#, 400, "web_search_20250305"),
    (r#""tools": [{"type": 1, "name": "a"}]"#, 400, "tools[0].type"),
    (r#""tool_choice": "auto""#, 400, "`tool_choice`"),
    (r#""tool_choice": {}"#, 400, "`tool_choice.type` is missing"),
    (r#""tool_choice": {"type": "all"}"#, 400, "\"all\""),
    (r#""tool_choice": {"type": "any"}"#, 400, "`tool_choice`"),
    (r#""tool_choice": {"type": "tool"}"#, 400, "`tool_choice.name` is missing"),
    (r#""tool_choice": {"type": "tool", "name": "a"}"#, 400, "`a`"),
    (r#""tool_choice": {"type": "tool", "name": 1}"#, 400, "tool_choice.name"),
    (r#""tool_choice": {"type": "auto", "disable_parallel_tool_use": 1}"#, 400, "disable_parallel_tool_use"),
    (r#""thinking": true"#, 400, "`thinking`"),
    (r#""thinking": {}"#, 400, "`thinking.type` is missing"),
    (r#""thinking": {"type": "deep"}"#, 400, "\"deep\""),
    (r#""thinking": {"type": 1}"#, 400, "thinking.type"),
    (r#""output_config": "json""#, 400, "`output_config`"),
    (r#""output_config": {"format": {}}"#, 400, "output_config.format.type"),
    (r#""output_config": {"format": {"type": "xml"}}"#, 400, "\"xml\""),
    (r#""output_config": {"format": {"type": "json_schema"}}"#, 400, "`output_config.format.schema` is missing"),
    (r#""output_config": {"format": {"type": "json_schema", "schema": 1}}"#, 400, "`output_config.format.schema`"),
    (r#""output_format": {"type": "json_schema"}"#, 400, "`output_format.schema` is missing"),
    (r#""output_format": 1"#, 400, "`output_format`"),
];

const MESSAGES: &str = "/v1/messages";
const COUNT: &str = "/v1/messages/count_tokens";

async fn check(
    server: &TestServer,
    (method, path): (&str, &str),
    body: &str,
    expected: u16,
    says: &str,
) {
    let response = server.send(method, path, body.to_owned()).await;
    let status = response.status().as_u16();
    let text = text_of(response).await;
    assert_eq!(status, expected, "{body}: {text}");
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["type"], "error", "{body}: {text}");
    let kind = match expected {
        404 => "not_found_error",
        _ => "invalid_request_error",
    };
    assert_eq!(value["error"]["type"], kind, "{body}: {text}");
    let message = value["error"]["message"].as_str().unwrap();
    assert!(message.contains(says), "{body}: {message}");
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let server = TestServer::start();
    let base = [
        (r#""model""#, r#""model": "starter""#),
        (r#""max_tokens""#, r#""max_tokens": 100"#),
        (
            r#""messages""#,
            r#""messages": [{"role": "user", "content": "hi"}]"#,
        ),
    ];
    for (field, status, says) in FIELDS {
        let rest = base.iter().filter(|(name, _)| !field.starts_with(name));
        let mut fields: Vec<&str> = rest.map(|(_, field)| *field).collect();
        fields.push(field);
        let body = format!("{{{}}}", fields.join(", "));
        check(&server, ("POST", MESSAGES), &body, *status, says).await;
        let counted = [
            "model",
            "messages",
            "system",
            "tools",
            "tool_choice",
            "thinking",
        ];
        if counted
            .iter()
            .any(|name| field.starts_with(&format!("\"{name}\"")))
        {
            check(&server, ("POST", COUNT), &body, *status, says).await;
        }
    }
    for (body, says) in [
        ("", "no body"),
        ("hello", "not JSON"),
        ("{", "not JSON"),
        ("[]", "object"),
        ("null", "cannot be used"),
        ("{}", "is missing"),
        (
            r#"{"model": "starter", "messages": []}"#,
            "`max_tokens` is missing",
        ),
        (
            r#"{"model": "starter", "max_tokens": 1}"#,
            "`messages` is missing",
        ),
        (r#"{"max_tokens": 1, "messages": []}"#, "`model` is missing"),
    ] {
        check(&server, ("POST", MESSAGES), body, 400, says).await;
    }
    for method in ["GET", "DELETE", "PUT"] {
        check(&server, (method, MESSAGES), "", 405, method).await;
        check(&server, (method, COUNT), "", 405, method).await;
    }
}
