//! The sentences, case by case, and what of the time line they are made from.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::*;
use crate::hardware::ThermalState;
use crate::paths::Paths;
use crate::throttle::Limits;
use crate::timeline::Moment;

/// 14:32 UTC.
const AT_MS: i64 = 1_790_087_520_000;

fn now() -> Zoned {
    let at = jiff::Timestamp::from_millisecond(AT_MS + 3_600_000).unwrap();
    at.to_zoned(TimeZone::UTC)
}

fn slowed() -> Decision {
    Decision {
        level: Held::Slowed,
        limits: Limits {
            duty: 0.6,
            ..Limits::default()
        },
        reasons: vec![
            Reason::Heat {
                state: ThermalState::Serious,
                celsius: Some(91.0),
            },
            Reason::LowPowerMode,
        ],
    }
}

/// A moment with a speed, the cool speed and so many answers.
fn moment(speed: Option<f32>, cool: Option<f32>, running: u32) -> Moment {
    let mut moment = Moment::default();
    moment.reading.at_ms = AT_MS;
    moment.reading.cpu_celsius = Some(96.0);
    moment.work.tokens_per_second = speed;
    moment.work.cool_tokens_per_second = cool;
    moment.work.running = running;
    moment
}

fn said(moment: &Moment, decision: Option<Decision>) -> String {
    let facts = Facts {
        at_ms: AT_MS,
        point: Some(Point::of(moment)),
        decision,
        ..Facts::default()
    };
    tell(facts, &now()).sentence
}

#[test]
fn sentences() {
    let hot = {
        let mut hot = moment(Some(31.2), Some(44.4), 1);
        hot.reading.system_watts = Some(41.0);
        hot.decision = slowed();
        hot
    };
    let queue = {
        let mut queue = moment(None, Some(44.0), 0);
        queue.work.waiting = 1;
        queue
    };
    for (moment, decision, expected) in [
        (
            hot,
            Some(slowed()),
            "At 14:32: 31 instead of 44 tokens/s, because of heat (serious, 96 °C) and Low Power Mode; Hearth computed 60 % of the \
             time; the computer took 41 W.",
        ),
        (
            moment(Some(31.0), Some(44.0), 1),
            None,
            "At 14:32: 31 instead of 44 tokens/s, and nothing that Hearth measures explains it.",
        ),
        (
            moment(Some(31.0), Some(44.0), 3),
            None,
            "At 14:32: 31 instead of 44 tokens/s; 3 answers shared it.",
        ),
        (
            moment(Some(43.0), Some(44.0), 1),
            Some(Decision::default()),
            "At 14:32: 43 tokens/s, as fast as this model is when nothing holds it back.",
        ),
        (
            moment(Some(43.0), None, 1),
            None,
            "At 14:32: 43 tokens/s; what this model does on the cool machine is not known yet.",
        ),
        (
            moment(None, Some(44.0), 1),
            None,
            "At 14:32 a prompt was read and nothing written yet.",
        ),
        (
            moment(None, None, 0),
            Some(slowed()),
            "At 14:32 no answer was written; Hearth held back because of heat (serious, 96 °C) and Low Power Mode.",
        ),
        (
            queue,
            None,
            "At 14:32 no answer was written; 1 request waited.",
        ),
    ] {
        assert_eq!(said(&moment, decision), expected);
    }
}

#[test]
fn what_was_not_recorded_is_said() {
    let facts = |asleep| Facts {
        at_ms: AT_MS - 24 * 3_600_000,
        asleep,
        decision: Some(slowed()),
        ..Facts::default()
    };
    let unknown = tell(facts(false), &now());
    assert_eq!(
        unknown.sentence,
        "On 21 September at 14:32 nothing was recorded: Hearth did not run, or it is longer ago than what is kept."
    );
    assert!(unknown.reasons.is_empty(), "whatever held before");
    assert_eq!(
        tell(facts(true), &now()).sentence,
        "On 21 September at 14:32 the computer slept."
    );
    for absurd in [i64::MIN, i64::MAX] {
        assert_eq!(when(absurd, &now()), "Then");
    }
}

#[test]
fn the_decision_that_held_then_is_found_on_disk_and_in_memory() {
    let home = tempfile::tempdir().unwrap();
    let timeline = Timeline::open(&Paths::under(home.path())).unwrap();
    let mark = |seconds: i64, what| Mark {
        at_ms: AT_MS + seconds * 1_000,
        what,
    };
    timeline.mark(mark(-600, Happening::Started));
    timeline.mark(mark(-300, Happening::Limits { decision: slowed() }));
    timeline.flush();
    for seconds in 0..5 {
        let mut moment = moment(Some(31.0), Some(44.0), 2);
        moment.reading.at_ms += seconds * 1_000;
        timeline.record(&moment);
    }
    timeline.mark(mark(
        3,
        Happening::Limits {
            decision: Decision::default(),
        },
    ));
    for flushed in [false, true] {
        let explained = timeline.explain(AT_MS + 2_999).unwrap();
        assert_eq!(explained.reasons.len(), 2, "{flushed}: {explained:?}");
        assert_eq!(
            explained.reasons[0],
            Reason::Heat {
                state: ThermalState::Serious,
                celsius: Some(96.0)
            },
            "with the figure of that moment"
        );
        assert_eq!(explained.tokens_per_second, Some(31.0));
        assert_eq!(explained.sharing, 1);
        assert_eq!(explained.marks.len(), 1, "{explained:?}");
        assert!(timeline.explain(AT_MS + 3_000).unwrap().reasons.is_empty());
        timeline.flush();
    }
    // A decision ends with the program that made it.
    timeline.mark(mark(100, Happening::Limits { decision: slowed() }));
    timeline.mark(mark(101, Happening::Started));
    let mut later = moment(Some(31.0), Some(44.0), 1);
    later.reading.at_ms += Duration::from_secs(102).as_millis() as i64;
    timeline.record(&later);
    assert!(
        timeline
            .explain(AT_MS + 102_500)
            .unwrap()
            .reasons
            .is_empty()
    );
    timeline.mark(mark(200, Happening::Slept));
    timeline.mark(mark(300, Happening::Woke { asleep_s: 100 }));
    let asleep = |seconds: i64| {
        let explained = timeline.explain(AT_MS + seconds * 1_000).unwrap();
        explained.sentence.contains("slept")
    };
    assert_eq!([199, 250, 301].map(asleep), [false, true, false]);
    for absurd in [i64::MIN, i64::MAX] {
        assert!(timeline.explain(absurd).is_ok());
    }
}
