//! What the governor asks of models and doors, and what they do about it.
//!
//! It must not judge readings: it is told what holds, and why.

use std::time::Duration;

use hearth_engine::Limits as EngineLimits;
use tokio::time::Instant;

use crate::error::{Code, Error};
use crate::hardware::Memory;
use crate::throttle::{Decision, Reason};

/// A change of threads costs an engine a new context, so that they change no more often than this.
const THREADS_HOLD: Duration = Duration::from_secs(60);

/// What holds now, with what is needed to say so in an answer or a refusal.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Held {
    pub decision: Decision,
    pub memory: Option<Memory>,
    /// The model that writes most, and its speed on the cool machine in tokens a second.
    pub cool: Option<(String, f32)>,
}

/// The part of it that loaded models keep to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Restraint {
    pub(super) engine: EngineLimits,
    /// Models that nobody uses go, at once and from then on after a short while.
    pub(super) drop_idle: bool,
    /// No model is loaded, and why.
    pub(super) no_load: Option<NoLoad>,
}

/// Why no model is loaded.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NoLoad {
    pub(super) reason: Reason,
    pub(super) memory: Option<Memory>,
}

impl NoLoad {
    /// The refusal of a model, with the figures that say why.
    pub(super) fn of(&self, model: &str, need_bytes: u64) -> Error {
        let gb = |bytes: u64| bytes as f64 / 1e9;
        let need = gb(need_bytes);
        let (code, why, hint) = match &self.reason {
            Reason::Memory { .. } => {
                let figures = self.memory.map(|memory| {
                    let (used, total) = (gb(memory.used_bytes), gb(memory.total_bytes));
                    let free = (total - used).max(0.0);
                    format!(
                        ", and of {total:.1} GB only {free:.1} GB are free ({used:.1} GB are used)"
                    )
                });
                (
                    Code::InsufficientMemory,
                    format!(
                        "the system is critically short of memory{}",
                        figures.unwrap_or_default()
                    ),
                    "Close other programs or choose a smaller model, then try again.",
                )
            }
            Reason::Heat { .. } | Reason::SlowerThanCool { .. } => (
                Code::EngineUnavailable,
                format!("the machine is too hot: {}", self.reason.phrase()),
                "Wait until it has cooled. Settings, Heat and power says how early heat counts.",
            ),
            Reason::Battery { percent } => (
                Code::EngineUnavailable,
                format!("the battery is at {percent:.0} %, below your limit"),
                "Connect the power adapter, or lower the limit in Settings, Heat and power.",
            ),
            Reason::LowPowerMode
            | Reason::QuietWatts { .. }
            | Reason::QuietSpeed { .. }
            | Reason::NoSensors => (
                Code::EngineUnavailable,
                format!("Hearth is held back by {}", self.reason.phrase()),
                "Settings, Heat and power has the limits.",
            ),
        };
        let message =
            format!("The model `{model}`, which needs about {need:.1} GB, was not loaded: {why}.");
        Error::new(code, message).hint(hint).retry_after_s(30)
    }
}

/// Turns what the governor decides into what models keep to, and keeps threads from changing too often.
#[derive(Debug, Default)]
pub(super) struct Translation {
    threads: Option<u32>,
    threads_since: Option<Instant>,
}

impl Translation {
    pub(super) fn of(&mut self, held: &Held) -> Restraint {
        let limits = &held.decision.limits;
        let is_due = self
            .threads_since
            .is_none_or(|since| since.elapsed() >= THREADS_HOLD);
        // The new context lies beside the old one for a moment, for which there is no room while memory is short.
        if limits.threads != self.threads && is_due && limits.keep_idle {
            self.threads = limits.threads;
            self.threads_since = Some(Instant::now());
        }
        let weightiest = held.decision.reasons.first().filter(|_| !limits.load);
        Restraint {
            engine: EngineLimits {
                // In steps, so that a pace that moves a little is not a message to every engine each second.
                duty: (limits.duty * 50.0).round() / 50.0,
                threads: self.threads,
                background: limits.background,
                ..EngineLimits::default()
            },
            drop_idle: !limits.keep_idle,
            no_load: weightiest.map(|reason| NoLoad {
                reason: reason.clone(),
                memory: held.memory,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::{MemoryPressure, ThermalState};
    use crate::throttle::Limits;

    fn held(limits: Limits, reasons: Vec<Reason>) -> Held {
        Held {
            decision: Decision {
                limits,
                reasons,
                ..Decision::default()
            },
            ..Held::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn threads_change_at_most_once_a_minute_and_not_while_memory_is_short() {
        let mut translation = Translation::default();
        let mut threads = |threads, keep_idle| {
            let limits = Limits {
                threads,
                keep_idle,
                ..Limits::default()
            };
            translation.of(&held(limits, vec![])).engine.threads
        };
        assert_eq!(threads(Some(4), false), None);
        assert_eq!(threads(Some(4), true), Some(4));
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(threads(None, true), Some(4));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(threads(None, true), None);
    }

    #[test]
    fn refusals_name_the_model_the_figures_and_a_way_out() {
        let memory = Memory {
            total_bytes: 16_000_000_000,
            used_bytes: 15_500_000_000,
            ..Memory::default()
        };
        let refusal = |reason| {
            let no = NoLoad {
                reason,
                memory: Some(memory),
            };
            no.of("big", 4_200_000_000)
        };
        let short = refusal(Reason::Memory {
            pressure: MemoryPressure::Critical,
            used: Some(0.97),
        });
        assert_eq!(short.code, Code::InsufficientMemory);
        assert_eq!(
            short.message,
            "The model `big`, which needs about 4.2 GB, was not loaded: the system is critically short of memory, and of 16.0 GB \
             only 0.5 GB are free (15.5 GB are used)."
        );
        assert!(short.hint.is_some() && short.retry_after_s.is_some());
        let hot = refusal(Reason::Heat {
            state: ThermalState::Critical,
            celsius: Some(104.0),
        });
        assert_eq!(hot.code, Code::EngineUnavailable);
        assert!(hot.message.contains("too hot: heat (critical, 104 °C)"));
        assert!(
            refusal(Reason::Battery { percent: 8.4 })
                .message
                .contains("8 %")
        );
    }

    #[test]
    fn the_weightiest_reason_is_the_one_a_refusal_names() {
        let closed = Limits {
            load: false,
            ..Limits::default()
        };
        let reasons = vec![Reason::LowPowerMode, Reason::NoSensors];
        let hold = Translation::default().of(&held(closed, reasons.clone()));
        assert_eq!(hold.no_load.unwrap().reason, Reason::LowPowerMode);
        let open = Translation::default().of(&held(Limits::default(), reasons));
        assert_eq!(open, Restraint::default());
    }
}
