//! The only place that speaks to llama.cpp: loads a model, computes tokens, samples.
//!
//! Runs in the child process. Nothing reaches it unvalidated: the file was checked by the caller, numbers by
//! [`crate::Request::validate`], token counts by the scheduler. Model and context are dropped in order before the process
//! ends, because Metal asserts at exit that its buffers are gone.

mod aside;
pub mod constrain;
mod embedding;
mod framing;
pub(crate) mod memory;
mod positions;
pub mod quantise;
mod rank_head;
pub mod sampling;
mod state;
mod vision;
mod weights;
mod word_piece;

pub use embedding::with_encoder;

use std::collections::HashMap;
use std::num::NonZeroU32;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::{KvCacheType, LlamaContextParams};
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::{LlamaLoraAdapter, LlamaModel};
use llama_cpp_2::token::LlamaToken;

use crate::backend::{Aside, Backend, DecodeError, Input, Reuse, Sequence, Token};
use crate::constrain::compile::Compiling;
use crate::event::TokenLogprob;
use crate::output::Syntax;
use crate::picture::{self, Pixels};
use crate::request::invalid;
use crate::template::Template;

use self::aside::Reader;
use self::constrain::Grammars;
use self::positions::Positions;
use self::sampling::Chain;
use self::vision::Vision;
use self::weights::{Offload, Weights, failure};
use crate::{Error, KvType, LoadSpec, ModelInfo, Request};

/// Part of the name of a saved state: another version may lay it out in another way.
const LLAMA_VERSION: &str = "0.1.160";
/// Tokens per call of `llama_decode` and per compute graph.
const BATCH_TOKENS: u32 = LoadSpec::BATCH_TOKENS;

/// Loads the model of `spec`, hands it to `serve` and frees everything afterwards.
///
/// `on_progress` gets 0 to 1 and may return `false` to give up the load.
pub fn with_model<R>(
    spec: &LoadSpec,
    on_progress: impl FnMut(f32) -> bool + 'static,
    last_log_error: impl Fn() -> Option<String>,
    serve: impl FnOnce(&mut dyn Backend) -> R,
) -> Result<R, Error> {
    let failed = |what: &str| failure(&last_log_error, what);
    memory::begin();
    let mut weights = Weights::load(spec, on_progress, &failed)?;
    let mut adapter = weights.adapter(spec, &failed)?;
    let Weights {
        model,
        offload,
        backend,
    } = &weights;
    let threads = spec.threads.unwrap_or_else(default_threads).max(1);
    let vision = match &spec.projector {
        Some(path) if !spec.measure_only => {
            Some(Vision::load(path, model, threads, offload.to_gpu).map_err(|what| failed(&what))?)
        }
        _ => None,
    };
    let mut context = model
        .new_context(backend, context_params(spec, model, threads))
        .map_err(|e| failed(&e.to_string()))?;
    adapt(&mut context, adapter.as_mut()).map_err(|e| failed(&e))?;
    let info = ModelInfo {
        context_tokens: context.n_ctx(),
        trained_context_tokens: model.n_ctx_train(),
        offload: offload.words(threads),
        weights_bytes: model.size(),
        parameters: model.n_params(),
        threads,
        sees_images: vision.is_some(),
        encoder: None,
        memory: memory::reported(model.size()),
    };
    // An adapter is part of what a context computes, and a recurrent model has no entries per token.
    let reads_aside = !offload.to_gpu && adapter.is_none() && !is_recurrent(model);
    let memory = info.memory.as_ref().filter(|_| reads_aside);
    let token_bytes = memory.map(|memory| memory.cache / u64::from(info.context_tokens));
    let params = context_params(spec, model, threads);
    std::thread::scope(|scope| {
        let reader = |bytes| Reader::new(scope, model, backend, params, bytes);
        let mut llama = Llama {
            aside: token_bytes.map(reader),
            template: template_of(model),
            batch: LlamaBatch::new(BATCH_TOKENS as usize, 1),
            choices: HashMap::new(),
            grammars: Grammars::default(),
            bos: token_text(model, model.vocab().bos()),
            spec: spec.clone(),
            backend,
            model,
            vision,
            positions: Positions::default(),
            adapter,
            context,
            info,
            on_cpu: !offload.to_gpu,
        };
        Ok(serve(&mut llama))
    })
}

fn is_recurrent(model: &LlamaModel) -> bool {
    model.is_recurrent() || model.is_hybrid()
}

