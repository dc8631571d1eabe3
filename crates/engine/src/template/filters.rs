//! What templates may call: JSON as Python writes it, and the date. Also the buffer that a prompt is rendered into.

use std::io::{self, Write};

use minijinja::value::Kwargs;
use minijinja::{Error as JinjaError, ErrorKind, Value};
use serde::Serialize;

/// Widest indent of `tojson`; a wider one would only make a prompt of blanks.
const MAX_INDENT: usize = 16;

/// JSON as Python's `json.dumps` writes it, which is what the models saw in training: a space after `,` and `:`, no HTML escapes.
pub(super) fn to_json(value: &Value, options: Kwargs) -> Result<Value, JinjaError> {
    let indent = options.get::<Option<usize>>("indent")?;
    if indent.is_some_and(|n| n > MAX_INDENT) {
        let message = format!("indent is more than {MAX_INDENT}");
        return Err(JinjaError::new(ErrorKind::InvalidOperation, message));
    }
    let mut json = Limited {
        bytes: Vec::new(),
        limit: crate::request::MAX_PROMPT_BYTES + super::MAX_EXTRA_BYTES,
    };
    let written = match indent {
        Some(n) => {
            let spaces = " ".repeat(n);
            let pretty = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
            value.serialize(&mut serde_json::Serializer::with_formatter(
                &mut json, pretty,
            ))
        }
        None => value.serialize(&mut serde_json::Serializer::with_formatter(
            &mut json,
            PythonFormat,
        )),
    };
    written.map_err(|e| JinjaError::new(ErrorKind::BadSerialization, e.to_string()))?;
    Ok(Value::from_safe_string(
        String::from_utf8_lossy(&json.bytes).into_owned(),
    ))
}

/// `{"a": 1, "b": [1, 2]}`.
struct PythonFormat;

impl serde_json::ser::Formatter for PythonFormat {
    fn begin_array_value<W: ?Sized + Write>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { to.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { to.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        to.write_all(b": ")
    }
}

/// The date in the one form that templates ask for ("%d %b %Y"); the format they pass is not interpreted.
pub(super) fn today() -> String {
    let seconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.as_secs());
    let (year, month, day) = civil_from_days((seconds / 86_400) as i64);
    let names = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    format!("{day:02} {} {year}", names[month - 1])
}

/// Days since 1970-01-01 to year, month (1 to 12) and day. Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn civil_from_days(days: i64) -> (i64, usize, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    (year, month as usize, doy - (153 * mp + 2) / 5 + 1)
}

/// A buffer that refuses to grow past its limit.
pub(super) struct Limited {
    pub bytes: Vec<u8>,
    pub limit: usize,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.limit {
            return Err(io::Error::other(format!(
                "the prompt is longer than {} bytes",
                self.limit
            )));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_date() {
        assert_eq!(civil_from_days(0), (1970, 1, 1));
        assert_eq!(civil_from_days(19_782), (2024, 2, 29));
        assert_eq!(civil_from_days(20_778), (2026, 11, 21));
    }
}
