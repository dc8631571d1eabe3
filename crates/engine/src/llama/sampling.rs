//! Chooses tokens: llama.cpp's sampler chain for a request, under the mask of its constraint.
//!
//! The mask is applied here and not by llama-cpp-2's llguidance sampler, which lets every token through when the grammar fails.

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::token::data::LlamaTokenData;
use llama_cpp_2::token::data_array::LlamaTokenDataArray;
use llama_cpp_2::token::logit_bias::LlamaLogitBias;
use llguidance::toktrie::SimpleVob;

use crate::backend::Token;
use crate::constrain::compile::Guide;
use crate::request::invalid;
use crate::sampling::logprobs::{self, Ranked};
use crate::{Error, Request, Sampling};

/// How many tokens mirostat 1 looks at; the figure of the paper.
const MIROSTAT_TOKENS: i32 = 100;

/// Chooses the tokens of one answer.
pub struct Chain {
    sampler: LlamaSampler,
    guide: Option<Guide>,
    /// Nothing but the largest logit decides, so a constrained choice needs no sampler.
    greedy: bool,
    /// Reused for every token: one entry for each token of the vocabulary.
    candidates: LlamaTokenDataArray,
    logprobs: Option<u8>,
    ranked: Option<Ranked>,
}

impl Chain {
    /// A chain for `request`; `guide` is its compiled constraint and `prompt` feeds the penalties.
    ///
    /// Fails when the request names a token that the model does not have.
    pub fn new(
        request: &Request,
        guide: Option<Guide>,
        model: &LlamaModel,
        prompt: &[Token],
    ) -> Result<Self, Error> {
        let sampling = &request.sampling;
        let vocabulary = model.n_vocab();
        if let Some((token, _)) = sampling.logit_bias.iter().find(|(t, _)| *t >= vocabulary) {
            return Err(invalid(
                "logit_bias",
                format!("names token {token}, the model has {vocabulary} tokens"),
            ));
        }
        let window = sampling.repeat_last_n.max(sampling.dry_last_n) as usize;
        let recent = &prompt[prompt.len().saturating_sub(window)..];
        let sampler = chain(sampling, model).with_tokens(recent.iter().map(|t| LlamaToken(*t)));
        Ok(Self {
            sampler,
            guide,
            greedy: sampling.temperature == 0.0
                && sampling.logit_bias.is_empty()
                && !is_penalised(sampling)
                && !has_dry(sampling),
            candidates: LlamaTokenDataArray::new(Vec::new(), false),
            logprobs: sampling.logprobs,
            ranked: None,
        })
    }

    /// Chooses a token from the logits of batch entry `index` and remembers it for the next choice.
    ///
    /// An error ends the answer: the constraint cannot be followed further.
    pub fn sample(&mut self, context: &LlamaContext, index: i32) -> Result<Token, Error> {
        let token = match &mut self.guide {
            // llama.cpp would first make a list of the whole vocabulary.
            None if self.greedy => {
                largest(context.get_logits_ith(index)).ok_or_else(nothing_to_choose)?
            }
            // Also feeds the token to the penalties.
            None => self.sampler.sample(context, index).0,
            Some(guide) => {
                let mask = guide.allowed()?;
                let token = self.choose(context.get_logits_ith(index), &mask)?;
                if let Some(guide) = &mut self.guide {
                    guide.accept(token)?;
                }
                token
            }
        };
        self.ranked = self
            .logprobs
            .map(|top| logprobs::rank(context.get_logits_ith(index), token, usize::from(top)));
        Ok(token)
    }

    /// The log-probabilities of the last choice, when the request asked for them.
    pub fn ranked(&self) -> Option<&Ranked> {
        self.ranked.as_ref()
    }

    fn choose(&mut self, logits: &[f32], mask: &SimpleVob) -> Result<Token, Error> {
        let candidates = &mut self.candidates;
        candidates.data.clear();
        candidates.selected = None;
        candidates.sorted = false;
        mask.iter_set_entries(|token| {
            if let Some(logit) = logits.get(token) {
                let token = LlamaToken(token as Token);
                candidates
                    .data
                    .push(LlamaTokenData::new(token, *logit, 0.0));
            }
        });
        let chosen = match candidates.data.as_slice() {
            [] => None,
            // With one candidate, mirostat would divide by zero.
            [one] => Some(one.id()),
            several if self.greedy => several
                .iter()
                .max_by(|a, b| a.logit().total_cmp(&b.logit()))
                .map(LlamaTokenData::id),
            _ => {
                candidates.apply_sampler(&mut self.sampler);
                candidates.selected_token()
            }
        };
        let token = chosen.ok_or_else(nothing_to_choose)?;
        self.sampler.accept(token);
        Ok(token.0)
    }
}

