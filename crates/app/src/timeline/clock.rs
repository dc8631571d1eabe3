//! Times of the day as people write and read them: local, with the rules of summer time.

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::error::{Code, Error, Result};

/// The time of the day as people say it, with the date when it is not today.
pub(super) fn when(at_ms: i64, now: &Zoned) -> String {
    let Ok(at) = Timestamp::from_millisecond(at_ms) else {
        return "Then".into();
    };
    let at = at.to_zoned(now.time_zone().clone());
    if at.date() == now.date() {
        at.strftime("At %H:%M").to_string()
    } else {
        at.strftime("On %-d %B at %H:%M").to_string()
    }
}

/// The local time of the day, such as `14:32:05`; empty for a time that no calendar has.
pub fn clock_time(at_ms: i64) -> String {
    Timestamp::from_millisecond(at_ms).map_or_else(
        |_| String::new(),
        |at| {
            at.to_zoned(TimeZone::system())
                .strftime("%H:%M:%S")
                .to_string()
        },
    )
}

/// Unix milliseconds of a time that a person typed: `14:32` or `14:32:05` (the last time it was so late), `2026-11-21T14:32` in local
/// time, or with an offset or `Z`.
///
/// # Errors
/// When it is none of these.
pub fn time_of(text: &str) -> Result<i64> {
    parse(text.trim(), &Zoned::now()).ok_or_else(|| {
        let message = format!("`{text}` is not a time.");
        Error::new(Code::InvalidInput, message)
            .hint("Write it as 14:32, 14:32:05, 2026-11-21T14:32 or 2026-11-21T14:32:05Z.")
    })
}

fn parse(text: &str, now: &Zoned) -> Option<i64> {
    let zone = || now.time_zone().clone();
    for format in ["%H:%M", "%H:%M:%S"] {
        if let Ok(time) = Time::strptime(format, text) {
            let today = now.date().to_datetime(time).to_zoned(zone()).ok()?;
            let last = if today > *now {
                let yesterday = now.date().yesterday().ok()?;
                yesterday.to_datetime(time).to_zoned(zone()).ok()?
            } else {
                today
            };
            return Some(last.timestamp().as_millisecond());
        }
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.as_millisecond());
    }
    let local = text.parse::<DateTime>().ok()?;
    Some(local.to_zoned(zone()).ok()?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_type_them() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let now: Timestamp = "2026-09-22T12:32:10Z".parse().unwrap();
        let now = now.to_zoned(zone);
        for (text, expected) in [
            ("14:32", "2026-09-22T12:32:00Z"),
            ("14:32:11", "2026-09-21T12:32:11Z"),
            ("00:00", "2026-09-21T22:00:00Z"),
            ("2026-09-20T14:32", "2026-09-20T12:32:00Z"),
            ("2026-09-20 14:32:05", "2026-09-20T12:32:05Z"),
            ("2026-09-20T14:32:05Z", "2026-09-20T14:32:05Z"),
            ("2026-09-20T14:32:05-01:00", "2026-09-20T15:32:05Z"),
        ] {
            let expected: Timestamp = expected.parse().unwrap();
            assert_eq!(parse(text, &now), Some(expected.as_millisecond()), "{text}");
        }
        for wrong in ["", "noon", "25:00", "14:60", "1790087520000"] {
            assert_eq!(parse(wrong, &now), None, "{wrong}");
        }
        assert_eq!(time_of("noon").unwrap_err().code, Code::InvalidInput);
    }
}
