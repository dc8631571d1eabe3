//! The rules together, second by second.

use proptest::prelude::*;

use super::*;
use crate::hardware::{Battery, Memory};
use crate::settings::{HeatSlows, OnBattery, Settings};
use crate::throttle::{Level, Limits};

fn nominal() -> Reading {
    Reading {
        thermal: Some(ThermalState::Nominal),
        cpu_celsius: Some(60.0),
        ..Reading::default()
    }
}

fn hot(state: ThermalState) -> Reading {
    Reading {
        thermal: Some(state),
        cpu_celsius: Some(96.0),
        ..nominal()
    }
}

fn policy() -> Policy {
    Policy::of(&Settings::default(), None)
}

/// A machine that runs for a while under one policy.
struct Run {
    state: State,
    policy: Policy,
    duty: f32,
}

impl Run {
    fn new(policy: Policy) -> Self {
        Self {
            state: State::default(),
            policy,
            duty: 1.0,
        }
    }

    fn second(&mut self, reading: &Reading, speed: Option<&Speed>) -> Decision {
        let input = Input {
            reading,
            speed,
            policy: &self.policy,
            threads: 8,
            duty: self.duty,
            seconds: 1.0,
            busy_elsewhere: false,
        };
        let (decision, next) = decide(&input, &self.state);
        self.state = next;
        self.duty = decision.limits.duty;
        decision
    }

    fn seconds(&mut self, count: usize, reading: &Reading) -> Decision {
        (0..count)
            .map(|_| self.second(reading, None))
            .last()
            .unwrap()
    }
}

#[test]
fn a_hot_afternoon_follows_the_table_and_is_given_back_slowly() {
    use ThermalState::{Critical, Fair, Serious};
    let mut run = Run::new(policy());
    assert_eq!(run.seconds(1, &nominal()), Decision::default());
    for (state, level, duty) in [
        (Fair, Level::Eased, 1.0),
        (Serious, Level::Slowed, 0.6),
        (Critical, Level::Held, 0.25),
    ] {
        let decision = run.seconds(1, &hot(state));
        assert_eq!((decision.level, decision.limits.duty), (level, duty));
        let reason = Reason::Heat {
            state,
            celsius: Some(96.0),
        };
        assert_eq!(decision.reasons, [reason]);
    }
    for (seconds, level) in [
        (14, Level::Held),
        (1, Level::Slowed),
        (14, Level::Slowed),
        (1, Level::Eased),
        (15, Level::Free),
    ] {
        assert_eq!(run.seconds(seconds, &nominal()).level, level);
    }
}

#[test]
fn another_policy_counts_at_once() {
    let mut run = Run::new(policy());
    run.seconds(5, &hot(ThermalState::Fair));
    run.policy.heat = HeatSlows::Late;
    assert_eq!(run.seconds(1, &hot(ThermalState::Fair)).level, Level::Free);
    run.policy.heat = HeatSlows::Early;
    assert_eq!(
        run.seconds(1, &hot(ThermalState::Fair)).level,
        Level::Slowed
    );
}

#[test]
fn without_the_system_the_temperature_counts_and_without_both_it_says_so() {
    let at = |celsius| Reading {
        thermal: None,
        cpu_celsius: celsius,
        ..Reading::default()
    };
    for (celsius, level) in [
        (84.0, Level::Free),
        (85.0, Level::Eased),
        (95.0, Level::Slowed),
        (104.0, Level::Held),
    ] {
        let decision = Run::new(policy()).seconds(1, &at(Some(celsius)));
        assert_eq!(decision.level, level, "{celsius} °C");
    }
    let blind = Run::new(policy()).seconds(1, &at(None));
    assert_eq!(
        (blind.level, blind.limits),
        (Level::Free, Limits::default())
    );
    assert_eq!(blind.reasons, [Reason::NoSensors]);
    // Where the system speaks it is believed: chips are built for 100 °C.
    let warm = Reading {
        thermal: Some(ThermalState::Nominal),
        ..at(Some(101.0))
    };
    assert_eq!(Run::new(policy()).seconds(1, &warm), Decision::default());
}

#[test]
fn sensors_that_vanish_do_not_free_a_hot_machine_at_once() {
    let mut run = Run::new(policy());
    run.seconds(3, &hot(ThermalState::Serious));
    let gone = Reading::default();
    assert_eq!(run.seconds(14, &gone).level, Level::Slowed);
    let after = run.seconds(60, &gone);
    assert_eq!(after.reasons, [Reason::NoSensors]);
}

