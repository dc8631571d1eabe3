//! Why it was as fast or slow as it was at a moment: the figures then, the decision that held, and one sentence that joins them.
//!
//! It explains from what was recorded and judges nothing anew: a cause is named only where the limits of that moment name it.

use std::fmt::Write as _;

use hearth_store::{Error as StoreError, Level, TimelineFile};
use jiff::Zoned;

use super::clock::when;
use super::keep::{LIMITS, STARTED, Timeline, Unwritten, kind, of_row};
use super::point::{
    COOL_TOKENS_PER_SECOND, CPU_CELSIUS, DUTY, GPU_CELSIUS, Point, RUNNING, SYSTEM_WATTS,
    TOKENS_PER_SECOND, WAITING,
};
use super::query::{LAST_MS, marks};
use super::{Explanation, Happening, Mark};
use crate::error::Result;
use crate::throttle::{Decision, Level as Held, Reason};

/// Marks this far away belong to a moment.
const NEAR_MS: i64 = 10_000;
/// Most marks with an explanation; the weightiest.
const MAX_MARKS: usize = 20;
/// Slower than this share of the cool speed is slow: readings of one second scatter.
const SLOW: f32 = 0.9;

/// What was recorded of a moment.
#[derive(Debug, Default)]
struct Facts {
    at_ms: i64,
    /// The finest point that has this moment.
    point: Option<Point>,
    decision: Option<Decision>,
    asleep: bool,
    marks: Vec<Mark>,
}

impl Timeline {
    /// Why it was as fast or slow as it was then; blocks on the disk.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn explain(&self, at_ms: i64) -> Result<Explanation> {
        let at_ms = at_ms.clamp(0, LAST_MS);
        let gathered = || {
            self.kept
                .whole(|file, unwritten| gather(file, unwritten, at_ms))
        };
        let facts = match gathered() {
            // The damaged file was set aside when the damage was found.
            Err(StoreError::Corrupt { .. }) => gathered()?,
            done => done?,
        };
        Ok(tell(facts, &Zoned::now()))
    }
}

fn gather(file: &TimelineFile, unwritten: &Unwritten, at_ms: i64) -> hearth_store::Result<Facts> {
    let mut near_ms = NEAR_MS;
    let mut point = None;
    for (index, level) in Level::ALL.into_iter().enumerate() {
        // A second may be passed over, but where a fine level was written and has nothing nearby, a coarse one only knows of others.
        if index >= 2
            && file
                .oldest(Level::ALL[index - 2])?
                .is_some_and(|oldest| oldest <= at_ms)
        {
            break;
        }
        let begin = at_ms - at_ms.rem_euclid(level.step_ms());
        point = point_of(file, unwritten, level, begin)?;
        near_ms = near_ms.max(level.step_ms());
        if point.is_some() {
            break;
        }
    }
    Ok(Facts {
        at_ms,
        point,
        decision: match last(file, unwritten, [LIMITS, STARTED], at_ms)? {
            Some(Happening::Limits { decision }) => Some(decision),
            _ => None,
        },
        asleep: last(file, unwritten, ["slept", "woke"], at_ms)? == Some(Happening::Slept),
        marks: marks(
            file,
            unwritten,
            at_ms - near_ms,
            at_ms + near_ms + 1,
            MAX_MARKS,
        )?,
    })
}

fn point_of(
    file: &TimelineFile,
    unwritten: &Unwritten,
    level: Level,
    begin: i64,
) -> hearth_store::Result<Option<Point>> {
    let mut found: Option<Point> = None;
    file.points(level, begin, begin + 1, |_, bytes| {
        found.get_or_insert_default().add_bytes(bytes);
    })?;
    let stretch = begin..begin + level.step_ms();
    for (at_ms, point) in &unwritten.points {
        if stretch.contains(at_ms) {
            found.get_or_insert_default().add(point);
        }
    }
    Ok(found)
}

/// The newest happening of two kinds that is not later.
fn last(
    file: &TimelineFile,
    unwritten: &Unwritten,
    kinds: [&str; 2],
    at_ms: i64,
) -> hearth_store::Result<Option<Happening>> {
    let stored = file.last_mark(kinds, at_ms)?.as_ref().and_then(of_row);
    let fresh = unwritten
        .marks
        .iter()
        .filter(|mark| mark.at_ms <= at_ms && kinds.contains(&kind(&mark.what)));
    let newest = stored.into_iter().chain(fresh.cloned());
    // Of equal ones the last, which was written later.
    Ok(newest.max_by_key(|mark| mark.at_ms).map(|mark| mark.what))
}

