//! The numbers of a request that decide how tokens are chosen. The same in chat and in completions, so checked here once.
//!
//! What is not said keeps the engine's default. Ranges are the engine's: it names the field, the value and the limit.

use std::collections::BTreeMap;

use hearth_app::engine::Sampling;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::refusal::Refusal;

/// `stop`: one text or several.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected a string or a list of strings")]
pub(crate) enum Stop {
    One(String),
    Many(Vec<String>),
}

impl Stop {
    pub(super) fn list(stop: Option<Self>) -> Vec<String> {
        match stop {
            None => Vec::new(),
            Some(Self::One(text)) => vec![text],
            Some(Self::Many(list)) => list,
        }
    }
}

/// What a request says of sampling; each field as the API names it.
#[derive(Debug, Default)]
pub(super) struct Knobs {
    pub(super) temperature: Option<f32>,
    pub(super) top_p: Option<f32>,
    pub(super) top_k: Option<u32>,
    pub(super) min_p: Option<f32>,
    pub(super) typical_p: Option<f32>,
    pub(super) repeat_penalty: Option<f32>,
    pub(super) presence_penalty: Option<f32>,
    pub(super) frequency_penalty: Option<f32>,
    pub(super) seed: Option<i64>,
    pub(super) logit_bias: Option<BTreeMap<String, f32>>,
    /// Alternatives to report; `None` reports no probabilities at all.
    pub(super) logprobs: Option<u8>,
}

impl Knobs {
    pub(super) fn sampling(self) -> Result<Sampling, Refusal> {
        let usual = Sampling::default();
        Ok(Sampling {
            temperature: self.temperature.unwrap_or(usual.temperature),
            top_p: self.top_p.unwrap_or(usual.top_p),
            top_k: self.top_k.unwrap_or(usual.top_k),
            min_p: self.min_p.unwrap_or(usual.min_p),
            typical_p: self.typical_p.unwrap_or(usual.typical_p),
            repeat_penalty: self.repeat_penalty.unwrap_or(usual.repeat_penalty),
            presence_penalty: self.presence_penalty.unwrap_or(usual.presence_penalty),
            frequency_penalty: self.frequency_penalty.unwrap_or(usual.frequency_penalty),
            seed: seed(self.seed),
            logit_bias: biases(self.logit_bias.unwrap_or_default())?,
            logprobs: self.logprobs,
            ..usual
        })
    }
}

/// The engine's seeds have 32 bits; of a longer one the lower half counts. -1 draws one, as in llama.cpp's server.
fn seed(seed: Option<i64>) -> Option<u32> {
    seed.filter(|seed| *seed != -1).map(|seed| seed as u32)
}

/// JSON has text for keys, so token ids come as text.
fn biases(map: BTreeMap<String, f32>) -> Result<Vec<(i32, f32)>, Refusal> {
    let pair = |(token, bias): (String, f32)| {
        let id = token.parse::<i32>().map_err(|_| {
            let shown: String = token.chars().take(40).collect();
            let reason = format!("has the key {shown:?}, which is not the id of a token");
            Refusal::invalid("logit_bias", reason)
        })?;
        Ok((id, bias))
    };
    map.into_iter().map(pair).collect()
}

/// How many answers to one prompt; more than this is a mistake.
const MAX_ANSWERS: u32 = 16;

/// `n`, 1 unless said.
pub(super) fn answers(n: Option<u32>) -> Result<u32, Refusal> {
    match n.unwrap_or(1) {
        count @ 1..=MAX_ANSWERS => Ok(count),
        other => {
            let reason = format!("must be between 1 and {MAX_ANSWERS}, not {other}");
            Err(Refusal::invalid("n", reason))
        }
    }
}
