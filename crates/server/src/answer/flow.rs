//! An answer on its way from the engine to a client that reads it piece by piece.
//!
//! A task of its own takes the engine's events as they come and says them in the dialect, so that an answer's place is free as soon
//! as the engine is done with it, however slowly the client reads. What waits to be read is bounded in bytes; beyond that the task
//! waits too, and an engine that gets too far ahead is stopped. It must not know sockets: how long a client may take nothing at all
//! is decided where the connection is.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use futures_util::{Stream, stream};
use hearth_app::engine::Event;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::Answers;
use crate::refusal::Refusal;

/// Most bytes that wait for a client: some thousand tokens.
const WAITING_BYTES: usize = 1 << 20;
/// Most events that wait behind those: more than the context of an ordinary model has tokens.
const AHEAD_EVENTS: usize = 32 * 1024;
/// How often a client that is behind is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// How a dialect says an answer piece by piece. Pure: events in, frames (events of a stream, or lines) out.
pub(crate) trait Wire: Send + 'static {
    /// Before anything else.
    fn open(&mut self, out: &mut Vec<String>);

    /// An event of the answer at `index`; [`Event::Failed`] never comes.
    fn event(&mut self, index: usize, event: Event, out: &mut Vec<String>);

    /// One of the answers broke off; nothing follows.
    fn failed(&mut self, refusal: &Refusal, out: &mut Vec<String>);

    /// After all answers have ended well.
    fn close(&mut self, out: &mut Vec<String>);
}

/// The frames of some answers as they come. Dropping the stream cancels them.
pub(crate) fn frames<W: Wire>(
    answers: Answers,
    wire: W,
) -> impl Stream<Item = Bytes> + Send + 'static {
    let (pieces, reader) = mpsc::unbounded_channel();
    let writer = Writer {
        pieces: pieces.clone(),
        room: Arc::new(Semaphore::new(WAITING_BYTES)),
    };
    tokio::spawn(async move {
        tokio::select! {
            () = pieces.closed() => {}
            () = pass(answers, wire, writer) => {}
        }
    });
    stream::unfold(reader, |mut reader| async move {
        // Its room is free from here on: the connection has a bound of its own.
        let piece: Piece = reader.recv().await?;
        Some((piece.bytes, reader))
    })
}

struct Piece {
    bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

/// The end of the stream that the answer is written to.
struct Writer {
    pieces: mpsc::UnboundedSender<Piece>,
    room: Arc<Semaphore>,
}

impl Writer {
    /// Writes frames in one piece, when there is room for them.
    ///
    /// # Errors
    /// When the engine is too far ahead of the client.
    async fn write(&self, frames: &mut Vec<String>, answers: &Answers) -> Result<(), Refusal> {
        let bytes = joined(frames);
        if bytes.is_empty() {
            return Ok(());
        }
        let need = bytes.len().min(WAITING_BYTES) as u32;
        let room = match self.room.clone().try_acquire_many_owned(need) {
            Ok(room) => room,
            Err(_) => self.wait(need, answers).await?,
        };
        self.send(bytes, Some(room));
        Ok(())
    }

    async fn wait(&self, need: u32, answers: &Answers) -> Result<OwnedSemaphorePermit, Refusal> {
        let mut room = std::pin::pin!(self.room.clone().acquire_many_owned(need));
        loop {
            tokio::select! {
                // Nobody closes the semaphore.
                room = room.as_mut() => return room.map_err(|_| too_slow()),
                () = tokio::time::sleep(LOOK) => {
                    if answers.ahead() > AHEAD_EVENTS {
                        return Err(too_slow());
                    }
                }
            }
        }
    }

    fn send(&self, bytes: Bytes, room: Option<OwnedSemaphorePermit>) {
        // A client that is gone ends the task.
        let _ = self.pieces.send(Piece { bytes, _room: room });
    }
}

fn joined(frames: &mut Vec<String>) -> Bytes {
    match frames.len() {
        0 => Bytes::new(),
        1 => frames.pop().unwrap_or_default().into(),
        _ => frames.drain(..).collect::<String>().into(),
    }
}

fn too_slow() -> Refusal {
    let message = "The answer was stopped, because it is read much more slowly than it is made.";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "client_too_slow", message)
        .hint("Read the stream as it comes, or ask for fewer tokens.")
}

/// Says all of the answers.
async fn pass<W: Wire>(mut answers: Answers, mut wire: W, writer: Writer) {
    let mut out = Vec::new();
    wire.open(&mut out);
    loop {
        if let Err(refusal) = writer.write(&mut out, &answers).await {
            answers.current.measure.failed(&refusal);
            drop(answers);
            wire.failed(&refusal, &mut out);
            return writer.send(joined(&mut out), None);
        }
        match answers.next().await {
            Some((index, Ok(event))) => wire.event(index, event, &mut out),
            Some((_, Err(refusal))) => {
                wire.failed(&refusal, &mut out);
                break;
            }
            None => {
                wire.close(&mut out);
                break;
            }
        }
    }
    // Its place is free; only the client is waited for.
    drop(answers);
    writer.send(joined(&mut out), None);
}
