//! The clocks of the monitor: Unix time, and the time of the day for hours of quiet.

use std::time::{SystemTime, UNIX_EPOCH};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_has_its_minutes() {
        assert!(minute_of_day().is_some_and(|minute| minute < 24 * 60));
    }
}
