//! Vectors and scores from llama.cpp: loads a model for [`Purpose::Embed`] or [`Purpose::Rerank`] and computes batches.
//!
//! The context is made without pooling, so that every kind of pooling can be had from it; only a reranker's head needs llama.cpp's
//! own. Models without a KV cache (BERT and its kind) abort the process when a batch is larger than the micro-batch, so both are
//! always the same size and every count is checked before it gets here and once more in [`check`].

use std::num::NonZeroU32;

use llama_cpp_2::DecodeError;
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::{LlamaContextParams, LlamaPoolingType};
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;

use super::weights::{Offload, Weights, failure};
use super::word_piece::{Normalizer, tokenizer};
use super::{default_threads, framing, memory, rank_head};
use crate::backend::Token;
use crate::embed::encoder::{BatchLimits, Encoder, EncoderInfo, Framing, Sequence};
use crate::embed::{Pooling, pooling};
use crate::{Error, LoadSpec, ModelInfo, Purpose};

/// Tokens of a batch that holds several texts.
const PACKED_TOKENS: usize = LoadSpec::BATCH_TOKENS as usize;
/// Smallest window that a text can be cut into, in tokens.
const MIN_WINDOW: u32 = 16;
/// Written by `scripts/make-embedder`: the length up to which the model was tuned, where that is less than its positions reach.
const TUNED_TOKENS_KEY: &str = "hearth.embedding.max_tokens";

/// Loads the model of `spec`, hands it to `serve` and frees everything afterwards.
///
/// `on_progress` gets 0 to 1 and may return `false` to give up the load.
pub fn with_encoder<R>(
    spec: &LoadSpec,
    on_progress: impl FnMut(f32) -> bool + 'static,
    last_log_error: impl Fn() -> Option<String>,
    serve: impl FnOnce(&mut dyn Encoder) -> R,
) -> Result<R, Error> {
    let failed = |what: &str| failure(&last_log_error, what);
    memory::begin();
    let weights = Weights::load(spec, on_progress, &failed)?;
    let Weights {
        model,
        offload,
        backend,
    } = &weights;
    let plan = Plan::new(spec, model)?;
    let context = model
        .new_context(backend, plan.context_params())
        .map_err(|e| failed(&e.to_string()))?;
    let info = ModelInfo {
        context_tokens: plan.encoder.window_tokens,
        trained_context_tokens: model.n_ctx_train(),
        offload: offload.words(plan.threads),
        weights_bytes: model.size(),
        parameters: model.n_params(),
        threads: plan.threads,
        sees_images: false,
        encoder: Some(plan.encoder),
        memory: memory::reported(model.size()),
    };
    let mut embedder = LlamaEncoder {
        batch: LlamaBatch::new(plan.batch_tokens, 1),
        backend,
        offload,
        model,
        context,
        info,
        plan,
    };
    Ok(serve(&mut embedder))
}

/// What is decided before there is a context.
struct Plan {
    purpose: Purpose,
    encoder: EncoderInfo,
    framing: Framing,
    normalizer: Normalizer,
    threads: u32,
    /// Most tokens of a batch: one whole window, or several shorter texts.
    batch_tokens: usize,
    sequences: usize,
}

impl Plan {
    fn new(spec: &LoadSpec, model: &LlamaModel) -> Result<Self, Error> {
        let refused = |reason: String| Err(Error::LoadFailed { reason });
        if !spec.adapters.is_empty() {
            return refused("adapters are for models that write text".into());
        }
        let architecture = model
            .meta_val_str("general.architecture")
            .unwrap_or_default();
        let key = |name: &str| model.meta_val_str(&format!("{architecture}.{name}")).ok();
        if matches!(tokenizer(model).as_str(), "" | "none" | "no_vocab") {
            return refused("it has no vocabulary, so it cannot read text".into());
        }
        if architecture == "t5" {
            return refused("its architecture reads text only to write another one".into());
        }
        let trained = key("pooling_type").and_then(|value| value.parse::<i32>().ok());
        let causal = key("attention.causal").is_none_or(|value| value != "false");
        let head = trained == Some(LlamaPoolingType::Rank as i32) || rank_head::found(&spec.path);
        let rerank = spec.purpose == Purpose::Rerank;
        if rerank && !head {
            return refused("it has no classification head, so it cannot rerank".into());
        }
        let framing = framing::of(model, rerank);
        let window_tokens = window(spec, model);
        let frame = (framing.before.len() + framing.between.len() + framing.after.len()) as u32;
        if window_tokens < MIN_WINDOW.max(2 * frame) {
            let least = MIN_WINDOW.max(2 * frame);
            return refused(format!(
                "a window of {window_tokens} tokens is too small, it needs {least}"
            ));
        }
        let pooling = match trained.map(LlamaPoolingType::from) {
            _ if rerank => Pooling::Rank,
            Some(LlamaPoolingType::Mean) => Pooling::Mean,
            Some(LlamaPoolingType::Cls | LlamaPoolingType::Rank) => Pooling::Cls,
            Some(LlamaPoolingType::Last) => Pooling::Last,
            // In a causal model only the last token has seen the whole text.
            _ if causal => Pooling::Last,
            _ => Pooling::Mean,
        };
        let dimensions = if rerank { 1 } else { model.n_embd_out() as u32 };
        let stateful = model.is_recurrent() || model.is_hybrid();
        Ok(Self {
            purpose: spec.purpose,
            encoder: EncoderInfo {
                dimensions,
                window_tokens,
                pooling,
            },
            framing,
            normalizer: Normalizer::of(model),
            threads: spec.threads.unwrap_or_else(default_threads).max(1),
            batch_tokens: spec.batch_tokens(window_tokens) as usize,
            sequences: spec.sequences(stateful) as usize,
        })
    }

