//! Keeps to a cap of the user by pacing: slowly, within bounds, and without swinging.

/// Slowest pace that a cap may ask for.
const LEAST_DUTY: f32 = 0.1;
/// Where the user wants few watts and no sensor tells how many there are.
const BLIND_DUTY: f32 = 0.5;
/// How near to the cap is near enough, as a part of it.
const NEAR: f32 = 0.03;
/// Share of the time that one second of an error as large as the cap takes away. Small against how late watts follow: a machine that
/// goes from idle to full within three times the cap still settles without swinging.
const WATTS_GAIN: f32 = 0.08;
/// Part of the way to the right pace that is gone in a second.
const SPEED_GAIN: f32 = 0.5;

/// The pace that keeps to a cap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pace(f32);

impl Default for Pace {
    fn default() -> Self {
        Self(1.0)
    }
}

/// What the last second was like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Last {
    /// Whether answers were written: without any, watts and speed say nothing about the pace.
    pub(super) running: bool,
    /// The pace that was in force, for whatever reason.
    pub(super) duty: f32,
    pub(super) seconds: f32,
}

impl Pace {
    /// Where the pace will come to, if what is capped follows it in proportion.
    pub(super) fn guess(now: Option<f32>, cap: Option<f32>, duty: f32) -> Self {
        let right = now.zip(cap).filter(|(now, _)| *now > 0.0);
        right.map_or_else(Self::default, |(now, cap)| {
            Self((cap * duty / now).clamp(LEAST_DUTY, 1.0))
        })
    }

    /// Turns the pace so that the machine takes `cap` watts, or less.
    pub(super) fn for_watts(&mut self, now: Option<f32>, cap: f32, last: Last) -> f32 {
        let Some(now) = now else {
            self.0 = BLIND_DUTY;
            return self.0;
        };
        let error = (cap - now) / cap;
        // While something else holds the engines back further, room below the cap is not ours to use.
        let held_elsewhere = error > 0.0 && last.duty < self.0 - 0.01;
        if last.running && error.abs() > NEAR && !held_elsewhere {
            let turn = WATTS_GAIN * error.clamp(-2.0, 1.0) * last.seconds.min(2.0);
            self.0 = (self.0 + turn).clamp(LEAST_DUTY, 1.0);
        }
        self.0
    }

    /// Turns the pace so that `cap` tokens a second are written, or fewer. Speed follows the pace at once and in proportion.
    pub(super) fn for_speed(&mut self, now: Option<f32>, cap: f32, last: Last) -> f32 {
        let Some(now) = now.filter(|now| last.running && *now > 0.0) else {
            return self.0;
        };
        let right = (cap * last.duty / now).clamp(LEAST_DUTY, 1.0);
        if (right - self.0).abs() > NEAR * self.0 {
            self.0 += (right - self.0) * SPEED_GAIN;
        }
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine whose watts follow the pace a second late, as sensors do.
    fn watts_after(idle: f32, full: f32, cap: f32, seconds: usize) -> Vec<f32> {
        let (mut pace, mut duty, mut watts) = (Pace::default(), 1.0, full);
        (0..seconds)
            .map(|_| {
                let last = Last {
                    running: true,
                    duty,
                    seconds: 1.0,
                };
                let next = pace.for_watts(Some(watts), cap, last);
                watts = idle + (full - idle) * duty;
                duty = next;
                watts
            })
            .collect()
    }

    #[test]
    fn watts_come_to_the_cap_and_stay_without_swinging() {
        for (idle, full, cap) in [
            (5.0, 40.0, 20.0),
            (2.0, 60.0, 25.0),
            (5.0, 22.0, 20.0),
            (8.0, 90.0, 30.0),
        ] {
            let watts = watts_after(idle, full, cap, 120);
            for (second, now) in watts.iter().enumerate().skip(60) {
                let off = (now - cap) / cap;
                assert!(off.abs() <= 0.05, "{now} W at {second} s, cap {cap}");
            }
            let turns = watts[60..]
                .windows(3)
                .filter(|w| (w[1] - w[0]) * (w[2] - w[1]) < 0.0);
            assert!(turns.count() <= 2, "swings at cap {cap}");
        }
    }

    #[test]
    fn a_cap_above_what_is_taken_costs_nothing_and_one_below_idle_has_a_bound() {
        assert!((watts_after(5.0, 40.0, 60.0, 60)[59] - 40.0).abs() < 0.01);
        let least = watts_after(30.0, 60.0, 10.0, 60)[59];
        assert!((least - 33.0).abs() < 0.01);
    }

    #[test]
    fn what_is_not_ours_to_use_is_not_taken() {
        let mut pace = Pace(0.5);
        let idle = Last {
            running: false,
            duty: 1.0,
            seconds: 1.0,
        };
        pace.for_watts(Some(5.0), 20.0, idle);
        assert_eq!(pace, Pace(0.5));
        let hot = Last {
            running: true,
            duty: 0.25,
            seconds: 1.0,
        };
        pace.for_watts(Some(5.0), 20.0, hot);
        assert_eq!(pace, Pace(0.5));
        pace.for_watts(None, 20.0, hot);
        assert_eq!(pace, Pace(BLIND_DUTY));
    }

    #[test]
    fn speed_comes_to_the_cap_within_seconds() {
        for (full, cap) in [(80.0, 20.0), (44.0, 40.0), (30.0, 60.0)] {
            let (mut pace, mut duty): (Pace, f32) = (Pace::default(), 1.0);
            for _ in 0..8 {
                let last = Last {
                    running: true,
                    duty,
                    seconds: 1.0,
                };
                duty = pace.for_speed(Some(full * duty), cap, last);
            }
            let speed: f32 = full * duty;
            let right = f32::min(full, cap);
            assert!((speed - right).abs() / right < 0.05, "{speed} of {right}");
        }
    }
}
