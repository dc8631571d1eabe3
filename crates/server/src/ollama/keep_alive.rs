//! How long a model stays loaded: a number of seconds, or a text such as `"5m"` or `"1h30m"` as Go writes durations.

use std::time::Duration;

use hearth_app::inference::KeepAlive;
use serde_json::Value;

use crate::refusal::Refusal;

/// What a request says; `None` when it says nothing. Anything negative is for ever.
pub(super) fn parse(value: Option<&Value>) -> Result<Option<KeepAlive>, Refusal> {
    let seconds = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.as_f64(),
        // Some clients write the number as text.
        Some(Value::String(text)) => text.trim().parse().ok().or_else(|| go_seconds(text.trim())),
        Some(_) => None,
    };
    let seconds = seconds.filter(|s: &f64| s.is_finite()).ok_or_else(|| {
        Refusal::invalid(
            "keep_alive",
            "must be a number of seconds, or a duration such as \"5m\" or \"1h30m\"",
        )
    })?;
    Ok(Some(KeepAlive::from_seconds(
        (seconds >= 0.0).then_some(seconds),
    )))
}

/// Whether the model is to be unloaded at once.
pub(super) fn is_zero(keep_alive: Option<KeepAlive>) -> bool {
    keep_alive == Some(KeepAlive::For(Duration::ZERO))
}

/// Seconds of a duration as Go's `time.ParseDuration` reads it: `-1.5h`, `300ms`, `1h30m`.
fn go_seconds(text: &str) -> Option<f64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest.is_empty() {
        return None;
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        seconds += number * unit_seconds(&rest[..letters])?;
        rest = &rest[letters..];
    }
    Some(sign * seconds)
}

fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_and_durations() {
        let seconds = |s: f64| Some(KeepAlive::For(Duration::from_secs_f64(s)));
        for (value, expected) in [
            (json!(null), None),
            (json!(300), seconds(300.0)),
            (json!(0), seconds(0.0)),
            (json!(0.5), seconds(0.5)),
            (json!(-1), Some(KeepAlive::Forever)),
            (json!("-1"), Some(KeepAlive::Forever)),
            (json!("0"), seconds(0.0)),
            (json!("300"), seconds(300.0)),
            (json!("5m"), seconds(300.0)),
            (json!("1h30m"), seconds(5400.0)),
            (json!("1.5h"), seconds(5400.0)),
            (json!("300ms"), seconds(0.3)),
            (json!("-1m"), Some(KeepAlive::Forever)),
            // More than any clock counts.
            (json!(1e300), Some(KeepAlive::Forever)),
        ] {
            assert_eq!(parse(Some(&value)).unwrap(), expected, "{value}");
        }
        assert_eq!(parse(None).unwrap(), None);
        assert!(is_zero(parse(Some(&json!("0s"))).unwrap()));
        assert!(!is_zero(None));
    }

    #[test]
    fn anything_else_is_refused() {
        for value in [
            json!("soon"),
            json!("5 m"),
            json!("5x"),
            json!(""),
            json!("-"),
            json!("m"),
            json!("1.2.3s"),
            json!("5m3"),
            json!(true),
            json!([5]),
            json!({}),
            json!("NaN"),
            json!("inf"),
        ] {
            let refusal = parse(Some(&value)).unwrap_err();
            assert_eq!(refusal.param.as_deref(), Some("keep_alive"), "{value}");
        }
    }
}
