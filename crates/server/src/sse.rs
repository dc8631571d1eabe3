//! Answers that are sent piece by piece: server-sent events, and lines of JSON.
//!
//! It must not know what is in them.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::header;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt};
use serde::Serialize;

/// Pause after which a comment is sent, so that nobody on the way takes a long prompt for a dead connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A `data:` event.
pub(crate) fn data(value: &impl Serialize) -> Event {
    Event::default().data(json(value))
}

/// An event with a name, as Anthropic's and the Responses API have them.
pub(crate) fn named(name: &str, value: &impl Serialize) -> Event {
    Event::default().event(name).data(json(value))
}

/// OpenAI's end of a stream.
pub(crate) fn done() -> Event {
    Event::default().data("[DONE]")
}

/// A line of JSON, as Ollama sends them.
pub(crate) fn line(value: &impl Serialize) -> String {
    let mut line = json(value);
    line.push('\n');
    line
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| {
        // Only a map with odd keys fails, and no answer has one.
        tracing::error!(%error, "a part of an answer could not be written");
        "{}".to_owned()
    })
}

/// A stream of events, with comments in long pauses.
pub(crate) fn events(frames: impl Stream<Item = Event> + Send + 'static) -> Response {
    Sse::new(frames.map(Ok::<_, Infallible>))
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response()
}

/// A stream of lines of JSON.
pub(crate) fn lines(frames: impl Stream<Item = String> + Send + 'static) -> Response {
    let body = Body::from_stream(frames.map(Ok::<_, Infallible>));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}
