//! Decides what the model computes next. One thread owns the model and calls [`run`]; everyone else sends it [`Work`].
//!
//! A step is one batch: a token for every stream that is answering, and beside them as much of the waiting prompts as does not
//! keep anybody waiting. Between two steps the mailbox is looked at, so a cancel, a limit or a new request waits for one step at
//! most. Prompts that begin alike are computed once: a stream takes over what any sequence of the KV cache holds, and waits for
//! another stream that is computing what it needs too.

mod budget;
mod draft;
mod plan;
pub(crate) mod prompt;
mod queue;
#[cfg(test)]
mod simulation;
mod stream;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use crate::backend::{Backend, DecodeError};
use crate::cache::Cache;
use crate::kvstore::{KvStore, Saved, WORTH_TOKENS};
use crate::request::invalid;
use crate::{
    Error, Event, FinishReason, Limits, Priority, Request, Summary, TokenTask, embed, tokens,
};

use self::budget::Budget;
use self::draft::Drafts;
use self::plan::Plan;
use self::queue::{Queue, Waiting};
use self::stream::Stream;

/// How long nothing must happen before conversations are written to disk.
const QUIET: Duration = Duration::from_secs(2);
/// How often a state that is being read from disk is looked for while nothing else runs.
const POLL: Duration = Duration::from_millis(2);
/// The longest sleep between two looks at the mailbox while the engine paces itself.
const NAP: Duration = Duration::from_millis(50);
/// Least share of the time in which the engine computes, however hot the machine is.
const LEAST_DUTY: f32 = 0.05;
/// Largest state that is still written when the engine ends, in bytes: the process has about a second left.
const LAST_SAVE_BYTES: u64 = 512 * 1024 * 1024;

/// Most bytes that are copied out of the KV cache at once while streams wait for their next token: some ten milliseconds.
const MOST_STASHED_BESIDE: u64 = 32 * 1024 * 1024;

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
    Tokens {
        id: u64,
        task: TokenTask,
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

/// Serves requests until told to shut down or until nobody can send any more. `slots` is [`crate::LoadSpec::slots`]; `emit` must
/// not block for long.
pub fn run(
    backend: &mut dyn Backend,
    slots: u32,
    store: Option<KvStore>,
    mailbox: &Receiver<Work>,
    progress: &Progress,
    started: Instant,
    emit: &mut dyn FnMut(u64, Event),
) {
    let mut scheduler = Scheduler::new(backend, slots, store, emit);
    loop {
        let work = match scheduler.patience() {
            Patience::None => mailbox.try_recv(),
            Patience::Until(limit) => {
                progress.idle();
                mailbox.recv_timeout(limit).map_err(|e| match e {
                    RecvTimeoutError::Timeout => TryRecvError::Empty,
                    RecvTimeoutError::Disconnected => TryRecvError::Disconnected,
                })
            }
            Patience::Forever => {
                progress.idle();
                mailbox.recv().map_err(|_| TryRecvError::Disconnected)
            }
        };
        match work {
            Ok(Work::ShutDown) | Err(TryRecvError::Disconnected) => return scheduler.shut_down(),
            Ok(work) => scheduler.take(work),
            Err(TryRecvError::Empty) => {
                progress.begin_step(started);
                scheduler.step();
            }
        }
    }
}

/// How long the mailbox may be waited for before the next step.
enum Patience {
    None,
    Until(Duration),
    Forever,
}

/// See the module text.
pub(crate) struct Scheduler<'a> {
    backend: &'a mut dyn Backend,
    emit: &'a mut dyn FnMut(u64, Event),
    queue: Queue,
    streams: Vec<Stream>,
    cache: Cache,
    store: Option<KvStore>,
    budget: Budget,
    drafts: Drafts,
    limits: Limits,
    slots: usize,
    /// Threads as the model was loaded, for when a limit ends.
    loaded_threads: u32,
    /// Rest that is due after the last step, as [`Limits::duty`] asks.
    rest: Duration,
    /// Batches computed so far.
    steps: u64,
    /// Whether the last step found nothing that it could compute.
    stuck: bool,
    quiet_since: Instant,
}

