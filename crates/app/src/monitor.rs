//! Joins what the sensors say with what the engines do, once a second: the moment that views show, that limits follow from and that
//! the time line keeps.
//!
//! It must not judge (that is [`crate::throttle`]) and must not know SQL or sensors.

mod alerts;
mod awake;
mod clock;
mod cool;
mod elsewhere;
mod recent;
mod task;
mod work;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
use crate::timeline::{Explanation, Happening, History, Mark, Moment, Timeline};

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
    /// `None` when it could not be opened or nothing is to be kept; then there is what lies in memory.
    timeline: Option<Arc<Timeline>>,
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
        if let Some(timeline) = &self.timeline {
            timeline.mark(mark);
        }
    }
}

/// The task that watches, and the way to what it saw.
pub struct Monitor {
    shared: Arc<Shared>,
    moments: watch::Receiver<Arc<Moment>>,
    readings: Option<Readings>,
}

/// The time line that is kept; `None` when it cannot be opened, which is said in the log.
pub(crate) fn timeline(paths: &Paths) -> Option<Arc<Timeline>> {
    Timeline::open(paths)
        .inspect_err(|error| tracing::error!(%error, "there is no time line"))
        .ok()
}

/// Reads a whole recording, to say what is wrong with it before it is played. Blocks on the disk.
///
/// # Errors
/// When it cannot be read, or a line is not a reading.
pub fn check_recording(file: &Path) -> Result<()> {
    use hearth_hardware::replay::ReplayError;
    let checked = hearth_hardware::replay::open(file);
    checked.map(drop).map_err(|error| {
        let code = match &error {
            ReplayError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Code::NotFound
            }
            _ => Code::InvalidInput,
        };
        Error::new(code, format!("The recording cannot be played: {error}."))
            .hint("Record one with `hearth monitor --json > FILE`.")
    })
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
    pub(crate) fn start(
        app: &Arc<App>,
        readings: Option<Readings>,
        timeline: Option<Arc<Timeline>>,
    ) -> Arc<Self> {
        let shared = Arc::new(Shared {
            settings: Arc::clone(app.settings()),
            recent: Mutex::default(),
            seen: Mutex::default(),
            cool: CoolSpeeds::open(app.paths().cool_speeds()),
            timeline,
            threads: app.inference().decode_threads(),
        });
        let (sender, moments) = watch::channel(Arc::default());
        shared.mark(clock::unix_ms(), Happening::Started);
        task::start(app, readings.clone(), Arc::clone(&shared), sender);
        Arc::new(Self {
            shared,
            moments,
            readings,
        })
    }

    /// The newest moment.
    pub fn now(&self) -> Arc<Moment> {
        self.moments.borrow().clone()
    }

    /// Wakes on every moment, once a second.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Moment>> {
        self.moments.clone()
    }

    /// Comes back once the readings have ended and `seen`, a moment, was of the last of them; until then it waits. The sensors of this
    /// machine do not end, a recording does.
    pub async fn ended(&self, seen: &Moment) {
        if let Some(mut readings) = self.readings.clone() {
            while readings.changed().await.is_ok() {}
            if readings.borrow().at_ms <= seen.reading.at_ms {
                return;
            }
        }
        std::future::pending().await
    }

    /// Puts a happening that others noticed on the time line.
    pub fn happened(&self, what: Happening) {
        self.shared.mark(clock::unix_ms(), what);
    }

    /// A stretch of the time line; without one, of the last hour, which lies in memory.
    pub async fn history(&self, span: Span) -> Result<History> {
        match &self.shared.timeline {
            Some(_) => {
                self.ask(move |timeline| Ok(timeline.history(span)?.rounded()))
                    .await
            }
            None => Ok(self.shared.recent().history(span)),
        }
    }

    /// Why it was as fast or slow as it was then.
    pub async fn explain(&self, at_ms: i64) -> Result<Explanation> {
        self.ask(move |timeline| timeline.explain(at_ms)).await
    }

    /// Writes a stretch to a new file in the folder of exports, and says where it is.
    pub async fn export(&self, span: Span, format: ExportAs) -> Result<PathBuf> {
        self.ask(move |timeline| timeline.export(span, format))
            .await
    }

    /// Asks the time line, which reads the disk.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Timeline) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let timeline = self.shared.timeline.clone().ok_or_else(no_time_line)?;
        tokio::task::spawn_blocking(move || question(&timeline))
            .await
            .map_err(Error::internal)?
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
        let shared = Arc::clone(&self.shared);
        let written = tokio::task::spawn_blocking(move || {
            if let Some(timeline) = &shared.timeline {
                timeline.shut_down();
            }
        });
        if let Err(error) = written.await {
            tracing::error!(%error, "the end of the time line could not be written");
        }
    }
}

fn no_time_line() -> Error {
    Error::new(Code::Storage, "There is no time line to look at.")
        .hint("Start Hearth again; the log file says why it could not be opened.")
}
