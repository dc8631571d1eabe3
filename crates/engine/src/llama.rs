//! The only place that speaks to llama.cpp: loads a model, computes tokens, samples.
//!
//! Runs in the child process. Nothing reaches it unvalidated: the file was checked by the caller, numbers by
//! [`crate::Request::validate`], token counts by the scheduler. Model and context are dropped in order before the process
//! ends, because Metal asserts at exit that its buffers are gone.

mod embedding;
mod framing;
mod rank_head;
mod sampling;
mod word_piece;

pub use embedding::with_encoder;

use std::num::NonZeroU32;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::{DecodeError, LlamaBackendDeviceType, LogOptions};

use crate::backend::{Backend, Token};
use crate::template::Template;
use crate::{Error, LoadSpec, ModelInfo, Sampling};

/// Tokens per call of `llama_decode` and per compute graph. Also how much of a prompt is read before a cancel is seen.
pub const BATCH_TOKENS: u32 = 512;
/// The one sequence of the KV cache.
const SEQUENCE: i32 = 0;

/// Loads the model of `spec`, hands it to `serve` and frees everything afterwards.
///
/// `on_progress` gets 0 to 1 and may return `false` to give up the load.
pub fn with_model<R>(
    spec: &LoadSpec,
    on_progress: impl FnMut(f32) -> bool + 'static,
    last_log_error: impl Fn() -> Option<String>,
    serve: impl FnOnce(&mut dyn Backend) -> R,
) -> Result<R, Error> {
    llama_cpp_2::send_logs_to_tracing(LogOptions::default());
    let failed = |what: &str| {
        let reason = last_log_error().unwrap_or_else(|| what.to_owned());
        if is_memory(&reason) {
            Error::OutOfMemory { reason }
        } else {
            Error::LoadFailed { reason }
        }
    };
    let backend = LlamaBackend::init().map_err(|e| failed(&e.to_string()))?;
    let offload = Offload::choose(spec.offload);
    let params = LlamaModelParams::default()
        .with_n_gpu_layers(if offload.to_gpu { u32::MAX >> 1 } else { 0 })
        .with_progress_callback(on_progress);
    let model = LlamaModel::load_from_file(&backend, &spec.path, &params)
        .map_err(|e| failed(&e.to_string()))?;
    let threads = spec.threads.unwrap_or_else(default_threads).max(1);
    let context = model
        .new_context(&backend, context_params(spec, &model, threads))
        .map_err(|e| failed(&e.to_string()))?;
    let info = ModelInfo {
        context_tokens: context.n_ctx(),
        trained_context_tokens: model.n_ctx_train(),
        offload: offload.words(threads),
        weights_bytes: model.size(),
        parameters: model.n_params(),
        threads,
        encoder: None,
    };
    let mut llama = Llama {
        template: template_of(&model),
        batch: LlamaBatch::new(BATCH_TOKENS as usize, 1),
        sampler: LlamaSampler::greedy(),
        bos: token_text(&model, model.vocab().bos()),
        model: &model,
        context,
        info,
    };
    Ok(serve(&mut llama))
}

fn context_params(spec: &LoadSpec, model: &LlamaModel, threads: u32) -> LlamaContextParams {
    let trained = match model.n_ctx_train() {
        0 => LoadSpec::DEFAULT_CONTEXT,
        trained => trained,
    };
    let context = spec
        .context_tokens
        .unwrap_or_else(|| trained.min(LoadSpec::DEFAULT_CONTEXT));
    LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(context))
        .with_n_batch(BATCH_TOKENS)
        .with_n_ubatch(BATCH_TOKENS)
        .with_n_threads(threads as i32)
        .with_n_threads_batch(threads as i32)
        .with_no_perf(true)
}

fn template_of(model: &LlamaModel) -> Template {
    let source = model.chat_template(None).ok();
    let source = source.as_ref().and_then(|t| t.to_str().ok());
    let vocab = model.vocab();
    Template::new(
        source,
        &token_text(model, vocab.bos()),
        &token_text(model, vocab.eos()),
    )
}

/// The text of a special token; empty when the model has none.
fn token_text(model: &LlamaModel, token: LlamaToken) -> String {
    let vocab = model.vocab();
    if token.0 < 0 || token.0 >= vocab.n_tokens() {
        return String::new();
    }
    vocab
        .text(token)
        .map(|text| text.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn default_threads() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| n.get() as u32)
}

