//! An answer from a running Hearth, so that a model is not loaded twice: OpenAI's chat stream, read line by line.

use std::time::Instant;

use hearth_app::engine::{FinishReason, Message, Prompt, Request, Role, Summary};
use hearth_app::{Error, Result};
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Bytes, Incoming};
use serde_json::{Value, json};

use crate::client::{Client, error_of, read};

/// Longest line of a stream in bytes; a piece of text is far shorter.
const MAX_LINE_BYTES: usize = 1 << 20;

/// A stream of an answer.
pub(crate) struct Remote {
    body: Incoming,
    lines: Lines,
    asked: Instant,
    first: Option<Instant>,
    reason: FinishReason,
    usage: Value,
}

/// What comes next.
pub(crate) enum Piece {
    Text(String),
    End,
}

impl Remote {
    /// `None` when this server cannot be asked such things, so that the model is loaded here.
    pub(crate) async fn start(
        client: &Client,
        model: &str,
        request: &Request,
    ) -> Result<Option<Self>> {
        let asked = Instant::now();
        let body = body(model, request);
        let Ok(answer) = client
            .send("POST", "/v1/chat/completions", Some(&body))
            .await
        else {
            return Ok(None);
        };
        let status = answer.status();
        if status.is_success() {
            return Ok(Some(Self {
                body: answer.into_body(),
                lines: Lines::default(),
                asked,
                first: None,
                reason: FinishReason::Stop,
                usage: Value::Null,
            }));
        }
        let refusal = read(answer).await.unwrap_or_default();
        let has_no_route =
            status == StatusCode::NOT_FOUND && refusal["error"]["code"] == "not_found";
        if has_no_route {
            return Ok(None);
        }
        Err(error_of(status, &refusal))
    }

    /// The next piece of text, or the end.
    pub(crate) async fn next(&mut self) -> Result<Piece> {
        loop {
            while let Some(line) = self.lines.next() {
                match self.take(&line)? {
                    Some(Piece::Text(text)) if text.is_empty() => {}
                    Some(piece) => return Ok(piece),
                    None => {}
                }
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.lines.push(&data)?;
                    }
                }
                Some(Err(error)) => return Err(broken(error)),
                None => return Err(broken("it ended too early")),
            }
        }
    }

    fn take(&mut self, line: &str) -> Result<Option<Piece>> {
        let Some(data) = line.strip_prefix("data:").map(str::trim) else {
            return Ok(None);
        };
        if data == "[DONE]" {
            return Ok(Some(Piece::End));
        }
        let event: Value = serde_json::from_str(data).map_err(broken)?;
        if !event["error"].is_null() {
            return Err(error_of(StatusCode::INTERNAL_SERVER_ERROR, &event));
        }
        if event["usage"].is_object() {
            self.usage = event["usage"].clone();
        }
        let choice = &event["choices"][0];
        match choice["finish_reason"].as_str() {
            Some("length") => self.reason = FinishReason::Length,
            Some("tool_calls") => self.reason = FinishReason::ToolCalls,
            _ => {}
        }
        let text = choice["delta"]["content"].as_str().unwrap_or_default();
        if !text.is_empty() && self.first.is_none() {
            self.first = Some(Instant::now());
        }
        Ok(Some(Piece::Text(text.to_owned())))
    }

    /// The figures of an answer that ended, as seen from here.
    pub(crate) fn summary(&self, interrupted: bool) -> Summary {
        let count = |value: &Value| value.as_u64().unwrap_or(0) as u32;
        let first = self.first.unwrap_or_else(Instant::now);
        let ttft_ms = (first - self.asked).as_secs_f64() * 1000.0;
        Summary {
            stop: None,
            reason: if interrupted {
                FinishReason::Cancelled
            } else {
                self.reason
            },
            prompt_tokens: count(&self.usage["prompt_tokens"]),
            cached_tokens: count(&self.usage["prompt_tokens_details"]["cached_tokens"]),
            tokens: count(&self.usage["completion_tokens"]),
            ttft_ms,
            prefill_ms: ttft_ms,
            decode_ms: first.elapsed().as_secs_f64() * 1000.0,
        }
    }
}

fn body(model: &str, request: &Request) -> Value {
    let role = |role| match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    let messages: &[Message] = match &request.prompt {
        Prompt::Chat(messages) => messages,
        Prompt::Text(_) => &[],
    };
    let messages: Vec<Value> = messages
        .iter()
        .map(|message| json!({ "role": role(message.role), "content": message.content }))
        .collect();
    json!({
        "model": model,
        "messages": messages,
        "temperature": request.sampling.temperature,
        "top_p": request.sampling.top_p,
        "seed": request.sampling.seed,
        "max_tokens": request.max_tokens,
        "stop": request.stop,
        "stream": true,
        "stream_options": { "include_usage": true },
    })
}

fn broken(why: impl std::fmt::Display) -> Error {
    Error::new(
        hearth_app::Code::EngineUnavailable,
        format!("The answer of the running Hearth broke off: {why}."),
    )
    .hint("Ask again.")
}

/// Bytes as they come, lines as they end.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn push(&mut self, data: &Bytes) -> Result<()> {
        self.0.extend_from_slice(data);
        if self.0.len() > MAX_LINE_BYTES {
            return Err(broken("a line is too long"));
        }
        Ok(())
    }

    fn next(&mut self) -> Option<String> {
        let end = self.0.iter().position(|b| *b == b'\n')?;
        let line: Vec<u8> = self.0.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line).trim().to_owned())
    }
}
