//! Several reasons at once: the strictest of each limit holds, the weightiest reason comes first.

use super::table::Step;
use super::{Decision, Level, Limits, Reason};

impl Limits {
    /// What keeps to both.
    fn and(self, other: Self) -> Self {
        Self {
            duty: if other.duty < self.duty {
                other.duty
            } else {
                self.duty
            },
            threads: least(self.threads, other.threads),
            parallel: least(self.parallel, other.parallel),
            queue: least(self.queue, other.queue),
            background: self.background && other.background,
            keep_idle: self.keep_idle && other.keep_idle,
            load: self.load && other.load,
        }
    }
}

fn least(a: Option<u32>, b: Option<u32>) -> Option<u32> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// What holds when all of these do; `threads` is how many an engine is loaded with.
pub(super) fn combine(mut held: Vec<(Step, Reason)>, threads: u32) -> Decision {
    held.retain(|(step, _)| step.level > Level::Free);
    // A stable order, so that the same reasons always come in the same one.
    held.sort_by(|(a, _), (b, _)| {
        let duty = a.limits.duty.total_cmp(&b.limits.duty);
        b.level.cmp(&a.level).then(duty)
    });
    let mut decision = Decision::default();
    for (step, reason) in held {
        let mut limits = step.limits;
        if step.threads < 1.0 {
            let part = (threads as f32 * step.threads).ceil() as u32;
            limits.threads = Some(part.max(1)).filter(|part| *part < threads);
        }
        decision.level = decision.level.max(step.level);
        decision.limits = decision.limits.and(limits);
        decision.reasons.push(reason);
    }
    decision
}

impl Decision {
    /// Whether the difference to another one is worth telling: another level, another reason, or clearly other limits. Figures that
    /// move a little every second are not.
    pub fn differs_from(&self, other: &Self) -> bool {
        let reasons = |d: &Self| -> Vec<_> { d.reasons.iter().map(Reason::kind).collect() };
        let coarse = |limits: Limits| Limits {
            duty: 1.0,
            ..limits
        };
        self.level != other.level
            || coarse(self.limits) != coarse(other.limits)
            || (self.limits.duty - other.limits.duty).abs() > 0.15
            || reasons(self) != reasons(other)
    }
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;
    use crate::hardware::{MemoryPressure, ThermalState};
    use crate::settings::{HeatSlows, OnBattery};

    fn heat(state: ThermalState) -> (Step, Reason) {
        let reason = Reason::Heat {
            state,
            celsius: Some(90.0),
        };
        (table::heat(HeatSlows::Balanced, state), reason)
    }

    #[test]
    fn the_strictest_limit_holds_and_the_weightiest_reason_comes_first() {
        let short = Reason::Memory {
            pressure: MemoryPressure::Critical,
            used: Some(0.97),
        };
        let all = vec![
            heat(ThermalState::Serious),
            (table::memory(MemoryPressure::Critical), short.clone()),
            (
                table::battery(OnBattery::Gentle),
                Reason::Battery { percent: 50.0 },
            ),
        ];
        let decision = combine(all, 8);
        assert_eq!(decision.level, Level::Held);
        assert_eq!(decision.reasons[0], short);
        assert_eq!(decision.reasons.len(), 3);
        let expected = Limits {
            duty: 0.6,
            threads: Some(6),
            parallel: Some(1),
            queue: Some(2),
            background: false,
            keep_idle: false,
            load: false,
        };
        assert_eq!(decision.limits, expected);
    }

    #[test]
    fn threads_are_a_part_of_those_of_the_machine_and_one_stays() {
        let threads = |of| {
            combine(vec![heat(ThermalState::Critical)], of)
                .limits
                .threads
        };
        assert_eq!([8, 5, 2, 1].map(threads), [Some(4), Some(3), Some(1), None]);
    }

    #[test]
    fn small_moves_are_not_told() {
        let at = |duty, now| Decision {
            level: Level::Slowed,
            limits: Limits {
                duty,
                ..Limits::default()
            },
            reasons: vec![Reason::QuietWatts { now, cap: 20.0 }],
        };
        assert!(!at(0.5, Some(21.0)).differs_from(&at(0.55, Some(19.0))));
        assert!(at(0.5, Some(21.0)).differs_from(&at(0.8, Some(21.0))));
        assert!(at(0.5, None).differs_from(&Decision::default()));
        let hot = |state| combine(vec![heat(state)], 4);
        assert!(hot(ThermalState::Serious).differs_from(&hot(ThermalState::Fair)));
    }
}
