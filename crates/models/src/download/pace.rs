//! A bound on how much is fetched in a second, over all downloads. Pure: the time comes from outside.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The bound, and when it lets the next bytes through.
#[derive(Debug, Default)]
pub struct Cap {
    /// 0 is none.
    bytes_per_second: AtomicU64,
    free_at: Mutex<Duration>,
}

impl Cap {
    /// Sets the bound in bytes per second; `None` takes it away.
    pub fn set(&self, bytes_per_second: Option<u64>) {
        let rate = bytes_per_second.unwrap_or(0);
        self.bytes_per_second.store(rate, Ordering::Relaxed);
    }

    /// The bound in bytes per second.
    pub fn get(&self) -> Option<u64> {
        let rate = self.bytes_per_second.load(Ordering::Relaxed);
        (rate > 0).then_some(rate)
    }

    /// How long whoever took so many bytes at `now` waits before taking more. What nobody used is not saved up.
    pub(super) fn take(&self, bytes: u64, now: Duration) -> Duration {
        let rate = self.bytes_per_second.load(Ordering::Relaxed);
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        if rate == 0 {
            *free_at = Duration::ZERO;
            return Duration::ZERO;
        }
        *free_at = (*free_at).max(now) + Duration::from_secs_f64(bytes as f64 / rate as f64);
        free_at.saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_takers_together_stay_below_the_bound() {
        let cap = Cap::default();
        let second = Duration::from_secs(1);
        assert_eq!(cap.take(1 << 40, second), Duration::ZERO);
        cap.set(Some(1000));
        assert_eq!(cap.take(500, second), second / 2);
        // Another one comes at the same time, and waits for the first too.
        assert_eq!(cap.take(500, second), second);
        // A long rest saves nothing up.
        assert_eq!(cap.take(1000, second * 100), second);
        cap.set(None);
        assert_eq!(cap.take(1 << 40, second * 100), Duration::ZERO);
    }
}
