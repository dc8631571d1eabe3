//! Values that clients write in more than one way: `null` for nothing, `128.0` for 128, one text for a list of one.
//!
//! Real servers of these dialects take all of them, so clients send all of them. What cannot be meant is still refused.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// `null` is the default value.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A whole number, also with a fraction of zero; `null` is `None`.
pub(crate) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let Some(number) = Option::<serde_json::Number>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let exact = number.as_i64().or_else(|| {
        let float = number.as_f64()?;
        // Every number in this range is exact, and none outside of it is meant.
        (float.fract() == 0.0 && float.abs() <= 9e15).then_some(float as i64)
    });
    exact
        .map(Some)
        .ok_or_else(|| D::Error::custom(format_args!("{number} is not a whole number")))
}

/// One text or a list of them.
pub(crate) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Texts {
        One(String),
        Many(Vec<String>),
    }
    let texts = Option::<Texts>::deserialize(deserializer)
        .map_err(|_| D::Error::custom("expected a text or a list of texts"))?;
    Ok(match texts {
        None => Vec::new(),
        Some(Texts::One(text)) => vec![text],
        Some(Texts::Many(texts)) => texts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct All {
        #[serde(default, deserialize_with = "or_default")]
        text: String,
        #[serde(default, deserialize_with = "whole")]
        number: Option<i64>,
        #[serde(default, deserialize_with = "texts")]
        list: Vec<String>,
    }

    fn read(json: &str) -> Result<(String, Option<i64>, Vec<String>), serde_json::Error> {
        serde_json::from_str(json).map(|all: All| (all.text, all.number, all.list))
    }

    #[test]
    fn what_is_meant_is_taken_and_nothing_else() {
        let nothing = (String::new(), None, Vec::new());
        assert_eq!(read("{}").unwrap(), nothing);
        let nulls = r#"{"text": null, "number": null, "list": null}"#;
        assert_eq!(read(nulls).unwrap(), nothing);
        assert_eq!(read(r#"{"number": 128.0}"#).unwrap().1, Some(128));
        assert_eq!(read(r#"{"number": -1}"#).unwrap().1, Some(-1));
        assert_eq!(read(r#"{"list": "a"}"#).unwrap().2, ["a"]);
        assert_eq!(read(r#"{"list": ["a", "b"]}"#).unwrap().2, ["a", "b"]);
        for wrong in [
            r#"{"number": 1.5}"#,
            r#"{"number": 1e300}"#,
            r#"{"number": "1"}"#,
            r#"{"list": [1]}"#,
            r#"{"text": 1}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