fn kv_type(wanted: KvType) -> KvCacheType {
    match wanted {
        KvType::F16 => KvCacheType::F16,
        KvType::Q8_0 => KvCacheType::Q8_0,
        KvType::Q4_0 => KvCacheType::Q4_0,
    }
}

fn context_params(spec: &LoadSpec, model: &LlamaModel, threads: u32) -> LlamaContextParams {
    let trained = match model.n_ctx_train() {
        0 => LoadSpec::DEFAULT_CONTEXT,
        trained => trained,
    };
    LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(spec.window(trained)))
        .with_n_batch(BATCH_TOKENS)
        .with_n_ubatch(BATCH_TOKENS)
        .with_n_seq_max(spec.sequences(is_recurrent(model)))
        // One pool of positions for all sequences: that is what lets them share a prefix at no cost.
        .with_kv_unified(true)
        .with_type_k(kv_type(spec.kv_type))
        .with_type_v(kv_type(spec.kv_type))
        .with_n_threads(threads as i32)
        .with_n_threads_batch(threads as i32)
        .with_no_perf(true)
}

/// Puts an adapter in force; it belongs to the context, so a new one needs it again.
fn adapt(
    context: &mut LlamaContext,
    adapter: Option<&mut (LlamaLoraAdapter, f32)>,
) -> Result<(), String> {
    match adapter {
        None => Ok(()),
        Some((adapter, scale)) => context
            .lora_adapter_set(adapter, *scale)
            .map_err(|e| e.to_string()),
    }
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

struct Llama<'m> {
    context: LlamaContext<'m>,
    model: &'m LlamaModel,
    backend: &'m LlamaBackend,
    vision: Option<Vision>,
    positions: Positions,
    adapter: Option<(LlamaLoraAdapter, f32)>,
    aside: Option<Reader<'m>>,
    spec: LoadSpec,
    batch: LlamaBatch<'m>,
    choices: HashMap<usize, Choice>,
    grammars: Grammars,
    template: Template,
    bos: String,
    info: ModelInfo,
    on_cpu: bool,
}

