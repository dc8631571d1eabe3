//! Builds llama.cpp's sampler chain for a request.

use llama_cpp_2::sampling::LlamaSampler;

use crate::Sampling;

/// The sampler chain for `sampling`, in the order that llama.cpp's own programs use.
pub(super) fn chain(sampling: &Sampling, vocabulary: i32) -> LlamaSampler {
    let mut chain: Vec<LlamaSampler> = Vec::with_capacity(7);
    #[allow(clippy::float_cmp)] // Exactly 1 and 0 are the values that switch a penalty off.
    let penalised = sampling.repeat_penalty != 1.0
        || sampling.presence_penalty != 0.0
        || sampling.frequency_penalty != 0.0;
    if penalised && sampling.repeat_last_n > 0 {
        chain.push(LlamaSampler::penalties(
            vocabulary,
            sampling.repeat_last_n as i32,
            sampling.repeat_penalty,
            sampling.frequency_penalty,
            sampling.presence_penalty,
        ));
    }
    if sampling.temperature == 0.0 {
        chain.push(LlamaSampler::greedy());
        return LlamaSampler::chain_simple(chain);
    }
    if sampling.top_k > 0 {
        chain.push(LlamaSampler::top_k(
            sampling.top_k.min(vocabulary as u32) as i32
        ));
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
    chain.push(LlamaSampler::temp(sampling.temperature));
    chain.push(LlamaSampler::dist(
        sampling.seed.unwrap_or_else(random_seed),
    ));
    LlamaSampler::chain_simple(chain)
}

/// A seed that differs between requests; the standard library's hasher keys are drawn from the system.
fn random_seed() -> u32 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::time::Instant::now()) as u32
}
