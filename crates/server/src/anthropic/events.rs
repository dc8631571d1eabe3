//! An answer in this dialect: as a stream of named events, or as one message. Pure; the figures come with the last event.

use hearth_app::engine::{Event, FinishReason, Summary};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::error::Anthropic;
use super::shape::{ContentBlock, MessageShape, Stop, Text, Thoughts, ToolUse, Usage};
use crate::answer::{Whole, Wire};
use crate::failure::Dialect;
use crate::refusal::Refusal;
use crate::sse;

/// What every answer says of itself.
pub(super) struct Heading {
    id: String,
    /// As the client wrote it.
    model: String,
    /// Thoughts are sent.
    pub(super) thinking: bool,
}

impl Heading {
    pub(super) fn new(model: &str, thinking: bool) -> Self {
        Self {
            id: format!("msg_{}", Uuid::now_v7().simple()),
            model: model.to_owned(),
            thinking,
        }
    }

    /// A message that ended so.
    fn message(&self, content: Vec<ContentBlock>, stop: Stop, usage: Usage) -> MessageShape {
        MessageShape {
            id: self.id.clone(),
            kind: "message",
            role: "assistant",
            model: self.model.clone(),
            content,
            stop,
            usage,
        }
    }

    /// The whole answer. A call that was cut off is said as text: half a call must not be carried out.
    pub(super) fn whole(&self, whole: &Whole) -> MessageShape {
        let mut text = whole.text.clone();
        let mut calls = Vec::new();
        for call in &whole.tool_calls {
            let input = match call.arguments.trim() {
                "" => Some(Map::new()),
                arguments => serde_json::from_str(arguments).ok(),
            };
            match input {
                Some(input) => calls.push(ContentBlock::ToolUse(ToolUse {
                    kind: "tool_use",
                    id: call.id.clone(),
                    name: call.name.clone(),
                    input,
                })),
                None => text.extend(["\n", &call.name, "(", &call.arguments]),
            }
        }
        let mut content = Vec::new();
        if self.thinking && !whole.reasoning.is_empty() {
            content.push(ContentBlock::Thinking(Thoughts {
                kind: "thinking",
                thinking: whole.reasoning.clone(),
                signature: "",
            }));
        }
        if !text.is_empty() {
            content.push(ContentBlock::Text(Text { kind: "text", text }));
        }
        content.extend(calls);
        let summary = &whole.summary;
        let usage = usage(summary.prompt_tokens, summary.cached_tokens, summary.tokens);
        self.message(content, stop(summary), usage)
    }
}

/// Prompt tokens that were not in the cache are the input; the others are told apart.
fn usage(prompt_tokens: u32, cached_tokens: u32, output_tokens: u32) -> Usage {
    Usage {
        input_tokens: prompt_tokens.saturating_sub(cached_tokens),
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: cached_tokens,
        output_tokens,
    }
}

/// Why it ended, and the stop sequence if it was one.
fn stop(summary: &Summary) -> Stop {
    let (reason, sequence) = match (&summary.reason, &summary.stop) {
        (FinishReason::ToolCalls, _) => ("tool_use", None),
        (FinishReason::Length, _) => ("max_tokens", None),
        (_, Some(sequence)) => ("stop_sequence", Some(sequence.clone())),
        (FinishReason::Stop | FinishReason::Cancelled, None) => ("end_turn", None),
    };
    Stop {
        stop_reason: Some(reason),
        stop_sequence: sequence,
    }
}

/// The kind of the block that is being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Text,
    Thinking,
    Call,
}

/// An answer as events.
pub(super) struct Events {
    heading: Heading,
    prompt_tokens: u32,
    cached_tokens: u32,
    open: Option<Open>,
    /// Number of the open block, or of the next one.
    index: u32,
}

impl Events {
    /// `prompt_tokens` count the cached ones too.
    pub(super) fn new(heading: Heading, prompt_tokens: u32, cached_tokens: u32) -> Self {
        Self {
            heading,
            prompt_tokens,
            cached_tokens,
            open: None,
            index: 0,
        }
    }

    /// The same as [`Wire::open`], before it is framed.
    fn begin(&self) -> Vec<Value> {
        let usage = usage(self.prompt_tokens, self.cached_tokens, 0);
        let message = self.heading.message(Vec::new(), Stop::default(), usage);
        vec![
            json!({ "type": "message_start", "message": message }),
            json!({ "type": "ping" }),
        ]
    }

    /// The same as [`Wire::event`], before it is framed.
    fn take(&mut self, event: Event) -> Vec<Value> {
        let mut out = Vec::new();
        match event {
            Event::Text { text, .. } if !text.is_empty() => {
                self.switch(
                    Open::Text,
                    &mut out,
                    || json!({ "type": "text", "text": "" }),
                );
                self.delta(&mut out, json!({ "type": "text_delta", "text": text }));
            }
            Event::Reasoning { text } if self.heading.thinking => {
                self.switch(
                    Open::Thinking,
                    &mut out,
                    || json!({ "type": "thinking", "thinking": "", "signature": "" }),
                );
                self.delta(
                    &mut out,
                    json!({ "type": "thinking_delta", "thinking": text }),
                );
            }
            Event::ToolCall { id, name, .. } => {
                // Two calls in a row are two blocks.
                self.end_block(&mut out);
                self.switch(
                    Open::Call,
                    &mut out,
                    || json!({ "type": "tool_use", "id": id, "name": name, "input": {} }),
                );
            }
            Event::ToolArguments { text, .. } => {
                self.delta(
                    &mut out,
                    json!({ "type": "input_json_delta", "partial_json": text }),
                );
            }
            Event::Finished(summary) => {
                self.end_block(&mut out);
                let stop = stop(&summary);
                let usage = usage(summary.prompt_tokens, summary.cached_tokens, summary.tokens);
                out.push(json!({
                    "type": "message_delta",
                    "delta": stop,
                    "usage": usage,
                }));
                out.push(json!({ "type": "message_stop" }));
            }
            _ => {}
        }
        out
    }

