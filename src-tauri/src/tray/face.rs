//! What the tray shows for a state of engines and machine: which flame, with a dot or without, the text beside it and two lines.
//!
//! Pure, so that each state can be tested without a tray. It must not know how a tray is drawn.

use std::collections::BTreeMap;

use hearth_app::hardware::{MemoryPressure, ThermalState};
use hearth_app::inference::EngineState;
use hearth_app::settings::TrayText;
use hearth_app::throttle::Level;
use hearth_app::timeline::Moment;

/// How full the flame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flame {
    Idle,
    Working,
    Busy,
}

/// Everything that is seen of the tray.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Face {
    pub flame: Flame,
    /// Something wants attention.
    pub dot: bool,
    /// Beside the icon; empty is nothing.
    pub text: String,
    /// What the engines do.
    pub state: String,
    /// What is held back and why.
    pub reason: String,
}

/// What models are called, by their names.
pub type Titles = BTreeMap<String, String>;

/// What is to be seen now. Without a moment nothing is known of the machine, and a model without a title goes by its name.
pub fn face(
    engine: &EngineState,
    moment: Option<&Moment>,
    text: TrayText,
    titles: &Titles,
) -> Face {
    let title = |model: &String| titles.get(model).unwrap_or(model).clone();
    let (mut flame, mut dot, mut state) = match engine {
        EngineState::Unloaded => (Flame::Idle, false, "No model loaded".to_owned()),
        EngineState::Loading { model, .. } => {
            (Flame::Working, false, format!("Loading {}…", title(model)))
        }
        EngineState::Ready { model, .. } => {
            (Flame::Idle, false, format!("Ready: {}", title(model)))
        }
        EngineState::Generating { model, .. } => {
            (Flame::Busy, false, format!("Answering: {}", title(model)))
        }
        EngineState::Failed { error, .. } => (Flame::Idle, true, error.message.clone()),
    };
    let Some(moment) = moment else {
        return Face {
            flame,
            dot,
            text: String::new(),
            state,
            reason: free(),
        };
    };
    let (reading, work, decision) = (&moment.reading, &moment.work, &moment.decision);
    if work.running > 0 && flame < Flame::Busy {
        // Another program's engine answers.
        flame = Flame::Busy;
        if let Some(model) = &work.model {
            state = format!("Answering: {}", title(model));
        }
    }
    dot |= decision.level >= Level::Slowed
        || reading.thermal >= Some(ThermalState::Serious)
        || reading.pressure >= Some(MemoryPressure::Warning);
    let sentence = decision.sentence(work.tokens_per_second, work.cool_tokens_per_second);
    Face {
        flame,
        dot,
        text: figure(moment, text),
        state,
        // A line of a menu has no full stop.
        reason: sentence.map_or_else(free, |line| line.trim_end_matches('.').to_owned()),
    }
}

fn free() -> String {
    "Nothing is held back".to_owned()
}

/// Rounded, so that it changes only when there is something to see.
fn figure(moment: &Moment, text: TrayText) -> String {
    let unknown = || "n/a".to_owned();
    match text {
        TrayText::None => String::new(),
        // Nobody writes: there is no speed, which is not the same as an unknown one.
        TrayText::Speed => moment
            .work
            .tokens_per_second
            .map_or_else(String::new, |speed| format!("{speed:.0} t/s")),
        TrayText::Temperature => {
            let hottest = moment.reading.hottest_celsius();
            hottest.map_or_else(unknown, |celsius| format!("{celsius:.0} °C"))
        }
        TrayText::Power => {
            let watts = moment.reading.system_watts;
            watts.map_or_else(unknown, |watts| format!("{watts:.0} W"))
        }
        TrayText::Memory => moment.reading.memory.map_or_else(unknown, |memory| {
            let used = memory.used_bytes as f64 / memory.total_bytes.max(1) as f64;
            format!("{:.0} %", used * 100.0)
        }),
    }
}

#[cfg(test)]
mod tests {
    use hearth_app::hardware::{Memory, Reading};
    use hearth_app::throttle::{Decision, Reason};
    use hearth_app::timeline::Work;

    use super::*;

    fn ready() -> EngineState {
        EngineState::Ready {
            model: "m".into(),
            context_tokens: 1,
            offload: String::new(),
        }
    }

    #[test]
    fn a_cool_idle_machine_shows_an_outline_and_no_text() {
        let face = face(
            &ready(),
            Some(&Moment::default()),
            TrayText::None,
            &Titles::new(),
        );
        assert_eq!(
            (face.flame, face.dot, face.text.as_str()),
            (Flame::Idle, false, "")
        );
        assert_eq!(
            (face.state.as_str(), face.reason.as_str()),
            ("Ready: m", "Nothing is held back")
        );
    }

    #[test]
    fn a_model_goes_by_its_title() {
        let titles = Titles::from([("m".to_owned(), "Small Model".to_owned())]);
        let face = face(&ready(), None, TrayText::None, &titles);
        assert_eq!(face.state, "Ready: Small Model");
    }

    #[test]
    fn heat_memory_and_limits_give_a_dot_and_the_reason() {
        let heat = Reason::Heat {
            state: ThermalState::Serious,
            celsius: Some(96.0),
        };
        let held = Moment {
            decision: Decision {
                level: Level::Slowed,
                reasons: vec![heat],
                ..Decision::default()
            },
            ..Moment::default()
        };
        let shown = face(&ready(), Some(&held), TrayText::None, &Titles::new());
        assert!(
            shown.dot && shown.reason.contains("serious, 96 °C"),
            "{}",
            shown.reason
        );
        let hot = Reading {
            thermal: Some(ThermalState::Critical),
            ..Reading::default()
        };
        let short = Reading {
            pressure: Some(MemoryPressure::Warning),
            ..Reading::default()
        };
        for reading in [hot, short] {
            let moment = Moment {
                reading,
                ..Moment::default()
            };
            assert!(face(&ready(), Some(&moment), TrayText::None, &Titles::new()).dot);
        }
        let warm = Reading {
            thermal: Some(ThermalState::Fair),
            ..Reading::default()
        };
        let moment = Moment {
            reading: warm,
            ..Moment::default()
        };
        assert!(!face(&ready(), Some(&moment), TrayText::None, &Titles::new()).dot);
    }

    #[test]
    fn the_text_is_the_figure_asked_for_and_what_is_unknown_is_said() {
        let moment = Moment {
            reading: Reading {
                cpu_celsius: Some(71.4),
                gpu_celsius: Some(80.6),
                memory: Some(Memory {
                    total_bytes: 16,
                    used_bytes: 4,
                    ..Memory::default()
                }),
                ..Reading::default()
            },
            work: Work {
                tokens_per_second: Some(31.2),
                running: 1,
                ..Work::default()
            },
            ..Moment::default()
        };
        let text = |text| face(&ready(), Some(&moment), text, &Titles::new()).text;
        assert_eq!(text(TrayText::Speed), "31 t/s");
        assert_eq!(text(TrayText::Temperature), "81 °C");
        assert_eq!(text(TrayText::Power), "n/a");
        assert_eq!(text(TrayText::Memory), "25 %");
        assert_eq!(
            face(
                &ready(),
                Some(&Moment::default()),
                TrayText::Speed,
                &Titles::new()
            )
            .text,
            ""
        );
        // The engine of another program answers.
        assert_eq!(
            face(&ready(), Some(&moment), TrayText::None, &Titles::new()).flame,
            Flame::Busy
        );
    }
}
