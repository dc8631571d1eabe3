//! How the next token is chosen, with the limits of every number.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::request::invalid;

/// How the next token is chosen. The order is the one of llama.cpp: penalties, top_k, typical_p, top_p, min_p, temperature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sampling {
    /// 0 takes the likeliest token; range 0 to 2.
    pub temperature: f32,
    /// 0 is off.
    pub top_k: u32,
    /// 1 is off.
    pub top_p: f32,
    /// 0 is off.
    pub min_p: f32,
    /// 1 is off.
    pub typical_p: f32,
    /// 1 is off.
    pub repeat_penalty: f32,
    /// How many of the last tokens the penalties look at.
    pub repeat_last_n: u32,
    /// 0 is off.
    pub presence_penalty: f32,
    /// 0 is off.
    pub frequency_penalty: f32,
    /// Same seed, same text on the same machine; `None` draws one.
    pub seed: Option<u32>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.3,
            top_k: 40,
            top_p: 0.9,
            min_p: 0.0,
            typical_p: 1.0,
            repeat_penalty: 1.0,
            repeat_last_n: 64,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            seed: None,
        }
    }
}

impl Sampling {
    /// Always the likeliest token.
    pub fn greedy() -> Self {
        Self {
            temperature: 0.0,
            ..Self::default()
        }
    }

    /// Whether the same request is meant to give the same text.
    pub fn is_repeatable(&self) -> bool {
        self.temperature == 0.0 || self.seed.is_some()
    }

    pub(crate) fn validate(&self) -> Result<(), Error> {
        for (field, value, low, high) in [
            ("temperature", self.temperature, 0.0, 2.0),
            ("top_p", self.top_p, 0.0, 1.0),
            ("min_p", self.min_p, 0.0, 1.0),
            ("typical_p", self.typical_p, 0.0, 1.0),
            ("repeat_penalty", self.repeat_penalty, 0.1, 10.0),
            ("presence_penalty", self.presence_penalty, -2.0, 2.0),
            ("frequency_penalty", self.frequency_penalty, -2.0, 2.0),
        ] {
            // Written so that NaN fails.
            if !(value >= low && value <= high) {
                return Err(invalid(
                    field,
                    format!("must be between {low} and {high}, not {value}"),
                ));
            }
        }
        for (field, value, high) in [
            ("top_k", self.top_k, 1_000_000),
            ("repeat_last_n", self.repeat_last_n, 65_536),
        ] {
            if value > high {
                return Err(invalid(
                    field,
                    format!("must be at most {high}, not {value}"),
                ));
            }
        }
        Ok(())
    }
}
