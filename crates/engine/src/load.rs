//! Which model to load and how, and the limits that may change while it runs.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Which model to load, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadSpec {
    /// A file that the caller has validated.
    pub path: PathBuf,
    pub purpose: Purpose,
    /// Context window in tokens; `None` takes the trained length, at most [`LoadSpec::DEFAULT_CONTEXT`].
    pub context_tokens: Option<u32>,
    /// Threads for decode; `None` leaves the choice to llama.cpp.
    pub threads: Option<u32>,
    /// Whether layers may go to the GPU.
    pub offload: bool,
    pub kv_type: KvType,
    /// How many requests are computed at the same time, besides one that is kept for [`crate::Priority::Interactive`].
    pub slots: u32,
    /// Where the KV state of conversations is kept; `None` keeps nothing.
    pub state: Option<StateSpec>,
    /// LoRA adapters with their strength, 1 being full; at most one for now. Files that the caller has validated.
    pub adapters: Vec<(PathBuf, f32)>,
    /// The vision part of the model, a file of its own that the caller has validated; without it the model only reads.
    #[serde(default)]
    pub projector: Option<PathBuf>,
    /// Only find out what the model would take ([`crate::ModelInfo::memory`]): no weights are read, and the child ends when it has
    /// said so. The vision part is left out.
    #[serde(default)]
    pub measure_only: bool,
}

impl LoadSpec {
    /// Context window when nothing else is asked for, in tokens.
    pub const DEFAULT_CONTEXT: u32 = 8192;
    /// Requests at the same time when nothing else is asked for.
    pub const DEFAULT_SLOTS: u32 = 4;
    /// Most requests at the same time.
    pub const MAX_SLOTS: u32 = 16;
    /// Tokens of one step of a model that answers, and of one compute graph; also of a batch of several texts, see
    /// [`LoadSpec::batch_tokens`].
    pub const BATCH_TOKENS: u32 = 512;
    /// Window of a model for vectors or scores, in tokens, when neither the caller nor the model sets a smaller one. Compute buffers
    /// grow with its square.
    pub const ENCODER_WINDOW: u32 = 2048;
    /// Sequences that are kept for later prompts, beside those that streams use. Names cost next to nothing; KV entries are shared.
    const KEPT_SEQUENCES: u32 = 24;
    /// Texts of one batch of an encoder.
    const ENCODER_SEQUENCES: u32 = 64;
    /// The same where each text needs a whole state.
    const ENCODER_STATES: u32 = 8;

    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            purpose: Purpose::default(),
            context_tokens: None,
            threads: None,
            offload: true,
            kv_type: KvType::default(),
            slots: Self::DEFAULT_SLOTS,
            state: None,
            adapters: Vec::new(),
            projector: None,
            measure_only: false,
        }
    }

    /// How many sequences the context is made for: streams at the same time, one more than asked for, and what is kept. A model with
    /// `whole_states` (a recurrent one) has a whole state for each, so it keeps next to none.
    pub fn sequences(&self, whole_states: bool) -> u32 {
        let streams = self.slots.clamp(1, Self::MAX_SLOTS) + 1;
        match (self.purpose, whole_states) {
            (Purpose::Generate, false) => streams + Self::KEPT_SEQUENCES,
            (Purpose::Generate, true) => streams + 1,
            (_, false) => Self::ENCODER_SEQUENCES,
            (_, true) => Self::ENCODER_STATES,
        }
    }

    /// The context window, in tokens, of a model that was trained for `trained`.
    pub fn window(&self, trained: u32) -> u32 {
        match self.purpose {
            Purpose::Generate => self
                .context_tokens
                .unwrap_or_else(|| trained.min(Self::DEFAULT_CONTEXT)),
            _ => trained.min(self.context_tokens.unwrap_or(Self::ENCODER_WINDOW)),
        }
    }

    /// Tokens of one step with such a window. An encoder computes a window whole, or several shorter texts: attention is computed over
    /// all of them and masked, so its cost grows with the square of this; below it the fixed cost of a call begins to show.
    pub fn batch_tokens(&self, window: u32) -> u32 {
        match self.purpose {
            Purpose::Generate => Self::BATCH_TOKENS,
            _ => window.max(Self::BATCH_TOKENS),
        }
    }
}

/// What a loaded model is for: the context is built differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    #[default]
    Generate,
    Embed,
    Rerank,
}

/// Number format of the KV cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KvType {
    #[default]
    F16,
    Q8_0,
    Q4_0,
}

/// Where KV states lie and how much they may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateSpec {
    /// A folder that belongs to Hearth alone.
    pub folder: PathBuf,
    /// Names the model's weights: a state of other weights is never used.
    pub model: String,
    /// The oldest states beyond this are deleted, in bytes.
    pub cap_bytes: u64,
}

/// Limits that change while the model runs, without loading it again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Threads for decode; `None` leaves it as it was loaded.
    pub threads: Option<u32>,
    /// Share of the time in which the engine computes, 0.05 to 1; the rest it sleeps.
    pub duty: f32,
    /// How long a running stream may wait for its next token while a prompt is read, in milliseconds.
    pub step_ms: u32,
    /// Requests at the same time, at most those of [`LoadSpec::slots`].
    pub slots: Option<u32>,
    /// Whether work of [`crate::Priority::Background`] is served.
    pub background: bool,
}

impl Limits {
    /// The default of [`Limits::step_ms`]: SPEC row E4.
    pub const STEP_MS: u32 = 100;
    /// More threads than this are a mistake.
    const MOST_THREADS: u32 = 256;

    /// How many threads are in force for a model that was loaded with `loaded`.
    pub(crate) fn threads_for(&self, loaded: u32) -> u32 {
        self.threads.unwrap_or(loaded).clamp(1, Self::MOST_THREADS)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            threads: None,
            duty: 1.0,
            step_ms: Self::STEP_MS,
            slots: None,
            background: true,
        }
    }
}
