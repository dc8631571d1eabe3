//! A recording instead of this machine: JSON lines, each a reading, as `hearth monitor --json` prints them.
//!
//! For tests, demonstrations and for looking at what happened elsewhere. It must not change what was recorded, but for the clock: the
//! first reading is given the time at which it is played.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::clock;
use crate::reading::Reading;
use crate::sampler::Source;

/// Longest recording that is read, in bytes: a day of full readings.
const MAX_BYTES: u64 = 256 << 20;

/// Why a recording cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("{path}: {source}")]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path} holds no reading")]
    Empty { path: PathBuf },
    #[error("{path} is larger than {} MB", MAX_BYTES >> 20)]
    TooLarge { path: PathBuf },
    /// `line` counts from 1.
    #[error("{path}, line {line}: {reason}")]
    Line {
        path: PathBuf,
        line: usize,
        reason: String,
    },
}

/// Plays a recording at its own speed: it blocks until a reading is due. Read it with [`crate::sampler::start`] and no pause of its
/// own (`Duration::ZERO`).
#[derive(Debug, Clone)]
pub struct Replay {
    readings: std::vec::IntoIter<Reading>,
    /// Of the recording, in its own milliseconds.
    begins_ms: i64,
    speed: f64,
    started: Option<(Instant, i64)>,
}

/// Reads a whole recording.
///
/// # Errors
/// When the file cannot be read or is empty, and when a line is not a reading or goes back in time: all of it is checked before the
/// first reading is played.
pub fn open(path: &Path) -> Result<Replay, ReplayError> {
    let failed = |source| ReplayError::Io {
        path: path.to_owned(),
        source,
    };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > MAX_BYTES {
        let path = path.to_owned();
        return Err(ReplayError::TooLarge { path });
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    parse(path, &String::from_utf8_lossy(&bytes))
}

fn parse(path: &Path, text: &str) -> Result<Replay, ReplayError> {
    let mut readings: Vec<Reading> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let wrong = |reason: String| ReplayError::Line {
            path: path.to_owned(),
            line: index + 1,
            reason,
        };
        let reading = reading(line).map_err(wrong)?;
        if readings.last().is_some_and(|l| l.at_ms > reading.at_ms) {
            return Err(wrong("goes back in time (`atMs`)".into()));
        }
        readings.push(reading);
    }
    let Some(first) = readings.first() else {
        let path = path.to_owned();
        return Err(ReplayError::Empty { path });
    };
    Ok(Replay {
        begins_ms: first.at_ms,
        readings: readings.into_iter(),
        speed: 1.0,
        started: None,
    })
}

/// A line of `hearth monitor --json`, of which only this part is read.
#[derive(Deserialize)]
struct Line {
    reading: Reading,
}

/// A reading has no field that must be there but the time, so a line is told by that: an object without it is not a recording.
fn reading(line: &str) -> Result<Reading, String> {
    let value: serde_json::Value = serde_json::from_str(line).map_err(|e| e.to_string())?;
    let inner = value.get("reading").unwrap_or(&value);
    if inner.get("atMs").is_none_or(|at| !at.is_i64()) {
        return Err("is not a reading: it has no whole number `atMs`".into());
    }
    let parsed = if value.get("reading").is_some() {
        serde_json::from_value::<Line>(value).map(|line| line.reading)
    } else {
        serde_json::from_value(value)
    };
    parsed.map_err(|error| error.to_string())
}

impl Replay {
    /// Plays faster or slower: 60 makes a minute of a second. What is not a positive number changes nothing. The readings keep their
    /// distances in [`Reading::at_ms`], so that whoever counts in their time sees the same afternoon at any speed.
    #[must_use]
    pub fn at_speed(mut self, factor: f64) -> Self {
        if factor.is_finite() && factor > 0.0 {
            self.speed = factor;
        }
        self
    }

    /// Readings that are still to be played.
    pub fn remaining(&self) -> usize {
        self.readings.len()
    }
}

impl Source for Replay {
    fn read(&mut self) -> Option<Reading> {
        let mut reading = self.readings.next()?;
        let (started, wall_ms) = *self
            .started
            .get_or_insert_with(|| (Instant::now(), clock::wall_ms()));
        let after_ms = reading.at_ms.saturating_sub(self.begins_ms);
        let wait = Duration::try_from_secs_f64(after_ms as f64 / 1000.0 / self.speed);
        // A distance that no clock can hold is never over.
        let due = started.checked_add(wait.ok()?)?;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        reading.at_ms = wall_ms.saturating_add(after_ms);
        Some(reading)
    }
}

#[cfg(test)]
mod tests;
