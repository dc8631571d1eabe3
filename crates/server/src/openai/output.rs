//! The parts that answers of this dialect share: ids, times, usage, reasons, probabilities.

use std::time::{SystemTime, UNIX_EPOCH};

use hearth_app::engine::{FinishReason, Summary, TokenLogprob, ToolCall};
use serde::Serialize;
use utoipa::ToSchema;

/// What answered; two answers with the same seed can be compared when this is the same.
pub(super) const FINGERPRINT: &str = concat!("hearth-", env!("CARGO_PKG_VERSION"));

/// An id that no other answer has.
pub(super) fn id(prefix: &str) -> String {
    format!("{prefix}{}", uuid::Uuid::now_v7().simple())
}

/// Now, in Unix seconds.
pub(super) fn created() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |time| time.as_secs())
}

pub(super) fn finish_reason(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        // Nobody but the client cancels, and a client that did is not there to read it.
        FinishReason::Stop | FinishReason::Cancelled => "stop",
    }
}

/// Tokens read and written over all answers to a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) prompt: u32,
    pub(super) cached: u32,
    pub(super) written: u32,
}

impl Usage {
    /// Counts an answer; `same_prompt` when its prompt was counted with an earlier one.
    pub(super) fn add(&mut self, summary: &Summary, same_prompt: bool) {
        if !same_prompt {
            self.prompt += summary.prompt_tokens;
            self.cached += summary.cached_tokens;
        }
        self.written += summary.tokens;
    }

    pub(super) fn shape(self) -> UsageShape {
        UsageShape {
            prompt_tokens: self.prompt,
            completion_tokens: self.written,
            total_tokens: self.prompt + self.written,
            prompt_tokens_details: PromptDetails {
                cached_tokens: self.cached,
            },
        }
    }
}

/// Tokens read and written.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::Usage)]
pub(crate) struct UsageShape {
    prompt_tokens: u32,
    completion_tokens: u32,
    total_tokens: u32,
    prompt_tokens_details: PromptDetails,
}

/// Where the tokens of the prompt came from.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::PromptDetails)]
pub(crate) struct PromptDetails {
    /// Those that were read before.
    cached_tokens: u32,
}

/// Tokens of texts that were only read.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::ReadUsage)]
pub(crate) struct ReadUsage {
    prompt_tokens: u64,
    total_tokens: u64,
}

impl ReadUsage {
    pub(super) fn of(tokens: &[u32]) -> Self {
        let sum = tokens.iter().map(|n| u64::from(*n)).sum();
        Self {
            prompt_tokens: sum,
            total_tokens: sum,
        }
    }
}

/// Figures as llama.cpp's server gives them; times in milliseconds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::Timings)]
pub(crate) struct Timings {
    cache_n: u32,
    prompt_n: u32,
    prompt_ms: f64,
    prompt_per_second: Option<f64>,
    predicted_n: u32,
    predicted_ms: f64,
    predicted_per_second: Option<f64>,
    ttft_ms: f64,
}

pub(super) fn timings(summary: &Summary) -> Timings {
    let read = summary.prompt_tokens - summary.cached_tokens.min(summary.prompt_tokens);
    Timings {
        cache_n: summary.cached_tokens,
        prompt_n: read,
        prompt_ms: summary.prefill_ms,
        prompt_per_second: (read > 0 && summary.prefill_ms > 0.0)
            .then(|| f64::from(read) * 1000.0 / summary.prefill_ms),
        predicted_n: summary.tokens,
        predicted_ms: summary.decode_ms,
        predicted_per_second: summary.tokens_per_second(),
        ttft_ms: summary.ttft_ms,
    }
}

/// `logprobs` of a choice in chat.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::ChatLogprobs)]
pub(crate) struct ChatLogprobs {
    pub(super) content: Vec<TokenShape>,
    /// Always null: nothing is refused in words of its own.
    refusal: Option<String>,
}

/// A token and how likely it was.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = openai::TokenLogprob)]
pub(crate) struct TokenShape {
    token: String,
    logprob: f32,
    bytes: Vec<u8>,
    /// The likeliest ones in its place; absent in one of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion, nullable = false)]
    top_logprobs: Option<Vec<TokenShape>>,
}

/// Null when not asked for.
pub(super) fn chat_logprobs(tokens: &[TokenLogprob], asked: bool) -> Option<ChatLogprobs> {
    asked.then(|| ChatLogprobs {
        content: tokens
            .iter()
            .map(|token| TokenShape {
                top_logprobs: Some(token.top.iter().map(token_shape).collect()),
                ..token_shape(token)
            })
            .collect(),
        refusal: None,
    })
}

fn token_shape(token: &TokenLogprob) -> TokenShape {
    TokenShape {
        token: token.text.clone(),
        logprob: token.logprob,
        bytes: token.bytes.clone(),
        top_logprobs: None,
    }
}

/// A call as chat has it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::ToolCall)]
pub(crate) struct CallShape {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    function: FunctionShape,
}

/// What is called, and how.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::CalledFunction)]
pub(crate) struct FunctionShape {
    name: String,
    /// A string of JSON.
    arguments: String,
}

pub(super) fn call(call: ToolCall) -> CallShape {
    CallShape {
        id: call.id,
        kind: "function",
        function: FunctionShape {
            name: call.name,
            arguments: call.arguments,
        },
    }
}
