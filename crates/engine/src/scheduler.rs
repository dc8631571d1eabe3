//! Decides what the model computes next. One thread owns the model and calls [`run`]; everyone else sends it [`Work`].
//!
//! A step is one batch: a token for every stream that is answering, and beside them as much of the waiting prompts as does not
//! keep anybody waiting. Between two steps the mailbox is looked at, so a cancel, a limit or a new request waits for one step at
//! most. Prompts that begin alike are computed once: a stream takes over what any sequence of the KV cache holds, and waits for
//! another stream that is computing what it needs too.

mod aside;
mod budget;
mod compute;
mod disk;
mod draft;
mod outbox;
mod plan;
pub(crate) mod prompt;
mod queue;
#[cfg(test)]
mod simulation;
mod stream;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use crate::backend::Backend;
use crate::cache::Cache;
use crate::kvstore::KvStore;
use crate::request::invalid;
use crate::{
    Error, Event, FinishReason, Limits, Priority, Request, Summary, TokenTask, embed, tokens,
};

use self::aside::Aside;
use self::budget::Budget;
use self::disk::QUIET;
use self::draft::Drafts;
use self::outbox::Outbox;
use self::queue::{Queue, Waiting};
use self::stream::Stream;

/// How often a state that is being read from disk is looked for while nothing else runs.
const POLL: Duration = Duration::from_millis(2);
/// Largest state that is still written when the engine ends, in bytes: the process has about a second left.
const LAST_SAVE_BYTES: u64 = 512 * 1024 * 1024;

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

/// Serves requests until told to shut down or until nobody can send any more. `slots` is [`crate::LoadSpec::slots`]; `send` gets
/// the events of a step together, each with the request that it belongs to, and must not block for long.
pub fn run(
    backend: &mut dyn Backend,
    slots: u32,
    store: Option<KvStore>,
    mailbox: &Receiver<Work>,
    progress: &Progress,
    started: Instant,
    send: &mut dyn FnMut(Vec<(u64, Event)>),
) {
    let mut scheduler = Scheduler::new(backend, slots, store, send);
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
            Ok(work) => {
                scheduler.take(work);
                // Those that come together are read together: the next ones arrive while this one is prepared.
                scheduler.admit();
            }
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
    outbox: Outbox<'a>,
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
    /// Until when the engine rests, as [`Limits::duty`] asks.
    rest_until: Instant,
    /// Rest that is due and not long enough yet to be taken.
    rest_due: Duration,
    /// Batches computed so far.
    steps: u64,
    /// Whether the last step found nothing that it could compute.
    stuck: bool,
    aside: Option<Aside>,
    quiet_since: Instant,
}

impl<'a> Scheduler<'a> {
    pub(crate) fn new(
        backend: &'a mut dyn Backend,
        slots: u32,
        store: Option<KvStore>,
        send: &'a mut dyn FnMut(Vec<(u64, Event)>),
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
            rest_until: Instant::now(),
            rest_due: Duration::ZERO,
            steps: 0,
            stuck: false,
            aside: None,
            quiet_since: now,
            backend,
            outbox: Outbox::new(send),
        }
    }

    pub(crate) fn take(&mut self, work: Work) {
        self.stuck = false;
        if let Some(aside) = &mut self.aside {
            aside.interrupt();
        }
        match work {
            Work::Generate { id, request } => self.queue.push(Waiting {
                id,
                request,
                received: self.backend.now(),
            }),
            Work::Encode { id, .. } => {
                let error = invalid("model", "is loaded for chat, not for vectors or scores");
                self.outbox.push(id, Event::Failed(error));
            }
            Work::Tokens { id, task } => {
                let event = tokens::answer(self.backend, task).map(Event::Tokens);
                self.outbox.push(id, event.unwrap_or_else(Event::Failed));
            }
            Work::Cancel { id } => self.cancel(id),
            Work::Limit { limits } => self.limit(limits),
            Work::ShutDown => {}
        }
        self.outbox.flush();
    }

    fn patience(&mut self) -> Patience {
        let rest = self.rest_until.saturating_duration_since(Instant::now());
        if !rest.is_zero() {
            return Patience::Until(rest);
        }
        if let Some(aside) = &self.aside {
            let rest = aside.rest();
            if !rest.is_zero() {
                return Patience::Until(rest);
            }
            if self.stuck {
                return Patience::Until(POLL);
            }
        }
        if self.streams.is_empty() && (self.queue.is_empty() || self.stuck) {
            // To have nothing to do is a rest too.
            self.rest_due = Duration::ZERO;
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
        if self.streams.iter().any(Stream::is_away) {
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
        self.advance();
        self.outbox.flush();
    }

    fn advance(&mut self) {
        self.admit();
        self.take_restored();
        self.take_compiled();
        self.take_aside();
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
            let Some(waiting) = waiting else { break };
            self.begin(waiting);
        }
        self.outbox.flush();
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
            Err(error) => return self.outbox.push(id, Event::Failed(error)),
        };
        let Some((prepared, sequence)) = sequence else {
            let reason = "all sequences of the KV cache are in use".into();
            return self
                .outbox
                .push(id, Event::Failed(Error::Backend { reason }));
        };
        let mut stream = Stream::new(waiting, prepared, slot, sequence);
        let beside = !self.streams.is_empty();
        self.cache
            .recall(self.backend, sequence, stream.to_read(), beside);
        self.cache.adopt(self.backend, sequence, stream.to_read());
        self.cache.stash_idle(self.backend, beside);
        self.look_on_disk(&mut stream);
        self.streams.push(stream);
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

    fn end(&mut self, id: u64, end: Result<FinishReason, Error>) {
        let Some(at) = self.streams.iter().position(|s| s.id == id) else {
            return;
        };
        let mut stream = self.streams.remove(at);
        if stream.aside {
            self.stop_aside();
        }
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
                    self.outbox.push(id, event);
                }
                let reason = match reason {
                    FinishReason::Stop if stream.has_calls() => FinishReason::ToolCalls,
                    other => other,
                };
                self.outbox
                    .push(id, Event::Finished(stream.summary(reason)));
            }
            Err(error) => self.outbox.push(id, Event::Failed(error)),
        }
    }

    fn cancel(&mut self, id: u64) {
        if self.queue.remove(id).is_some() {
            self.outbox
                .push(id, Event::Finished(cancelled_before_start()));
        } else {
            self.end(id, Ok(FinishReason::Cancelled));
        }
    }

    fn limit(&mut self, limits: Limits) {
        if self.forbids_aside(&limits) {
            self.stop_aside();
        }
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
        self.rest_until = Instant::now();
        self.rest_due = Duration::ZERO;
    }

    fn shut_down(&mut self) {
        self.stop_aside();
        let waiting = self.queue.drain().map(|w| w.id);
        for id in self.streams.iter().map(|s| s.id).chain(waiting) {
            self.outbox.push(id, Event::Failed(Error::ShutDown));
        }
        self.outbox.flush();
        while self.save_one(LAST_SAVE_BYTES) {}
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
