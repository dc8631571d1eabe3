//! One answer of another engine, piece by piece: OpenAI's chat with a stream of events.

use std::time::{Duration, Instant};

use eventsource_stream::Eventsource;
use futures_util::{Stream, StreamExt};
use serde_json::{Value, json};

use crate::client::{SILENCE_LIMIT, broken, message_of};
use crate::{Address, Client, Error, Result};

/// Longest event in bytes: a piece of an answer is far shorter.
const MAX_EVENT_BYTES: usize = 1 << 20;

/// Who said a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    System,
    User,
    Assistant,
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    pub role: Role,
    pub text: String,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Chat {
    /// As the other engine names it.
    pub model: String,
    pub turns: Vec<Turn>,
    pub temperature: Option<f32>,
    pub top_p: Option<f32>,
    pub max_tokens: Option<u32>,
}

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// The other side has begun.
    Begun,
    Text(String),
    /// What the model thinks before it answers.
    Thought(String),
    /// The last piece.
    Ended(Ended),
}

/// How an answer ended, and its figures as far as the other side tells them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    /// It was cut at `max_tokens` or the end of the context window.
    pub cut: bool,
    pub prompt_tokens: Option<u32>,
    pub tokens: Option<u32>,
    /// From the request to the first piece, loading included.
    pub first_after: Duration,
    /// From the first piece to the last.
    pub wrote_for: Duration,
}

/// Begins an answer; dropping the stream gives it up, which ends the work over there. After an error or [`Piece::Ended`] nothing comes.
///
/// # Errors
/// When the other side does not take the request.
pub async fn chat(
    client: &Client,
    address: &Address,
    key: Option<&str>,
    chat: &Chat,
) -> Result<impl Stream<Item = Result<Piece>> + Send + use<>> {
    let asked = Instant::now();
    let answer = client
        .send(address, "/v1/chat/completions", key, Some(&body(chat)))
        .await?;
    let address = address.clone();
    let bytes = answer.bytes_stream();
    let events = limited(bytes, address.clone()).eventsource();
    let reader = Reader {
        address,
        asked,
        first: None,
        ended: Ended::default(),
        begun: false,
        has_reason: false,
    };
    Ok(pieces(Box::pin(events), reader))
}

fn body(chat: &Chat) -> Value {
    let turns = chat.turns.iter().map(|turn| {
        let role = match turn.role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        json!({ "role": role, "content": turn.text })
    });
    let mut body = json!({
        "model": chat.model,
        "messages": turns.collect::<Vec<_>>(),
        "stream": true,
        "stream_options": { "include_usage": true },
    });
    let numbers = [
        ("temperature", chat.temperature.map(Value::from)),
        ("top_p", chat.top_p.map(Value::from)),
        ("max_tokens", chat.max_tokens.map(Value::from)),
    ];
    for (name, value) in numbers {
        if let Some(value) = value {
            body[name] = value;
        }
    }
    body
}

/// Ends a stream whose events never end.
fn limited<B: AsRef<[u8]>>(
    bytes: impl Stream<Item = reqwest::Result<B>>,
    address: Address,
) -> impl Stream<Item = Result<B>> {
    let mut since_line_end = 0;
    bytes.map(move |chunk| {
        let chunk = chunk.map_err(|error| broken(&address, &error))?;
        since_line_end = match chunk.as_ref().iter().rposition(|byte| *byte == b'\n') {
            Some(at) => chunk.as_ref().len() - at,
            None => since_line_end + chunk.as_ref().len(),
        };
        if since_line_end > MAX_EVENT_BYTES {
            return Err(unreadable(&address, "an event without an end"));
        }
        Ok(chunk)
    })
}

struct Reader {
    address: Address,
    asked: Instant,
    first: Option<Instant>,
    ended: Ended,
    begun: bool,
    /// The other side said why the answer ended.
    has_reason: bool,
}