    fn context_params(&self) -> LlamaContextParams {
        let tokens = self.batch_tokens as u32;
        let pooling = match self.purpose {
            Purpose::Rerank => LlamaPoolingType::Rank,
            _ => LlamaPoolingType::None,
        };
        LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(tokens))
            .with_n_batch(tokens)
            .with_n_ubatch(tokens)
            .with_n_seq_max(self.sequences as u32)
            // One pool of cells, so that a batch may hold one long text or many short ones.
            .with_kv_unified(true)
            .with_embeddings(true)
            .with_pooling_type(pooling)
            .with_n_threads(self.threads as i32)
            .with_n_threads_batch(self.threads as i32)
            .with_no_perf(true)
    }
}

/// Tokens of one window: never more than the model has positions for.
fn window(spec: &LoadSpec, model: &LlamaModel) -> u32 {
    let tuned = model.meta_val_str(TUNED_TOKENS_KEY).ok();
    let tuned = tuned.and_then(|value| value.parse().ok());
    let reach = [Some(model.n_ctx_train()).filter(|n| *n > 0), tuned];
    spec.window(reach.into_iter().flatten().min().unwrap_or(u32::MAX))
}

struct LlamaEncoder<'m> {
    backend: &'m LlamaBackend,
    offload: &'m Offload,
    context: LlamaContext<'m>,
    model: &'m LlamaModel,
    batch: LlamaBatch<'m>,
    info: ModelInfo,
    plan: Plan,
}

impl LlamaEncoder<'_> {
    /// What would end the process if it reached llama.cpp.
    fn check(&self, batch: &[Sequence]) -> Result<(), Error> {
        let window = self.plan.encoder.window_tokens as usize;
        let tokens: usize = batch.iter().map(|sequence| sequence.tokens.len()).sum();
        let n_vocab = self.model.n_vocab();
        let known = |token: &Token| (0..n_vocab).contains(token);
        let reason = if batch.len() > self.plan.sequences || tokens > self.plan.batch_tokens {
            format!("a batch of {} texts and {tokens} tokens", batch.len())
        } else if batch
            .iter()
            .any(|s| s.tokens.is_empty() || s.tokens.len() > window)
        {
            format!("a text of no tokens or of more than {window}")
        } else if !batch.iter().all(|s| s.tokens.iter().all(known)) {
            "a token that the vocabulary does not have".into()
        } else {
            return Ok(());
        };
        Err(Error::Backend { reason })
    }

    fn compute(&mut self, batch: &[Sequence]) -> Result<(), Error> {
        self.batch.clear();
        for (id, sequence) in (0..).zip(batch) {
            for (position, token) in (0..).zip(&sequence.tokens) {
                self.batch
                    .add(LlamaToken(*token), position, &[id], true)
                    .map_err(backend)?;
            }
        }
        // A causal model still holds the last batch in its KV cache.
        self.context.clear_kv_cache();
        self.context.decode(&mut self.batch).map_err(|e| match e {
            DecodeError::NoKvCacheSlot => Error::OutOfMemory {
                reason: "the KV cache has no room left".into(),
            },
            other => backend(other),
        })
    }
}

fn backend(error: impl ToString) -> Error {
    Error::Backend {
        reason: error.to_string(),
    }
}

impl Encoder for LlamaEncoder<'_> {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn purpose(&self) -> Purpose {
        self.plan.purpose
    }

    fn encoder_info(&self) -> EncoderInfo {
        self.plan.encoder
    }

    fn batch_limits(&self) -> BatchLimits {
        BatchLimits {
            tokens: PACKED_TOKENS,
            sequences: self.plan.sequences,
        }
    }

    fn framing(&self) -> &Framing {
        &self.plan.framing
    }

    fn tokenize(&mut self, text: &str) -> Result<Vec<Token>, Error> {
        let text = self.plan.normalizer.apply(text);
        // Special tokens written in a text are read as such, as the models' reference tokenisers do.
        let tokens = self.model.vocab().tokenize(text.as_bytes(), false, true);
        Ok(tokens.into_iter().map(|token| token.0).collect())
    }

    fn encode(&mut self, batch: &[Sequence]) -> Result<Vec<Vec<f32>>, Error> {
        self.check(batch)?;
        self.compute(batch)?;
        if self.plan.purpose == Purpose::Rerank {
            let scores = (0..).zip(batch).map(|(id, _)| {
                let outputs = self.context.embeddings_seq_ith(id).map_err(backend)?;
                // A head with several classes has "relevant" first.
                Ok(outputs.iter().take(1).copied().collect())
            });
            return scores.collect();
        }
        let dimensions = self.plan.encoder.dimensions as usize;
        let mut vectors = Vec::with_capacity(batch.len());
        let (mut rows, mut at) = (Vec::new(), 0);
        for sequence in batch {
            rows.clear();
            for _ in &sequence.tokens {
                rows.extend_from_slice(self.context.embeddings_ith(at).map_err(backend)?);
                at += 1;
            }
            vectors.push(pooling::pool(&rows, dimensions, sequence.pooling));
        }
        Ok(vectors)
    }

    fn set_threads(&mut self, threads: u32) -> Result<(), Error> {
        // The binding cannot change the threads of a context; no state is lost with one that only encodes.
        let before = std::mem::replace(&mut self.plan.threads, threads);
        match self
            .model
            .new_context(self.backend, self.plan.context_params())
        {
            Ok(context) => {
                self.context = context;
                self.info.threads = threads;
                self.info.offload = self.offload.words(threads);
                Ok(())
            }
            Err(error) => {
                self.plan.threads = before;
                Err(backend(error))
            }
        }
    }
}
