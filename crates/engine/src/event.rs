//! What an engine reports: its state, and the events of one generation.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::embed::{EncoderInfo, Vectors};
use crate::tokens::TokenReply;

/// An event of one generation, in the order in which they happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The request has its slot. `notice` is a warning for the user, such as a missing chat template.
    Started {
        prompt_tokens: u32,
        cached_tokens: u32,
        /// Messages of the conversation that were left out because the context window is full.
        #[serde(default)]
        cut_messages: u32,
        notice: Option<String>,
    },
    /// `done` of `total` prompt tokens are in the KV cache.
    Prefill { done: u32, total: u32 },
    /// Text of one token or more; always whole code points.
    Text {
        text: String,
        /// For each token of the text; empty unless [`crate::Sampling::logprobs`] is set.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        logprobs: Vec<TokenLogprob>,
    },
    /// Thoughts before the answer; only when [`crate::Request::parse`] is set.
    Reasoning { text: String },
    /// A call of a tool begins; its arguments follow. Only when [`crate::Request::parse`] is set.
    ToolCall {
        index: u32,
        id: String,
        name: String,
    },
    /// The next piece of the arguments of call `index`, JSON text.
    ToolArguments { index: u32, text: String },
    /// Vectors or scores of the next texts, in the order of the texts. Only for [`crate::embed::Task`].
    Vectors(Vectors),
    /// The end: what the tokeniser says. Only for [`crate::TokenTask`].
    Tokens(TokenReply),
    /// The end, with figures.
    Finished(Summary),
    /// The end, with the reason.
    Failed(Error),
}

/// How likely a token was, before any sampler changed the odds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenLogprob {
    /// The text of the token; broken characters are replaced, `bytes` has them whole.
    pub text: String,
    pub bytes: Vec<u8>,
    /// Natural logarithm of the probability.
    pub logprob: f32,
    /// The likeliest tokens in the same place, best first; empty in an alternative itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub top: Vec<TokenLogprob>,
}

impl Event {
    /// Whether nothing follows.
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Finished(_) | Self::Failed(_) | Self::Tokens(_))
    }
}

/// Why a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model ended its turn, or a stop string was met.
    Stop,
    /// The model ended its turn with calls of tools.
    ToolCalls,
    /// `max_tokens` or the end of the context window was reached.
    Length,
    /// Somebody asked for it.
    Cancelled,
}

/// Figures of a finished generation, all measured in the child.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub reason: FinishReason,
    /// The stop string that ended it; `None` when something else did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<String>,
    /// Tokens of the prompt, cached ones included.
    pub prompt_tokens: u32,
    /// Prompt tokens that were already in the KV cache.
    pub cached_tokens: u32,
    /// Generated tokens, the end-of-turn token not counted.
    pub tokens: u32,
    /// From the moment the child took the request from its queue to the first sampled token, in milliseconds.
    pub ttft_ms: f64,
    /// Time of reading the uncached part of the prompt, in milliseconds.
    pub prefill_ms: f64,
    /// From the first to the last sampled token, in milliseconds.
    pub decode_ms: f64,
}

impl Summary {
    /// Decode speed over the gaps between tokens; absent when fewer than two tokens were made.
    pub fn tokens_per_second(&self) -> Option<f64> {
        (self.tokens >= 2 && self.decode_ms > 0.0)
            .then(|| f64::from(self.tokens - 1) * 1000.0 / self.decode_ms)
    }
}

/// What is in force for a loaded model, as the engine reports it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// Size of the context window in tokens.
    pub context_tokens: u32,
    /// Context length the model was trained with, in tokens.
    pub trained_context_tokens: u32,
    /// Where the layers run, in plain words, and why not on the GPU when they do not.
    pub offload: String,
    /// Weights in bytes.
    pub weights_bytes: u64,
    pub parameters: u64,
    pub threads: u32,
    /// Whether messages may show pictures.
    #[serde(default)]
    pub sees_images: bool,
    /// Present when the model is loaded for vectors or scores.
    #[serde(default)]
    pub encoder: Option<EncoderInfo>,
    /// What it takes; absent when the engine does not say.
    #[serde(default)]
    pub memory: Option<MemoryUse>,
}

/// What a loaded model takes, in bytes, as llama.cpp counts it: in steps of 0.01 MiB, over all devices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryUse {
    /// Tensors of the file, and those of its vision part.
    pub weights: u64,
    /// Keys and values of all positions, and the states of recurrent layers.
    pub cache: u64,
    /// Scratch space of one step.
    pub compute: u64,
    /// Logits and vectors on their way out.
    pub output: u64,
}

impl MemoryUse {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.weights + self.cache + self.compute + self.output
    }
}

impl ModelInfo {
    /// What an engine without a model reports, for tests of what is around one.
    pub fn without_weights(context_tokens: u32) -> Self {
        Self {
            context_tokens,
            trained_context_tokens: context_tokens,
            offload: "Fake engine, nothing is computed".into(),
            weights_bytes: 0,
            parameters: 0,
            threads: 1,
            sees_images: false,
            encoder: None,
            memory: None,
        }
    }
}

/// The life of an engine as others see it.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// The process is being started or the weights are being read; `progress` is 0 to 1 when known.
    Loading { progress: Option<f32> },
    /// Loaded, with `active` generations running or queued.
    Ready { info: ModelInfo, active: u32 },
    /// Not usable; says why.
    Failed(Error),
    /// Ended on request.
    ShutDown,
}
