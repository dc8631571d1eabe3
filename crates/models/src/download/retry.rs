//! How long to wait before the next try, and when there is none. Pure.

use std::time::Duration;

/// Most tries in a row that bring nothing.
const MAX_TRIES: u32 = 6;
/// Wait after the first one; each doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A try that brought as much as this was none in vain.
const WORTH_BYTES: u64 = 1 << 20;

/// Counts the tries of one file.
#[derive(Debug, Default)]
pub(super) struct Retries {
    in_vain: u32,
}

impl Retries {
    /// How many tries in a row brought nothing.
    pub(super) fn in_vain(&self) -> u32 {
        self.in_vain
    }

    /// The wait before the next try, `None` when there shall be none. `gained` is what the last one brought, in bytes, `told` how long
    /// the other side wants to be left alone, and `chance`, 0 to 1, spreads those who were cut off at the same time.
    pub(super) fn next(
        &mut self,
        gained: u64,
        told: Option<Duration>,
        chance: f64,
    ) -> Option<Duration> {
        if gained >= WORTH_BYTES {
            self.in_vain = 0;
        }
        self.in_vain += 1;
        if self.in_vain >= MAX_TRIES {
            return None;
        }
        let doubled = FIRST_WAIT
            .saturating_mul(1 << (self.in_vain - 1))
            .min(LONGEST_WAIT);
        let chance = if (0.0..=1.0).contains(&chance) {
            chance
        } else {
            1.0
        };
        // Half of it for certain, the other half by chance; never earlier than told.
        let spread = doubled.mul_f64(0.5 + 0.5 * chance);
        Some(told.map_or(spread, |told| told + spread.mul_f64(0.1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let mut retries = Retries::default();
        let waits: Vec<_> = (0..7).map(|_| retries.next(0, None, 1.0)).collect();
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(waits[..5], [1, 2, 4, 8, 16].map(seconds));
        assert_eq!(waits[5..], [None, None]);
    }

    #[test]
    fn a_try_that_brought_something_counts_anew() {
        let mut retries = Retries::default();
        for _ in 0..100 {
            assert!(retries.next(WORTH_BYTES, None, 0.0).is_some());
        }
        for _ in 0..4 {
            assert!(retries.next(WORTH_BYTES - 1, None, 0.0).is_some());
        }
        assert!(retries.next(0, None, 0.0).is_none());
    }

    #[test]
    fn what_is_told_is_the_least() {
        let told = Duration::from_secs(40);
        for chance in [0.0, 0.3, 1.0, 7.0, f64::NAN] {
            let wait = Retries::default().next(0, Some(told), chance).unwrap();
            assert!(wait >= told && wait < told * 2, "{wait:?}");
        }
    }
}
