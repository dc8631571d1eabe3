//! How fast something grows, over its last seconds. Pure: the time comes from outside.

use std::collections::VecDeque;
use std::time::Duration;

/// Over how long speed is measured: long enough to be calm, short enough to show a change.
const WINDOW: Duration = Duration::from_secs(5);
/// A speed over less time than this would be a guess.
const LEAST: Duration = Duration::from_millis(500);

/// What was seen lately.
#[derive(Debug, Default)]
pub(super) struct Speed(VecDeque<(Duration, u64)>);

impl Speed {
    /// The speed in bytes per second after `bytes` were seen at `now`; `None` while it is too early to say.
    pub(super) fn after(&mut self, now: Duration, bytes: u64) -> Option<u64> {
        if self.0.back().is_some_and(|(_, last)| *last > bytes) {
            // It began anew.
            self.0.clear();
        }
        self.0.push_back((now, bytes));
        while self.0.len() > 2 && now.saturating_sub(self.0[1].0) >= WINDOW {
            self.0.pop_front();
        }
        let (since, first) = *self.0.front()?;
        let time = now.saturating_sub(since);
        (time >= LEAST).then(|| ((bytes - first) as f64 / time.as_secs_f64()) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_is_that_of_the_last_seconds() {
        let mut speed = Speed::default();
        let at = Duration::from_millis;
        assert_eq!(speed.after(at(0), 0), None);
        assert_eq!(speed.after(at(250), 100), None);
        assert_eq!(speed.after(at(1000), 1000), Some(1000));
        for second in 2..20 {
            speed.after(at(second * 1000), 1000 + second);
        }
        assert_eq!(speed.after(at(20_000), 1020), Some(1));
        // Begun anew: nothing is known, and nothing is below zero.
        assert_eq!(speed.after(at(20_250), 0), None);
    }
}