    /// Makes a block of this kind the open one.
    fn switch(&mut self, kind: Open, out: &mut Vec<Value>, block: impl FnOnce() -> Value) {
        if self.open == Some(kind) {
            return;
        }
        self.end_block(out);
        out.push(
            json!({ "type": "content_block_start", "index": self.index, "content_block": block() }),
        );
        self.open = Some(kind);
    }

    fn delta(&self, out: &mut Vec<Value>, delta: Value) {
        out.push(json!({ "type": "content_block_delta", "index": self.index, "delta": delta }));
    }

    fn end_block(&mut self, out: &mut Vec<Value>) {
        let Some(kind) = self.open.take() else {
            return;
        };
        if kind == Open::Thinking {
            // Thoughts are not signed here; clients wait for the event.
            self.delta(out, json!({ "type": "signature_delta", "signature": "" }));
        }
        out.push(json!({ "type": "content_block_stop", "index": self.index }));
        self.index += 1;
    }
}

/// Each event is named as its type.
fn framed(value: &Value) -> String {
    sse::named(value["type"].as_str().unwrap_or_default(), value)
}

impl Wire for Events {
    fn open(&mut self, out: &mut Vec<String>) {
        out.extend(self.begin().iter().map(framed));
    }

    fn event(&mut self, _: usize, event: Event, out: &mut Vec<String>) {
        out.extend(self.take(event).iter().map(framed));
    }

    fn failed(&mut self, refusal: &Refusal, out: &mut Vec<String>) {
        out.push(sse::named("error", &Anthropic::body(refusal)));
    }

    fn close(&mut self, _: &mut Vec<String>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(reason: FinishReason) -> Summary {
        Summary {
            reason,
            stop: None,
            prompt_tokens: 10,
            cached_tokens: 8,
            tokens: 5,
            ttft_ms: 1.0,
            prefill_ms: 1.0,
            decode_ms: 1.0,
        }
    }

    fn text(text: &str) -> Event {
        Event::Text {
            text: text.into(),
            logprobs: Vec::new(),
        }
    }

    fn thought(text: &str) -> Event {
        Event::Reasoning { text: text.into() }
    }

    /// What is sent, in short.
    fn sent(heading: Heading, events: Vec<Event>) -> Vec<String> {
        let mut wire = Events::new(heading, 10, 8);
        let mut all = wire.begin();
        all.extend(events.into_iter().flat_map(|event| wire.take(event)));
        all.iter()
            .map(|event| {
                let kind = event["type"].as_str().unwrap();
                let delta = event["delta"]["type"].as_str().unwrap_or_default();
                let index = event["index"].as_u64();
                match index {
                    Some(index) => format!("{kind} {index} {delta}").trim_end().to_owned(),
                    None => kind.to_owned(),
                }
            })
            .collect()
    }

    #[test]
    fn thoughts_are_a_block_of_their_own_when_asked_for() {
        let events = || {
            vec![
                thought("a"),
                thought("b"),
                text("c"),
                Event::Finished(summary(FinishReason::Stop)),
            ]
        };
        assert_eq!(
            sent(Heading::new("m", true), events()),
            [
                "message_start",
                "ping",
                "content_block_start 0",
                "content_block_delta 0 thinking_delta",
                "content_block_delta 0 thinking_delta",
                "content_block_delta 0 signature_delta",
                "content_block_stop 0",
                "content_block_start 1",
                "content_block_delta 1 text_delta",
                "content_block_stop 1",
                "message_delta",
                "message_stop",
            ]
        );
        let silent = sent(Heading::new("m", false), events());
        assert_eq!(
            silent[2..4],
            ["content_block_start 0", "content_block_delta 0 text_delta"]
        );
    }

    #[test]
    fn whole_answers_have_thoughts_first_and_no_half_calls() {
        let call = |arguments: &str| hearth_app::engine::ToolCall {
            id: "call_1".into(),
            name: "f".into(),
            arguments: arguments.into(),
        };
        let whole = Whole {
            text: "text".into(),
            reasoning: "hm".into(),
            tool_calls: vec![call("{\"a\": 1}"), call("{\"a\": ")],
            logprobs: Vec::new(),
            summary: summary(FinishReason::Length),
        };
        let answer = json!(Heading::new("m", true).whole(&whole));
        let kinds: Vec<&str> = answer["content"]
            .as_array()
            .unwrap()
            .iter()
            .map(|block| block["type"].as_str().unwrap())
            .collect();
        assert_eq!(kinds, ["thinking", "text", "tool_use"]);
        assert_eq!(answer["content"][1]["text"], "text\nf({\"a\": ");
        assert_eq!(answer["usage"]["input_tokens"], 2);
        assert_eq!(answer["usage"]["cache_read_input_tokens"], 8);
        assert_eq!(answer["stop_reason"], "max_tokens");
        let quiet = json!(Heading::new("m", false).whole(&whole));
        assert_eq!(quiet["content"][0]["type"], "text");
    }
}
