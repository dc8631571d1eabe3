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
        Prompt::Text(_) | Prompt::Tokens(_) => &[],
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

pub(crate) fn broken(why: impl std::fmt::Display) -> Error {
    Error::new(
        hearth_app::Code::EngineUnavailable,
        format!("The answer of the running Hearth broke off: {why}."),
    )
    .hint("Ask again.")
}

/// Bytes as they come, lines as they end.
#[derive(Default)]
pub(crate) struct Lines(Vec<u8>);

impl Lines {
    pub(crate) fn push(&mut self, data: &Bytes) -> Result<()> {
        self.0.extend_from_slice(data);
        if self.0.len() > MAX_LINE_BYTES {
            return Err(broken("a line is too long"));
        }
        Ok(())
    }

    pub(crate) fn next(&mut self) -> Option<String> {
        let end = self.0.iter().position(|b| *b == b'\n')?;
        let line: Vec<u8> = self.0.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line).trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use hearth_app::paths::Paths;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that says it is well and answers every other request with these bytes, in pieces of seven.
    async fn server(answer: &'static str) -> (Client, tempfile::TempDir) {
        let home = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = [0; 4096];
                let read = stream.read(&mut head).await.unwrap();
                let text = String::from_utf8_lossy(&head[..read]).into_owned();
                let reply = if text.starts_with("GET /health") {
                    "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
                } else {
                    assert!(
                        text.to_lowercase().contains("authorization: bearer t"),
                        "{text}"
                    );
                    answer
                };
                for piece in reply.as_bytes().chunks(7) {
                    stream.write_all(piece).await.unwrap();
                    stream.flush().await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
        });
        let paths = Paths::under(home.path());
        std::fs::create_dir_all(&paths.data).unwrap();
        let file = json!({ "port": port, "pid": 1, "token": "t" });
        std::fs::write(paths.server_file(), file.to_string()).unwrap();
        (Client::find(&paths).await.unwrap(), home)
    }

    async fn ask(answer: &'static str) -> Result<Option<(String, Summary)>> {
        let (client, _home) = server(answer).await;
        let request = Request::chat(vec![Message::new(Role::User, "hi")]);
        let Some(mut remote) = Remote::start(&client, "starter", &request).await? else {
            return Ok(None);
        };
        let mut text = String::new();
        while let Piece::Text(more) = remote.next().await? {
            text.push_str(&more);
        }
        Ok(Some((text, remote.summary(false))))
    }

    #[tokio::test]
    async fn a_stream_in_pieces_is_put_together() {
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n\
            : still here\n\n\
            data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n\
            data: {\"choices\":[{\"delta\":{\"content\":\"Grüß \"}}]}\n\n\
            data: {\"choices\":[{\"delta\":{\"content\":\"Gott\"}}]}\n\n\
            data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n\
            data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,\
            \"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\n\
            data: [DONE]\n\n";
        let (text, summary) = ask(answer).await.unwrap().unwrap();
        assert_eq!(text, "Grüß Gott");
        assert_eq!(summary.reason, FinishReason::Length);
        let counts = (summary.prompt_tokens, summary.cached_tokens, summary.tokens);
        assert_eq!(counts, (9, 4, 3));
    }

    #[tokio::test]
    async fn errors_before_and_in_the_stream_are_errors() {
        let before = "HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n\
            {\"error\":{\"message\":\"There is none.\",\"code\":\"model_missing\"}}";
        let error = ask(before).await.err().unwrap();
        assert_eq!(error.message, "There is none.");
        let inside = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\
            data: {\"choices\":[{\"delta\":{\"content\":\"Half\"}}]}\n\n\
            data: {\"error\":{\"message\":\"It crashed.\",\"code\":\"engine_crashed\"}}\n\n";
        let error = ask(inside).await.err().unwrap();
        assert_eq!(error.code, hearth_app::Code::EngineCrashed);
        let cut = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\
            data: {\"choices\":[{\"delta\":{\"content\":\"Half\"}}]}\n\n";
        assert!(ask(cut).await.err().unwrap().message.contains("too early"));
    }

    #[tokio::test]
    async fn a_server_without_the_route_leaves_the_work_here() {
        let answer = "HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n\
            {\"error\":{\"message\":\"there is no route\",\"code\":\"not_found\"}}";
        assert!(ask(answer).await.unwrap().is_none());
    }
}
