//! Bad requests: for each the exact status, code and field.
#![allow(clippy::too_many_lines)] // Tables.

use serde_json::{Value, json};

use crate::testing::TestServer;

/// What is changed in a good request, and what the server says to it: status, code, param.
type Row = (Value, u16, &'static str, Option<&'static str>);

fn row(change: Value, param: &'static str) -> Row {
    (change, 400, "invalid_input", Some(param))
}

/// Sends each request; a field that is `"<none>"` in the change is left out. Reports all rows that differ at once.
async fn check(path: &str, good: Value, rows: Vec<Row>) {
    let server = TestServer::start();
    let (status, answer) = server.post(path, &good).await;
    assert_eq!(status, 200, "the good request: {answer}");
    let mut wrong = Vec::new();
    for (change, status, code, param) in rows {
        let mut body = good.clone();
        let fields = body.as_object_mut().unwrap();
        for (key, value) in change.as_object().unwrap() {
            if value == "<none>" {
                fields.remove(key);
            } else {
                fields.insert(key.clone(), value.clone());
            }
        }
        let (found, answer) = server.post(path, &body).await;
        let error = &answer["error"];
        let message = error["message"].as_str().unwrap_or_default();
        let is_sentence = message.ends_with('.') && message.len() > 10;
        if (found.as_u16(), &error["code"], &error["param"])
            != (status, &json!(code), &json!(param))
            || !is_sentence
        {
            wrong.push(format!("{path} {change}: {found} {answer}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Numbers that both chat and completions take.
fn number_rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for field in ["temperature", "top_p", "min_p", "typical_p"] {
        for bad in [
            json!(-0.1),
            json!(2.5),
            json!("1"),
            json!([]),
            json!({}),
            json!(true),
            json!(1e308),
        ] {
            rows.push(row(json!({ field: bad }), field));
        }
    }
    for field in ["presence_penalty", "frequency_penalty"] {
        for bad in [
            json!(-2.1),
            json!(2.1),
            json!("0"),
            json!([0]),
            json!(-1e300),
        ] {
            rows.push(row(json!({ field: bad }), field));
        }
    }
    for bad in [json!(0.0), json!(11), json!(-1), json!("x")] {
        rows.push(row(json!({ "repeat_penalty": bad }), "repeat_penalty"));
    }
    for bad in [
        json!(-1),
        json!(2_000_000),
        json!(1.5),
        json!("40"),
        json!(1e20),
    ] {
        rows.push(row(json!({ "top_k": bad }), "top_k"));
    }
    for bad in [
        json!(0),
        json!(-1),
        json!(1.5),
        json!("5"),
        json!(5_000_000_000_u64),
        json!([]),
    ] {
        rows.push(row(json!({ "max_tokens": bad }), "max_tokens"));
    }
    for bad in [json!("7"), json!(1.5), json!(u64::MAX), json!([1])] {
        rows.push(row(json!({ "seed": bad }), "seed"));
    }
    for bad in [json!(0), json!(17), json!(-1), json!("2"), json!(1.5)] {
        rows.push(row(json!({ "n": bad }), "n"));
    }
    for bad in [
        json!(3),
        json!({}),
        json!([1]),
        json!(""),
        json!([""]),
        json!(["a", ""]),
        json!("x".repeat(257)),
        json!(vec!["x"; 17]),
    ] {
        rows.push(row(json!({ "stop": bad }), "stop"));
    }
    for bad in [
        json!({ "a": 1 }),
        json!({ "1.5": 1 }),
        json!({ "-1": 1 }),
        json!({ "5": 101 }),
        json!({ "5": -101 }),
    ] {
        rows.push(row(json!({ "logit_bias": bad }), "logit_bias"));
    }
    rows.push(row(json!({ "logit_bias": [1] }), "logit_bias"));
    rows.push(row(json!({ "logit_bias": { "5": "1" } }), "logit_bias.5"));
    for bad in [json!("yes"), json!(1), json!([])] {
        rows.push(row(json!({ "stream": bad }), "stream"));
    }
    rows.push(row(
        json!({ "stream_options": { "include_usage": 1 } }),
        "stream_options.include_usage",
    ));
    rows.push(row(json!({ "stream_options": 1 }), "stream_options"));
    for bad in [json!(""), json!(3)] {
        rows.push(row(json!({ "grammar": bad }), "grammar"));
    }
    rows.push(row(json!({ "model": "<none>" }), "model"));
    for bad in [json!(null), json!(3), json!(["starter"])] {
        rows.push(row(json!({ "model": bad }), "model"));
    }
    for bad in [
        "",
        "nothing",
        "../starter",
        "/etc/passwd",
        "starter\u{0}",
        "https://example.org/x",
    ] {
        rows.push((json!({ "model": bad }), 404, "model_not_found", None));
    }
    rows.push((
        json!({ "model": "embedder" }),
        422,
        "model_unsupported",
        None,
    ));
    rows
}

#[tokio::test]
async fn chat_numbers() {
    check("/v1/chat/completions", good_chat(), number_rows()).await;
}

#[tokio::test]
async fn completion_numbers() {
    let good = json!({ "model": "starter", "prompt": "!say hi" });
    check("/v1/completions", good, number_rows()).await;
}

fn good_chat() -> Value {
    json!({ "model": "starter", "messages": [{ "role": "user", "content": "!say hi" }] })
}

fn message_rows() -> Vec<Row> {
    let user = |content: Value| json!({ "messages": [{ "role": "user", "content": content }] });
    let picture = |url: &str| user(json!([{ "type": "image_url", "image_url": { "url": url } }]));
    vec![
        row(json!({ "messages": "<none>" }), "messages"),
        row(json!({ "messages": null }), "messages"),
        row(json!({ "messages": [] }), "messages"),
        row(json!({ "messages": "hi" }), "messages"),
        row(json!({ "messages": ["hi"] }), "messages[0]"),
        row(json!({ "messages": [{}] }), "messages[0].role"),
        row(
            json!({ "messages": [{ "role": 1, "content": "" }] }),
            "messages[0].role",
        ),
        row(
            json!({ "messages": [{ "role": "User", "content": "" }] }),
            "messages[0].role",
        ),
        row(
            json!({ "messages": [{ "role": "robot", "content": "" }] }),
            "messages[0].role",
        ),
        row(
            json!({ "messages": [{ "role": "user" }] }),
            "messages[0].content",
        ),
        row(
            json!({ "messages": [{ "role": "system" }] }),
            "messages[0].content",
        ),
        row(
            json!({ "messages": [{ "role": "tool" }] }),
            "messages[0].content",
        ),
        row(
            json!({ "messages": [{ "role": "user", "content": "a" }, { "role": "user" }] }),
            "messages[1].content",
        ),
        row(user(json!(3)), "messages[0].content"),
        row(user(json!({})), "messages[0].content"),
        row(user(json!([3])), "messages[0].content"),
        row(user(json!([{ "text": "a" }])), "messages[0].content"),
        row(
            user(json!([{ "type": "text" }])),
            "messages[0].content[0].text",
        ),
        row(
            user(json!([{ "type": "text", "text": "a" }, { "type": "audio" }])),
            "messages[0].content[1].type",
        ),
        row(
            user(json!([{ "type": "image_url" }])),
            "messages[0].content[0].image_url",
        ),
        row(
            picture("http://localhost/a.png"),
            "messages[0].content[0].image_url",
        ),
        row(
            picture("file:///etc/passwd"),
            "messages[0].content[0].image_url",
        ),
        (
            picture("data:image/png;base64,AA=="),
            400,
            "invalid_input",
            None,
        ),
        row(
            json!({ "messages": [{ "role": "user", "content": "a", "tool_calls": [{ "function": { "name": "f" } }] }] }),
            "messages[0].tool_calls",
        ),
        row(
            json!({ "messages": [{ "role": "assistant", "tool_calls": [{}] }] }),
            "messages[0].tool_calls[0].function",
        ),
        row(
            json!({ "messages": [{ "role": "assistant", "tool_calls": [{ "function": {} }] }] }),
            "messages[0].tool_calls[0].function.name",
        ),
        row(
            json!({ "messages": [{ "role": "assistant", "tool_calls": "f" }] }),
            "messages[0].tool_calls",
        ),
        (
            user(json!("long ".repeat(10_000))),
            400,
            "context_length_exceeded",
            None,
        ),
        row(user(json!("x".repeat(17 << 20))), "prompt"),
    ]
}

#[tokio::test]
async fn chat_messages() {
    check("/v1/chat/completions", good_chat(), message_rows()).await;
}

fn tool_rows() -> Vec<Row> {
    let tool = |function: Value| json!({ "tools": [{ "type": "function", "function": function }] });
    let format = |format: Value| json!({ "response_format": format });
    let schema = |schema: Value| json!({ "response_format": { "type": "json_schema", "json_schema": { "name": "a", "schema": schema } } });
    let mut deep = json!({});
    for _ in 0..70 {
        deep = json!({ "items": deep });
    }
    vec![
        row(json!({ "tools": "f" }), "tools"),
        row(json!({ "tools": [1] }), "tools[0]"),
        row(json!({ "tools": [{}] }), "tools[0].type"),
        row(
            json!({ "tools": [{ "type": "web_search" }] }),
            "tools[0].type",
        ),
        row(
            json!({ "tools": [{ "type": "function" }] }),
            "tools[0].function",
        ),
        row(tool(json!({})), "tools[0].function.name"),
        row(tool(json!({ "name": "" })), "tools"),
        row(tool(json!({ "name": "a b" })), "tools"),
        row(tool(json!({ "name": "x".repeat(65) })), "tools"),
        row(tool(json!({ "name": "a", "parameters": 3 })), "tools"),
        row(
            tool(json!({ "name": "a", "parameters": { "type": "string" } })),
            "tools",
        ),
        row(
            tool(json!({ "name": "a", "parameters": deep.clone() })),
            "tools",
        ),
        row(
            tool(json!({ "name": "a", "description": 3 })),
            "tools[0].function.description",
        ),
        row(json!({ "tool_choice": "required" }), "tool_choice"),
        row(json!({ "tool_choice": "any" }), "tool_choice"),
        row(json!({ "tool_choice": 3 }), "tool_choice"),
        row(
            json!({ "tool_choice": { "type": "function" } }),
            "tool_choice",
        ),
        row(
            json!({ "tool_choice": { "type": "tool", "function": { "name": "a" } } }),
            "tool_choice.type",
        ),
        row(
            json!({ "tool_choice": { "type": "function", "function": { "name": "a" } } }),
            "tool_choice",
        ),
        row(
            json!({ "parallel_tool_calls": "no" }),
            "parallel_tool_calls",
        ),
        row(format(json!("json")), "response_format"),
        row(format(json!({})), "response_format.type"),
        row(format(json!({ "type": "xml" })), "response_format.type"),
        row(
            format(json!({ "type": "json_schema" })),
            "response_format.json_schema.schema",
        ),
        row(
            format(json!({ "type": "json_schema", "json_schema": {} })),
            "response_format.json_schema.schema",
        ),
        row(schema(json!(3)), "response_format.json_schema.schema"),
        row(schema(deep), "response_format.json_schema.schema"),
        row(
            schema(json!({ "const": "x".repeat(300_000) })),
            "response_format.json_schema.schema",
        ),
        row(
            json!({ "response_format": { "type": "json_object" }, "grammar": "root ::= \"a\"" }),
            "grammar",
        ),
        row(json!({ "reasoning_effort": "very" }), "reasoning_effort"),
        row(json!({ "reasoning_effort": 3 }), "reasoning_effort"),
        row(json!({ "top_logprobs": 3 }), "top_logprobs"),
        row(
            json!({ "logprobs": true, "top_logprobs": 21 }),
            "top_logprobs",
        ),
        row(
            json!({ "logprobs": true, "top_logprobs": 300 }),
            "top_logprobs",
        ),
        row(json!({ "logprobs": 3 }), "logprobs"),
        row(
            json!({ "max_completion_tokens": 0 }),
            "max_completion_tokens",
        ),
        row(
            json!({ "max_completion_tokens": -1 }),
            "max_completion_tokens",
        ),
        row(
            json!({ "chat_template_kwargs": { "enable_thinking": "no" } }),
            "chat_template_kwargs.enable_thinking",
        ),
    ]
}

#[tokio::test]
async fn chat_tools_and_formats() {
    check("/v1/chat/completions", good_chat(), tool_rows()).await;
}

#[tokio::test]
async fn completion_prompts() {
    let good = json!({ "model": "starter", "prompt": "!say hi" });
    let rows = vec![
        row(json!({ "prompt": "<none>" }), "prompt"),
        row(json!({ "prompt": null }), "prompt"),
        row(json!({ "prompt": "" }), "prompt"),
        row(json!({ "prompt": [] }), "prompt"),
        row(json!({ "prompt": ["a", ""] }), "prompt[1]"),
        row(json!({ "prompt": [1, -2] }), "prompt"),
        row(json!({ "prompt": [[1, 2], []] }), "prompt[1]"),
        row(json!({ "prompt": [1, "a"] }), "prompt"),
        row(json!({ "prompt": 3 }), "prompt"),
        row(json!({ "prompt": {} }), "prompt"),
        row(json!({ "prompt": vec!["a"; 129] }), "prompt"),
        row(json!({ "suffix": "}" }), "suffix"),
        row(json!({ "suffix": 3 }), "suffix"),
        row(json!({ "logprobs": 21 }), "logprobs"),
        row(json!({ "logprobs": true }), "logprobs"),
        row(json!({ "echo": "yes" }), "echo"),
        (
            json!({ "prompt": "x".repeat(20_000) }),
            400,
            "context_length_exceeded",
            None,
        ),
    ];
    check("/v1/completions", good, rows).await;
}

#[tokio::test]
async fn bodies_that_are_no_objects() {
    let server = TestServer::start();
    for path in ["/v1/chat/completions", "/v1/completions"] {
        for (body, code) in [
            ("", "invalid_json"),
            ("{", "invalid_json"),
            ("hello", "invalid_json"),
            ("{\"model\": \"starter\"", "invalid_json"),
            ("{\"model\": \"starter\", }", "invalid_json"),
            ("{\"model\": NaN}", "invalid_json"),
            ("model=starter", "invalid_json"),
            ("[]", "invalid_input"),
            ("null", "invalid_input"),
            ("3", "invalid_input"),
            ("\"text\"", "invalid_input"),
            ("{\"model\": \"a\", \"model\": \"b\"}", "invalid_input"),
        ] {
            let (status, answer) = server.post_text(path, body).await;
            let found = (status.as_u16(), answer["error"]["code"].as_str());
            assert_eq!(found, (400, Some(code)), "{path} {body}: {answer}");
        }
        let large = format!("{{\"model\": \"{}\"}}", "x".repeat(33 << 20));
        let (status, answer) = server.post_text(path, &large).await;
        assert_eq!(status.as_u16(), 413);
        assert_eq!(answer["error"]["code"], "body_too_large");
        let (status, _) = server.get(path).await;
        assert_eq!(status.as_u16(), 405);
    }
}

#[tokio::test]
async fn embedding_inputs() {
    let good = json!({ "model": "embedder", "input": "hi" });
    let rows = vec![
        row(json!({ "input": "<none>" }), "input"),
        row(json!({ "input": null }), "input"),
        row(json!({ "input": "" }), "input"),
        row(json!({ "input": [] }), "input"),
        row(json!({ "input": ["a", ""] }), "input[1]"),
        row(json!({ "input": [1, 2] }), "input"),
        row(json!({ "input": [[1, 2]] }), "input"),
        row(json!({ "input": 3 }), "input"),
        row(json!({ "input": { "text": "a" } }), "input"),
        row(json!({ "input": vec!["a"; 2049] }), "input"),
        row(json!({ "input": "x".repeat((2 << 20) + 1) }), "input[0]"),
        row(json!({ "dimensions": 0 }), "dimensions"),
        row(json!({ "dimensions": 17 }), "dimensions"),
        row(json!({ "dimensions": -1 }), "dimensions"),
        row(json!({ "dimensions": "8" }), "dimensions"),
        row(json!({ "encoding_format": "hex" }), "encoding_format"),
        row(json!({ "encoding_format": 3 }), "encoding_format"),
        row(json!({ "model": "<none>" }), "model"),
        (json!({ "model": "nothing" }), 404, "model_not_found", None),
        (
            json!({ "model": "starter" }),
            422,
            "model_unsupported",
            None,
        ),
        (json!({ "input": "!error" }), 500, "engine_crashed", None),
    ];
    check("/v1/embeddings", good, rows).await;
}

#[tokio::test]
async fn rerank_inputs() {
    // No reranker comes with Hearth, so the good request is one that fails at the model.
    let server = TestServer::start();
    let good = json!({ "model": "embedder", "query": "a", "documents": ["b"] });
    for (change, status, code, param) in [
        (json!({}), 422, "model_unsupported", None),
        (json!({ "model": "nothing" }), 404, "model_not_found", None),
        (json!({ "query": "" }), 400, "invalid_input", Some("query")),
        (
            json!({ "query": null }),
            400,
            "invalid_input",
            Some("query"),
        ),
        (
            json!({ "documents": [] }),
            400,
            "invalid_input",
            Some("documents"),
        ),
        (
            json!({ "documents": "b" }),
            400,
            "invalid_input",
            Some("documents"),
        ),
        (
            json!({ "documents": ["b", ""] }),
            400,
            "invalid_input",
            Some("documents[1]"),
        ),
        (
            json!({ "documents": ["b", 3] }),
            400,
            "invalid_input",
            Some("documents[1]"),
        ),
        (
            json!({ "documents": [{ "title": "b" }] }),
            400,
            "invalid_input",
            Some("documents[0]"),
        ),
        (
            json!({ "documents": vec!["b"; 2049] }),
            400,
            "invalid_input",
            Some("documents"),
        ),
        (json!({ "top_n": 0 }), 400, "invalid_input", Some("top_n")),
        (json!({ "top_n": -1 }), 400, "invalid_input", Some("top_n")),
        (
            json!({ "return_documents": 1 }),
            400,
            "invalid_input",
            Some("return_documents"),
        ),
    ] {
        let mut body = good.clone();
        let fields = change.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(fields);
        let (found, answer) = server.post("/v1/rerank", &body).await;
        let error = &answer["error"];
        assert_eq!(
            (found.as_u16(), &error["code"], &error["param"]),
            (status, &json!(code), &json!(param)),
            "{change}: {answer}"
        );
    }
}

#[tokio::test]
async fn responses() {
    let good = json!({ "model": "starter", "input": "!say hi" });
    let item = |item: Value| json!({ "input": [item] });
    let part = |part: Value| json!({ "input": [{ "role": "user", "content": [part] }] });
    let format = |format: Value| json!({ "text": { "format": format } });
    let rows = vec![
        row(json!({ "input": "<none>" }), "input"),
        row(json!({ "input": [] }), "input"),
        row(json!({ "input": 3 }), "input"),
        row(json!({ "input": ["a"] }), "input"),
        row(item(json!({})), "input[0].role"),
        row(
            item(json!({ "role": "tool", "content": "a" })),
            "input[0].role",
        ),
        row(item(json!({ "role": "user" })), "input[0].content"),
        row(item(json!({ "type": "robot" })), "input[0].type"),
        row(
            item(json!({ "type": "item_reference", "id": "msg_1" })),
            "input[0].type",
        ),
        row(
            item(json!({ "type": "function_call", "name": "f", "arguments": "" })),
            "input[0].call_id",
        ),
        row(
            item(json!({ "type": "function_call", "call_id": "1", "arguments": "" })),
            "input[0].name",
        ),
        row(
            item(json!({ "type": "function_call", "call_id": "1", "name": "f" })),
            "input[0].arguments",
        ),
        row(
            item(json!({ "type": "function_call_output", "call_id": "1" })),
            "input[0].output",
        ),
        row(
            part(json!({ "type": "input_text" })),
            "input[0].content[0].text",
        ),
        row(
            part(json!({ "type": "input_file" })),
            "input[0].content[0].type",
        ),
        row(
            part(json!({ "type": "input_image" })),
            "input[0].content[0].image_url",
        ),
        row(
            part(json!({ "type": "input_image", "image_url": "https://a/b" })),
            "input[0].content[0].image_url",
        ),
        row(
            json!({ "previous_response_id": "resp_1" }),
            "previous_response_id",
        ),
        row(json!({ "instructions": 3 }), "instructions"),
        row(json!({ "max_output_tokens": 0 }), "max_output_tokens"),
        row(json!({ "max_output_tokens": -5 }), "max_output_tokens"),
        row(json!({ "temperature": 3 }), "temperature"),
        row(json!({ "top_p": -1 }), "top_p"),
        row(json!({ "stream": "yes" }), "stream"),
        row(json!({ "tools": [{}] }), "tools[0].type"),
        row(
            json!({ "tools": [{ "type": "function" }] }),
            "tools[0].name",
        ),
        row(json!({ "tools": [{ "type": "magic" }] }), "tools[0].type"),
        row(json!({ "tool_choice": "any" }), "tool_choice"),
        row(
            json!({ "tool_choice": { "type": "function" } }),
            "tool_choice",
        ),
        row(
            json!({ "tool_choice": { "type": "function", "name": "f" } }),
            "tool_choice",
        ),
        row(format(json!({ "type": "xml" })), "text.format.type"),
        row(
            format(json!({ "type": "json_schema" })),
            "text.format.schema",
        ),
        row(
            format(json!({ "type": "json_schema", "schema": 3 })),
            "text.format.schema",
        ),
        row(
            json!({ "reasoning": { "effort": "huge" } }),
            "reasoning.effort",
        ),
        row(json!({ "top_logprobs": 21 }), "top_logprobs"),
        (json!({ "model": "nothing" }), 404, "model_not_found", None),
        (
            json!({ "model": "embedder" }),
            422,
            "model_unsupported",
            None,
        ),
    ];
    check("/v1/responses", good, rows).await;
}
