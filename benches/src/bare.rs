//! The yardstick: llama_decode and a greedy sampler in one process, and nothing else.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Instant;

use llama_cpp_2::LogOptions;
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;

/// Same as the engine's, so that only what is around the loop differs.
const BATCH_TOKENS: u32 = hearth_engine::LoadSpec::BATCH_TOKENS;

pub(crate) struct Bare<'m> {
    model: &'m LlamaModel,
    context: LlamaContext<'m>,
}

/// Most streams of [`Bare::together`].
const STREAMS: u32 = 8;

/// Loads the model, hands it to `work` and frees it.
pub(crate) fn with_model(path: &Path, threads: u32, work: impl FnOnce(&mut Bare<'_>)) {
    llama_cpp_2::send_logs_to_tracing(LogOptions::default().with_logs_enabled(false));
    let backend = LlamaBackend::init().unwrap();
    let model = LlamaModel::load_from_file(&backend, path, &LlamaModelParams::default()).unwrap();
    let params = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(hearth_engine::LoadSpec::DEFAULT_CONTEXT))
        .with_n_batch(BATCH_TOKENS)
        .with_n_ubatch(BATCH_TOKENS)
        .with_n_seq_max(STREAMS)
        .with_kv_unified(true)
        .with_n_threads(threads as i32)
        .with_n_threads_batch(threads as i32)
        .with_no_perf(true);
    let context = model.new_context(&backend, params).unwrap();
    work(&mut Bare {
        model: &model,
        context,
    });
}

impl Bare<'_> {
    /// All prompts are read, one batch after the other, and then decoded side by side; the whole time in milliseconds.
    pub(crate) fn together(&mut self, prompts: &[String], decode_tokens: u32) -> f64 {
        self.context.clear_kv_cache();
        let mut batch = LlamaBatch::new(BATCH_TOKENS as usize, 1);
        let mut sampler = LlamaSampler::chain_simple([LlamaSampler::greedy()]);
        let started = Instant::now();
        let vocab = self.model.vocab();
        let prompts: Vec<_> = prompts
            .iter()
            .map(|p| vocab.tokenize(p.as_bytes(), true, true))
            .collect();
        let mut entries = Vec::new();
        for (sequence, tokens) in prompts.iter().enumerate() {
            for (position, token) in tokens.iter().enumerate() {
                entries.push((*token, position, sequence, position + 1 == tokens.len()));
            }
        }
        let mut next = vec![LlamaToken(0); prompts.len()];
        for chunk in entries.chunks(BATCH_TOKENS as usize) {
            batch.clear();
            for (token, position, sequence, last) in chunk {
                batch
                    .add(*token, *position as i32, &[*sequence as i32], *last)
                    .unwrap();
            }
            self.context.decode(&mut batch).unwrap();
            for (index, (_, _, sequence, _)) in
                chunk.iter().enumerate().filter(|(_, entry)| entry.3)
            {
                next[*sequence] = sampler.sample(&self.context, index as i32);
            }
        }
        for step in 1..decode_tokens as usize {
            batch.clear();
            for (sequence, token) in next.iter().enumerate() {
                let position = prompts[sequence].len() + step - 1;
                batch
                    .add(*token, position as i32, &[sequence as i32], true)
                    .unwrap();
            }
            self.context.decode(&mut batch).unwrap();
            for (index, token) in next.iter_mut().enumerate() {
                *token = sampler.sample(&self.context, index as i32);
            }
        }
        milliseconds(started)
    }

    /// Reads a prompt of one stream from nothing; its tokens, and the time in milliseconds.
    pub(crate) fn read(&mut self, prompt: &str) -> (Vec<LlamaToken>, f64) {
        let tokens = self.model.vocab().tokenize(prompt.as_bytes(), true, true);
        self.context.clear_kv_cache();
        let mut batch = LlamaBatch::new(BATCH_TOKENS as usize, 1);
        let started = Instant::now();
        for (number, chunk) in tokens.chunks(BATCH_TOKENS as usize).enumerate() {
            batch.clear();
            for (i, token) in chunk.iter().enumerate() {
                let position = number * BATCH_TOKENS as usize + i;
                batch
                    .add(*token, position as i32, &[0], position + 1 == tokens.len())
                    .unwrap();
            }
            self.context.decode(&mut batch).unwrap();
        }
        let prefill_ms = milliseconds(started);
        (tokens, prefill_ms)
    }

    /// Answers the prompt that was read last with `count` tokens; the time after the first of them in milliseconds.
    pub(crate) fn answer(&mut self, prompt: &[LlamaToken], count: u32) -> f64 {
        let mut batch = LlamaBatch::new(1, 1);
        let mut sampler = LlamaSampler::chain_simple([LlamaSampler::greedy()]);
        let last = prompt.len() - 1;
        self.context
            .clear_kv_cache_seq(Some(0), Some(last as u32), None)
            .unwrap();
        let mut token = prompt[last];
        let mut started = Instant::now();
        for i in 0..count as usize {
            batch.clear();
            batch.add(token, (last + i) as i32, &[0], true).unwrap();
            self.context.decode(&mut batch).unwrap();
            token = sampler.sample(&self.context, -1);
            if i == 0 {
                started = Instant::now();
            }
        }
        milliseconds(started)
    }
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
