//! Joins what the sensors say with what the engines do, once a second: the moment that views show, that limits follow from and that
//! the time line keeps.
//!
//! It must not judge (that is [`crate::throttle`]) and must not know SQL or sensors.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::error::{Error, Result};
use crate::settings::SettingChange;
use crate::throttle::Decision;
use crate::timeline::{Explanation, History, Moment};

/// Where readings come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sensors {
    /// This machine.
    Machine,
    /// A recording: one JSON object a line, as `hearth monitor --json` prints them.
    Replay(PathBuf),
}

/// Which stretch of the time line, and how finely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct Span {
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub from_ms: i64,
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub to_ms: i64,
    /// At most so many points, 1 to 10,000.
    pub points: u32,
}

/// How a stretch is written to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum ExportAs {
    Csv,
    Json,
}

/// The task that watches, and the way to what it saw.
pub struct Monitor {
    moments: watch::Receiver<Arc<Moment>>,
}

impl Monitor {
    /// The newest moment.
    pub fn now(&self) -> Arc<Moment> {
        self.moments.borrow().clone()
    }

    /// Wakes on every moment, once a second.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Moment>> {
        self.moments.clone()
    }

    /// A stretch of the time line.
    pub async fn history(&self, span: Span) -> Result<History> {
        let _ = span;
        Err(Error::internal("not yet"))
    }

    /// Why it was as fast or slow as it was then.
    pub async fn explain(&self, at_ms: i64) -> Result<Explanation> {
        let _ = at_ms;
        Err(Error::internal("not yet"))
    }

    /// Writes a stretch to a new file in the folder of exports, and says where it is.
    pub async fn export(&self, span: Span, format: ExportAs) -> Result<PathBuf> {
        let _ = (span, format);
        Err(Error::internal("not yet"))
    }

    /// What would be decided now with another value of one setting.
    pub fn preview(&self, change: &SettingChange) -> Result<Decision> {
        let _ = change;
        Ok(Decision::default())
    }
}
