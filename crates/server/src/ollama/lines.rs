//! An answer in this dialect: line by line, or as one object. Pure; the figures come with the last event.
//!
//! A tool call is said whole, because its arguments are an object here. One that was cut off, so that its arguments are none, is
//! said as text: half a call must not be carried out.

use std::time::{Duration, Instant};

use hearth_app::engine::{Event, FinishReason, Summary, TokenLogprob, ToolCall};
use serde_json::{Map, Value, json};

use super::{clock, error};
use crate::answer::{Whole, Wire};
use crate::refusal::Refusal;
use crate::sse;

/// Which of the two ways of asking is answered: they name the text differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Chat,
    Generate,
}

/// What every line says, and when the work began.
pub(super) struct Heading {
    pub(super) form: Form,
    /// As the client wrote it.
    pub(super) model: String,
    pub(super) asked: Instant,
    /// Time until the model was loaded and the request had its turn.
    pub(super) load: Duration,
}

/// The parts of a message.
#[derive(Debug, Default)]
struct Said<'s> {
    text: &'s str,
    thinking: &'s str,
    calls: Vec<Value>,
}

impl Heading {
    pub(super) fn new(form: Form, model: &str, asked: Instant) -> Self {
        Self {
            form,
            model: model.to_owned(),
            asked,
            load: asked.elapsed(),
        }
    }

    fn line(&self, said: Said, done: bool) -> Map<String, Value> {
        let mut line = Map::new();
        line.insert("model".into(), self.model.as_str().into());
        line.insert("created_at".into(), clock::now().into());
        match self.form {
            Form::Chat => {
                let mut message = Map::new();
                message.insert("role".into(), "assistant".into());
                message.insert("content".into(), said.text.into());
                if !said.thinking.is_empty() {
                    message.insert("thinking".into(), said.thinking.into());
                }
                if !said.calls.is_empty() {
                    message.insert("tool_calls".into(), said.calls.into());
                }
                line.insert("message".into(), message.into());
            }
            Form::Generate => {
                line.insert("response".into(), said.text.into());
                if !said.thinking.is_empty() {
                    line.insert("thinking".into(), said.thinking.into());
                }
            }
        }
        line.insert("done".into(), done.into());
        line
    }

    fn add_figures(&self, line: &mut Map<String, Value>, summary: &Summary) {
        let reason = match summary.reason {
            FinishReason::Length => "length",
            // There is no word for calls and for an end that somebody else asked for.
            FinishReason::Stop | FinishReason::ToolCalls | FinishReason::Cancelled => "stop",
        };
        let total = clock::nanoseconds(self.asked.elapsed());
        for (name, value) in [
            ("done_reason", json!(reason)),
            ("total_duration", json!(total)),
            ("load_duration", json!(clock::nanoseconds(self.load))),
            ("prompt_eval_count", json!(summary.prompt_tokens)),
            (
                "prompt_eval_duration",
                json!(clock::nanoseconds_of_ms(summary.prefill_ms)),
            ),
            ("eval_count", json!(summary.tokens)),
            (
                "eval_duration",
                json!(clock::nanoseconds_of_ms(summary.decode_ms)),
            ),
        ] {
            line.insert(name.into(), value);
        }
    }

    /// The answer to a request that only loads or unloads a model.
    pub(super) fn bare(&self, reason: &str) -> Value {
        let mut line = self.line(Said::default(), true);
        line.insert("done_reason".into(), reason.into());
        line.into()
    }

    /// The whole answer as one object.
    pub(super) fn whole(&self, whole: &Whole) -> Value {
        let mut text = whole.text.clone();
        let mut calls = Vec::new();
        for (index, call) in whole.tool_calls.iter().enumerate() {
            match said_call(index, call) {
                Some(call) => calls.push(call),
                None => text.push_str(&as_text(call)),
            }
        }
        let said = Said {
            text: &text,
            thinking: &whole.reasoning,
            calls,
        };
        let mut line = self.line(said, true);
        if !whole.logprobs.is_empty() {
            line.insert("logprobs".into(), logprobs(&whole.logprobs));
        }
        self.add_figures(&mut line, &whole.summary);
        line.into()
    }
}

/// An answer line by line.
pub(super) struct Lines {
    heading: Heading,
    /// The call whose arguments are coming, with its number.
    call: Option<(usize, ToolCall)>,
}

impl Lines {
    pub(super) fn new(heading: Heading) -> Self {
        Self {
            heading,
            call: None,
        }
    }

    fn say(&self, said: Said, logs: &[TokenLogprob], out: &mut Vec<String>) {
        let mut line = self.heading.line(said, false);
        if !logs.is_empty() {
            line.insert("logprobs".into(), logprobs(logs));
        }
        out.push(sse::line(&line));
    }

    /// Says the call that has come to its end.
    fn end_call(&mut self, out: &mut Vec<String>) {
        let Some((index, call)) = self.call.take() else {
            return;
        };
        let text;
        let said = if let Some(call) = said_call(index, &call) {
            Said {
                calls: vec![call],
                ..Said::default()
            }
        } else {
            text = as_text(&call);
            Said {
                text: &text,
                ..Said::default()
            }
        };
        self.say(said, &[], out);
    }
}

impl Wire for Lines {
    fn open(&mut self, _: &mut Vec<String>) {}

    fn event(&mut self, _: usize, event: Event, out: &mut Vec<String>) {
        match event {
            Event::ToolArguments { text, .. } => {
                if let Some((_, call)) = &mut self.call {
                    call.arguments.push_str(&text);
                }
            }
            Event::Text { text, logprobs } => {
                self.end_call(out);
                let said = Said {
                    text: &text,
                    ..Said::default()
                };
                self.say(said, &logprobs, out);
            }
            Event::Reasoning { text } => {
                self.end_call(out);
                let said = Said {
                    thinking: &text,
                    ..Said::default()
                };
                self.say(said, &[], out);
            }
            Event::ToolCall { index, id, name } => {
                self.end_call(out);
                let arguments = String::new();
                self.call = Some((
                    index as usize,
                    ToolCall {
                        id,
                        name,
                        arguments,
                    },
                ));
            }
            Event::Finished(summary) => {
                self.end_call(out);
                let mut line = self.heading.line(Said::default(), true);
                self.heading.add_figures(&mut line, &summary);
                out.push(sse::line(&line));
            }
            _ => {}
        }
    }

    fn failed(&mut self, refusal: &Refusal, out: &mut Vec<String>) {
        out.push(sse::line(&error::body(refusal)));
    }

    fn close(&mut self, _: &mut Vec<String>) {}
}

/// A call with its arguments as an object; `None` when they are none.
fn said_call(index: usize, call: &ToolCall) -> Option<Value> {
    let arguments = match call.arguments.trim() {
        "" => json!({}),
        text => serde_json::from_str(text).ok().filter(Value::is_object)?,
    };
    Some(json!({
        "id": call.id,
        "function": { "index": index, "name": call.name, "arguments": arguments },
    }))
}

fn as_text(call: &ToolCall) -> String {
    format!("\n{}({}", call.name, call.arguments)
}

fn logprobs(tokens: &[TokenLogprob]) -> Value {
    let one = |token: &TokenLogprob| json!({ "token": token.text, "logprob": token.logprob, "bytes": token.bytes });
    tokens
        .iter()
        .map(|token| {
            let mut value = one(token);
            if !token.top.is_empty() {
                value["top_logprobs"] = token.top.iter().map(one).collect();
            }
            value
        })
        .collect()
}
