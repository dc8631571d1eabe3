//! From counters that only grow to amounts a second.

use std::time::{Duration, Instant};

/// Two looks this close say more about the clock than about the counter.
const SHORTEST: Duration = Duration::from_millis(50);
/// After a longer pause (the machine slept, or the sensor hung) the mean would describe neither before nor after.
const LONGEST: Duration = Duration::from_secs(10);

/// A counter as it was last seen.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    last: Option<(u64, Instant)>,
}

impl Rate {
    /// How much it grew a second since the last call. `None` on the first call, after a long pause, and when the counter went back:
    /// then it was reset, and nobody knows how far it had come. One that wraps says at which value (`wraps_after`, its greatest).
    pub(crate) fn per_second(
        &mut self,
        counter: u64,
        wraps_after: Option<u64>,
        now: Instant,
    ) -> Option<f64> {
        let (before, since) = self.last.replace((counter, now))?;
        let elapsed = now.checked_duration_since(since)?;
        if !(SHORTEST..=LONGEST).contains(&elapsed) {
            return None;
        }
        let grown = match counter.checked_sub(before) {
            Some(grown) => grown,
            // One more, because zero counts too.
            None => wraps_after?
                .checked_sub(before)?
                .checked_add(counter)?
                .checked_add(1)?,
        };
        Some(grown as f64 / elapsed.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_resets_pauses_and_wraps() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut rate = Rate::default();
        assert_eq!(rate.per_second(1000, None, at(0)), None, "the first look");
        assert_eq!(rate.per_second(2000, None, at(500)), Some(2000.0));
        assert_eq!(rate.per_second(2000, None, at(1500)), Some(0.0));
        assert_eq!(rate.per_second(5, None, at(2500)), None, "reset");
        assert_eq!(rate.per_second(10, None, at(2501)), None, "too close");
        assert_eq!(rate.per_second(10, None, at(60_000)), None, "a pause");
        assert_eq!(rate.per_second(90, Some(99), at(61_000)), Some(80.0));
        assert_eq!(rate.per_second(9, Some(99), at(62_000)), Some(19.0));
        // A limit that the counter has passed is wrong, and then nothing is known.
        assert_eq!(rate.per_second(500, Some(99), at(63_000)), Some(491.0));
        assert_eq!(rate.per_second(9, Some(99), at(64_000)), None);
    }
}
