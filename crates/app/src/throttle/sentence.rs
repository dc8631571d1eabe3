//! Says in plain English why the engines are held back: for logs, the terminal, exports and refusals.

use super::{Decision, Level, Reason};
use crate::hardware::{MemoryPressure, ThermalState};

impl Reason {
    /// What kind of reason it is, without figures that move: two of the same kind are the same news.
    pub(super) fn kind(&self) -> (u8, u8) {
        match self {
            Self::Heat { state, .. } => (0, *state as u8),
            Self::SlowerThanCool { .. } => (1, 0),
            Self::Memory { pressure, .. } => (2, *pressure as u8),
            Self::LowPowerMode => (3, 0),
            Self::Battery { .. } => (4, 0),
            Self::QuietWatts { .. } => (5, 0),
            Self::QuietSpeed { .. } => (6, 0),
            Self::NoSensors => (7, 0),
        }
    }

    /// The name of it and its evidence, such as `heat` and `serious, 96 °C`.
    fn words(&self) -> (&'static str, String) {
        match self {
            Self::Heat { state, celsius } => {
                let state = match state {
                    ThermalState::Nominal => "nominal",
                    ThermalState::Fair => "fair",
                    ThermalState::Serious => "serious",
                    ThermalState::Critical => "critical",
                };
                let celsius = celsius.map(|c| format!(", {c:.0} °C")).unwrap_or_default();
                ("heat", format!("{state}{celsius}"))
            }
            Self::SlowerThanCool { model, now, cool } => (
                "heat",
                format!(
                    "{model} writes {now:.0} instead of {cool:.0} tokens/s, and nothing else explains it"
                ),
            ),
            Self::Memory { pressure, used } => {
                let pressure = match pressure {
                    MemoryPressure::Normal => "normal",
                    MemoryPressure::Warning => "warning",
                    MemoryPressure::Critical => "critical",
                };
                let used = used.map(|u| format!(", {:.0} % used", u * 100.0));
                (
                    "low memory",
                    format!("{pressure}{}", used.unwrap_or_default()),
                )
            }
            Self::LowPowerMode => ("Low Power Mode", String::new()),
            Self::Battery { percent } => ("battery", format!("{percent:.0} %")),
            Self::QuietWatts { now, cap } => {
                let now = now.map_or("unknown".to_owned(), |now| format!("{now:.0}"));
                ("the quiet cap", format!("{now} of {cap:.0} W"))
            }
            Self::QuietSpeed { cap } => ("the quiet cap", format!("{cap:.0} tokens/s")),
            Self::NoSensors => ("nothing", "no sensor tells about heat".to_owned()),
        }
    }

    /// Such as `heat (serious, 96 °C)`.
    pub fn phrase(&self) -> String {
        let (name, evidence) = self.words();
        if evidence.is_empty() {
            name.to_owned()
        } else {
            format!("{name} ({evidence})")
        }
    }
}

impl Decision {
    /// What holds, in one sentence with figures, such as `Slowed by heat: 31 instead of 44 tokens/s (serious, 96 °C).` The speeds are
    /// those of the model now and on the cool machine, when they are known. `None` while nothing is held back.
    pub fn sentence(&self, now: Option<f32>, cool: Option<f32>) -> Option<String> {
        let what = match self.level {
            Level::Free => return None,
            Level::Eased => "Background work waits because of",
            Level::Slowed => "Slowed by",
            Level::Held => "Held back by",
        };
        let (first, others) = self.reasons.split_first()?;
        let (name, evidence) = first.words();
        let speeds = match (now, cool, first) {
            // Its evidence has them already.
            (_, _, Reason::SlowerThanCool { .. }) => None,
            (Some(now), Some(cool), _) if self.level > Level::Eased && now < cool => {
                Some(format!(": {now:.0} instead of {cool:.0} tokens/s"))
            }
            _ => None,
        };
        let mut sentence = format!("{what} {name}{}", speeds.unwrap_or_default());
        if !evidence.is_empty() {
            sentence = format!("{sentence} ({evidence})");
        }
        let others: Vec<String> = others.iter().map(Reason::phrase).collect();
        if !others.is_empty() {
            sentence = format!("{sentence}; also {}", others.join(" and "));
        }
        Some(sentence + ".")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(level: Level, reasons: Vec<Reason>) -> Decision {
        Decision {
            level,
            reasons,
            ..Decision::default()
        }
    }

    #[test]
    fn sentences_are_plain_and_have_figures() {
        let heat = Reason::Heat {
            state: ThermalState::Serious,
            celsius: Some(96.2),
        };
        let memory = Reason::Memory {
            pressure: MemoryPressure::Critical,
            used: Some(0.97),
        };
        let slower = Reason::SlowerThanCool {
            model: "m".into(),
            now: 25.4,
            cool: 44.0,
        };
        let watts = Reason::QuietWatts {
            now: Some(24.6),
            cap: 20.0,
        };
        for (level, reasons, speeds, expected) in [
            (
                Level::Slowed,
                vec![heat.clone()],
                Some((31.0, 44.2)),
                "Slowed by heat: 31 instead of 44 tokens/s (serious, 96 °C).",
            ),
            (
                Level::Eased,
                vec![heat.clone()],
                Some((31.0, 44.2)),
                "Background work waits because of heat (serious, 96 °C).",
            ),
            (
                Level::Held,
                vec![memory, heat, Reason::LowPowerMode],
                None,
                "Held back by low memory (critical, 97 % used); also heat (serious, 96 °C) and Low Power Mode.",
            ),
            (
                Level::Slowed,
                vec![slower],
                Some((25.4, 44.0)),
                "Slowed by heat (m writes 25 instead of 44 tokens/s, and nothing else explains it).",
            ),
            (
                Level::Slowed,
                vec![watts],
                None,
                "Slowed by the quiet cap (25 of 20 W).",
            ),
        ] {
            let (now, cool) = speeds.unzip();
            let said = decision(level, reasons).sentence(now, cool);
            assert_eq!(said.as_deref(), Some(expected));
        }
        let free = decision(Level::Free, vec![Reason::NoSensors]);
        assert_eq!(free.sentence(None, None), None);
    }
}
