//! Decides what the model computes next. One thread owns the model and calls [`run`]; everyone else sends it [`Work`].
//!
//! Between any two steps (a chunk of a prompt, or one token) the mailbox is looked at, so a cancel or a shutdown waits for
//! one step at most. Requests are served one after the other; tokens that two prompts begin with are computed once.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Instant;

use crate::backend::{Backend, Token};
use crate::request::invalid;
use crate::stops::Stops;
use crate::utf8::Decoder;
use crate::{Error, Event, FinishReason, Limits, Prompt, Request, Summary, embed};

/// A message to the thread that owns the model.
#[derive(Debug)]
pub enum Work {
    Generate {
        id: u64,
        request: Box<Request>,
    },
    /// For a model that is loaded for vectors or scores; see [`crate::embed::schedule`].
    Encode {
        id: u64,
        task: Box<embed::Task>,
    },
    Cancel {
        id: u64,
    },
    Limit {
        limits: Limits,
    },
    ShutDown,
}

/// Milliseconds since the process started at which a step began, or 0 while waiting for work. Read by the heartbeat.
#[derive(Debug, Default)]
pub struct Progress(AtomicU64);

impl Progress {
    pub(crate) fn begin_step(&self, started: Instant) {
        self.0
            .store(started.elapsed().as_millis() as u64 + 1, Ordering::Relaxed);
    }

    pub(crate) fn idle(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// How long the step in progress has taken so far, in milliseconds; 0 when idle.
    pub fn step_ms(&self, started: Instant) -> u64 {
        match self.0.load(Ordering::Relaxed) {
            0 => 0,
            begun => (started.elapsed().as_millis() as u64 + 1).saturating_sub(begun),
        }
    }
}

/// Serves requests until told to shut down or until nobody can send any more. `emit` must not block for long.
pub fn run(
    backend: &mut dyn Backend,
    mailbox: &Receiver<Work>,
    progress: &Progress,
    started: Instant,
    emit: &mut dyn FnMut(u64, Event),
) {
    let mut scheduler = Scheduler {
        backend,
        emit,
        queue: VecDeque::new(),
        cached: Vec::new(),
        active: None,
    };
    loop {
        let idle = scheduler.active.is_none() && scheduler.queue.is_empty();
        let work = if idle {
            progress.idle();
            mailbox.recv().map_err(|_| TryRecvError::Disconnected)
        } else {
            mailbox.try_recv()
        };
        match work {
            Ok(Work::ShutDown) | Err(TryRecvError::Disconnected) => return scheduler.shut_down(),
            Ok(Work::Generate { id, request }) => {
                scheduler.queue.push_back((id, request, Instant::now()));
                continue;
            }
            Ok(Work::Encode { id, .. }) => {
                let error = invalid("model", "is loaded for chat, not for vectors or scores");
                (scheduler.emit)(id, Event::Failed(error));
                continue;
            }
            Ok(Work::Limit { .. }) => continue,
            Ok(Work::Cancel { id }) => {
                scheduler.cancel(id);
                continue;
            }
            Err(TryRecvError::Empty) => {}
        }
        progress.begin_step(started);
        scheduler.step();
    }
}

struct Scheduler<'a> {
    backend: &'a mut dyn Backend,
    emit: &'a mut dyn FnMut(u64, Event),
    queue: VecDeque<(u64, Box<Request>, Instant)>,
    /// The tokens whose KV entries are in the cache, in order.
    cached: Vec<Token>,
    active: Option<Active>,
}

/// The request that has the slot.
struct Active {
    id: u64,
    request: Box<Request>,
    prompt: Vec<Token>,
    cached_tokens: usize,
    /// When the child took the request.
    received: Instant,
    prefill_began: Instant,
    prefill_ms: f64,
    first_token: Option<Instant>,
    last_token: Instant,
    tokens: u32,
    decoder: Decoder,
    stops: Stops,
    /// The token to compute next; absent while the prompt is being read.
    next: Option<Token>,
}