#[test]
fn short_memory_lets_idle_models_go_and_then_refuses_loads() {
    let memory = |pressure, used: u64| Reading {
        pressure,
        memory: Some(Memory {
            total_bytes: 100,
            used_bytes: used,
            ..Memory::default()
        }),
        ..nominal()
    };
    let of = |reading| Run::new(policy()).seconds(1, &reading);
    assert_eq!(
        of(memory(Some(MemoryPressure::Normal), 95)),
        Decision::default()
    );
    for reading in [
        memory(Some(MemoryPressure::Normal), 96),
        memory(None, 96),
        memory(Some(MemoryPressure::Warning), 50),
    ] {
        let warned = of(reading);
        assert_eq!((warned.level, warned.limits.duty), (Level::Eased, 1.0));
        assert!(!warned.limits.keep_idle && !warned.limits.background && warned.limits.load);
    }
    let critical = of(memory(Some(MemoryPressure::Critical), 97));
    assert!(!critical.limits.load && !critical.limits.keep_idle);
    assert_eq!((critical.level, critical.limits.duty), (Level::Held, 1.0));
    let reason = Reason::Memory {
        pressure: MemoryPressure::Critical,
        used: Some(0.97),
    };
    assert_eq!(critical.reasons, [reason]);
    let nothing = of(memory(None, 0));
    assert_eq!(nothing, Decision::default());
}

#[test]
fn power_is_saved_as_the_user_wants() {
    let on_battery = |percent| Reading {
        on_mains: Some(false),
        battery: Some(Battery {
            percent,
            charging: false,
            watts: None,
            minutes_left: None,
        }),
        ..nominal()
    };
    let level = |policy: Policy, reading: &Reading| Run::new(policy).seconds(1, reading);
    assert_eq!(level(policy(), &on_battery(50.0)), Decision::default());
    for (wish, duty, parallel) in [
        (OnBattery::Gentle, 0.7, Some(2)),
        (OnBattery::Least, 0.5, Some(0)),
    ] {
        let policy = Policy {
            on_battery: wish,
            ..policy()
        };
        let decision = level(policy, &on_battery(50.0));
        assert_eq!(
            (decision.limits.duty, decision.limits.parallel),
            (duty, parallel)
        );
        assert_eq!(decision.reasons, [Reason::Battery { percent: 50.0 }]);
        assert_eq!(level(policy, &nominal()), Decision::default());
    }
    let saving = Reading {
        low_power: Some(true),
        ..nominal()
    };
    assert_eq!(level(policy(), &saving).reasons, [Reason::LowPowerMode]);
    let never = Policy {
        low_power_slows: false,
        ..policy()
    };
    assert_eq!(level(never, &saving), Decision::default());

    let floor = Policy {
        battery_floor: Some(20.0),
        ..policy()
    };
    let mut run = Run::new(floor);
    assert_eq!(run.seconds(1, &on_battery(20.0)).level, Level::Free);
    assert_eq!(run.seconds(1, &on_battery(19.9)).level, Level::Held);
    assert_eq!(run.seconds(60, &on_battery(21.0)).level, Level::Held);
    assert_eq!(run.seconds(15, &on_battery(22.0)).level, Level::Free);
}

#[test]
fn a_cap_of_tokens_is_kept_and_heat_is_still_stricter() {
    let quiet = Policy {
        quiet_speed: Some(10.0),
        ..policy()
    };
    let mut run = Run::new(quiet);
    let mut decision = Decision::default();
    for _ in 0..10 {
        let speed = Speed {
            model: "m".into(),
            tokens_per_second: 40.0 * run.duty,
            cool: None,
        };
        decision = run.second(&nominal(), Some(&speed));
    }
    assert!((decision.limits.duty - 0.25).abs() < 0.02);
    assert_eq!(decision.reasons, [Reason::QuietSpeed { cap: 10.0 }]);
    assert!(decision.limits.load && decision.limits.keep_idle);
}

