//! One request that has a slot: its tokens, the text it has made so far, and its figures.

use std::time::Instant;

use crate::backend::{Sequence, Token};
use crate::event::TokenLogprob;
use crate::output::{Output, Piece};
use crate::scheduler::prompt::{Placed, Prepared};
use crate::scheduler::queue::Waiting;
use crate::stops::Stops;
use crate::utf8::Decoder;
use crate::{Event, FinishReason, Priority, Request, Summary, ToolChoice};

/// See the module text.
pub struct Stream {
    pub id: u64,
    pub request: Box<Request>,
    /// Which sampler is its own.
    pub slot: usize,
    pub sequence: Sequence,
    /// The prompt and what was generated. All but the last are to be computed before the next can be sampled.
    pub tokens: Vec<Token>,
    pub prompt_tokens: usize,
    /// The pictures of the prompt, in order.
    pub images: Vec<Placed>,
    /// Gave its place in the KV cache to a more urgent stream, and waits until there is room again: the step before which it is
    /// not tried.
    pub parked: Option<u64>,
    /// A saved state is being read from disk for it.
    pub restoring: bool,
    /// Its prompt is being read aside.
    pub aside: bool,
    /// Whether that may be tried.
    pub may_be_aside: bool,
    /// The sampler is not ready.
    pub compiling: bool,
    /// Special tokens that are shown, because the answer is taken apart by them.
    pub visible: Vec<&'static str>,
    pub received: Instant,
    pub generated: u32,
    notice: Option<String>,
    cut_messages: u32,
    cached_tokens: Option<usize>,
    prefill_began: Option<Instant>,
    prefill_ms: f64,
    first_token: Option<Instant>,
    last_token: Option<Instant>,
    decoder: Decoder,
    stops: Stops,
    /// Takes the answer apart, when the request asks for it.
    output: Option<Output>,
    /// The answer ended where it began a call that was not wanted.
    second_call: bool,
    /// Of tokens whose text was not sent yet.
    logprobs: Vec<TokenLogprob>,
}

impl Stream {
    pub fn new(waiting: Waiting, prepared: Prepared, slot: usize, sequence: Sequence) -> Self {
        Self {
            id: waiting.id,
            slot,
            sequence,
            prompt_tokens: prepared.tokens.len(),
            tokens: prepared.tokens,
            images: prepared.images,
            parked: None,
            restoring: false,
            aside: false,
            may_be_aside: true,
            compiling: !waiting.request.read_ahead,
            visible: if waiting.request.parse {
                prepared.syntax.markers()
            } else {
                Vec::new()
            },
            output: waiting.request.parse.then(|| {
                let shown = waiting.request.tool_choice != ToolChoice::None;
                let tools = waiting.request.tools.iter().filter(|_| shown);
                Output::new(
                    prepared.syntax,
                    tools.map(|tool| tool.name.clone()).collect(),
                    waiting.id,
                )
            }),
            second_call: false,
            logprobs: Vec::new(),
            received: waiting.received,
            generated: 0,
            notice: prepared.notice,
            cut_messages: prepared.cut_messages,
            cached_tokens: None,
            prefill_began: None,
            prefill_ms: 0.0,
            first_token: None,
            last_token: None,
            decoder: Decoder::default(),
            stops: Stops::new(waiting.request.stop.clone()),
            request: waiting.request,
        }
    }

    pub fn priority(&self) -> Priority {
        self.request.priority
    }

    /// Whether it waits for something that no step brings about.
    pub fn is_away(&self) -> bool {
        self.restoring || self.compiling || self.aside
    }

    /// Whether it has answered with something already, so that a wait would show.
    pub fn is_streaming(&self) -> bool {
        self.first_token.is_some()
    }

    /// Notes that the first part of the prompt is about to be computed; the event for it, once.
    pub fn begin(&mut self, cached_tokens: usize, now: Instant) -> Option<Event> {
        if self.cached_tokens.is_some() {
            return None;
        }
        self.cached_tokens = Some(cached_tokens);
        self.prefill_began = Some(now);
        Some(Event::Started {
            prompt_tokens: self.prompt_tokens as u32,
            cached_tokens: cached_tokens as u32,
            cut_messages: self.cut_messages,
            notice: self.notice.take(),
        })
    }

