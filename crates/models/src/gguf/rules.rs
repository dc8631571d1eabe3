//! Typed access to metadata for the rules: a number that must be there, one that may be, one per layer.
//!
//! Apart from the rules so that each of them is one line. llama.cpp insists on exact types (`uint32` for sizes), so these
//! accessors do too. They must not know which keys exist.

use super::metadata::{Entry, Metadata, Value};
use super::reader::invalid;
use super::types::Kind;
use crate::error::{Error, Result};

impl Metadata {
    /// The error for `key`; where the key is missing, its place is the start of the metadata.
    pub(super) fn wrong(&self, key: &str, reason: impl Into<String>) -> Error {
        let offset = self
            .entries
            .get(key)
            .map_or(super::METADATA_OFFSET, |entry| entry.offset);
        invalid(&format_args!("`{key}`"), offset, reason)
    }

    fn of_kind(&self, key: &str, kind: Kind, wanted: &str) -> Result<Option<&Entry>> {
        match self.entries.get(key) {
            None => Ok(None),
            Some(entry) if entry.kind == kind => Ok(Some(entry)),
            Some(_) => Err(self.wrong(key, format!("must be {wanted}"))),
        }
    }

    /// Text, if the key is there.
    pub(super) fn text(&self, key: &str) -> Result<Option<&str>> {
        Ok(self
            .of_kind(key, Kind::String, "a string")?
            .and_then(|entry| match &entry.value {
                Value::Text(text) => Some(text.as_str()),
                _ => None,
            }))
    }

    /// A truth value, if the key is there.
    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>> {
        Ok(self
            .of_kind(key, Kind::Bool, "a bool")?
            .map(|entry| entry.value == Value::Bool(true)))
    }

    /// An unsigned 32-bit number, if the key is there.
    pub(super) fn size(&self, key: &str) -> Result<Option<u64>> {
        Ok(self
            .of_kind(key, Kind::U32, "an unsigned 32-bit number")?
            .and_then(Entry::integer))
    }

    /// Like [`Metadata::size`], within bounds.
    pub(super) fn size_within(&self, key: &str, least: u64, most: u64) -> Result<Option<u64>> {
        match self.size(key)? {
            Some(value) if value < least || value > most => {
                Err(self.wrong(key, format!("is {value}, {least} to {most} are allowed")))
            }
            other => Ok(other),
        }
    }

    /// Like [`Metadata::size_within`], for a key that must be there.
    pub(super) fn required_size(&self, key: &str, least: u64, most: u64) -> Result<u64> {
        self.size_within(key, least, most)?
            .ok_or_else(|| self.wrong(key, "is missing"))
    }

    /// A number that is the same for all layers, or one per layer; empty where the key is missing.
    pub(super) fn per_layer(&self, key: &str, layers: u64, most: u64) -> Result<Vec<u64>> {
        let Some(entry) = self.entries.get(key) else {
            return Ok(Vec::new());
        };
        let values = match &entry.value {
            Value::Integer(value) if entry.kind == Kind::U32 => {
                vec![*value as i64; layers as usize]
            }
            Value::Integers(values) if values.len() as u64 == layers => values.clone(),
            Value::Integers(values) => {
                return Err(self.wrong(
                    key,
                    format!("has {} elements for {layers} layers", values.len()),
                ));
            }
            _ => {
                return Err(self.wrong(
                    key,
                    "must be an unsigned 32-bit number, or one for each layer",
                ));
            }
        };
        values
            .into_iter()
            .map(|value| {
                let value = u64::try_from(value).ok().filter(|value| *value <= most);
                value.ok_or_else(|| self.wrong(key, format!("has a value outside 0 to {most}")))
            })
            .collect()
    }

    /// Number and kind of the elements of an array, if the key is there.
    pub(super) fn array(&self, key: &str) -> Result<Option<(Kind, u64)>> {
        match self.entries.get(key).map(|entry| &entry.value) {
            None => Ok(None),
            Some(Value::Array(kind, count)) => Ok(Some((*kind, *count))),
            Some(Value::Integers(values)) => Ok(Some((Kind::I32, values.len() as u64))),
            Some(_) => Err(self.wrong(key, "must be an array")),
        }
    }
}

impl Entry {
    /// The value as an unsigned number.
    pub(super) fn integer(&self) -> Option<u64> {
        match self.value {
            Value::Integer(value) => u64::try_from(value).ok(),
            _ => None,
        }
    }
}
