//! Notices that a model writes slower than it did on the cool machine, whatever the system says about heat.

use super::decide::Speed;
use super::rung::HOLD_S;

/// Below this part of the cool speed something is wrong.
const SLOW: f32 = 0.8;
/// Above this part it is well again.
const WELL: f32 = 0.9;
/// How long it must have been slow, in seconds: one busy moment is none.
const SLOW_FOR_S: f32 = 5.0;
/// A machine that wrote nothing for so long has cooled, in seconds.
const RESTED_S: f32 = 60.0;

/// What the rule has seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Slower {
    slow_for_s: f32,
    well_for_s: f32,
    idle_for_s: f32,
    holds: Option<Evidence>,
}

/// The figures that say so.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Evidence {
    pub(super) model: String,
    pub(super) now: f32,
    pub(super) cool: f32,
}

impl Slower {
    /// `duty` is the pace that was in force, which is not held against the model; `explained` says that something else makes it slow.
    pub(super) fn step(
        &mut self,
        speed: Option<&Speed>,
        duty: f32,
        explained: bool,
        seconds: f32,
    ) -> Option<&Evidence> {
        let measured = speed.and_then(|speed| {
            let cool = speed.cool?;
            let part = speed.tokens_per_second / duty.max(0.05) / cool;
            Some((speed, cool, part))
        });
        match measured {
            Some((speed, cool, part)) => self.measured(speed, cool, part, explained, seconds),
            None => self.idle_for_s += seconds,
        }
        if self.idle_for_s >= RESTED_S || self.well_for_s >= HOLD_S {
            *self = Self::default();
        }
        self.holds.as_ref()
    }

    fn measured(&mut self, speed: &Speed, cool: f32, part: f32, explained: bool, seconds: f32) {
        self.idle_for_s = 0.0;
        let is_slow = part < SLOW && !explained;
        self.slow_for_s = if is_slow {
            self.slow_for_s + seconds
        } else {
            0.0
        };
        if self.holds.is_some() {
            let is_well = part >= WELL || explained;
            self.well_for_s = if is_well {
                self.well_for_s + seconds
            } else {
                0.0
            };
        }
        if self.holds.is_some() || self.slow_for_s >= SLOW_FOR_S {
            self.holds = Some(Evidence {
                model: speed.model.clone(),
                now: speed.tokens_per_second,
                cool,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speed(tokens_per_second: f32) -> Speed {
        Speed {
            model: "m".into(),
            tokens_per_second,
            cool: Some(40.0),
        }
    }

    /// Whether the rule holds after each second of these speeds at full pace; 0 is nothing written.
    fn after(speeds: impl IntoIterator<Item = f32>) -> Vec<bool> {
        let mut rule = Slower::default();
        let step = |now: f32| {
            let speed = (now > 0.0).then(|| speed(now));
            rule.step(speed.as_ref(), 1.0, false, 1.0).is_some()
        };
        speeds.into_iter().map(step).collect()
    }

    #[test]
    fn it_takes_seconds_to_hold_and_a_quarter_minute_to_let_go() {
        assert_eq!(after([20.0; 4]), [false; 4]);
        assert!(after([20.0; 5])[4]);
        let one_busy_moment = after([20.0, 20.0, 20.0, 20.0, 39.0, 20.0, 20.0, 20.0, 20.0]);
        assert_eq!(one_busy_moment, [false; 9]);
        let back = after([[20.0; 5].as_slice(), &[39.0; 15]].concat());
        assert!(back[18] && !back[19]);
        // Not well enough: between slow and well it stays as it is.
        let between = after([[20.0; 5].as_slice(), &[34.0; 40]].concat());
        assert!(between[44]);
        assert!(!after([34.0; 40])[39]);
        let rested = after([[20.0; 5].as_slice(), &[0.0; 60]].concat());
        assert!(rested[63] && !rested[64]);
    }

    #[test]
    fn the_own_pace_and_other_reasons_are_not_held_against_the_model() {
        let mut rule = Slower::default();
        for _ in 0..20 {
            assert_eq!(rule.step(Some(&speed(22.0)), 0.6, false, 1.0), None);
        }
        for _ in 0..20 {
            assert_eq!(rule.step(Some(&speed(22.0)), 1.0, true, 1.0), None);
        }
        let unknown = Speed {
            cool: None,
            ..speed(1.0)
        };
        for _ in 0..20 {
            assert_eq!(rule.step(Some(&unknown), 1.0, false, 1.0), None);
        }
    }
}
