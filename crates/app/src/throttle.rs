//! How much the engines may do: from readings, our own speed and the user's wishes to limits, each with its reason.
//!
//! Pure, so that every rule can be tested with recorded readings. It must not read sensors, know engines or keep time by itself.

mod baseline;
mod combine;
mod decide;
mod policy;
mod quiet;
mod rung;
mod sentence;
mod slower;
mod table;

use serde::{Deserialize, Serialize};

pub use self::baseline::{Baselines, Load};
pub(crate) use self::decide::is_cool;
pub use self::decide::{Input, Speed, State, decide};
pub use self::policy::Policy;
use crate::hardware::{MemoryPressure, ThermalState};

/// How far the engines are held back, in one word: for the icon, the line in the menu and the colour.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing is held back.
    #[default]
    Free,
    /// Background work waits or runs slower; answers do not.
    Eased,
    /// Answers are paced.
    Slowed,
    /// As little as possible: no new model, one request at a time.
    Held,
}

/// Why the engines are held back, with the figures that say so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(
    tag = "type",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum Reason {
    /// The system says that it is hot.
    Heat {
        state: ThermalState,
        celsius: Option<f32>,
    },
    /// The model writes slower than it did when the machine was cool, and nothing else explains it. Tokens a second.
    SlowerThanCool {
        model: String,
        now: f32,
        cool: f32,
    },
    /// `used` is 0 to 1.
    Memory {
        pressure: MemoryPressure,
        used: Option<f32>,
    },
    LowPowerMode,
    /// On battery, as the user wants it; percent left.
    Battery {
        percent: f32,
    },
    /// The user's cap; watts.
    QuietWatts {
        now: Option<f32>,
        cap: f32,
    },
    /// The user's cap; tokens a second.
    QuietSpeed {
        cap: f32,
    },
    /// No sensor tells about heat, so only our own speed is judged.
    NoSensors,
}

/// What the engines and the doors have to keep to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Share of the time in which engines compute, 0.05 to 1.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub duty: f32,
    /// Threads of an engine; `None` is what it was loaded with.
    pub threads: Option<u32>,
    /// Requests of programs at the same time; `None` is what the settings say.
    pub parallel: Option<u32>,
    /// Requests of programs that may wait; `None` is what the settings say.
    pub queue: Option<u32>,
    /// Whether background work (reading ahead, indexing) is done.
    pub background: bool,
    /// Whether models that nobody uses stay loaded.
    pub keep_idle: bool,
    /// Whether another model may be loaded.
    pub load: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            duty: 1.0,
            threads: None,
            parallel: None,
            queue: None,
            background: true,
            keep_idle: true,
            load: true,
        }
    }
}

/// What holds at a moment, and why.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    pub level: Level,
    pub limits: Limits,
    /// The weightiest first; empty when nothing is held back.
    pub reasons: Vec<Reason>,
}

/// An answer that was written slower than it could have been.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct Slowed {
    /// What held it back most.
    pub reason: Reason,
    /// What the model writes on the cool machine, tokens a second, when it is known.
    pub cool_tokens_per_second: Option<f32>,
}
