//! An answer in this dialect: line by line, or as one object. Pure; the figures come with the last event.
//!
//! A tool call is said whole, because its arguments are an object here. One that was cut off, so that its arguments are none, is
//! said as text: half a call must not be carried out.

use std::time::{Duration, Instant};

use hearth_app::engine::{Event, FinishReason, Summary, TokenLogprob, ToolCall};
use serde_json::Map;

use super::clock;
use super::error::Ollama;
use super::shape::{CallShape, FunctionShape, Line, MessageShape, TokenShape};
use crate::answer::{Whole, Wire};
use crate::failure::Dialect;
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
    calls: Vec<CallShape>,
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

    fn line(&self, said: Said, done: bool) -> Line {
        let text = said.text.to_owned();
        let thinking = Some(said.thinking)
            .filter(|thoughts| !thoughts.is_empty())
            .map(str::to_owned);
        let line = Line {
            model: self.model.clone(),
            created_at: clock::now(),
            done,
            ..Line::default()
        };
        match self.form {
            Form::Chat => Line {
                message: Some(MessageShape {
                    role: "assistant",
                    content: text,
                    thinking,
                    tool_calls: said.calls,
                }),
                ..line
            },
            Form::Generate => Line {
                response: Some(text),
                thinking,
                ..line
            },
        }
    }

    /// The line with what the work took.
    fn with_figures(&self, line: Line, summary: &Summary) -> Line {
        let reason = match summary.reason {
            FinishReason::Length => "length",
            // There is no word for calls and for an end that somebody else asked for.
            FinishReason::Stop | FinishReason::ToolCalls | FinishReason::Cancelled => "stop",
        };
        Line {
            done_reason: Some(reason),
            total_duration: Some(clock::nanoseconds(self.asked.elapsed())),
            load_duration: Some(clock::nanoseconds(self.load)),
            prompt_eval_count: Some(summary.prompt_tokens),
            prompt_eval_duration: Some(clock::nanoseconds_of_ms(summary.prefill_ms)),
            eval_count: Some(summary.tokens),
            eval_duration: Some(clock::nanoseconds_of_ms(summary.decode_ms)),
            ..line
        }
    }

    /// The answer to a request that only loads or unloads a model.
    pub(super) fn bare(&self, reason: &'static str) -> Line {
        Line {
            done_reason: Some(reason),
            ..self.line(Said::default(), true)
        }
    }

    /// The whole answer as one object.
    pub(super) fn whole(&self, whole: &Whole) -> Line {
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
        let line = Line {
            logprobs: logprobs(&whole.logprobs),
            ..self.line(said, true)
        };
        self.with_figures(line, &whole.summary)
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
        let line = Line {
            logprobs: logprobs(logs),
            ..self.heading.line(said, false)
        };
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
                let line = self.heading.line(Said::default(), true);
                out.push(sse::line(&self.heading.with_figures(line, &summary)));
            }
            _ => {}
        }
    }

    fn failed(&mut self, refusal: &Refusal, out: &mut Vec<String>) {
        out.push(sse::line(&Ollama::body(refusal)));
    }

    fn close(&mut self, _: &mut Vec<String>) {}
}

/// A call with its arguments as an object; `None` when they are none.
fn said_call(index: usize, call: &ToolCall) -> Option<CallShape> {
    let arguments = match call.arguments.trim() {
        "" => Map::new(),
        text => serde_json::from_str(text).ok()?,
    };
    Some(CallShape {
        id: call.id.clone(),
        function: FunctionShape {
            index,
            name: call.name.clone(),
            arguments,
        },
    })
}

fn as_text(call: &ToolCall) -> String {
    format!("\n{}({}", call.name, call.arguments)
}

fn logprobs(tokens: &[TokenLogprob]) -> Vec<TokenShape> {
    tokens
        .iter()
        .map(|token| TokenShape {
            token: token.text.clone(),
            logprob: token.logprob,
            bytes: token.bytes.clone(),
            top_logprobs: logprobs(&token.top),
        })
        .collect()
}
