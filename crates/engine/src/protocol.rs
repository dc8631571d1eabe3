//! What parent and child say to each other: JSON in frames of a 32-bit little-endian length and that many bytes.
//!
//! The parent writes to the child's standard input and reads its standard output. The end of the input ends the child.

use std::io::{self, Read};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::{Error, Event, Limits, LoadSpec, ModelInfo, Request, TokenTask, embed};

/// First number the child sends; both sides come from one executable, so a difference means a broken installation.
pub const VERSION: u32 = 1;
/// Largest frame in bytes; a prompt is limited to a quarter of this.
pub const MAX_FRAME_BYTES: u32 = 64 * 1024 * 1024;

/// Parent to child.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToChild {
    /// The first message, once.
    Load {
        spec: LoadSpec,
    },
    Generate {
        id: u64,
        request: Box<Request>,
    },
    Encode {
        id: u64,
        task: Box<embed::Task>,
    },
    Tokens {
        id: u64,
        task: TokenTask,
    },
    Cancel {
        id: u64,
    },
    /// Changes what holds from the next step on.
    Limit {
        limits: Limits,
    },
    ShutDown,
}

/// Child to parent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromChild {
    Hello {
        version: u32,
    },
    /// 0 to 1.
    Loading {
        progress: f32,
    },
    Ready {
        info: ModelInfo,
    },
    LoadFailed {
        error: Error,
    },
    /// Once a second. `step_ms` is how long the step in progress has taken; 0 when idle.
    /// `cpu_ms` is the processor time that the child has used so far.
    Heartbeat {
        step_ms: u64,
        cpu_ms: u64,
    },
    Event {
        id: u64,
        event: Event,
    },
}

/// A message with its length in front, ready to be written in one call.
pub fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = frame.len() - 4;
    let length = u32::try_from(length).ok().filter(|l| *l <= MAX_FRAME_BYTES);
    let length = length.ok_or_else(|| too_long(frame.len() as u64))?;
    frame[..4].copy_from_slice(&length.to_le_bytes());
    Ok(frame)
}

/// Reads one message; `None` at a clean end.
pub fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<T>> {
    let body = read_frame(from)?;
    Ok(body.map(|body| serde_json::from_slice(&body)).transpose()?)
}

/// Reads the bytes of one message; `None` at a clean end.
pub fn read_frame(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut body = vec![0; checked(length)?];
    from.read_exact(&mut body)?;
    Ok(Some(body))
}

/// Reads one message; `None` at a clean end. Not safe to drop half-way: use it from a task of its own.
pub async fn read_async<T: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length).await {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    };
    let mut body = vec![0; checked(length)?];
    from.read_exact(&mut body).await?;
    Ok(Some(serde_json::from_slice(&body)?))
}

fn checked(length: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_le_bytes(length);
    if length > MAX_FRAME_BYTES {
        return Err(too_long(u64::from(length)));
    }
    Ok(length as usize)
}

fn too_long(length: u64) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("a frame of {length} bytes, the limit is {MAX_FRAME_BYTES}"),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn round_trip() {
        let messages = [ToChild::Cancel { id: 7 }, ToChild::ShutDown];
        let bytes = messages.map(|message| encode(&message).unwrap()).concat();
        let mut from = bytes.as_slice();
        assert!(matches!(
            read(&mut from).unwrap(),
            Some(ToChild::Cancel { id: 7 })
        ));
        assert!(matches!(read(&mut from).unwrap(), Some(ToChild::ShutDown)));
        assert!(read::<ToChild>(&mut from).unwrap().is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = read::<FromChild>(&mut bytes.as_slice());
        }
    }
}
