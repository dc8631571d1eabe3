//! Happenings in a few plain words, for exports.

use super::{Alert, Happening};
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
            let why: Vec<String> = decision.reasons.iter().map(Reason::phrase).collect();
            format!("{level}: {}", why.join(" and "))
        }
        Happening::Slept => "computer slept".into(),
        Happening::Woke { asleep_s } => format!("computer woke after {asleep_s} s"),
        Happening::Client { name } => format!("first request of {name}"),
        Happening::Alert { alert } => alerted(*alert),
        Happening::OtherEngine { name } => format!("first answer of {name}"),
    }
}

fn alerted(alert: Alert) -> String {
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