#[test]
fn a_system_that_lies_is_found_out_by_our_own_speed() {
    let speed = |tokens_per_second| Speed {
        model: "m".into(),
        tokens_per_second,
        cool: Some(44.0),
    };
    let mut run = Run::new(policy());
    for _ in 0..30 {
        assert_eq!(
            run.second(&nominal(), Some(&speed(43.0))),
            Decision::default()
        );
    }
    let slow = (0..5).map(|_| run.second(&nominal(), Some(&speed(26.0))));
    let found: Vec<Decision> = slow.collect();
    assert_eq!(found[3], Decision::default());
    assert_eq!((found[4].level, found[4].limits.duty), (Level::Slowed, 0.6));
    let reason = Reason::SlowerThanCool {
        model: "m".into(),
        now: 26.0,
        cool: 44.0,
    };
    assert_eq!(found[4].reasons, [reason]);
    // At the slower pace the chip recovers; that alone brings the full pace back after the hold.
    let after: Vec<Level> = (0..15)
        .map(|_| run.second(&nominal(), Some(&speed(0.6 * 42.0))).level)
        .collect();
    assert_eq!((after[13], after[14]), (Level::Slowed, Level::Free));
}

#[test]
fn a_slow_answer_with_another_explanation_is_no_heat() {
    let speed = Speed {
        model: "m".into(),
        tokens_per_second: 20.0,
        cool: Some(44.0),
    };
    let explained = [
        Reading {
            on_mains: Some(false),
            ..nominal()
        },
        Reading {
            pressure: Some(MemoryPressure::Warning),
            ..nominal()
        },
    ];
    for reading in explained {
        let mut run = Run::new(policy());
        for _ in 0..20 {
            let decision = run.second(&reading, Some(&speed));
            let is_slower = |r: &Reason| matches!(r, Reason::SlowerThanCool { .. });
            assert!(!decision.reasons.iter().any(is_slower));
        }
    }
}

prop_compose! {
    fn any_reading()(
        thermal in prop::option::of(0_u8..4),
        pressure in prop::option::of(0_u8..3),
        celsius in prop::option::of(any::<f32>()),
        watts in prop::option::of(any::<f32>()),
        percent in prop::option::of(any::<f32>()),
        on_mains in any::<Option<bool>>(),
        low_power in any::<Option<bool>>(),
        (total_bytes, used_bytes) in any::<(u64, u64)>(),
    ) -> Reading {
        Reading {
            thermal: thermal.map(thermal_of),
            pressure: pressure.map(|p| match p {
                0 => MemoryPressure::Normal,
                1 => MemoryPressure::Warning,
                _ => MemoryPressure::Critical,
            }),
            cpu_celsius: celsius,
            system_watts: watts,
            battery: percent.map(|percent| Battery {
                percent,
                charging: false,
                watts: None,
                minutes_left: None,
            }),
            on_mains,
            low_power,
            memory: Some(Memory {
                total_bytes,
                used_bytes,
                ..Memory::default()
            }),
            ..Reading::default()
        }
    }
}

proptest! {
    /// Whatever sensors say, limits stay in their ranges, a level has its reason, and the state heals.
    #[test]
    fn garbage_gives_limits_that_can_be_kept(
        readings in prop::collection::vec(any_reading(), 1..60),
        speed in any::<f32>(),
        cool in any::<Option<f32>>(),
    ) {
        let wishes = Policy {
            on_battery: OnBattery::Gentle,
            battery_floor: Some(20.0),
            quiet_watts: Some(20.0),
            quiet_speed: Some(10.0),
            ..policy()
        };
        let mut run = Run::new(wishes);
        let speed = Speed { model: "m".into(), tokens_per_second: speed, cool };
        for reading in &readings {
            let decision = run.second(reading, Some(&speed));
            prop_assert!((0.05..=1.0).contains(&decision.limits.duty));
            prop_assert_eq!(decision.limits.threads.unwrap_or(1).clamp(1, 8), decision.limits.threads.unwrap_or(1));
            prop_assert!(decision.level == Level::Free || !decision.reasons.is_empty());
        }
        run.policy = policy();
        let after = run.seconds(120, &nominal());
        prop_assert_eq!(after, Decision::default());
    }

    /// Noise between two neighbouring states changes the level at most once in a quarter of a minute.
    #[test]
    fn noise_does_not_make_the_level_flap(noise in prop::collection::vec(any::<bool>(), 600)) {
        let mut run = Run::new(policy());
        let mut changes = 0;
        let mut last = Level::Free;
        for hotter in noise {
            let state = if hotter { ThermalState::Serious } else { ThermalState::Fair };
            let level = run.second(&hot(state), None).level;
            changes += usize::from(level != last);
            last = level;
        }
        prop_assert!(changes <= 2 * 600 / 15 + 2);
    }
}