type Incoming =
    std::result::Result<eventsource_stream::Event, eventsource_stream::EventStreamError<Error>>;

fn pieces<S>(events: S, reader: Reader) -> impl Stream<Item = Result<Piece>> + Send
where
    S: Stream<Item = Incoming> + Send + Unpin,
{
    // What is left of a state after the last piece is nothing.
    let state = Some((events, reader, Vec::<Piece>::new()));
    futures_util::stream::unfold(state, |state| async move {
        let (mut events, mut reader, mut ready) = state?;
        loop {
            if !ready.is_empty() {
                let piece = ready.remove(0);
                let over = matches!(piece, Piece::Ended(_));
                return Some((Ok(piece), (!over).then_some((events, reader, ready))));
            }
            let next = tokio::time::timeout(SILENCE_LIMIT, events.next()).await;
            match next.map(|event| reader.take(event)) {
                Ok(Ok(pieces)) => ready = pieces,
                Ok(Err(error)) => return Some((Err(error), None)),
                Err(_) => {
                    let address = reader.address.to_string();
                    let seconds = SILENCE_LIMIT.as_secs();
                    return Some((Err(Error::Silent { address, seconds }), None));
                }
            }
        }
    })
}

impl Reader {
    fn take(&mut self, event: Option<Incoming>) -> Result<Vec<Piece>> {
        let data = match event {
            // Some end the connection without the closing event; an answer with a reason for its end is whole.
            None if self.has_reason => return Ok(vec![self.end()]),
            None => return Err(unreadable(&self.address, "the answer broke off")),
            Some(Err(eventsource_stream::EventStreamError::Transport(error))) => return Err(error),
            Some(Err(error)) => return Err(unreadable(&self.address, &error.to_string())),
            Some(Ok(event)) => event.data,
        };
        if data.trim() == "[DONE]" {
            return Ok(vec![self.end()]);
        }
        let event: Value = serde_json::from_str(&data)
            .map_err(|error| unreadable(&self.address, &error.to_string()))?;
        if !event["error"].is_null() {
            return Err(Error::Refused {
                address: self.address.to_string(),
                status: 200,
                message: message_of(data.as_bytes()).unwrap_or_else(|| "no reason given".into()),
            });
        }
        Ok(self.read(&event))
    }

    fn read(&mut self, event: &Value) -> Vec<Piece> {
        let mut pieces = Vec::new();
        if !self.begun {
            self.begun = true;
            pieces.push(Piece::Begun);
        }
        let count = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok());
        let usage = &event["usage"];
        self.ended.prompt_tokens = count(&usage["prompt_tokens"]).or(self.ended.prompt_tokens);
        self.ended.tokens = count(&usage["completion_tokens"]).or(self.ended.tokens);
        let choice = &event["choices"][0];
        let delta = &choice["delta"];
        let piece = |value: &Value| {
            value
                .as_str()
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        // DeepSeek's name for thoughts, which LM Studio and llama.cpp use; Ollama's is `reasoning`.
        let thought = piece(&delta["reasoning_content"]).or_else(|| piece(&delta["reasoning"]));
        let text = piece(&delta["content"]);
        if thought.is_some() || text.is_some() {
            let now = Instant::now();
            let first = *self.first.get_or_insert(now);
            self.ended.wrote_for = now - first;
        }
        pieces.extend(thought.map(Piece::Thought));
        pieces.extend(text.map(Piece::Text));
        if let Some(reason) = choice["finish_reason"].as_str() {
            self.ended.cut = reason == "length";
            self.has_reason = true;
        }
        pieces
    }

    fn end(&mut self) -> Piece {
        self.ended.first_after = self
            .first
            .map_or(Duration::ZERO, |first| first - self.asked);
        Piece::Ended(self.ended.clone())
    }
}

fn unreadable(address: &Address, what: &str) -> Error {
    Error::Unreadable {
        address: address.to_string(),
        what: what.to_owned(),
    }
}
