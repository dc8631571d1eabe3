//! Times and durations as this API writes them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

/// "Never" for clients that insist on a time: about as far away as Ollama itself says.
pub(super) const NEVER_MS: i64 = 11_000_000_000_000;

/// RFC 3339 in UTC with microseconds: the one form that Go, JavaScript and every Python's `fromisoformat` read.
pub(super) fn rfc3339(unix_ms: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000)
        // Only a clock thousands of years off is out of range.
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}+00:00",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.microsecond()
    )
}

pub(super) fn now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    rfc3339(now.map_or(0, |time| time.as_millis() as i64))
}

/// Nanoseconds.
pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds of a time in milliseconds; at least one, because programs divide by it and an answer from memory takes no time.
pub(super) fn nanoseconds_of_ms(ms: f64) -> u64 {
    (ms * 1e6).max(1.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_full() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000000+00:00");
        assert_eq!(
            rfc3339(1_795_261_629_042),
            "2026-11-21T11:47:09.042000+00:00"
        );
        assert_eq!(rfc3339(NEVER_MS), "2318-07-30T19:33:20.000000+00:00");
        assert_eq!(rfc3339(i64::MAX), rfc3339(0));
        assert_eq!(nanoseconds_of_ms(1.5), 1_500_000);
        assert_eq!(nanoseconds_of_ms(-1.0), 1);
    }
}
