//! What a setting may hold: plain values of the file, and the checks of their ranges.

use hearth_store::SettingValue;

/// Longest text of a setting in bytes.
const MAX_TEXT_BYTES: usize = 64 * 1024;
/// Names of the alerts, as `alerts.muted` has them.
pub(crate) const ALERTS: [&str; 7] = [
    "memory",
    "long_answer",
    "cache_hits",
    "errors",
    "queue",
    "disk",
    "heat",
];

/// A type that a setting can have.
pub(super) trait Plain: Sized {
    /// The error says why the value is none of this type.
    fn read(value: SettingValue) -> Result<Self, String>;
    fn write(&self) -> SettingValue;
}

impl Plain for bool {
    fn read(value: SettingValue) -> Result<Self, String> {
        match value {
            SettingValue::Bool(value) => Ok(value),
            _ => Err("it must be true or false".into()),
        }
    }

    fn write(&self) -> SettingValue {
        SettingValue::Bool(*self)
    }
}

impl Plain for String {
    fn read(value: SettingValue) -> Result<Self, String> {
        text(value)
    }

    fn write(&self) -> SettingValue {
        SettingValue::Text(self.clone())
    }
}

impl Plain for f64 {
    fn read(value: SettingValue) -> Result<Self, String> {
        match value {
            SettingValue::Float(value) => Ok(value),
            SettingValue::Integer(value) => Ok(value as Self),
            _ => Err("it must be a number".into()),
        }
    }

    fn write(&self) -> SettingValue {
        SettingValue::Float(*self)
    }
}

impl Plain for u32 {
    fn read(value: SettingValue) -> Result<Self, String> {
        match value {
            SettingValue::Integer(value) => {
                Self::try_from(value).map_err(|_| format!("{value} is out of range"))
            }
            _ => Err("it must be a whole number".into()),
        }
    }

    fn write(&self) -> SettingValue {
        SettingValue::Integer(i64::from(*self))
    }
}

pub(super) fn text(value: SettingValue) -> Result<String, String> {
    match value {
        SettingValue::Text(value) => Ok(value),
        _ => Err("it must be text in quotes".into()),
    }
}

type Checked = Result<(), String>;

/// Every value is good.
#[allow(clippy::unnecessary_wraps)] // It stands among checks that can fail.
pub(super) fn any<T>(_: &T) -> Checked {
    Ok(())
}

pub(super) fn within(low: f64, high: f64) -> impl Fn(&f64) -> Checked {
    move |value| {
        // Written so that NaN fails.
        if *value >= low && *value <= high {
            Ok(())
        } else {
            Err(format!("{value} is not between {low} and {high}"))
        }
    }
}

pub(super) fn between(low: u32, high: u32) -> impl Fn(&u32) -> Checked {
    move |value| within(low.into(), high.into())(&f64::from(*value))
}

/// `none`, or what another check takes.
pub(super) fn none_or(none: u32, check: impl Fn(&u32) -> Checked) -> impl Fn(&u32) -> Checked {
    move |value| {
        if *value == none { Ok(()) } else { check(value) }
    }
}

pub(super) fn short(text: &str) -> Checked {
    if text.len() <= MAX_TEXT_BYTES {
        return Ok(());
    }
    Err(format!(
        "the text is {} bytes long, the limit is {MAX_TEXT_BYTES}",
        text.len()
    ))
}

/// The name of a model.
pub(super) fn named(text: &str) -> Checked {
    if text.trim().is_empty() {
        return Err("a model must be named".into());
    }
    short(text)
}

/// Two times of the day.
pub(super) fn hours(text: &str) -> Checked {
    match parse_hours(text) {
        Some((from, to)) if from != to => Ok(()),
        _ => Err(format!("`{text}` is not a time such as `22:00-07:00`")),
    }
}

/// Begin and end in minutes after midnight.
pub(crate) fn parse_hours(text: &str) -> Option<(u32, u32)> {
    let minutes = |time: &str| {
        let (hours, minutes) = time.trim().split_once(':')?;
        let (hours, minutes) = (hours.parse::<u32>().ok()?, minutes.parse::<u32>().ok()?);
        (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
    };
    let (from, to) = text.split_once('-')?;
    Some((minutes(from)?, minutes(to)?))
}

pub(super) fn alert_names(text: &str) -> Checked {
    match text.split_whitespace().find(|name| !ALERTS.contains(name)) {
        Some(name) => Err(format!("`{name}` is none of `{}`", ALERTS.join("`, `"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_two_different_times() {
        assert_eq!(parse_hours("22:00-07:30"), Some((1320, 450)));
        for bad in [
            "",
            "22-7",
            "24:00-07:00",
            "22:60-07:00",
            "22:00",
            "a:b-c:d",
            "22:00-22:00",
        ] {
            assert!(hours(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn alerts_are_muted_by_name() {
        alert_names("memory  heat").unwrap();
        alert_names("").unwrap();
        assert!(alert_names("memory noise").is_err());
    }

    #[test]
    fn ranges_include_their_ends_and_no_nan() {
        assert!(within(0.0, 2.0)(&2.0).is_ok());
        assert!(within(0.0, 2.0)(&f64::NAN).is_err());
        assert!(between(1, 3)(&0).is_err());
        assert!(none_or(0, between(1, 3))(&0).is_ok());
        assert!(none_or(0, between(1, 3))(&4).is_err());
    }
}
