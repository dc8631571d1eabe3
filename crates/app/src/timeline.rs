//! What the machine and the engines did: a time line of figures with the happenings beside it.
//!
//! Its types are what the Monitor screen, `hearth monitor` and exports show. It must not know SQL or sensors.

mod clock;
mod explain;
mod export;
mod keep;
mod point;
mod query;
mod words;

use serde::{Deserialize, Serialize};

use crate::hardware::Reading;
use crate::throttle::{Decision, Reason};

pub use self::clock::{clock_time, time_of};
pub use self::export::csv;
pub use self::keep::Timeline;

/// What the engines did in the second before a moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase", default)]
pub struct Work {
    /// The model that wrote most.
    pub model: Option<String>,
    /// Over all running answers together; `None` while none is written.
    pub tokens_per_second: Option<f32>,
    /// Of the last answer that began, in milliseconds; `None` when none began in this second.
    pub ttft_ms: Option<f32>,
    /// Answers being written or read for.
    pub running: u32,
    /// Requests that wait for their turn.
    pub waiting: u32,
    /// Speed of `model` on the cool machine, tokens a second, when it is known.
    pub cool_tokens_per_second: Option<f32>,
    /// Part of the prompts of the last minute that had been read before, 0 to 1.
    pub cache_hits: Option<f32>,
}

/// One moment: what the machine said, what the engines did, what was decided.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase", default)]
pub struct Moment {
    pub reading: Reading,
    pub work: Work,
    pub decision: Decision,
}

/// Something that happened, for the marks on the time line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(
    tag = "type",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum Happening {
    Started,
    Loaded {
        model: String,
    },
    Unloaded {
        model: String,
    },
    /// Other limits hold from here on.
    Limits {
        decision: Decision,
    },
    Slept,
    Woke {
        asleep_s: u32,
    },
    /// A program that had not asked before in this run of Hearth.
    Client {
        name: String,
    },
    Alert {
        alert: Alert,
    },
    /// Answers that ended while another product's engine was followed, or it came and went.
    OtherEngine {
        name: String,
        running: bool,
    },
}

/// What the user is told about, with the figure that crossed its threshold: SPEC row H10.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(
    tag = "type",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum Alert {
    /// Used part of the memory, in percent.
    Memory {
        #[cfg_attr(feature = "specta", specta(type = u32))]
        percent: f32,
    },
    /// An answer has been written for so long, in seconds.
    LongAnswer { seconds: u32 },
    /// Part of the prompts that had been read before, in percent.
    CacheHits {
        #[cfg_attr(feature = "specta", specta(type = u32))]
        percent: f32,
    },
    /// Part of the answers that failed, in percent.
    Errors {
        #[cfg_attr(feature = "specta", specta(type = u32))]
        percent: f32,
    },
    /// Requests that wait.
    Queue { waiting: u32 },
    /// Free part of the disk, in percent.
    Disk {
        #[cfg_attr(feature = "specta", specta(type = u32))]
        percent: f32,
    },
    /// The system says that it is hot, or worse.
    Heat {
        state: crate::hardware::ThermalState,
    },
}

/// A happening and its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    /// Unix milliseconds.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub at_ms: i64,
    pub what: Happening,
}

/// Figures over time, one list a figure, all as long as [`History::at_ms`]. What was not measured is `None`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct Series {
    pub tokens_per_second: Vec<Option<f32>>,
    pub cool_tokens_per_second: Vec<Option<f32>>,
    pub ttft_ms: Vec<Option<f32>>,
    pub running: Vec<Option<f32>>,
    pub waiting: Vec<Option<f32>>,
    pub system_watts: Vec<Option<f32>>,
    pub cpu_watts: Vec<Option<f32>>,
    pub gpu_watts: Vec<Option<f32>>,
    pub cpu_celsius: Vec<Option<f32>>,
    pub gpu_celsius: Vec<Option<f32>>,
    /// 0 to 1.
    pub cpu_usage: Vec<Option<f32>>,
    /// 0 to 1.
    pub gpu_usage: Vec<Option<f32>>,
    pub memory_used_bytes: Vec<Option<f32>>,
    pub swap_used_bytes: Vec<Option<f32>>,
    /// 0 nominal to 3 critical; the worst where moments were taken together.
    pub thermal: Vec<Option<f32>>,
    /// 0 normal to 2 critical; the worst where moments were taken together.
    pub pressure: Vec<Option<f32>>,
    pub battery_percent: Vec<Option<f32>>,
    /// Share of the time in which engines could compute, 0.05 to 1.
    pub duty: Vec<Option<f32>>,
}

/// A stretch of the time line.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct History {
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub from_ms: i64,
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub to_ms: i64,
    /// How much time one point stands for, in milliseconds.
    pub step_ms: u32,
    /// Begin of each point, in Unix milliseconds, the oldest first. A stretch in which Hearth did not run has no points.
    #[cfg_attr(feature = "specta", specta(type = Vec<u32>))]
    pub at_ms: Vec<i64>,
    pub series: Series,
    pub marks: Vec<Mark>,
}

/// Why it was as fast or slow as it was at a moment: SPEC row H9.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub at_ms: i64,
    /// Tokens a second then, and on the cool machine.
    pub tokens_per_second: Option<f32>,
    pub cool_tokens_per_second: Option<f32>,
    /// What was held back then, the weightiest first.
    pub reasons: Vec<Reason>,
    /// What happened within ten seconds (or one point of the time line) around it.
    pub marks: Vec<Mark>,
    /// Other answers that ran at the same time.
    pub sharing: u32,
    /// All of it as one plain English sentence.
    pub sentence: String,
}