    /// The event for so many tokens of the prompt that are computed now.
    pub fn progress(&self, done: usize) -> Event {
        Event::Prefill {
            done: done as u32,
            total: self.prompt_tokens as u32,
        }
    }

    /// Notes that the prompt is computed or that a token was sampled.
    pub fn sampled(&mut self, now: Instant) {
        self.last_token = Some(now);
        if self.first_token.is_none() {
            self.first_token = Some(now);
            self.prefill_ms = self.prefill_began.map_or(0.0, |at| milliseconds(at, now));
        }
    }

    /// Takes a token and its bytes; what to send now, and whether a stop string ended the answer.
    pub fn push(
        &mut self,
        token: Token,
        bytes: &[u8],
        logprob: Option<TokenLogprob>,
    ) -> (Vec<Event>, bool) {
        self.tokens.push(token);
        self.generated += 1;
        self.logprobs.extend(logprob);
        let mut text = String::new();
        self.decoder.push(bytes, &mut text);
        let (shown, stopped) = self.stops.push(&text);
        let mut events = self.events(&shown);
        let second = events
            .iter()
            .position(|event| matches!(event, Event::ToolCall { index: 1.., .. }));
        if let Some(second) = second.filter(|_| self.request.one_call) {
            events.truncate(second);
            self.second_call = true;
            return (events, true);
        }
        (events, stopped)
    }

    /// What was held back for a stop string, an unfinished character or a marker.
    pub fn tail(&mut self) -> Vec<Event> {
        if self.second_call {
            return Vec::new();
        }
        let mut tail = self.stops.finish();
        self.decoder.finish(&mut tail);
        let mut events = self.events(&tail);
        let rest = self.output.as_mut().map(Output::finish).unwrap_or_default();
        for piece in rest {
            events.push(self.event(piece));
        }
        events
    }

    /// Whether the answer holds calls of tools.
    pub fn has_calls(&self) -> bool {
        self.output
            .as_ref()
            .is_some_and(|output| output.calls() > 0)
    }

    fn events(&mut self, text: &str) -> Vec<Event> {
        let pieces = match &mut self.output {
            _ if text.is_empty() => Vec::new(),
            None => vec![Piece::Text(text.to_owned())],
            Some(output) => output.push(text),
        };
        pieces.into_iter().map(|piece| self.event(piece)).collect()
    }

    fn event(&mut self, piece: Piece) -> Event {
        match piece {
            Piece::Text(text) => Event::Text {
                text,
                logprobs: std::mem::take(&mut self.logprobs),
            },
            Piece::Reasoning(text) => Event::Reasoning { text },
            Piece::ToolCall { index, id, name } => Event::ToolCall { index, id, name },
            Piece::ToolArguments { index, text } => Event::ToolArguments { index, text },
        }
    }

    /// Whether the answer has its full length.
    pub fn is_long_enough(&self) -> bool {
        self.request
            .max_tokens
            .is_some_and(|max| self.generated >= max)
    }

    pub fn summary(&self, reason: FinishReason) -> Summary {
        let (ttft_ms, decode_ms) = match (self.first_token, self.last_token) {
            (Some(first), Some(last)) => (
                milliseconds(self.received, first),
                milliseconds(first, last),
            ),
            _ => (0.0, 0.0),
        };
        Summary {
            reason,
            stop: self.stops.met().map(str::to_owned),
            prompt_tokens: self.prompt_tokens as u32,
            cached_tokens: self.cached_tokens.unwrap_or_default() as u32,
            tokens: self.generated,
            ttft_ms,
            prefill_ms: self.prefill_ms,
            decode_ms,
        }
    }
}

fn milliseconds(from: Instant, to: Instant) -> f64 {
    to.duration_since(from).as_secs_f64() * 1000.0
}
