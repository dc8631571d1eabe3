//! How the next token is chosen, with the limits of every number.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::backend::Token;
use crate::request::invalid;

pub mod logprobs;

/// Most entries of [`Sampling::logit_bias`].
pub const MAX_BIASES: usize = 1024;
/// Largest change of a logit by [`Sampling::logit_bias`], up or down: as good as certain, as good as never.
pub const MAX_BIAS: f32 = 100.0;
/// Most entries of [`Sampling::dry_breakers`].
pub const MAX_BREAKERS: usize = 16;
/// Longest entry of [`Sampling::dry_breakers`] in bytes; llama.cpp looks at no more.
pub const MAX_BREAKER_BYTES: usize = 40;
/// Most alternatives of [`Sampling::logprobs`].
pub const MAX_LOGPROBS: u8 = 20;

/// How the next token is chosen. The order is the one of llama.cpp: logit bias, penalties, dry, top_n_sigma, top_k,
/// typical_p, top_p, min_p, xtc, temperature. Mirostat takes the place of everything between dry and temperature.
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
    /// Chance that the likeliest tokens are left out where several are likely enough; 0 is off.
    /// Source: p-e-w, "Exclude Top Choices", text-generation-webui pull request 6335.
    pub xtc_probability: f32,
    /// Probability from which a token counts as likely for xtc; above 0.5 xtc does nothing.
    pub xtc_threshold: f32,
    /// Strength of the penalty on repeating a sequence; 0 is off.
    /// Source: p-e-w, "Don't Repeat Yourself", text-generation-webui pull request 5677.
    pub dry_multiplier: f32,
    /// How fast the penalty of dry grows with the length of the repetition.
    pub dry_base: f32,
    /// Repetitions up to this length in tokens cost nothing.
    pub dry_allowed_length: u32,
    /// How many of the last tokens dry looks at; 0 is off.
    pub dry_last_n: u32,
    /// Texts that end a sequence for dry.
    pub dry_breakers: Vec<String>,
    /// 1 and 2 steer by the surprise of the text instead of by top_k, top_p and the like; 0 is off.
    /// Source: Basu et al., arXiv 2007.14966.
    pub mirostat: u8,
    /// The surprise that mirostat aims at, in bits.
    pub mirostat_tau: f32,
    /// How fast mirostat corrects itself.
    pub mirostat_eta: f32,
    /// Keeps the tokens whose logit is within this many standard deviations of the best; 0 is off.
    /// Source: Tang et al., arXiv 2411.07641.
    pub top_n_sigma: f32,
    /// Token and what is added to its logit. A list and not a map, because JSON maps have text for keys.
    pub logit_bias: Vec<(Token, f32)>,
    /// Reports the log-probability of each token and of this many alternatives; `None` reports none.
    pub logprobs: Option<u8>,
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
            xtc_probability: 0.0,
            xtc_threshold: 0.1,
            dry_multiplier: 0.0,
            dry_base: 1.75,
            dry_allowed_length: 2,
            dry_last_n: 1024,
            dry_breakers: ["\n", ":", "\"", "*"].map(str::to_owned).to_vec(),
            mirostat: 0,
            mirostat_tau: 5.0,
            mirostat_eta: 0.1,
            top_n_sigma: 0.0,
            logit_bias: Vec::new(),
            logprobs: None,
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

    /// Checks every number and length against its limit; the error names field, value and limit.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        for (field, value, low, high) in [
            ("temperature", self.temperature, 0.0, 2.0),
            ("top_p", self.top_p, 0.0, 1.0),
            ("min_p", self.min_p, 0.0, 1.0),
            ("typical_p", self.typical_p, 0.0, 1.0),
            ("repeat_penalty", self.repeat_penalty, 0.1, 10.0),
            ("presence_penalty", self.presence_penalty, -2.0, 2.0),
            ("frequency_penalty", self.frequency_penalty, -2.0, 2.0),
            ("xtc_probability", self.xtc_probability, 0.0, 1.0),
            ("xtc_threshold", self.xtc_threshold, 0.0, 1.0),
            ("dry_multiplier", self.dry_multiplier, 0.0, 10.0),
            ("dry_base", self.dry_base, 1.0, 10.0),
            ("mirostat_tau", self.mirostat_tau, 0.0, 20.0),
            ("mirostat_eta", self.mirostat_eta, 0.0, 1.0),
            ("top_n_sigma", self.top_n_sigma, 0.0, 100.0),
        ] {
            // Written so that NaN fails.
            if !(value >= low && value <= high) {
                return Err(invalid(
                    field,
                    format!("must be between {low} and {high}, not {value}"),
                ));
            }
        }
        for (field, value, low, high) in [
            ("top_k", self.top_k, 0, 1_000_000),
            ("repeat_last_n", self.repeat_last_n, 0, 65_536),
            ("dry_allowed_length", self.dry_allowed_length, 1, 65_536),
            ("dry_last_n", self.dry_last_n, 0, 65_536),
            ("mirostat", u32::from(self.mirostat), 0, 2),
            (
                "logprobs",
                u32::from(self.logprobs.unwrap_or(0)),
                0,
                u32::from(MAX_LOGPROBS),
            ),
        ] {
            if value < low || value > high {
                return Err(invalid(
                    field,
                    format!("must be between {low} and {high}, not {value}"),
                ));
            }
        }
        self.validate_lists()
    }

    fn validate_lists(&self) -> Result<(), Error> {
        for (field, length, limit) in [
            ("dry_breakers", self.dry_breakers.len(), MAX_BREAKERS),
            ("logit_bias", self.logit_bias.len(), MAX_BIASES),
        ] {
            if length > limit {
                return Err(invalid(
                    field,
                    format!("has {length} entries, the limit is {limit}"),
                ));
            }
        }
        // llama.cpp takes them as C strings, which end at a zero byte.
        let unfit = |s: &&String| s.is_empty() || s.len() > MAX_BREAKER_BYTES || s.contains('\0');
        if let Some(breaker) = self.dry_breakers.iter().find(unfit) {
            return Err(invalid(
                "dry_breakers",
                format!(
                    "must hold texts of 1 to {MAX_BREAKER_BYTES} bytes without zero bytes, not {breaker:?}"
                ),
            ));
        }
        for (token, bias) in &self.logit_bias {
            if *token < 0 {
                return Err(invalid(
                    "logit_bias",
                    format!("names token {token}, which is negative"),
                ));
            }
            if bias.is_nan() || bias.abs() > MAX_BIAS {
                return Err(invalid(
                    "logit_bias",
                    format!(
                        "must be between -{MAX_BIAS} and {MAX_BIAS}, not {bias} (token {token})"
                    ),
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut Sampling);

    #[test]
    fn refuses_what_is_out_of_range_and_names_it() {
        let cases: [(&str, Change, &str); 16] = [
            ("xtc_probability", |s| s.xtc_probability = 1.5, "1.5"),
            ("xtc_threshold", |s| s.xtc_threshold = f32::NAN, "NaN"),
            ("dry_multiplier", |s| s.dry_multiplier = -1.0, "-1"),
            ("dry_base", |s| s.dry_base = 0.5, "0.5"),
            ("dry_allowed_length", |s| s.dry_allowed_length = 0, "0"),
            ("dry_last_n", |s| s.dry_last_n = 70_000, "65536"),
            (
                "dry_breakers",
                |s| s.dry_breakers = vec!["x".into(); 17],
                "16",
            ),
            (
                "dry_breakers",
                |s| s.dry_breakers = vec!["a\0".into()],
                "zero",
            ),
            (
                "dry_breakers",
                |s| s.dry_breakers = vec![String::new()],
                "1 to 40",
            ),
            ("mirostat", |s| s.mirostat = 3, "3"),
            ("mirostat_tau", |s| s.mirostat_tau = f32::INFINITY, "inf"),
            ("top_n_sigma", |s| s.top_n_sigma = -0.1, "-0.1"),
            ("logit_bias", |s| s.logit_bias = vec![(1, 101.0)], "101"),
            ("logit_bias", |s| s.logit_bias = vec![(-1, 1.0)], "-1"),
            (
                "logit_bias",
                |s| s.logit_bias = vec![(1, 1.0); 1025],
                "1024",
            ),
            ("logprobs", |s| s.logprobs = Some(21), "20"),
        ];
        for (name, change, says) in cases {
            let mut sampling = Sampling::default();
            change(&mut sampling);
            match sampling.validate() {
                Err(Error::InvalidRequest { field, reason }) => {
                    assert_eq!(field, name);
                    assert!(reason.contains(says), "{name}: {reason}");
                }
                other => panic!("{name}: {other:?}"),
            }
        }
    }

    #[test]
    fn crosses_the_pipe() {
        let sampling = Sampling {
            logit_bias: vec![(5, -100.0)],
            logprobs: Some(3),
            ..Sampling::default()
        };
        let json = serde_json::to_string(&sampling).unwrap();
        assert_eq!(serde_json::from_str::<Sampling>(&json).unwrap(), sampling);
    }
}