fn tell(facts: Facts, now: &Zoned) -> Explanation {
    let point = facts.point.clone().unwrap_or_default();
    let decision = facts
        .decision
        .clone()
        .filter(|_| facts.point.is_some())
        .unwrap_or_default();
    let reasons = with_figures_of(&point, decision.reasons.clone());
    let sharing = (point.get(RUNNING).unwrap_or_default().round() as u32).saturating_sub(1);
    let when = when(facts.at_ms, now);
    let sentence = if facts.point.is_some() {
        format!("{when}{}.", speed(&point, decision.level, &reasons))
    } else if facts.asleep {
        format!("{when} the computer slept.")
    } else {
        format!(
            "{when} nothing was recorded: Hearth did not run, or it is longer ago than what is kept."
        )
    };
    Explanation {
        at_ms: facts.at_ms,
        tokens_per_second: point.get(TOKENS_PER_SECOND),
        cool_tokens_per_second: point.get(COOL_TOKENS_PER_SECOND),
        reasons,
        marks: facts.marks,
        sharing,
        sentence,
    }
}

/// The reasons of a decision that was made earlier, with what was measured at this moment.
fn with_figures_of(point: &Point, mut reasons: Vec<Reason>) -> Vec<Reason> {
    let hottest = [CPU_CELSIUS, GPU_CELSIUS].map(|index| point.get(index));
    let hottest = hottest.into_iter().flatten().reduce(f32::max);
    for reason in &mut reasons {
        match reason {
            Reason::Heat { celsius, .. } => *celsius = hottest.or(*celsius),
            Reason::QuietWatts { now, .. } => *now = point.get(SYSTEM_WATTS).or(*now),
            _ => {}
        }
    }
    reasons
}

/// What follows after the time, up to the full stop.
fn speed(point: &Point, level: Held, reasons: &[Reason]) -> String {
    let running = point.get(RUNNING).unwrap_or_default();
    let now = point.get(TOKENS_PER_SECOND);
    let mut said = match (now, point.get(COOL_TOKENS_PER_SECOND)) {
        (Some(now), Some(cool)) if now < cool * SLOW => {
            let mut said = format!(": {now:.0} instead of {cool:.0} tokens/s");
            if !held(&mut said, level, reasons, ", because of") && running < 1.5 {
                said.push_str(", and nothing that Hearth measures explains it");
            }
            said
        }
        (Some(now), Some(_)) => {
            let mut said =
                format!(": {now:.0} tokens/s, as fast as this model is when nothing holds it back");
            held(&mut said, level, reasons, ", in spite of");
            said
        }
        (Some(now), None) => {
            let mut said = format!(": {now:.0} tokens/s");
            held(&mut said, level, reasons, ", with");
            said.push_str("; what this model does on the cool machine is not known yet");
            said
        }
        (None, _) => {
            let what = if running > 0.0 {
                "a prompt was read and nothing written yet"
            } else {
                "no answer was written"
            };
            let mut said = format!(" {what}");
            held(&mut said, level, reasons, "; Hearth held back because of");
            said
        }
    };
    if running > 0.0 {
        surroundings(&mut said, point, running);
    }
    let waiting = point.get(WAITING).unwrap_or_default();
    if waiting >= 1.0 {
        let _ = write!(said, "; {} waited", counted(waiting, "request"));
    }
    said
}

/// Adds the reasons, when something was held back.
fn held(said: &mut String, level: Held, reasons: &[Reason], how: &str) -> bool {
    let phrases: Vec<String> = reasons.iter().map(Reason::phrase).collect();
    let is_held = level > Held::Free && !phrases.is_empty();
    if is_held {
        let _ = write!(said, "{how} {}", phrases.join(" and "));
    }
    is_held
}

/// Adds how much of the time was computed, at which power, and who else did.
fn surroundings(said: &mut String, point: &Point, running: f32) {
    if let Some(duty) = point.get(DUTY).filter(|duty| *duty < 0.995) {
        let _ = write!(said, "; Hearth computed {:.0} % of the time", duty * 100.0);
    }
    if let Some(watts) = point.get(SYSTEM_WATTS) {
        let _ = write!(said, "; the computer took {watts:.0} W");
    }
    if running >= 1.5 {
        let _ = write!(said, "; {} shared it", counted(running, "answer"));
    }
}

fn counted(number: f32, what: &str) -> String {
    let plural = if number.round() > 1.0 { "s" } else { "" };
    format!("{number:.0} {what}{plural}")
}

#[cfg(test)]
mod tests;