impl Backend for Llama<'_> {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn template(&self) -> &Template {
        &self.template
    }

    fn tokenize(&mut self, text: &str, begins: bool) -> Result<Vec<Token>, Error> {
        let vocab = self.model.vocab();
        // Most templates write the begin token themselves; a second one makes answers worse.
        let has_bos = !self.bos.is_empty() && text.starts_with(&self.bos);
        let tokens = vocab.tokenize(text.as_bytes(), begins && !has_bos, true);
        Ok(tokens.into_iter().map(|t| t.0).collect())
    }

    fn detokenize(&mut self, tokens: &[Token]) -> Result<Vec<u8>, Error> {
        let vocab = self.model.vocab();
        let count = vocab.n_tokens();
        if !tokens.iter().all(|token| (0..count).contains(token)) {
            let reason = format!("must be ids of the model's vocabulary, 0 to {}", count - 1);
            return Err(invalid("tokens", reason));
        }
        let mut bytes = Vec::new();
        for token in tokens {
            vocab.token_to_piece_into(LlamaToken(*token), &mut bytes, true, None);
        }
        Ok(bytes)
    }

    fn piece(&mut self, token: Token, visible: &[&str], bytes: &mut Vec<u8>) {
        let vocab = self.model.vocab();
        let before = bytes.len();
        vocab.token_to_piece_into(LlamaToken(token), bytes, false, None);
        if bytes.len() == before && !visible.is_empty() {
            vocab.token_to_piece_into(LlamaToken(token), bytes, true, None);
            let shown = visible
                .iter()
                .any(|text| text.as_bytes() == &bytes[before..]);
            if !shown {
                bytes.truncate(before);
            }
        }
    }

    fn is_end(&self, token: Token) -> bool {
        self.model.vocab().is_eog(LlamaToken(token))
    }

    fn batch_tokens(&self) -> usize {
        BATCH_TOKENS as usize
    }

    fn sequences(&self) -> u32 {
        self.spec.sequences(is_recurrent(self.model))
    }

    fn cells(&self) -> usize {
        self.context.n_ctx() as usize
    }

    fn reuse(&self) -> Reuse {
        if is_recurrent(self.model) {
            Reuse::Whole
        } else {
            Reuse::Prefix
        }
    }

    fn scans_cells(&self) -> bool {
        self.on_cpu
    }

    fn copy(&mut self, from: Sequence, to: Sequence, length: usize) {
        // A recurrent state has no positions: it is copied as a whole, which is all that is asked for then.
        let end = self.positions.of(from, length) as u32;
        let end = (self.reuse() == Reuse::Prefix).then_some(end);
        self.positions.copy(from, to, length);
        if let Err(error) =
            self.context
                .kv_cache_seq_cp(from as i32, to as i32, end.map(|_| 0), end)
        {
            tracing::warn!(%error, "a sequence of the KV cache could not be copied");
        }
    }

    fn truncate(&mut self, sequence: Sequence, length: usize) -> bool {
        let end = self.positions.of(sequence, length);
        let from = (length > 0).then_some(end as u32);
        let cut = self.context.clear_kv_cache_seq(Some(sequence), from, None);
        let plain = self.positions.are_plain(sequence);
        self.positions.truncate(sequence, length);
        // A picture that counts rows and columns ends at a position before its last.
        if matches!(cut, Ok(true)) && (self.length(sequence) == end || !plain) {
            return true;
        }
        self.positions.truncate(sequence, 0);
        let _ = self.context.clear_kv_cache_seq(Some(sequence), None, None);
        length == 0
    }

    fn shift(&mut self, sequence: Sequence, from: usize, to: usize) -> bool {
        let plain = self.positions.are_plain(sequence);
        if self.reuse() == Reuse::Whole || self.model.rope_type().is_none() || !plain {
            return false;
        }
        let (id, first, last) = (sequence as i32, from as u32, to as u32);
        self.context
            .kv_cache_seq_rm(id, Some(first), Some(last))
            .is_ok()
            && self
                .context
                .kv_cache_seq_add(id, Some(last), None, first as i32 - last as i32)
                .is_ok()
    }

    fn decode(&mut self, batch: &[Input]) -> Result<(), DecodeError> {
        let failed = |reason: String| DecodeError::Failed(Error::Backend { reason });
        self.batch.clear();
        for input in batch {
            self.batch
                .add(
                    LlamaToken(input.token),
                    self.positions.of(input.sequence, input.position as usize) as i32,
                    &[input.sequence as i32],
                    input.wants_logits,
                )
                .map_err(|e| failed(e.to_string()))?;
        }
        self.context.decode(&mut self.batch).map_err(|e| match e {
            llama_cpp_2::DecodeError::NoKvCacheSlot => DecodeError::Full,
            other => failed(other.to_string()),
        })
    }

    fn image(&mut self, image: &Pixels) -> Result<Vec<Token>, Error> {
        let Some(vision) = &mut self.vision else {
            let reason = "cannot be shown to this model, which only reads text";
            return Err(invalid("images", reason));
        };
        let cells = vision.extent(image)?.cells;
        Ok(picture::names(image.key, cells).collect())
    }

    fn decode_image(
        &mut self,
        image: &Pixels,
        sequence: Sequence,
        position: usize,
    ) -> Result<(), DecodeError> {
        let Some(vision) = &mut self.vision else {
            let reason = "this model cannot see".into();
            return Err(DecodeError::Failed(Error::Backend { reason }));
        };
        let extent = vision.extent(image).map_err(DecodeError::Failed)?;
        let from = self.positions.of(sequence, position);
        let (id, context) = (sequence as i32, &mut self.context);
        let done = vision.decode(context, image, from as i32, id, BATCH_TOKENS);
        match done {
            Ok(()) => self.positions.add(sequence, position, extent),
            Err(_) => {
                let _ = context.clear_kv_cache_seq(Some(sequence), Some(from as u32), None);
            }
        }
        done
    }

    fn start_sampling(
        &mut self,
        slot: usize,
        request: &Request,
        syntax: &Syntax,
        prompt: &[Token],
    ) -> Result<(), Error> {
        // Penalties count tokens; the places of a picture are none.
        let read: Vec<Token> = prompt.iter().copied().filter(|t| *t >= 0).collect();
        let prompt = read.as_slice();
        let compiling = self.grammars.start(request, syntax, self.model)?;
        let choice = match compiling {
            None => Choice::Ready(Box::new(Chain::new(request, None, self.model, prompt)?)),
            Some(compiling) => Choice::Compiling {
                compiling,
                request: Box::new(request.clone()),
                prompt: prompt.to_vec(),
            },
        };
        self.choices.insert(slot, choice);
        Ok(())
    }

    fn poll_sampling(&mut self, slot: usize) -> Option<Result<(), Error>> {
        let Some(Choice::Compiling {
            compiling,
            request,
            prompt,
        }) = self.choices.get(&slot)
        else {
            return Some(Ok(()));
        };
        let chain = compiling
            .poll()?
            .and_then(|guide| Chain::new(request, Some(guide), self.model, prompt));
        Some(chain.map(|chain| {
            self.choices.insert(slot, Choice::Ready(Box::new(chain)));
        }))
    }

    fn sample(&mut self, slot: usize, index: usize) -> Result<Token, Error> {
        match self.choices.get_mut(&slot) {
            Some(Choice::Ready(chain)) => chain.sample(&self.context, index as i32),
            _ => Err(Error::Backend {
                reason: format!("slot {slot} has no sampler"),
            }),
        }
    }

    fn logprobs(&mut self, slot: usize, token: Token) -> Option<TokenLogprob> {
        let Some(Choice::Ready(chain)) = self.choices.get(&slot) else {
            return None;
        };
        let ranked = chain.ranked()?.clone();
        let top = ranked.top.iter();
        let top = top.map(|(token, logprob)| self.likelihood(*token, *logprob));
        Some(TokenLogprob {
            top: top.collect(),
            ..self.likelihood(token, ranked.chosen)
        })
    }

    fn state_layout(&self) -> String {
        format!(
            "llama-cpp-2 {LLAMA_VERSION}, {:?}, adapters {:?}, projector {:?}",
            self.spec.kv_type, self.spec.adapters, self.spec.projector
        )
    }

    fn export_bytes(&self, sequence: Sequence) -> u64 {
        if !self.positions.are_plain(sequence) {
            return 0;
        }
        state::export_bytes(&self.context, sequence as i32) as u64
    }

    fn export(&mut self, sequence: Sequence) -> Option<Vec<u8>> {
        // The bytes do not say which entries were pictures.
        if !self.positions.are_plain(sequence) {
            return None;
        }
        state::export(&self.context, sequence as i32)
    }

    fn import(&mut self, sequence: Sequence, bytes: &[u8], length: usize) -> bool {
        if state::import(&mut self.context, sequence as i32, bytes)
            && self.length(sequence) == length
        {
            return true;
        }
        self.truncate(sequence, 0);
        false
    }

    fn aside(&mut self) -> Option<&mut dyn Aside> {
        let reader = self.aside.as_mut()?;
        Some(reader)
    }

    fn set_threads(&mut self, threads: u32) -> Result<(), Error> {
        self.renew_context(threads)
    }
}

