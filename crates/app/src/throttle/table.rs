//! What each state of the machine costs the engines: the one place with these figures.
//!
//! | state | level | duty | threads | requests of programs | waiting | background | idle models | loads |
//! |---|---|---|---|---|---|---|---|---|
//! | heat fair, early | Slowed | 0.8 | all | 2 | | no | stay | yes |
//! | heat fair, balanced | Eased | 1 | all | | | no | stay | yes |
//! | heat fair, late | Free | 1 | all | | | yes | stay | yes |
//! | heat serious, early | Slowed | 0.5 | 3/4 | 1 | 4 | no | stay | yes |
//! | heat serious, balanced | Slowed | 0.6 | 3/4 | 2 | 8 | no | stay | yes |
//! | heat serious, late | Slowed | 0.8 | all | 2 | | no | stay | yes |
//! | heat critical, early | Held | 0.2 | 1/2 | 1 | 2 | no | stay | no |
//! | heat critical, balanced | Held | 0.25 | 1/2 | 1 | 2 | no | stay | no |
//! | heat critical, late | Held | 0.4 | 1/2 | 1 | 4 | no | stay | no |
//! | memory warning | Eased | 1 | all | | | no | go | yes |
//! | memory critical | Held | 1 | all | 1 | 2 | no | go | no |
//! | Low Power Mode | Slowed | 0.6 | all | 2 | | no | stay | yes |
//! | battery, gentle | Slowed | 0.7 | all | 2 | | no | stay | yes |
//! | battery, least | Slowed | 0.5 | all | 0 | 0 | no | stay | yes |
//! | battery below the floor | Held | 0.25 | 1/2 | 0 | 0 | no | stay | no |
//!
//! An empty cell is what the settings say. Heat lets idle models stay: they cost no power, and to load one again costs much. Memory
//! that is short lets running answers go on at full speed, because their end is what frees memory. Slower than on the cool machine
//! counts as serious heat.

use super::{Level, Limits};
use crate::hardware::{MemoryPressure, ThermalState};
use crate::settings::{HeatSlows, OnBattery};

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    pub(super) level: Level,
    pub(super) limits: Limits,
    /// Part of the threads that an engine was loaded with.
    pub(super) threads: f32,
}

const FREE: Step = Step {
    level: Level::Free,
    limits: Limits {
        duty: 1.0,
        threads: None,
        parallel: None,
        queue: None,
        background: true,
        keep_idle: true,
        load: true,
    },
    threads: 1.0,
};

const EASED: Step = Step {
    level: Level::Eased,
    limits: Limits {
        background: false,
        ..FREE.limits
    },
    ..FREE
};

/// Answers are paced.
const fn slowed(duty: f32, threads: f32, parallel: u32, queue: Option<u32>) -> Step {
    Step {
        level: Level::Slowed,
        limits: Limits {
            duty,
            parallel: Some(parallel),
            queue,
            ..EASED.limits
        },
        threads,
    }
}

/// No model is loaded.
const fn held(duty: f32, threads: f32, parallel: u32, queue: u32) -> Step {
    let paced = slowed(duty, threads, parallel, Some(queue));
    Step {
        level: Level::Held,
        limits: Limits {
            load: false,
            ..paced.limits
        },
        threads,
    }
}

const fn without_idle(step: Step) -> Step {
    Step {
        limits: Limits {
            keep_idle: false,
            ..step.limits
        },
        ..step
    }
}

#[allow(clippy::match_same_arms)] // Each row of the table stands for itself.
pub(super) const fn heat(policy: HeatSlows, state: ThermalState) -> Step {
    match (policy, state) {
        (_, ThermalState::Nominal) | (HeatSlows::Late, ThermalState::Fair) => FREE,
        (HeatSlows::Balanced, ThermalState::Fair) => EASED,
        (HeatSlows::Early, ThermalState::Fair) => slowed(0.8, 1.0, 2, None),
        (HeatSlows::Early, ThermalState::Serious) => slowed(0.5, 0.75, 1, Some(4)),
        (HeatSlows::Balanced, ThermalState::Serious) => slowed(0.6, 0.75, 2, Some(8)),
        (HeatSlows::Late, ThermalState::Serious) => slowed(0.8, 1.0, 2, None),
        (HeatSlows::Early, ThermalState::Critical) => held(0.2, 0.5, 1, 2),
        (HeatSlows::Balanced, ThermalState::Critical) => held(0.25, 0.5, 1, 2),
        (HeatSlows::Late, ThermalState::Critical) => held(0.4, 0.5, 1, 4),
    }
}