impl<'a> Scheduler<'a> {
    pub(crate) fn new(
        backend: &'a mut dyn Backend,
        slots: u32,
        store: Option<KvStore>,
        emit: &'a mut dyn FnMut(u64, Event),
    ) -> Self {
        let now = backend.now();
        // One sequence each, one for the interactive reserve, and the rest for what is kept.
        let most = (backend.sequences() as usize).saturating_sub(1).max(1);
        Self {
            queue: Queue::default(),
            streams: Vec::new(),
            cache: Cache::new(backend),
            store,
            budget: Budget::new(backend.batch_tokens()),
            drafts: Drafts::default(),
            limits: Limits::default(),
            slots: (slots as usize).clamp(1, most),
            loaded_threads: backend.info().threads,
            rest: Duration::ZERO,
            steps: 0,
            stuck: false,
            quiet_since: now,
            backend,
            emit,
        }
    }

    pub(crate) fn take(&mut self, work: Work) {
        self.stuck = false;
        match work {
            Work::Generate { id, request } => self.queue.push(Waiting {
                id,
                request,
                received: self.backend.now(),
            }),
            Work::Encode { id, .. } => {
                let error = invalid("model", "is loaded for chat, not for vectors or scores");
                (self.emit)(id, Event::Failed(error));
            }
            Work::Tokens { id, task } => {
                let event = tokens::answer(self.backend, task).map(Event::Tokens);
                (self.emit)(id, event.unwrap_or_else(Event::Failed));
            }
            Work::Cancel { id } => self.cancel(id),
            Work::Limit { limits } => self.limit(limits),
            Work::ShutDown => {}
        }
    }

    fn patience(&mut self) -> Patience {
        if !self.rest.is_zero() {
            let nap = self.rest.min(NAP);
            self.rest -= nap;
            return Patience::Until(nap);
        }
        if self.streams.is_empty() && (self.queue.is_empty() || self.stuck) {
            return match &self.store {
                Some(_) if self.cache.has_unsaved() => {
                    let since = self.backend.now().duration_since(self.quiet_since);
                    Patience::Until(QUIET.saturating_sub(since))
                }
                _ => Patience::Forever,
            };
        }
        if !self.stuck {
            return Patience::None;
        }
        if self.streams.iter().any(|s| s.restoring || s.compiling) {
            Patience::Until(POLL)
        } else {
            Patience::Forever
        }
    }