/// What chooses the tokens of a slot.
enum Choice {
    Ready(Box<Chain>),
    /// The constraint of the request is still being compiled.
    Compiling {
        compiling: Compiling,
        request: Box<Request>,
        prompt: Vec<Token>,
    },
}

impl Llama<'_> {
    fn likelihood(&self, token: Token, logprob: f32) -> TokenLogprob {
        let mut bytes = Vec::new();
        self.model
            .vocab()
            .token_to_piece_into(LlamaToken(token), &mut bytes, true, None);
        TokenLogprob {
            text: String::from_utf8_lossy(&bytes).into_owned(),
            bytes,
            logprob,
            top: Vec::new(),
        }
    }

    /// How many positions a sequence has.
    fn length(&self, sequence: Sequence) -> usize {
        (self.context.kv_cache_seq_pos_max(sequence as i32) + 1) as usize
    }

    /// Makes a context with another number of threads and carries the whole KV cache over: the binding cannot change the threads
    /// of a context. The weights stay where they are.
    fn renew_context(&mut self, threads: u32) -> Result<(), Error> {
        let failed = |reason: String| Error::Backend { reason };
        let params = context_params(&self.spec, self.model, threads);
        let mut context = self
            .model
            .new_context(self.backend, params.clone())
            .map_err(|e| failed(e.to_string()))?;
        adapt(&mut context, self.adapter.as_mut()).map_err(failed)?;
        if !state::carry_over(&self.context, &mut context) {
            return Err(failed("the KV cache could not be carried over".into()));
        }
        self.context = context;
        if let Some(reader) = &mut self.aside {
            reader.set_params(params);
        }
        self.info.threads = threads;
        self.info.offload = Offload::choose(self.spec.offload).words(threads);
        Ok(())
    }
}
