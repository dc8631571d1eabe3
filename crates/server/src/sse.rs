//! Answers that are sent piece by piece: server-sent events, and lines of JSON.
//!
//! It must not know what is in them.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use serde::Serialize;

/// Pause after which a comment is sent, so that nobody on the way takes a long prompt for a dead connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A comment: clients pass over it.
const COMMENT: &str = ":\n\n";

/// A `data:` event. JSON has no line breaks, so it is one line.
pub(crate) fn data(value: &impl Serialize) -> String {
    written("data: ", value, "\n\n")
}

/// An event with a name, as Anthropic's and the Responses API have them.
pub(crate) fn named(name: &str, value: &impl Serialize) -> String {
    written(&format!("event: {name}\ndata: "), value, "\n\n")
}

/// OpenAI's end of a stream.
pub(crate) fn done() -> String {
    "data: [DONE]\n\n".to_owned()
}

/// A line of JSON, as Ollama sends them.
pub(crate) fn line(value: &impl Serialize) -> String {
    written("", value, "\n")
}

/// Longest frame of a token, usually: room that need not grow.
const USUAL_BYTES: usize = 384;

/// Written once, in its place.
fn written(before: &str, value: &impl Serialize, after: &str) -> String {
    let mut frame = Vec::with_capacity(USUAL_BYTES);
    frame.extend_from_slice(before.as_bytes());
    if let Err(error) = serde_json::to_writer(&mut frame, value) {
        // Only a map with odd keys fails, and no answer has one.
        tracing::error!(%error, "a part of an answer could not be written");
        frame.truncate(before.len());
        frame.extend_from_slice(b"{}");
    }
    frame.extend_from_slice(after.as_bytes());
    // JSON is text, so this looks and takes nothing away.
    String::from_utf8(frame).unwrap_or_default()
}

/// A stream of events, with comments in long pauses.
pub(crate) fn events(frames: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let kept_alive = stream::unfold(Box::pin(frames), |mut frames| async move {
        let frame = match tokio::time::timeout(KEEP_ALIVE, frames.next()).await {
            Ok(frame) => frame?,
            Err(_) => Bytes::from_static(COMMENT.as_bytes()),
        };
        Some((Ok::<_, Infallible>(frame), frames))
    });
    let head = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (head, Body::from_stream(kept_alive)).into_response()
}

/// A stream of lines of JSON.
pub(crate) fn lines(frames: impl Stream<Item = impl Into<Bytes>> + Send + 'static) -> Response {
    let body = Body::from_stream(frames.map(|frame| Ok::<Bytes, Infallible>(frame.into())));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}
