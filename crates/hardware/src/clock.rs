//! What time it is, and how long the machine slept.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::platform;

/// Shorter gaps are two clocks read one after the other, not sleep.
const SHORTEST_SLEEP: Duration = Duration::from_secs(1);

/// Unix milliseconds.
pub(crate) fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

/// Two clocks that only differ by sleep, which nobody can set: time since the machine started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clocks {
    /// Stands still while the machine sleeps.
    pub(crate) awake: Duration,
    /// Goes on while it sleeps.
    pub(crate) passed: Duration,
}

/// Notices that the machine slept, whoever woke it. Ask it at every tick.
#[derive(Debug)]
pub struct SleepWatch {
    last: Option<Clocks>,
}

impl SleepWatch {
    /// Begins to watch now.
    pub fn start() -> Self {
        Self {
            last: platform::os::clocks(),
        }
    }

    /// How long the machine slept since the last call; `None` when it did not, or when that cannot be told here.
    pub fn slept(&mut self) -> Option<Duration> {
        self.compare(platform::os::clocks())
    }

    fn compare(&mut self, now: Option<Clocks>) -> Option<Duration> {
        let last = std::mem::replace(&mut self.last, now)?;
        let now = now?;
        let passed = now.passed.checked_sub(last.passed)?;
        let awake = now.awake.checked_sub(last.awake)?;
        let asleep = passed.checked_sub(awake)?;
        (asleep >= SHORTEST_SLEEP).then_some(asleep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_is_the_difference_of_two_clocks() {
        let clocks = |awake, passed| {
            Some(Clocks {
                awake: Duration::from_millis(awake),
                passed: Duration::from_millis(passed),
            })
        };
        let mut watch = SleepWatch {
            last: clocks(10_000, 50_000),
        };
        assert_eq!(watch.compare(clocks(11_000, 51_000)), None);
        // An hour with the lid closed.
        assert_eq!(
            watch.compare(clocks(12_000, 3_652_000)),
            Some(Duration::from_secs(3600))
        );
        assert_eq!(watch.compare(clocks(13_000, 3_653_000)), None, "once");
        assert_eq!(watch.compare(clocks(14_000, 3_654_900)), None, "too short");
        assert_eq!(watch.compare(clocks(1, 1)), None, "clocks that went back");
        assert_eq!(watch.compare(None), None);
        assert_eq!(watch.compare(clocks(2, 9_000)), None, "nothing to compare");
    }

    #[test]
    fn this_machine_has_both_clocks() {
        let clocks = platform::os::clocks().unwrap();
        assert!(clocks.passed >= clocks.awake, "{clocks:?}");
        assert_eq!(SleepWatch::start().slept(), None);
    }
}
