//! Happenings and reasons in a few plain words, for exports and explanations.

use super::{Alert, Happening};
use crate::hardware::{MemoryPressure, ThermalState};
use crate::throttle::{Level, Reason};

/// A happening in a few words.
pub(super) fn in_words(what: &Happening) -> String {
    match what {
        Happening::Started => "Hearth started".into(),
        Happening::Loaded { model } => format!("loaded {model}"),
        Happening::Unloaded { model } => format!("unloaded {model}"),
        Happening::Limits { decision } => {
            let level = match decision.level {
                Level::Free => return "no limits".into(),
                Level::Eased => "background work waits",
                Level::Slowed => "answers slowed",
                Level::Held => "held back",
            };
            let why: Vec<String> = decision.reasons.iter().map(phrase).collect();
            format!("{level}: {}", why.join(" and "))
        }
        Happening::Slept => "computer slept".into(),
        Happening::Woke { asleep_s } => format!("computer woke after {asleep_s} s"),
        Happening::Client { name } => format!("first request of {name}"),
        Happening::Alert { alert } => alerted(alert),
        Happening::OtherEngine { name, running } => {
            let came = if *running { "was seen" } else { "went" };
            format!("{name} {came}")
        }
    }
}

fn alerted(alert: &Alert) -> String {
    match alert {
        Alert::Memory { percent } => format!("alert: {percent:.0} % of the memory used"),
        Alert::LongAnswer { seconds } => format!("alert: an answer takes {seconds} s"),
        Alert::CacheHits { percent } => {
            format!("alert: {percent:.0} % of the prompts had been read before")
        }
        Alert::Errors { percent } => format!("alert: {percent:.0} % of the answers failed"),
        Alert::Queue { waiting } => format!("alert: {waiting} requests wait"),
        Alert::Disk { percent } => format!("alert: {percent:.0} % of the disk free"),
        Alert::Heat { state } => format!("alert: heat {state:?}").to_lowercase(),
    }
}

/// A reason with its evidence, such as `heat (serious, 96 °C)`.
pub fn phrase(reason: &Reason) -> String {
    match reason {
        Reason::Heat { state, celsius } => {
            let state = match state {
                ThermalState::Nominal => "nominal",
                ThermalState::Fair => "fair",
                ThermalState::Serious => "serious",
                ThermalState::Critical => "critical",
            };
            let celsius = celsius.map(|c| format!(", {c:.0} °C")).unwrap_or_default();
            format!("heat ({state}{celsius})")
        }
        Reason::SlowerThanCool { model, now, cool } => {
            format!(
                "heat ({model} writes {now:.0} instead of {cool:.0} tokens/s, and nothing else explains it)"
            )
        }
        Reason::Memory { pressure, used } => {
            let pressure = match pressure {
                MemoryPressure::Normal => "normal",
                MemoryPressure::Warning => "warning",
                MemoryPressure::Critical => "critical",
            };
            let used = used.map(|u| format!(", {:.0} % used", u * 100.0));
            format!("low memory ({pressure}{})", used.unwrap_or_default())
        }
        Reason::LowPowerMode => "Low Power Mode".into(),
        Reason::Battery { percent } => format!("battery ({percent:.0} %)"),
        Reason::QuietWatts { now, cap } => {
            let now = now.map_or("unknown".into(), |now| format!("{now:.0}"));
            format!("the quiet cap ({now} of {cap:.0} W)")
        }
        Reason::QuietSpeed { cap } => format!("the quiet cap ({cap:.0} tokens/s)"),
        Reason::NoSensors => "nothing (no sensor tells about heat)".into(),
    }
}
