//! What an answer can be made to conform to, and the checks before anything is compiled.
//!
//! A constraint comes from a stranger. It is refused with a reason when it is too large, too deep or not supported; it is never
//! dropped, because the caller would take any text for text that conforms. [`grammar`] builds the grammar of a request,
//! [`compile`] turns it into token masks. Nothing here knows llama.cpp.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Error;
use crate::request::invalid;

pub mod compile;
pub mod gbnf;
pub mod grammar;
mod keywords;

/// Largest constraint in bytes of text; also the sum over all tools.
pub const MAX_BYTES: usize = 256 * 1024;
/// Deepest nesting of a schema. JSON over the pipe ends at 128 levels.
pub const MAX_DEPTH: usize = 64;
/// Longest regular expression in bytes.
pub const MAX_REGEX_BYTES: usize = 16 * 1024;

/// A language the answer is held to, token by token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum Constraint {
    /// Any JSON object.
    JsonObject,
    /// JSON that is valid under this schema.
    JsonSchema(Value),
    /// A grammar in llama.cpp's GBNF; the start symbol is `root`.
    Gbnf(String),
    /// A regular expression for the whole answer.
    Regex(String),
}

impl Constraint {
    /// Checks sizes, nesting and a schema's keywords; whether the content is supported shows when it is compiled.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        match self {
            Self::JsonObject => Ok(()),
            Self::JsonSchema(schema) => {
                check_schema("json_schema", schema)?;
                keywords::wrong(schema).map_or(Ok(()), |what| {
                    Err(invalid("json_schema", format!("is not valid: {what}")))
                })
            }
            Self::Gbnf(text) => check_text("grammar", text, MAX_BYTES),
            Self::Regex(text) => check_text("regex", text, MAX_REGEX_BYTES),
        }
    }

    /// The request's field that an error is about.
    pub(crate) fn field(&self) -> &'static str {
        match self {
            Self::JsonObject | Self::JsonSchema(_) => "json_schema",
            Self::Gbnf(_) => "grammar",
            Self::Regex(_) => "regex",
        }
    }
}

fn check_text(field: &str, text: &str, limit: usize) -> Result<(), Error> {
    if text.trim().is_empty() {
        return Err(invalid(field, "is empty"));
    }
    if text.len() > limit {
        let reason = format!("is {} bytes long, the limit is {limit}", text.len());
        return Err(invalid(field, reason));
    }
    Ok(())
}

/// Checks depth and size of a schema; returns its size in bytes of JSON.
///
/// The depth comes first and without recursion: writing a value that is too deep would overflow the stack.
pub(crate) fn check_schema(field: &str, schema: &Value) -> Result<usize, Error> {
    if !schema.is_object() && !schema.is_boolean() {
        let reason = format!("must be an object or a boolean, not {}", kind_of(schema));
        return Err(invalid(field, reason));
    }
    let mut left = vec![(schema, 1)];
    while let Some((value, depth)) = left.pop() {
        if depth > MAX_DEPTH {
            let reason = format!("is nested more than {MAX_DEPTH} levels deep");
            return Err(invalid(field, reason));
        }
        match value {
            Value::Array(items) => left.extend(items.iter().map(|v| (v, depth + 1))),
            Value::Object(fields) => left.extend(fields.values().map(|v| (v, depth + 1))),
            _ => {}
        }
    }
    let mut size = Counted(0);
    // Writing into a counter cannot fail.
    let _ = write!(size, "{schema}");
    if size.0 > MAX_BYTES {
        let reason = format!("is {} bytes long, the limit is {MAX_BYTES}", size.0);
        return Err(invalid(field, reason));
    }
    Ok(size.0)
}

pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Counts bytes instead of keeping them.
struct Counted(usize);

impl Write for Counted {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(constraint: Constraint) -> (String, String) {
        match constraint.validate() {
            Err(Error::InvalidRequest { field, reason }) => (field, reason),
            other => panic!("{constraint:?}: {other:?}"),
        }
    }

    #[test]
    fn refuses_what_is_too_deep_too_large_or_no_schema() {
        let mut deep = json!({});
        for _ in 0..MAX_DEPTH {
            deep = json!({ "items": deep });
        }
        let (field, reason) = refusal(Constraint::JsonSchema(deep));
        assert_eq!(field, "json_schema");
        assert!(reason.contains("64 levels"), "{reason}");
        let large = json!({ "const": "x".repeat(MAX_BYTES) });
        assert!(refusal(Constraint::JsonSchema(large)).1.contains("262144"));
        for (value, says) in [
            (json!(null), "null"),
            (json!([]), "array"),
            (json!(3), "number"),
        ] {
            assert!(refusal(Constraint::JsonSchema(value)).1.contains(says));
        }
        assert!(refusal(Constraint::Gbnf(" \n".into())).1.contains("empty"));
        assert!(
            refusal(Constraint::Regex("a".repeat(16_385)))
                .1
                .contains("16384")
        );
        assert_eq!(Constraint::JsonSchema(json!(true)).validate(), Ok(()));
    }
}