    /// Whether nothing is running or waiting.
    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        self.streams.is_empty() && self.queue.is_empty()
    }

    #[cfg(test)]
    pub(crate) fn cache(&mut self) -> (&mut Cache, &mut dyn Backend) {
        (&mut self.cache, self.backend)
    }

    /// One batch.
    pub(crate) fn step(&mut self) {
        self.admit();
        self.take_restored();
        self.take_compiled();
        if self.streams.is_empty() {
            self.stuck = true;
            self.save_when_quiet();
            return;
        }
        self.quiet_since = self.backend.now();
        match self.plan() {
            Some(plan) => {
                self.stuck = false;
                self.compute(plan);
            }
            None => self.stuck = !self.streams.is_empty(),
        }
    }

    /// Gives slots to requests that wait.
    fn admit(&mut self) {
        let slots = self
            .limits
            .slots
            .map_or(self.slots, |n| (n as usize).clamp(1, self.slots));
        loop {
            let total = self.streams.len();
            let background = self.limits.background;
            let waiting = self
                .queue
                .pop(self.backend.now(), |priority| match priority {
                    // One more than the rest may have, so that the window never waits for programs.
                    Priority::Interactive => total <= slots,
                    Priority::Api => total < slots,
                    Priority::Background => background && total < slots.max(2) - 1,
                });
            let Some(waiting) = waiting else { return };
            self.begin(waiting);
        }
    }

    fn begin(&mut self, waiting: Waiting) {
        let id = waiting.id;
        let slot = (0..=self.streams.len())
            .find(|n| self.streams.iter().all(|s| s.slot != *n))
            .unwrap_or_default();
        let prepared = prompt::prepare(self.backend, &waiting.request).and_then(|prepared| {
            if !waiting.request.read_ahead {
                self.backend.start_sampling(
                    slot,
                    &waiting.request,
                    &prepared.syntax,
                    &prepared.tokens,
                )?;
            }
            Ok(prepared)
        });
        let sequence = match prepared {
            Ok(prepared) => self
                .cache
                .take(self.backend)
                .map(|sequence| (prepared, sequence)),
            Err(error) => return (self.emit)(id, Event::Failed(error)),
        };
        let Some((prepared, sequence)) = sequence else {
            let reason = "all sequences of the KV cache are in use".into();
            return (self.emit)(id, Event::Failed(Error::Backend { reason }));
        };
        let mut stream = Stream::new(waiting, prepared, slot, sequence);
        self.cache.recall(self.backend, sequence, stream.to_read());
        self.cache.adopt(self.backend, sequence, stream.to_read());
        let most = if self.streams.is_empty() {
            u64::MAX
        } else {
            MOST_STASHED_BESIDE
        };
        self.cache.stash_idle(self.backend, most);
        self.look_on_disk(&mut stream);
        self.streams.push(stream);
    }

    /// Asks for the saved state of a stream's conversation, when the KV cache does not hold most of it anyway.
    fn look_on_disk(&mut self, stream: &mut Stream) {
        let (Some(store), Some(conversation)) = (&self.store, &stream.request.conversation) else {
            return;
        };
        let cached = self.cache.length(stream.sequence);
        if stream.tokens.len() >= cached + WORTH_TOKENS {
            stream.restoring = true;
            store.load(
                stream.id,
                conversation.clone(),
                stream.tokens.clone(),
                cached,
            );
        }
    }

    fn take_restored(&mut self) {
        while let Some((id, saved)) = self.store.as_ref().and_then(KvStore::loaded) {
            if let Some(at) = self.streams.iter().position(|s| s.id == id) {
                self.streams[at].restoring = false;
                if let Some(saved) = saved {
                    self.restore(at, &saved);
                }
            }
        }
    }

    /// Lets streams go on whose samplers are ready.
    fn take_compiled(&mut self) {
        let waiting: Vec<(u64, usize)> = self
            .streams
            .iter()
            .filter(|s| s.compiling)
            .map(|s| (s.id, s.slot))
            .collect();
        for (id, slot) in waiting {
            match self.backend.poll_sampling(slot) {
                None => {}
                Some(Ok(())) => {
                    let ready = self.streams.iter_mut().filter(|s| s.id == id);
                    ready.for_each(|s| s.compiling = false);
                }
                Some(Err(error)) => self.end(id, Err(error)),
            }
        }
    }

    fn restore(&mut self, at: usize, saved: &Saved) {
        let Ok(spare) = self.cache.take(self.backend).ok_or(()) else {
            return;
        };
        let imported = self
            .cache
            .import(self.backend, spare, &saved.tokens, &saved.state);
        // An idle sequence like any other: the stream takes from it what it needs.
        self.cache.release(self.backend, spare, None);
        if imported {
            let stream = &self.streams[at];
            self.cache
                .adopt(self.backend, stream.sequence, stream.to_read());
        }
    }

    fn save_when_quiet(&mut self) {
        let quiet = self.backend.now().duration_since(self.quiet_since) >= QUIET;
        if quiet && self.queue.is_empty() {
            self.save_one(u64::MAX);
        }
    }

    /// Writes one conversation; whether there was one.
    fn save_one(&mut self, most_bytes: u64) -> bool {
        let Some(store) = &self.store else {
            return false;
        };
        let Some((conversation, saved)) = self.cache.next_unsaved(self.backend) else {
            return false;
        };
        let most = store.cap_bytes().min(most_bytes);
        if let Some(saved) = saved.filter(|saved| saved.state.len() as u64 <= most) {
            store.save(conversation, saved);
        }
        true
    }

    fn compute(&mut self, plan: Plan) {
        let image = plan.image;
        self.rest = Duration::ZERO;
        if !plan.batch.is_empty() {
            self.compute_batch(&plan);
        }
        if let Some(id) = image {
            self.compute_image(id);
        }
    }

    fn compute_batch(&mut self, plan: &Plan) {
        let before = self.backend.now();
        for part in &plan.parts {
            let stream = &mut self.streams[part.stream];
            let cached = self.cache.length(stream.sequence);
            if let Some(event) = stream.begin(cached, before) {
                (self.emit)(stream.id, event);
            }
        }
        let computed = if self.cache.make_room(self.backend, plan.batch.len()) {
            self.backend.decode(&plan.batch)
        } else {
            Err(DecodeError::Full)
        };
        match computed {
            Ok(()) => {}
            Err(DecodeError::Full) => return self.on_full(plan),
            Err(DecodeError::Failed(error)) => return self.on_failed(plan, &error),
        }
        self.steps += 1;
        self.cache.computed(&plan.batch);
        let now = self.backend.now();
        let took = now.duration_since(before);
        self.budget
            .record(plan.decoded, plan.read, took.as_secs_f64() * 1000.0);
        self.drafts.record(plan, took);
        self.rest_after(took);
        let mut ended = Vec::new();
        for part in &plan.parts {
            if let Some(reason) = self.take_tokens(part, plan) {
                ended.push((self.streams[part.stream].id, reason));
            }
        }
        for (id, end) in ended {
            self.end(id, end);
        }
    }

    /// Computes the next picture of a stream: one step, however long it takes.
    fn compute_image(&mut self, id: u64) {
        let Some(at) = self.streams.iter().position(|s| s.id == id) else {
            return;
        };
        let before = self.backend.now();
        let stream = &mut self.streams[at];
        let (sequence, length) = (stream.sequence, self.cache.length(stream.sequence));
        let Some(image) = stream.images.iter().find(|i| i.at == length).cloned() else {
            return;
        };
        if let Some(event) = stream.begin(length, before) {
            (self.emit)(id, event);
        }
        let computed = if self.cache.make_room(self.backend, image.count) {
            self.backend.decode_image(&image.pixels, sequence, length)
        } else {
            Err(DecodeError::Full)
        };
        match computed {
            Ok(()) => {}
            Err(DecodeError::Full) => {
                if !self.cache.cut_idle(self.backend, image.count) && !self.park_one() {
                    let reason = "the KV cache has no room for a picture".to_owned();
                    self.end(id, Err(Error::OutOfMemory { reason }));
                }
                return;
            }
            Err(DecodeError::Failed(error)) => return self.end(id, Err(error)),
        }
        let stream = &self.streams[at];
        self.steps += 1;
        self.cache
            .extend(sequence, &stream.tokens[length..length + image.count]);
        (self.emit)(
            id,
            Event::Prefill {
                done: (length + image.count) as u32,
                total: stream.prompt_tokens as u32,
            },
        );
        let took = self.backend.now().duration_since(before);
        self.rest_after(took);
    }

    /// Adds the rest that is due after a step.
    fn rest_after(&mut self, took: Duration) {
        let duty = self.limits.duty.clamp(LEAST_DUTY, 1.0);
        if duty < 1.0 {
            self.rest += took.mul_f32(1.0 / duty - 1.0);
        }
    }

    /// Samples what a part of the batch has made possible; says how the stream ends when it does.
    fn take_tokens(
        &mut self,
        part: &plan::Part,
        plan: &Plan,
    ) -> Option<Result<FinishReason, Error>> {
        let stream = &mut self.streams[part.stream];
        let length = self.cache.length(stream.sequence);
        if stream.request.read_ahead {
            return (length == stream.tokens.len()).then_some(Ok(FinishReason::Stop));
        }
        if part.samples == 0 {
            (self.emit)(
                stream.id,
                Event::Prefill {
                    done: length as u32,
                    total: stream.prompt_tokens as u32,
                },
            );
            return None;
        }
        let first = part.first + part.count - part.samples;
        let mut end = None;
        for index in first..part.first + part.count {
            let token = match self.backend.sample(stream.slot, index) {
                Ok(token) => token,
                Err(error) => return Some(Err(error)),
            };
            stream.sampled(self.backend.now());
            end = accept(self.backend, self.emit, stream, token);
            let guessed = plan
                .batch
                .get(index + 1)
                .filter(|_| index + 1 < part.first + part.count);
            if end.is_some() || guessed.is_none_or(|next| next.token != token) {
                // What was guessed wrong must not stay in the cache.
                let kept = length - (part.first + part.count - 1 - index);
                self.drafts.guessed(part.samples - 1, index - first);
                self.cache.truncate(self.backend, stream.sequence, kept);
                break;
            }
        }
        end.or_else(|| self.when_full(part.stream)).map(Ok)
    }

    /// What happens when the next token would not fit the context window.
    fn when_full(&mut self, at: usize) -> Option<FinishReason> {
        let stream = &mut self.streams[at];
        let window = self.backend.info().context_tokens as usize;
        if stream.tokens.len() < window {
            return None;
        }
        // The prompt stays as far as it fills half of the window; the older half of the rest goes.
        let keep = stream.prompt_tokens.min(window / 2);
        let length = self.cache.length(stream.sequence);
        let to = keep + (length - keep) / 2;
        // A picture cannot be cut in two, and its places are no tokens that could be read again.
        let shift = stream.request.shift && stream.images.is_empty();
        if shift && self.cache.shift(self.backend, stream.sequence, keep, to) {
            stream.tokens.drain(keep..to);
            None
        } else {
            Some(FinishReason::Length)
        }
    }

    /// The KV cache had less room than its books say: sequences that came to the same tokens on their own share no positions.
    fn on_full(&mut self, plan: &Plan) {
        if self.cache.cut_idle(self.backend, plan.batch.len()) || self.park_one() {
            return;
        }
        let reason = "the KV cache has no room left".to_owned();
        self.on_failed(plan, &Error::OutOfMemory { reason });
    }

    fn on_failed(&mut self, plan: &Plan, error: &Error) {
        let ids: Vec<u64> = plan
            .parts
            .iter()
            .map(|p| self.streams[p.stream].id)
            .collect();
        for id in ids {
            if let Some(stream) = self.streams.iter().find(|s| s.id == id) {
                self.cache.truncate(self.backend, stream.sequence, 0);
            }
            self.end(id, Err(error.clone()));
        }
    }

    fn end(&mut self, id: u64, end: Result<FinishReason, Error>) {
        let Some(at) = self.streams.iter().position(|s| s.id == id) else {
            return;
        };
        let mut stream = self.streams.remove(at);
        self.quiet_since = self.backend.now();
        let conversation = stream
            .request
            .conversation
            .take()
            .filter(|_| self.store.is_some());
        self.cache
            .release(self.backend, stream.sequence, conversation);
        match end {
            Ok(reason) => {
                for event in stream.tail() {
                    (self.emit)(id, event);
                }
                let reason = match reason {
                    FinishReason::Stop if stream.has_calls() => FinishReason::ToolCalls,
                    other => other,
                };
                (self.emit)(id, Event::Finished(stream.summary(reason)));
            }
            Err(error) => (self.emit)(id, Event::Failed(error)),
        }
    }

    fn cancel(&mut self, id: u64) {
        if self.queue.remove(id).is_some() {
            (self.emit)(id, Event::Finished(cancelled_before_start()));
        } else {
            self.end(id, Ok(FinishReason::Cancelled));
        }
    }

    fn limit(&mut self, limits: Limits) {
        let threads = limits.threads_for(self.loaded_threads);
        if threads != self.limits.threads_for(self.loaded_threads)
            && let Err(error) = self.backend.set_threads(threads)
        {
            tracing::warn!(%error, threads, "the number of threads could not be changed");
        }
        self.limits = limits;
        if self.limits.duty.is_nan() {
            self.limits.duty = 1.0;
        }
        self.rest = Duration::ZERO;
    }

    fn shut_down(&mut self) {
        let waiting = self.queue.drain().map(|w| w.id);
        for id in self.streams.iter().map(|s| s.id).chain(waiting) {
            (self.emit)(id, Event::Failed(Error::ShutDown));
        }
        while self.save_one(LAST_SAVE_BYTES) {}
    }
}

/// Takes a sampled token into a stream and sends its text; the reason when it ends the answer.
fn accept(
    backend: &mut dyn Backend,
    emit: &mut dyn FnMut(u64, Event),
    stream: &mut Stream,
    token: crate::backend::Token,
) -> Option<FinishReason> {
    if backend.is_end(token) && !stream.request.ignore_eos {
        return Some(FinishReason::Stop);
    }
    let mut bytes = Vec::with_capacity(16);
    backend.piece(token, &stream.visible, &mut bytes);
    let logprob = backend.logprobs(stream.slot, token);
    let (events, stopped) = stream.push(token, &bytes, logprob);
    for event in events {
        emit(stream.id, event);
    }
    if stopped {
        Some(FinishReason::Stop)
    } else {
        stream.is_long_enough().then_some(FinishReason::Length)
    }
}

/// The summary of a request that was cancelled while it waited.
pub(crate) fn cancelled_before_start() -> Summary {
    Summary {
        reason: FinishReason::Cancelled,
        stop: None,
        prompt_tokens: 0,
        cached_tokens: 0,
        tokens: 0,
        ttft_ms: 0.0,
        prefill_ms: 0.0,
        decode_ms: 0.0,
    }
}