/// The token with the largest logit, the first one of several.
fn largest(logits: &[f32]) -> Option<Token> {
    const PART: usize = 1024;
    let (mut best, mut most) = (None, f32::NEG_INFINITY);
    for (part, first) in logits.chunks(PART).zip((0..).step_by(PART)) {
        let high = highest(part);
        if high > most {
            let at = part.iter().position(|logit| *logit >= high);
            (best, most) = (at.map(|at| first + at as Token), high);
        }
    }
    best
}

/// The largest logit, found in lanes that the compiler makes vectors of: a fifth of the time, and it is taken at each token.
fn highest(logits: &[f32]) -> f32 {
    let (blocks, rest) = logits.as_chunks::<16>();
    let mut lanes = [f32::NEG_INFINITY; 16];
    for block in blocks {
        for (most, logit) in lanes.iter_mut().zip(block) {
            *most = most.max(*logit);
        }
    }
    let all = lanes.iter().chain(rest).copied();
    all.fold(f32::NEG_INFINITY, f32::max)
}

fn nothing_to_choose() -> Error {
    Error::Backend {
        reason: "there was no token left to choose from".into(),
    }
}

/// The sampler chain for `sampling`, in the order that llama.cpp's own programs use.
pub(super) fn chain(sampling: &Sampling, model: &LlamaModel) -> LlamaSampler {
    let mut chain: Vec<LlamaSampler> = Vec::with_capacity(10);
    let vocabulary = model.n_vocab();
    if !sampling.logit_bias.is_empty() {
        let biases = sampling.logit_bias.iter();
        let biases: Vec<LlamaLogitBias> = biases
            .map(|(token, bias)| LlamaLogitBias::new(LlamaToken(*token), *bias))
            .collect();
        chain.push(LlamaSampler::logit_bias(vocabulary, &biases));
    }
    if is_penalised(sampling) {
        chain.push(LlamaSampler::penalties(
            vocabulary,
            sampling.repeat_last_n as i32,
            sampling.repeat_penalty,
            sampling.frequency_penalty,
            sampling.presence_penalty,
        ));
    }
    if has_dry(sampling) {
        chain.push(LlamaSampler::dry(
            model,
            sampling.dry_multiplier,
            sampling.dry_base,
            sampling.dry_allowed_length as i32,
            sampling.dry_last_n as i32,
            &sampling.dry_breakers,
        ));
    }
    let seed = sampling.seed.unwrap_or_else(random_seed);
    if sampling.temperature == 0.0 {
        chain.push(LlamaSampler::greedy());
    } else if sampling.mirostat > 0 {
        chain.push(LlamaSampler::temp(sampling.temperature));
        let (tau, eta) = (sampling.mirostat_tau, sampling.mirostat_eta);
        chain.push(match sampling.mirostat {
            1 => LlamaSampler::mirostat(vocabulary, seed, tau, eta, MIROSTAT_TOKENS),
            _ => LlamaSampler::mirostat_v2(seed, tau, eta),
        });
    } else {
        narrow(sampling, vocabulary, seed, &mut chain);
        chain.push(LlamaSampler::temp(sampling.temperature));
        chain.push(LlamaSampler::dist(seed));
    }
    LlamaSampler::chain_simple(chain)
}

/// Adds the samplers that leave out unlikely tokens.
fn narrow(sampling: &Sampling, vocabulary: i32, seed: u32, chain: &mut Vec<LlamaSampler>) {
    if sampling.top_n_sigma > 0.0 {
        chain.push(LlamaSampler::top_n_sigma(sampling.top_n_sigma));
    }
    if sampling.top_k > 0 {
        let most = sampling.top_k.min(vocabulary.unsigned_abs());
        chain.push(LlamaSampler::top_k(most as i32));
    }
    if sampling.typical_p < 1.0 {
        chain.push(LlamaSampler::typical(sampling.typical_p, 1));
    }
    if sampling.top_p < 1.0 {
        chain.push(LlamaSampler::top_p(sampling.top_p, 1));
    }
    if sampling.min_p > 0.0 {
        chain.push(LlamaSampler::min_p(sampling.min_p, 1));
    }
    if sampling.xtc_probability > 0.0 {
        let (chance, threshold) = (sampling.xtc_probability, sampling.xtc_threshold);
        chain.push(LlamaSampler::xtc(chance, threshold, 1, seed));
    }
}

#[allow(clippy::float_cmp)] // Exactly 1 and 0 are the values that switch a penalty off.
fn is_penalised(sampling: &Sampling) -> bool {
    sampling.repeat_last_n > 0
        && (sampling.repeat_penalty != 1.0
            || sampling.presence_penalty != 0.0
            || sampling.frequency_penalty != 0.0)
}

fn has_dry(sampling: &Sampling) -> bool {
    sampling.dry_multiplier > 0.0 && sampling.dry_last_n > 0
}

/// A seed that differs between requests; the standard library's hasher keys are drawn from the system.
fn random_seed() -> u32 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::time::Instant::now()) as u32
}

#[cfg(test)]
mod tests;
