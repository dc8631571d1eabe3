//! A chat answer piece by piece: `chat.completion.chunk` events, the usage at the end when asked for, then `[DONE]`.

use hearth_app::engine::Event;
use serde_json::{Value, json};

use super::request::View;
use crate::answer::Wire;
use crate::failure::Dialect;
use crate::openai::error::OpenAi;
use crate::openai::output::{self, Usage};
use crate::refusal::Refusal;
use crate::sse;

/// Makes chunks of events.
pub(super) struct Chunks {
    id: String,
    created: u64,
    model: String,
    view: View,
    usage: Usage,
    /// The answer whose first chunk was sent last.
    open: Option<usize>,
}

impl Chunks {
    pub(super) fn new(model: String, view: View) -> Self {
        Self {
            id: output::id("chatcmpl-"),
            created: output::created(),
            model,
            view,
            usage: Usage::default(),
            open: None,
        }
    }

    fn chunk(&self, choices: Value) -> Value {
        let mut chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "system_fingerprint": output::FINGERPRINT,
            "choices": choices,
        });
        if self.view.usage_at_end {
            chunk["usage"] = Value::Null;
        }
        chunk
    }

    fn delta(&self, index: usize, delta: Value) -> Value {
        let choice =
            json!({ "index": index, "delta": delta, "logprobs": null, "finish_reason": null });
        self.chunk(json!([choice]))
    }

    /// The role comes first and once, with each answer.
    fn begin(&mut self, index: usize, out: &mut Vec<String>) {
        if self.open != Some(index) {
            self.open = Some(index);
            let delta = json!({ "role": "assistant", "content": "" });
            out.push(sse::data(&self.delta(index, delta)));
        }
    }
}

impl Wire for Chunks {
    fn open(&mut self, out: &mut Vec<String>) {
        self.begin(0, out);
    }

    fn event(&mut self, index: usize, event: Event, out: &mut Vec<String>) {
        self.begin(index, out);
        let chunk = match event {
            Event::Text { text, logprobs } => {
                let mut chunk = self.delta(index, json!({ "content": text }));
                if self.view.logprobs {
                    let shape = output::chat_logprobs(&logprobs, true);
                    chunk["choices"][0]["logprobs"] = json!(shape);
                }
                chunk
            }
            Event::Reasoning { text } => self.delta(index, json!({ "reasoning_content": text })),
            Event::ToolCall {
                index: call,
                id,
                name,
            } => {
                let function = json!({ "name": name, "arguments": "" });
                let call =
                    json!({ "index": call, "id": id, "type": "function", "function": function });
                self.delta(index, json!({ "tool_calls": [call] }))
            }
            Event::ToolArguments { index: call, text } => {
                let call = json!({ "index": call, "function": { "arguments": text } });
                self.delta(index, json!({ "tool_calls": [call] }))
            }
            Event::Finished(summary) => {
                self.usage.add(&summary, index > 0);
                let mut chunk = self.delta(index, json!({}));
                chunk["choices"][0]["finish_reason"] = output::finish_reason(summary.reason).into();
                chunk["timings"] = json!(output::timings(&summary));
                chunk
            }
            _ => return,
        };
        out.push(sse::data(&chunk));
    }

    fn failed(&mut self, refusal: &Refusal, out: &mut Vec<String>) {
        out.push(sse::data(&OpenAi::body(refusal)));
        out.push(sse::done());
    }

    fn close(&mut self, out: &mut Vec<String>) {
        if self.view.usage_at_end {
            let mut chunk = self.chunk(json!([]));
            chunk["usage"] = json!(self.usage.shape());
            out.push(sse::data(&chunk));
        }
        out.push(sse::done());
    }
}
