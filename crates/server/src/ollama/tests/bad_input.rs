//! Requests that cannot be meant: each with its exact status, and the words that say what is wrong.

use axum::body::Body;
use serde_json::Value;

use crate::testing::{TestServer, text_of};

/// Path, body, status, and what the error has to say.
type Case = (&'static str, &'static str, u16, &'static str);

/// A field of a chat with `starter`, status, words.
#[rustfmt::skip] // A row is a case.
const CHAT: &[(&str, u16, &str)] = &[
    (r#""messages": 3"#, 400, "`messages`"),
    (r#""messages": {}"#, 400, "`messages`"),
    (r#""messages": "hi""#, 400, "`messages`"),
    (r#""messages": ["hi"]"#, 400, "messages[0]"),
    (r#""messages": [{}]"#, 400, "`messages[0].role` is missing"),
    (r#""messages": [null]"#, 400, "messages[0]"),
    (r#""messages": [{"role": 1}]"#, 400, "messages[0].role"),
    (r#""messages": [{"role": null}]"#, 400, "messages[0].role"),
    (r#""messages": [{"role": ""}]"#, 400, "messages[0].role"),
    (r#""messages": [{"role": "robot"}]"#, 400, "\"robot\""),
    (r#""messages": [{"role": "USER"}]"#, 400, "messages[0].role"),
    (r#""messages": [{"role": "user", "content": 1}]"#, 400, "messages[0].content"),
    (r#""messages": [{"role": "user", "content": ["a"]}]"#, 400, "messages[0].content"),
    (r#""messages": [{"role": "user", "content": {}}]"#, 400, "messages[0].content"),
    (r#""messages": [{"role": "user", "thinking": 1}]"#, 400, "messages[0].thinking"),
    (r#""messages": [{"role": "user", "images": "aGk="}]"#, 400, "messages[0].images"),
    (r#""messages": [{"role": "user", "images": [1]}]"#, 400, "messages[0].images[0]"),
    (r#""messages": [{"role": "user", "images": ["aGk="]}]"#, 400, "cannot see"),
    (r#""messages": [{"role": "user", "images": ["no base64"]}]"#, 400, "not base64"),
    (r#""messages": [{"role": "assistant", "tool_calls": {}}]"#, 400, "messages[0].tool_calls"),
    (r#""messages": [{"role": "assistant", "tool_calls": [{}]}]"#, 400, "tool_calls[0].function"),
    (r#""messages": [{"role": "assistant", "tool_calls": [{"function": {}}]}]"#, 400, "function.name"),
    (r#""messages": [{"role": "assistant", "tool_calls": [{"function": {"name": 1}}]}]"#, 400, "function.name"),
    (r#""messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "a", "arguments": 3}}]}]"#, 400, "must be an object"),
    (r#""messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "a", "arguments": []}}]}]"#, 400, "must be an object"),
    (r#""messages": [{"role": "tool", "tool_name": 1}]"#, 400, "tool_name"),
    (r#""messages": [{"role": "tool", "tool_call_id": 1}]"#, 400, "tool_call_id"),
    (r#""stream": "yes""#, 400, "`stream`"),
    (r#""stream": 1"#, 400, "`stream`"),
    (r#""stream": []"#, 400, "`stream`"),
    (r#""format": "xml""#, 400, "`format`"),
    (r#""format": 1"#, 400, "`format`"),
    (r#""format": true"#, 400, "`format`"),
    (r#""format": ["json"]"#, 400, "`format`"),
    (r#""think": "maybe""#, 400, "`think`"),
    (r#""think": 1"#, 400, "`think`"),
    (r#""think": {}"#, 400, "`think`"),
    (r#""keep_alive": "soon""#, 400, "`keep_alive`"),
    (r#""keep_alive": true"#, 400, "`keep_alive`"),
    (r#""keep_alive": {}"#, 400, "`keep_alive`"),
    (r#""keep_alive": "5 minutes""#, 400, "`keep_alive`"),
    (r#""truncate": "no""#, 400, "`truncate`"),
    (r#""shift": 1"#, 400, "`shift`"),
    (r#""logprobs": 1"#, 400, "`logprobs`"),
    (r#""top_logprobs": "5""#, 400, "`top_logprobs`"),
    (r#""top_logprobs": 1.5"#, 400, "`top_logprobs`"),
    (r#""logprobs": true, "top_logprobs": -1"#, 400, "`top_logprobs`"),
    (r#""logprobs": true, "top_logprobs": 21"#, 400, "between 0 and 20"),
    (r#""logprobs": true, "top_logprobs": 300"#, 400, "`top_logprobs`"),
    (r#""tools": {}"#, 400, "`tools`"),
    (r#""tools": "all""#, 400, "`tools`"),
    (r#""tools": [{}]"#, 400, "`tools[0].function` is missing"),
    (r#""tools": [{"function": {}}]"#, 400, "`tools[0].function.name` is missing"),
    (r#""tools": [{"function": {"name": 1}}]"#, 400, "tools[0].function.name"),
    (r#""tools": [{"function": {"name": ""}}]"#, 400, "`tools`"),
    (r#""tools": [{"function": {"name": "a b"}}]"#, 400, "a b"),
    (r#""tools": [{"function": {"name": "a", "description": 1}}]"#, 400, "tools[0].function.description"),
    (r#""tools": [{"function": {"name": "a", "parameters": 1}}]"#, 400, "`tools`"),
    (r#""tools": [{"function": {"name": "a", "parameters": {"type": "string"}}}]"#, 400, "object"),
    (r#""tools": [{"function": {"name": "a"}}, {"function": {"name": "a"}}]"#, 400, "two tools named `a`"),
    (r#""options": 1"#, 400, "`options`"),
    (r#""options": "fast""#, 400, "`options`"),
    (r#""options": [1]"#, 400, "options"),
    (r#""options": {"temperature": "hot"}"#, 400, "`options.temperature`"),
    (r#""options": {"temperature": -1}"#, 400, "`temperature`"),
    (r#""options": {"temperature": 2.5}"#, 400, "between 0 and 2"),
    (r#""options": {"temperature": 1e39}"#, 400, "temperature"),
    (r#""options": {"top_p": 2}"#, 400, "`top_p`"),
    (r#""options": {"top_p": -0.1}"#, 400, "`top_p`"),
    (r#""options": {"top_p": []}"#, 400, "`options.top_p`"),
    (r#""options": {"top_k": 1.5}"#, 400, "`options.top_k`"),
    (r#""options": {"top_k": "40"}"#, 400, "`options.top_k`"),
    (r#""options": {"top_k": 99999999999}"#, 400, "`options.top_k`"),
    (r#""options": {"top_k": 2000000}"#, 400, "`top_k`"),
    (r#""options": {"min_p": 1.1}"#, 400, "`min_p`"),
    (r#""options": {"min_p": "0"}"#, 400, "`options.min_p`"),
    (r#""options": {"typical_p": -1}"#, 400, "`typical_p`"),
    (r#""options": {"seed": "x"}"#, 400, "`options.seed`"),
    (r#""options": {"seed": 1.5}"#, 400, "`options.seed`"),
    (r#""options": {"num_predict": "many"}"#, 400, "`options.num_predict`"),
    (r#""options": {"num_predict": 0.5}"#, 400, "`options.num_predict`"),
    (r#""options": {"repeat_penalty": 0}"#, 400, "`repeat_penalty`"),
    (r#""options": {"repeat_penalty": 11}"#, 400, "`repeat_penalty`"),
    (r#""options": {"repeat_last_n": 100000}"#, 400, "`repeat_last_n`"),
    (r#""options": {"repeat_last_n": "all"}"#, 400, "`options.repeat_last_n`"),
    (r#""options": {"presence_penalty": 3}"#, 400, "`presence_penalty`"),
    (r#""options": {"presence_penalty": "x"}"#, 400, "`options.presence_penalty`"),
    (r#""options": {"frequency_penalty": -3}"#, 400, "`frequency_penalty`"),
    (r#""options": {"mirostat": 3}"#, 400, "`mirostat`"),
    (r#""options": {"mirostat": -1}"#, 400, "`options.mirostat`"),
    (r#""options": {"mirostat_tau": 21}"#, 400, "`mirostat_tau`"),
    (r#""options": {"mirostat_eta": 2}"#, 400, "`mirostat_eta`"),
    (r#""options": {"stop": 1}"#, 400, "`options.stop`"),
    (r#""options": {"stop": [1]}"#, 400, "`options.stop`"),
    (r#""options": {"stop": ""}"#, 400, "`stop`"),
    (r#""options": {"stop": ["a", ""]}"#, 400, "`stop`"),
    (r#""model": "starter:7b""#, 404, "starter:7b"),
    (r#""model": "../starter""#, 404, "../starter"),
    (r#""model": "/etc/passwd""#, 404, "/etc/passwd"),
    (r#""model": """#, 400, "`model` is missing"),
    (r#""model": "  ""#, 400, "`model` is missing"),
    (r#""model": null"#, 400, "`model`"),
    (r#""model": 1"#, 400, "`model`"),
    (r#""model": "embedder""#, 422, "cannot chat"),
];

/// The same for the other routes, with the whole body.
#[rustfmt::skip] // A row is a case.
const OTHERS: &[Case] = &[
    ("/api/chat", "", 400, "no body"),
    ("/api/chat", "hello", 400, "not JSON"),
    ("/api/chat", "{", 400, "not JSON"),
    ("/api/chat", "[]", 400, "object"),
    ("/api/chat", "null", 400, "cannot be used"),
    ("/api/chat", "{} {}", 400, ""),
    ("/api/chat", "{}", 400, "`model` is missing"),
    ("/api/generate", "{}", 400, "`model` is missing"),
    ("/api/generate", "", 400, "no body"),
    ("/api/generate", r#"{"model": "none", "prompt": "a"}"#, 404, "none"),
    ("/api/generate", r#"{"model": "starter", "prompt": 1}"#, 400, "`prompt`"),
    ("/api/generate", r#"{"model": "starter", "prompt": ["a"]}"#, 400, "`prompt`"),
    ("/api/generate", r#"{"model": "starter", "prompt": "a", "suffix": "b"}"#, 400, "`suffix`"),
    ("/api/generate", r#"{"model": "starter", "prompt": "a", "suffix": 1}"#, 400, "`suffix`"),
    ("/api/generate", r#"{"model": "starter", "prompt": "a", "raw": 1}"#, 400, "`raw`"),
    ("/api/generate", r#"{"model": "starter", "prompt": "a", "raw": true, "system": "b"}"#, 400, "`system`"),
    ("/api/generate", r#"{"model": "starter", "prompt": "a", "raw": true, "template": "b"}"#, 400, "`template`"),
    ("/api/generate", r#"{"model": "starter", "prompt": "a", "system": 1}"#, 400, "`system`"),
    ("/api/generate", r#"{"model": "starter", "prompt": "a", "template": {}}"#, 400, "`template`"),
    ("/api/generate", r#"{"model": "starter", "prompt": "a", "images": ["aGk="]}"#, 400, "cannot see"),
    ("/api/generate", r#"{"model": "starter", "prompt": "a", "images": "x"}"#, 400, "`images`"),
    ("/api/generate", r#"{"model": "starter", "prompt": "a", "format": "yaml"}"#, 400, "`format`"),
    ("/api/generate", r#"{"model": "starter", "prompt": "a", "think": "x"}"#, 400, "`think`"),
    ("/api/generate", r#"{"model": "starter", "prompt": "a", "keep_alive": "x"}"#, 400, "`keep_alive`"),
    ("/api/generate", r#"{"model": "starter", "prompt": "a", "options": {"top_p": 7}}"#, 400, "`top_p`"),
    ("/api/generate", r#"{"model": "starter", "prompt": "a", "stream": 0}"#, 400, "`stream`"),
    ("/api/generate", r#"{"model": "embedder", "prompt": "a"}"#, 422, "cannot chat"),
    ("/api/generate", r#"{"model": "embedder"}"#, 422, "cannot chat"),
    ("/api/embed", "{}", 400, "`model` is missing"),
    ("/api/embed", "", 400, "no body"),
    ("/api/embed", r#"{"model": "embedder", "input": 1}"#, 400, "`input`"),
    ("/api/embed", r#"{"model": "embedder", "input": {}}"#, 400, "`input`"),
    ("/api/embed", r#"{"model": "embedder", "input": [1]}"#, 400, "`input`"),
    ("/api/embed", r#"{"model": "embedder", "input": ["a", ""]}"#, 400, "is empty"),
    ("/api/embed", r#"{"model": "embedder", "input": "a", "truncate": "no"}"#, 400, "`truncate`"),
    ("/api/embed", r#"{"model": "embedder", "input": "a", "dimensions": -1}"#, 400, "`dimensions`"),
    ("/api/embed", r#"{"model": "embedder", "input": "a", "dimensions": 1.5}"#, 400, "`dimensions`"),
    ("/api/embed", r#"{"model": "embedder", "input": "a", "dimensions": 99999}"#, 400, "`dimensions`"),
    ("/api/embed", r#"{"model": "embedder", "input": "a", "keep_alive": "x"}"#, 400, "`keep_alive`"),
    ("/api/embed", r#"{"model": "none", "input": "a"}"#, 404, "none"),
    ("/api/embed", r#"{"model": "starter", "input": "a"}"#, 422, "cannot turn texts into vectors"),
    ("/api/embeddings", "{}", 400, "`model` is missing"),
    ("/api/embeddings", r#"{"model": "embedder", "prompt": 1}"#, 400, "`prompt`"),
    ("/api/embeddings", r#"{"model": "embedder", "prompt": ["a"]}"#, 400, "`prompt`"),
    ("/api/embeddings", r#"{"model": "none", "prompt": "a"}"#, 404, "none"),
    ("/api/embeddings", r#"{"model": "starter", "prompt": "a"}"#, 422, "cannot turn texts into vectors"),
    ("/api/show", "{}", 400, "`model` is missing"),
    ("/api/show", "", 400, "no body"),
    ("/api/show", r#"{"model": "none"}"#, 404, "none"),
    ("/api/show", r#"{"name": "../starter"}"#, 404, "../starter"),
    ("/api/show", r#"{"model": 1}"#, 400, "`model`"),
    ("/api/show", r#"{"name": []}"#, 400, "`name`"),
    ("/api/pull", "{}", 400, "`model` is missing"),
    ("/api/pull", r#"{"model": "llama3"}"#, 404, "name it as the hub does"),
    ("/api/pull", r#"{"model": "llama3", "stream": false}"#, 404, "name it as the hub does"),
    ("/api/pull", r#"{"model": "starter", "stream": 1}"#, 400, "`stream`"),
    ("/api/copy", "{}", 400, "`source` is missing"),
    ("/api/copy", r#"{"source": "starter"}"#, 400, "`destination` is missing"),
    ("/api/copy", r#"{"source": "", "destination": "a"}"#, 400, "`model` is missing"),
    ("/api/copy", r#"{"source": "none", "destination": "a"}"#, 404, "none"),
    ("/api/copy", r#"{"source": "starter", "destination": "a"}"#, 403, "part of Hearth"),
    ("/api/copy", r#"{"source": "starter", "destination": 1}"#, 400, "`destination`"),
    ("/api/create", "{}", 501, "/api/create"),
    ("/api/create", "nonsense", 501, "/api/create"),
    ("/api/push", "{}", 501, "/api/push"),
    ("/api/blobs/sha256:00", "x", 501, "/api/blobs/sha256:00"),
    ("/api/me", "", 501, "/api/me"),
    ("/api/nothing", "{}", 404, "/api/nothing"),
    ("/api/chat/more", "{}", 404, "/api/chat/more"),
    ("/api/tags", "{}", 405, "POST"),
    ("/api/version", "", 405, "POST"),
    ("/api/delete", "{}", 405, "POST"),
];

async fn check(server: &TestServer, method: &str, case: &Case) {
    let (path, body, expected, says) = *case;
    let response = server.send(method, path, body.to_owned()).await;
    let status = response.status().as_u16();
    let text = text_of(response).await;
    assert_eq!(status, expected, "{method} {path} {body}: {text}");
    let value: Value = serde_json::from_str(&text).unwrap_or_default();
    let fields: Vec<&String> = value
        .as_object()
        .into_iter()
        .flatten()
        .map(|f| f.0)
        .collect();
    assert_eq!(fields, ["error"], "{method} {path} {body}: {text}");
    let message = value["error"].as_str().unwrap_or_default();
    assert!(
        !message.is_empty() && message.contains(says),
        "{path} {body}: {message}"
    );
}

#[tokio::test]
async fn chat_names_what_is_wrong() {
    let server = TestServer::start();
    for (field, status, says) in CHAT {
        // A field that is in the table stands alone; serde refuses one that is there twice.
        let mut body = String::from("{");
        if !field.starts_with(r#""model""#) {
            body.push_str(r#""model": "starter", "#);
        }
        if !field.starts_with(r#""messages""#) {
            body.push_str(r#""messages": [{"role": "user", "content": "hi"}], "#);
        }
        body.push_str(field);
        body.push('}');
        check(&server, "POST", &("/api/chat", body.leak(), *status, says)).await;
    }
}

#[tokio::test]
async fn every_route_names_what_is_wrong() {
    let server = TestServer::start();
    for case in OTHERS {
        check(&server, "POST", case).await;
    }
    for (path, body, status, says) in [
        ("/api/delete", "{}", 400, "`model` is missing"),
        ("/api/delete", r#"{"model": "none"}"#, 404, "none"),
        (
            "/api/delete",
            r#"{"model": "starter"}"#,
            403,
            "part of Hearth",
        ),
        ("/api/delete", r#"{"name": 1}"#, 400, "`name`"),
        ("/api/delete", "", 400, "no body"),
        ("/api/chat", "", 405, "DELETE"),
        ("/api/nothing", "", 404, "/api/nothing"),
    ] {
        check(&server, "DELETE", &(path, body, status, says)).await;
    }
    for path in [
        "/api/chat",
        "/api/generate",
        "/api/show",
        "/api/delete",
        "/api/copy",
        "/api/pull",
    ] {
        check(&server, "GET", &(path, "", 405, "GET")).await;
    }
}

#[tokio::test]
async fn what_is_too_large_or_too_deep_is_refused() {
    let server = TestServer::start();
    let deep = format!("{}1{}", r#"{"a": "#.repeat(70), "}".repeat(70));
    let body =
        format!(r#"{{"model": "starter", "messages": [{{"role": "user"}}], "format": {deep}}}"#);
    let case = (
        "/api/chat",
        &*body.leak(),
        400,
        "`format` is nested more than 64",
    );
    check(&server, "POST", &case).await;
    let large = format!(r#"{{"model": "{}"}}"#, "x".repeat(33 << 20));
    let response = server.send("POST", "/api/chat", Body::from(large)).await;
    assert_eq!(response.status(), 413);
    let body: Value = serde_json::from_str(&text_of(response).await).unwrap();
    assert!(body["error"].is_string());
}
