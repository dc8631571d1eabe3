//! Joins what the sensors say with what the engines do, once a second: the moment that views show, that limits follow from and that
//! the time line keeps.
//!
//! It must not judge (that is [`crate::throttle`]) and must not know SQL or sensors.

mod alerts;
mod clock;
mod cool;
mod recent;
mod task;
mod work;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use hearth_hardware::replay;
use hearth_hardware::sampler::{self, Readings};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use self::cool::CoolSpeeds;
use self::recent::Recent;
use crate::App;
use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::hardware::Reading;
use crate::paths::Paths;
use crate::settings::{SettingChange, SettingsStore};
use crate::throttle::{Decision, Input, Policy, Speed, State};
use crate::timeline::{Explanation, Happening, History, Mark, Moment};

/// Where readings come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sensors {
    /// This machine.
    Machine,
    /// A recording: one JSON object a line, as `hearth monitor --json` prints them.
    Replay(PathBuf),
}

impl Sensors {
    /// This machine, unless the environment names a recording.
    pub fn from_env(env: &Env) -> Self {
        env.replay.clone().map_or(Self::Machine, Self::Replay)
    }
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

/// Whatever keeps moments for longer than the program runs. Must not block: it is called once a second.
pub trait Keep: Send + Sync {
    fn record(&self, moment: &Moment);
    fn mark(&self, mark: Mark);
}

/// What the task has seen last, from which a preview is made.
#[derive(Debug, Clone, Default)]
struct Seen {
    reading: Reading,
    speed: Option<Speed>,
    state: State,
    duty: f32,
    busy_elsewhere: bool,
}

/// What the task and the [`Monitor`] share.
struct Shared {
    settings: Arc<SettingsStore>,
    recent: Mutex<Recent>,
    seen: Mutex<Seen>,
    cool: CoolSpeeds,
    keep: OnceLock<Arc<dyn Keep>>,
    threads: u32,
}

impl Shared {
    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mark(&self, at_ms: i64, what: Happening) {
        let mark = Mark { at_ms, what };
        self.recent().mark(mark.clone());
        if let Some(keep) = self.keep.get() {
            keep.mark(mark);
        }
    }
}

/// The task that watches, and the way to what it saw.
pub struct Monitor {
    shared: Arc<Shared>,
    moments: watch::Receiver<Arc<Moment>>,
}

/// Readings of the sensors; `None` when there cannot be any, which is said in the log.
pub(crate) fn readings(sensors: Sensors, paths: &Paths) -> Option<Readings> {
    let data = paths.data.clone();
    let started = match sensors {
        Sensors::Machine => sampler::start(
            move || hearth_hardware::machine_source(&data),
            sampler::EVERY,
        ),
        Sensors::Replay(file) => match replay::open(&file) {
            // A recording keeps its own time.
            Ok(recording) => sampler::start(move || Box::new(recording), Duration::ZERO),
            Err(error) => {
                tracing::error!(%error, "the recording cannot be played");
                return None;
            }
        },
    };
    started
        .inspect_err(|error| tracing::error!(%error, "the sensors cannot be read"))
        .ok()
}

impl Monitor {
    /// Starts the task, which ends with the app.
    pub(crate) fn start(app: &Arc<App>, readings: Option<Readings>) -> Arc<Self> {
        let shared = Arc::new(Shared {
            settings: Arc::clone(app.settings()),
            recent: Mutex::default(),
            seen: Mutex::default(),
            cool: CoolSpeeds::open(app.paths().cool_speeds()),
            keep: OnceLock::new(),
            threads: app.inference().decode_threads(),
        });
        let (sender, moments) = watch::channel(Arc::default());
        shared.mark(clock::unix_ms(), Happening::Started);
        task::start(app, readings, Arc::clone(&shared), sender);
        Arc::new(Self { shared, moments })
    }

    /// From now on moments and marks are kept there too; the first call counts. What was seen before comes after.
    pub fn keep_in(&self, keep: Arc<dyn Keep>) {
        if self.shared.keep.set(Arc::clone(&keep)).is_ok() {
            let marks = self.shared.recent().marks();
            marks.into_iter().for_each(|mark| keep.mark(mark));
        }
    }

    /// The newest moment.
    pub fn now(&self) -> Arc<Moment> {
        self.moments.borrow().clone()
    }

    /// Wakes on every moment, once a second.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Moment>> {
        self.moments.clone()
    }

    /// Puts a happening that others noticed on the time line.
    pub fn happened(&self, what: Happening) {
        self.shared.mark(clock::unix_ms(), what);
    }

    /// A stretch of the time line: the last hour at most, which is what lies in memory.
    #[allow(clippy::unused_async)] // Asks the disk once the time line is there.
    pub async fn history(&self, span: Span) -> Result<History> {
        Ok(self.shared.recent().history(span))
    }

    /// Why it was as fast or slow as it was then.
    #[allow(clippy::unused_async)]
    pub async fn explain(&self, at_ms: i64) -> Result<Explanation> {
        let _ = at_ms;
        Err(no_time_line())
    }

    /// Writes a stretch to a new file in the folder of exports, and says where it is.
    #[allow(clippy::unused_async)]
    pub async fn export(&self, span: Span, format: ExportAs) -> Result<PathBuf> {
        let _ = (span, format);
        Err(no_time_line())
    }

    /// What would be decided now with another value of one setting.
    pub fn preview(&self, change: &SettingChange) -> Result<Decision> {
        let settings = self.shared.settings.after(change)?;
        let policy = Policy::of(&settings, clock::minute_of_day());
        let seen = self.shared.seen().clone();
        Ok(seen.state.preview(&Input {
            reading: &seen.reading,
            speed: seen.speed.as_ref(),
            policy: &policy,
            threads: self.shared.threads,
            duty: seen.duty,
            seconds: 0.0,
            busy_elsewhere: seen.busy_elsewhere,
        }))
    }

    /// Keeps what was learnt.
    pub(crate) async fn shut_down(&self) {
        self.shared.cool.save().await;
    }
}

fn no_time_line() -> Error {
    Error::new(Code::Storage, "There is no time line to look at.")
        .hint("Start Hearth again; the log file says why it could not be opened.")
}
