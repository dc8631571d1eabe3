//! A cursor over the start of a model file that checks every length before it reads or allocates.
//!
//! Apart from the parsers so that no other file here touches bytes. It knows numbers and strings in little-endian order; it must
//! not know which field comes next.

use std::fmt::Display;
use std::io::{BufReader, ErrorKind, Read, Seek};
use std::path::PathBuf;

use crate::error::{Error, Result};

/// Most read-ahead in bytes. Most of a header is short strings, so a large buffer saves system calls.
const BUFFER_BYTES: u64 = 256 << 10;

pub(super) struct Cursor<R> {
    input: BufReader<R>,
    position: u64,
    /// Bytes that can be read. For a prefix this is less than the length of the file.
    readable: u64,
    /// Only for messages.
    path: PathBuf,
}

impl<R: Read + Seek> Cursor<R> {
    pub(super) fn new(input: R, readable: u64, path: PathBuf) -> Self {
        Self {
            // A small file needs no more than its own length.
            input: BufReader::with_capacity(readable.clamp(64, BUFFER_BYTES) as usize, input),
            position: 0,
            readable,
            path,
        }
    }

    /// Byte offset of what is read next.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn remaining(&self) -> u64 {
        self.readable - self.position
    }

    /// Fails unless `count` more bytes can be read.
    pub(super) fn require(&self, field: &dyn Display, count: u64) -> Result<()> {
        if count <= self.remaining() {
            return Ok(());
        }
        let needed_bytes = self.position.saturating_add(count);
        Err(Error::Truncated {
            field: field.to_string(),
            needed_bytes,
            actual_bytes: self.readable,
        })
    }

    /// Fills `into`.
    pub(super) fn fill(&mut self, field: &dyn Display, into: &mut [u8]) -> Result<()> {
        self.require(field, into.len() as u64)?;
        match self.input.read_exact(into) {
            Ok(()) => {
                self.position += into.len() as u64;
                Ok(())
            }
            // The file became shorter while it was read.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(Error::Truncated {
                field: field.to_string(),
                needed_bytes: self.position + into.len() as u64,
                actual_bytes: self.position,
            }),
            Err(source) => Err(Error::io(&self.path, source)),
        }
    }

    pub(super) fn skip(&mut self, field: &dyn Display, count: u64) -> Result<()> {
        self.require(field, count)?;
        let mut left = count;
        while left > 0 {
            let step = left.min(i64::MAX as u64);
            self.input
                .seek_relative(step as i64)
                .map_err(|source| Error::io(&self.path, source))?;
            left -= step;
        }
        self.position += count;
        Ok(())
    }

    pub(super) fn array<const N: usize>(&mut self, field: &dyn Display) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(field, &mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self, field: &dyn Display) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array(field)?))
    }

    pub(super) fn u64(&mut self, field: &dyn Display) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array(field)?))
    }

    /// The length of a string, checked against `cap` and the bytes that are left.
    pub(super) fn string_length(&mut self, field: &dyn Display, cap: u64) -> Result<u64> {
        let at = self.position;
        let length = self.u64(field)?;
        if length > cap {
            return Err(invalid(
                field,
                at,
                format!("{length} bytes long, at most {cap} are allowed"),
            ));
        }
        self.require(field, length)?;
        Ok(length)
    }

    /// A string of at most `cap` bytes without NUL.
    pub(super) fn string(&mut self, field: &dyn Display, cap: u64) -> Result<String> {
        let at = self.position;
        let length = self.string_length(field, cap)?;
        let mut bytes = vec![0; length as usize];
        self.fill(field, &mut bytes)?;
        if bytes.contains(&0) {
            // C++ would read the name only up to here, and see other names than we do.
            return Err(invalid(field, at, "contains a NUL byte"));
        }
        String::from_utf8(bytes).map_err(|_| invalid(field, at, "is not UTF-8"))
    }
}

pub(super) fn invalid(field: &dyn Display, offset: u64, reason: impl Into<String>) -> Error {
    Error::Invalid {
        field: field.to_string(),
        offset,
        reason: reason.into(),
    }
}
