//! The clocks of the monitor: Unix time, the time of the day for hours of quiet, and the sleep of the machine.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A gap between the clocks that is no sleep but a clock being set right.
const SET_RIGHT: Duration = Duration::from_secs(5);

pub(super) fn unix_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_millis() as i64)
}

/// Minutes after midnight, local time.
pub(super) fn minute_of_day() -> Option<u32> {
    let now = jiff::Zoned::now();
    u32::try_from(i32::from(now.hour()) * 60 + i32::from(now.minute())).ok()
}

/// Notices that the machine slept: the clock on the wall goes on, the one that counts running time does not.
pub(super) struct SleepClock {
    wall_ms: i64,
    running: Instant,
}

impl SleepClock {
    pub(super) fn start() -> Self {
        Self {
            wall_ms: unix_ms(),
            running: Instant::now(),
        }
    }

    /// When it fell asleep (at the earliest) and for how long, when it slept since the last time.
    pub(super) fn slept(&mut self) -> Option<(i64, Duration)> {
        let now = Self::start();
        let before = std::mem::replace(self, now);
        let ran = self.running.duration_since(before.running);
        gap(before.wall_ms, self.wall_ms, ran).map(|slept| (before.wall_ms, slept))
    }
}

fn gap(from_ms: i64, to_ms: i64, ran: Duration) -> Option<Duration> {
    let passed = Duration::from_millis(u64::try_from(to_ms - from_ms).ok()?);
    passed.checked_sub(ran).filter(|slept| *slept > SET_RIGHT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_is_what_one_clock_saw_and_the_other_did_not() {
        let second = Duration::from_secs(1);
        for (to_ms, ran, slept) in [
            (1000, second, None),
            (4000, second, None),
            (61_000, second, Some(Duration::from_secs(60))),
            (61_000, Duration::from_secs(61), None),
            // The clock was set back.
            (-500_000, second, None),
        ] {
            assert_eq!(gap(0, to_ms, ran), slept, "{to_ms}");
        }
        assert_eq!(SleepClock::start().slept(), None);
    }

    #[test]
    fn the_day_has_its_minutes() {
        assert!(minute_of_day().is_some_and(|minute| minute < 24 * 60));
    }
}
