//! The parts that answers of this dialect share: ids, times, usage, reasons, probabilities.

use std::time::{SystemTime, UNIX_EPOCH};

use hearth_app::engine::{FinishReason, Summary, TokenLogprob, ToolCall};
use serde_json::{Value, json};

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

    pub(super) fn shape(self) -> Value {
        json!({
            "prompt_tokens": self.prompt,
            "completion_tokens": self.written,
            "total_tokens": self.prompt + self.written,
            "prompt_tokens_details": { "cached_tokens": self.cached },
        })
    }
}

/// Figures as llama.cpp's server gives them; times in milliseconds.
pub(super) fn timings(summary: &Summary) -> Value {
    let read = summary.prompt_tokens - summary.cached_tokens.min(summary.prompt_tokens);
    let read_speed = (read > 0 && summary.prefill_ms > 0.0)
        .then(|| f64::from(read) * 1000.0 / summary.prefill_ms);
    json!({
        "cache_n": summary.cached_tokens,
        "prompt_n": read,
        "prompt_ms": summary.prefill_ms,
        "prompt_per_second": read_speed,
        "predicted_n": summary.tokens,
        "predicted_ms": summary.decode_ms,
        "predicted_per_second": summary.tokens_per_second(),
        "ttft_ms": summary.ttft_ms,
    })
}

/// `logprobs` of a choice in chat: null when not asked for.
pub(super) fn chat_logprobs(tokens: &[TokenLogprob], asked: bool) -> Value {
    if !asked {
        return Value::Null;
    }
    let content: Vec<Value> = tokens
        .iter()
        .map(|token| {
            let mut shape = token_shape(token);
            let top: Vec<Value> = token.top.iter().map(token_shape).collect();
            shape["top_logprobs"] = Value::from(top);
            shape
        })
        .collect();
    json!({ "content": content, "refusal": null })
}

fn token_shape(token: &TokenLogprob) -> Value {
    json!({ "token": token.text, "logprob": token.logprob, "bytes": token.bytes })
}

/// A call as chat has it: the arguments are a string of JSON.
pub(super) fn call(call: &ToolCall) -> Value {
    json!({
        "id": call.id,
        "type": "function",
        "function": { "name": call.name, "arguments": call.arguments },
    })
}