fn is_memory(reason: &str) -> bool {
    ["alloc", "out of memory", "memory"]
        .iter()
        .any(|w| reason.contains(w))
}

/// Where the layers go.
struct Offload {
    to_gpu: bool,
    device: String,
}

impl Offload {
    fn choose(wanted: bool) -> Self {
        let gpu = llama_cpp_2::list_llama_ggml_backend_devices()
            .into_iter()
            .find(|d| {
                matches!(
                    d.device_type,
                    LlamaBackendDeviceType::Gpu | LlamaBackendDeviceType::IntegratedGpu
                )
            });
        match gpu {
            Some(device) if wanted => Self {
                to_gpu: true,
                device: format!("{} ({})", device.backend, device.description),
            },
            Some(_) => Self {
                to_gpu: false,
                device: "the GPU is switched off in the settings".into(),
            },
            None => Self {
                to_gpu: false,
                device: "no supported GPU was found".into(),
            },
        }
    }

    fn words(&self, threads: u32) -> String {
        if self.to_gpu {
            format!("All layers on {}", self.device)
        } else {
            let s = if threads == 1 { "" } else { "s" };
            format!("CPU, {threads} thread{s}: {}", self.device)
        }
    }
}

struct Llama<'m> {
    context: LlamaContext<'m>,
    model: &'m LlamaModel,
    batch: LlamaBatch<'m>,
    sampler: LlamaSampler,
    template: Template,
    bos: String,
    info: ModelInfo,
}

impl Backend for Llama<'_> {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn template(&self) -> &Template {
        &self.template
    }

    fn tokenize(&mut self, text: &str) -> Result<Vec<Token>, Error> {
        let vocab = self.model.vocab();
        // Most templates write the begin token themselves; a second one makes answers worse.
        let has_bos = !self.bos.is_empty() && text.starts_with(&self.bos);
        let tokens = vocab.tokenize(text.as_bytes(), !has_bos, true);
        Ok(tokens.into_iter().map(|t| t.0).collect())
    }

    fn piece(&mut self, token: Token, bytes: &mut Vec<u8>) {
        self.model
            .vocab()
            .token_to_piece_into(LlamaToken(token), bytes, false, None);
    }

    fn is_end(&self, token: Token) -> bool {
        self.model.vocab().is_eog(LlamaToken(token))
    }

    fn chunk_tokens(&self) -> usize {
        BATCH_TOKENS as usize
    }

    fn truncate(&mut self, length: usize) -> usize {
        let cut = self
            .context
            .clear_kv_cache_seq(Some(SEQUENCE as u32), Some(length as u32), None);
        // Recurrent and hybrid models cannot cut in the middle.
        let left = self.context.kv_cache_seq_pos_max(SEQUENCE) + 1;
        if matches!(cut, Ok(true)) && left == length as i32 {
            return length;
        }
        self.context.clear_kv_cache();
        0
    }

    fn decode(
        &mut self,
        tokens: &[Token],
        position: usize,
        want_logits: bool,
    ) -> Result<(), Error> {
        self.batch.clear();
        for (i, token) in tokens.iter().enumerate() {
            let logits = want_logits && i + 1 == tokens.len();
            self.batch
                .add(
                    LlamaToken(*token),
                    (position + i) as i32,
                    &[SEQUENCE],
                    logits,
                )
                .map_err(|e| Error::Backend {
                    reason: e.to_string(),
                })?;
        }
        self.context.decode(&mut self.batch).map_err(|e| match e {
            DecodeError::NoKvCacheSlot => Error::OutOfMemory {
                reason: "the KV cache has no room left".into(),
            },
            other => Error::Backend {
                reason: other.to_string(),
            },
        })
    }

    fn start_sampling(&mut self, sampling: &Sampling, prompt: &[Token]) {
        let window = prompt.len().saturating_sub(sampling.repeat_last_n as usize);
        let recent = prompt[window..].iter().map(|t| LlamaToken(*t));
        self.sampler = sampling::chain(sampling, self.model.n_vocab()).with_tokens(recent);
    }

    fn sample(&mut self) -> Result<Token, Error> {
        // -1 is the last token of the batch, the only one with logits. The call also feeds the token to the penalties.
        Ok(self.sampler.sample(&self.context, -1).0)
    }
}