impl Scheduler<'_> {
    fn step(&mut self) {
        let result = match self.active.take() {
            None => {
                self.begin();
                Ok(())
            }
            Some(active) if active.next.is_none() => self.prefill(active),
            Some(active) => self.decode(active),
        };
        if let Err((id, error)) = result {
            // The state of the KV cache is not known after an error: start from nothing.
            self.backend.truncate(0);
            self.cached.clear();
            (self.emit)(id, Event::Failed(error));
        }
    }

    fn begin(&mut self) {
        let Some((id, request, received)) = self.queue.pop_front() else {
            return;
        };
        match self.prepare(id, request, received) {
            Ok(active) => self.active = Some(active),
            // Nothing was computed yet, so the cache stays as it is.
            Err(error) => (self.emit)(id, Event::Failed(error)),
        }
    }

    fn prepare(
        &mut self,
        id: u64,
        request: Box<Request>,
        received: Instant,
    ) -> Result<Active, Error> {
        request.validate()?;
        let (text, notice) = match &request.prompt {
            Prompt::Chat(messages) => self.backend.template().render(messages),
            Prompt::Text(text) => (text.clone(), None),
        };
        let prompt = self.backend.tokenize(&text)?;
        let context_tokens = self.backend.info().context_tokens;
        if prompt.is_empty() {
            return Err(Error::InvalidRequest {
                field: "prompt".into(),
                reason: "must hold at least one token".into(),
            });
        }
        if prompt.len() as u64 >= u64::from(context_tokens) {
            return Err(Error::ContextOverflow {
                prompt_tokens: prompt.len() as u32,
                context_tokens,
            });
        }
        // The last token is always computed again: its logits are needed.
        let common = common_prefix(&self.cached, &prompt[..prompt.len() - 1]);
        let kept = self.backend.truncate(common);
        self.cached.truncate(kept);
        self.backend.start_sampling(&request.sampling, &prompt);
        (self.emit)(
            id,
            Event::Started {
                prompt_tokens: prompt.len() as u32,
                cached_tokens: kept as u32,
                cut_messages: 0,
                notice,
            },
        );
        let now = Instant::now();
        Ok(Active {
            id,
            stops: Stops::new(request.stop.clone()),
            request,
            prompt,
            cached_tokens: kept,
            received,
            prefill_began: now,
            prefill_ms: 0.0,
            first_token: None,
            last_token: now,
            tokens: 0,
            decoder: Decoder::default(),
            next: None,
        })
    }

    fn prefill(&mut self, mut active: Active) -> Result<(), (u64, Error)> {
        let done = self.cached.len();
        let end = (done + self.backend.chunk_tokens()).min(active.prompt.len());
        let last = end == active.prompt.len();
        let chunk = &active.prompt[done..end];
        self.backend
            .decode(chunk, done, last)
            .map_err(|e| (active.id, e))?;
        self.cached.extend_from_slice(chunk);
        let total = active.prompt.len() as u32;
        if !last {
            (self.emit)(
                active.id,
                Event::Prefill {
                    done: end as u32,
                    total,
                },
            );
            self.active = Some(active);
            return Ok(());
        }
        active.prefill_ms = milliseconds(active.prefill_began);
        self.take_token(active)
    }

    fn decode(&mut self, mut active: Active) -> Result<(), (u64, Error)> {
        let Some(token) = active.next.take() else {
            return Ok(());
        };
        let position = self.cached.len();
        self.backend
            .decode(&[token], position, true)
            .map_err(|e| (active.id, e))?;
        self.cached.push(token);
        self.take_token(active)
    }

    /// Samples, emits the text and decides whether the generation goes on.
    fn take_token(&mut self, mut active: Active) -> Result<(), (u64, Error)> {
        let token = self.backend.sample().map_err(|e| (active.id, e))?;
        active.last_token = Instant::now();
        active.first_token.get_or_insert(active.last_token);
        if self.backend.is_end(token) && !active.request.ignore_eos {
            self.finish(active, FinishReason::Stop);
            return Ok(());
        }
        active.tokens += 1;
        let mut bytes = Vec::with_capacity(16);
        self.backend.piece(token, &mut bytes);
        let mut text = String::new();
        active.decoder.push(&bytes, &mut text);
        let (shown, stopped) = active.stops.push(&text);
        if !shown.is_empty() {
            (self.emit)(active.id, Event::Text { text: shown });
        }
        let context_tokens = self.backend.info().context_tokens as usize;
        let full = self.cached.len() + 1 >= context_tokens;
        let long_enough = active
            .request
            .max_tokens
            .is_some_and(|max| active.tokens >= max);
        if stopped {
            self.finish(active, FinishReason::Stop);
        } else if full || long_enough {
            self.finish(active, FinishReason::Length);
        } else {
            active.next = Some(token);
            self.active = Some(active);
        }
        Ok(())
    }

    fn finish(&mut self, mut active: Active, reason: FinishReason) {
        // Text held back for a stop string or an unfinished character is shown, unless a stop string ended the text.
        let mut tail = active.stops.finish();
        active.decoder.finish(&mut tail);
        if !tail.is_empty() {
            (self.emit)(active.id, Event::Text { text: tail });
        }
        let since = |at: Instant| at.duration_since(active.received).as_secs_f64() * 1000.0;
        let (ttft_ms, decode_ms) = match active.first_token {
            Some(first) => (
                since(first),
                active.last_token.duration_since(first).as_secs_f64() * 1000.0,
            ),
            None => (0.0, 0.0),
        };
        let summary = Summary {
            reason,
            prompt_tokens: active.prompt.len() as u32,
            cached_tokens: active.cached_tokens as u32,
            tokens: active.tokens,
            ttft_ms,
            prefill_ms: active.prefill_ms,
            decode_ms,
        };
        (self.emit)(active.id, Event::Finished(summary));
    }

    fn cancel(&mut self, id: u64) {
        if let Some(at) = self.queue.iter().position(|(queued, ..)| *queued == id) {
            self.queue.remove(at);
            (self.emit)(id, Event::Finished(cancelled_before_start()));
        } else if let Some(active) = self.active.take_if(|active| active.id == id) {
            self.finish(active, FinishReason::Cancelled);
        }
    }

    fn shut_down(&mut self) {
        let waiting = self.queue.drain(..).map(|(id, ..)| id);
        for id in self.active.take().map(|a| a.id).into_iter().chain(waiting) {
            (self.emit)(id, Event::Failed(Error::ShutDown));
        }
    }
}

/// The summary of a request that was cancelled while it waited.
pub(crate) fn cancelled_before_start() -> Summary {
    Summary {
        reason: FinishReason::Cancelled,
        prompt_tokens: 0,
        cached_tokens: 0,
        tokens: 0,
        ttft_ms: 0.0,
        prefill_ms: 0.0,
        decode_ms: 0.0,
    }
}

fn common_prefix(a: &[Token], b: &[Token]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