pub(super) const fn memory(pressure: MemoryPressure) -> Step {
    match pressure {
        MemoryPressure::Normal => FREE,
        MemoryPressure::Warning => without_idle(EASED),
        MemoryPressure::Critical => without_idle(held(1.0, 1.0, 1, 2)),
    }
}

pub(super) const fn low_power() -> Step {
    slowed(0.6, 1.0, 2, None)
}

pub(super) const fn battery(wish: OnBattery) -> Step {
    match wish {
        OnBattery::Same => FREE,
        OnBattery::Gentle => slowed(0.7, 1.0, 2, None),
        OnBattery::Least => slowed(0.5, 1.0, 0, Some(0)),
    }
}

pub(super) const fn battery_floor() -> Step {
    held(0.25, 0.5, 0, 0)
}

/// A cap of the user that is kept by pacing alone.
pub(super) fn paced(duty: f32) -> Step {
    if duty >= 1.0 {
        return FREE;
    }
    Step {
        level: Level::Slowed,
        limits: Limits {
            duty,
            ..EASED.limits
        },
        threads: 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ThermalState::{Critical, Fair, Nominal, Serious};

    /// The rows of the documentation above, so that neither changes alone.
    #[test]
    fn the_documented_table_is_the_one_in_force() {
        let rows = [
            ("heat fair, early", heat(HeatSlows::Early, Fair)),
            ("heat fair, balanced", heat(HeatSlows::Balanced, Fair)),
            ("heat fair, late", heat(HeatSlows::Late, Fair)),
            ("heat serious, early", heat(HeatSlows::Early, Serious)),
            ("heat serious, balanced", heat(HeatSlows::Balanced, Serious)),
            ("heat serious, late", heat(HeatSlows::Late, Serious)),
            ("heat critical, early", heat(HeatSlows::Early, Critical)),
            (
                "heat critical, balanced",
                heat(HeatSlows::Balanced, Critical),
            ),
            ("heat critical, late", heat(HeatSlows::Late, Critical)),
            ("memory warning", memory(MemoryPressure::Warning)),
            ("memory critical", memory(MemoryPressure::Critical)),
            ("Low Power Mode", low_power()),
            ("battery, gentle", battery(OnBattery::Gentle)),
            ("battery, least", battery(OnBattery::Least)),
            ("battery below the floor", battery_floor()),
        ];
        let source = include_str!("table.rs");
        for (name, step) in rows {
            let expected = row(name, &step);
            assert!(source.contains(&expected), "not documented: {expected}");
        }
    }

    fn row(name: &str, step: &Step) -> String {
        let Limits {
            duty,
            parallel,
            queue,
            background,
            keep_idle,
            load,
            ..
        } = step.limits;
        let threads = match step.threads {
            1.0 => "all",
            0.75 => "3/4",
            _ => "1/2",
        };
        let cell = |n: Option<u32>| n.map_or(" ".to_owned(), |n| format!(" {n} "));
        let word = |yes: bool| if yes { "yes" } else { "no" };
        let idle = if keep_idle { "stay" } else { "go" };
        format!(
            "//! | {name} | {:?} | {duty} | {threads} |{}|{}| {} | {idle} | {} |\n",
            step.level,
            cell(parallel),
            cell(queue),
            word(background),
            word(load),
        )
    }

    #[test]
    fn hotter_is_never_faster_and_earlier_never_later() {
        let policies = [HeatSlows::Late, HeatSlows::Balanced, HeatSlows::Early];
        let states = [Nominal, Fair, Serious, Critical];
        for policy in policies {
            for pair in states.windows(2) {
                let (cooler, hotter) = (heat(policy, pair[0]), heat(policy, pair[1]));
                assert!(hotter.limits.duty <= cooler.limits.duty);
                assert!(hotter.level >= cooler.level && hotter.threads <= cooler.threads);
            }
        }
        for state in states {
            for pair in policies.windows(2) {
                assert!(heat(pair[1], state).limits.duty <= heat(pair[0], state).limits.duty);
            }
        }
    }
}
