//! One model of the registry: whether its engine runs, who uses it, and when it may go.
//!
//! Only the registry's task changes an entry. It must not know the other entries.

use std::sync::Arc;
use std::time::Duration;

use hearth_engine::{Cancel, CpuClock, Engine, Generation, State};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::{Command, KeepAlive, Model, Work};
use crate::error::{Error, Result};
use crate::inference::Started;
use crate::inference::meter::Meters;

/// A model that was asked for.
pub(super) struct Entry {
    /// Never used twice, so that a late message cannot reach another entry of the same name.
    pub(super) id: u64,
    pub(super) model: Arc<Model>,
    pub(super) phase: Phase,
    /// Who waits for the engine to be started.
    pub(super) waiting: Vec<Waiting>,
    /// Generations that somebody still holds.
    pub(super) active: u32,
    pub(super) pinned: bool,
    pub(super) keep_alive: KeepAlive,
    /// When it was asked for first.
    pub(super) since: Instant,
    pub(super) last_used: Instant,
    /// Where the end of a generation is reported; nowhere before the entry is among the others.
    pub(super) own: mpsc::WeakUnboundedSender<Command>,
    /// Where generations are counted.
    pub(super) meters: Meters,
}

/// Whether there is an engine.
pub(super) enum Phase {
    /// Waits for its turn; `engine` is one that gave up after crashes and is asked once more.
    Queued {
        engine: Option<Arc<dyn Engine>>,
    },
    Started {
        engine: Arc<dyn Engine>,
    },
}

/// Something to do when the engine is started.
pub(super) enum Waiting {
    Generate {
        work: Work,
        reply: oneshot::Sender<Result<Started>>,
    },
    Load {
        reply: oneshot::Sender<Result<()>>,
    },
}

/// An answer to whoever asked, given when what it says can be seen in the rows.
pub(super) type Answer = Box<dyn FnOnce() + Send>;

pub(super) fn answer<T: Send + 'static>(reply: oneshot::Sender<T>, value: T) -> Answer {
    Box::new(move || {
        // Who stopped waiting has lost interest; a generation that nobody takes is cancelled with it.
        let _ = reply.send(value);
    })
}

/// What others see of an entry.
#[derive(Clone)]
pub(in crate::inference) struct Row {
    pub(in crate::inference) entry: u64,
    pub(in crate::inference) model: Arc<Model>,
    /// What its process has used of the processor.
    pub(in crate::inference) cpu: Option<CpuClock>,
    /// `None` before the engine is started.
    pub(in crate::inference) state: Option<watch::Receiver<State>>,
    pub(in crate::inference) active: u32,
    pub(in crate::inference) pinned: bool,
    pub(in crate::inference) since: Instant,
    pub(in crate::inference) last_used: Instant,
    /// `None` while it is in use, pinned, or kept for ever.
    pub(in crate::inference) expires_at: Option<Instant>,
}

/// Tells the registry that a generation was let go. Lives in its [`Cancel`].
struct Lease {
    entry: u64,
    registry: mpsc::WeakUnboundedSender<Command>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(registry) = self.registry.upgrade() {
            let _ = registry.send(Command::Ended { entry: self.entry });
        }
    }
}

impl Entry {
    pub(super) fn new(model: Arc<Model>) -> Self {
        let now = Instant::now();
        Self {
            id: 0,
            model,
            phase: Phase::Queued { engine: None },
            waiting: Vec::new(),
            active: 0,
            pinned: false,
            keep_alive: KeepAlive::DEFAULT,
            since: now,
            last_used: now,
            own: mpsc::unbounded_channel().0.downgrade(),
            meters: Meters::default(),
        }
    }

    /// The same model with another try before it; `same_engine` asks the engine that failed.
    pub(super) fn again(self, same_engine: bool) -> Self {
        let engine = self.engine().filter(|_| same_engine).cloned();
        Self {
            pinned: self.pinned,
            keep_alive: self.keep_alive,
            phase: Phase::Queued { engine },
            ..Self::new(self.model)
        }
    }

    pub(super) fn engine(&self) -> Option<&Arc<dyn Engine>> {
        match &self.phase {
            Phase::Started { engine }
            | Phase::Queued {
                engine: Some(engine),
            } => Some(engine),
            Phase::Queued { engine: None } => None,
        }
    }

    pub(super) fn state(&self) -> State {
        match &self.phase {
            Phase::Queued { .. } => State::Loading { progress: None },
            Phase::Started { engine } => engine.state().borrow().clone(),
        }
    }

    pub(super) fn is_queued(&self) -> bool {
        matches!(self.phase, Phase::Queued { .. })
    }

    pub(super) fn is_loading(&self) -> bool {
        !self.is_queued() && matches!(self.state(), State::Loading { .. })
    }

    /// Whether it has a child process that holds memory.
    pub(super) fn has_process(&self) -> bool {
        !self.is_queued() && matches!(self.state(), State::Loading { .. } | State::Ready { .. })
    }

    pub(super) fn is_busy(&self) -> bool {
        self.active > 0 || !self.waiting.is_empty()
    }

    /// When it is unloaded if nobody uses it again; nothing stays longer than `at_most` but what is pinned.
    pub(super) fn expires_at(&self, at_most: Option<Duration>) -> Option<Instant> {
        if self.is_busy() || self.pinned || self.is_queued() || self.is_loading() {
            return None;
        }
        let wanted = match self.keep_alive {
            KeepAlive::For(time) => Some(time),
            KeepAlive::Forever => None,
        };
        let time = wanted.into_iter().chain(at_most).min()?;
        self.last_used.checked_add(time)
    }

    /// Does what is asked, now or when the engine is started.
    pub(super) fn take(&mut self, work: Waiting) -> Option<Answer> {
        self.last_used = Instant::now();
        if self.is_queued() {
            self.waiting.push(work);
            return None;
        }
        self.serve(work)
    }

    /// The engine is started: serves those who waited for it.
    pub(super) fn begin(&mut self, engine: Arc<dyn Engine>) -> Vec<Answer> {
        self.phase = Phase::Started { engine };
        let waiting = std::mem::take(&mut self.waiting);
        let served = waiting.into_iter().filter_map(|work| self.serve(work));
        served.collect()
    }

    fn serve(&mut self, work: Waiting) -> Option<Answer> {
        match work {
            // Who stopped waiting has lost interest.
            Waiting::Generate { reply, .. } if reply.is_closed() => None,
            Waiting::Generate { work, reply } => {
                let started = self.start(work)?;
                Some(answer(reply, Ok(started)))
            }
            Waiting::Load { reply } => Some(answer(reply, Ok(()))),
        }
    }

    /// Hands work to the engine.
    pub(super) fn start(&mut self, work: Work) -> Option<Started> {
        let Phase::Started { engine } = &self.phase else {
            return None;
        };
        let watch = match &work {
            Work::Generate(request) => self.meters.watch(&self.model.name, request),
            Work::Encode(_) | Work::Tokens(_) => None,
        };
        let Generation { events, cancel } = match work {
            Work::Generate(request) => engine.generate(*request),
            Work::Encode(task) => engine.encode(*task),
            Work::Tokens(task) => engine.ask_tokens(task),
        };
        let state = engine.state();
        let lease = Lease {
            entry: self.id,
            registry: self.own.clone(),
        };
        self.active += 1;
        self.last_used = Instant::now();
        Some(Started {
            model: self.model.name.clone(),
            state,
            generation: Generation {
                events: match watch {
                    Some(watch) => watch.over(events),
                    None => events,
                },
                cancel: Cancel::new(move || {
                    // Named, so that the closure owns it.
                    let _ = &lease;
                    cancel.cancel();
                }),
            },
        })
    }

    /// Tells everybody who waits why nothing comes.
    pub(super) fn refuse(&mut self, error: &Error) -> Vec<Answer> {
        let refused = self.waiting.drain(..).map(|work| match work {
            Waiting::Generate { reply, .. } => answer(reply, Err(error.clone())),
            Waiting::Load { reply } => answer(reply, Err(error.clone())),
        });
        refused.collect()
    }

    pub(super) fn row(&self, longest_keep: Option<Duration>) -> Row {
        let engine = match &self.phase {
            Phase::Queued { .. } => None,
            Phase::Started { engine } => Some(engine),
        };
        Row {
            cpu: engine.and_then(|engine| engine.cpu_clock()),
            entry: self.id,
            model: self.model.clone(),
            state: engine.map(|engine| engine.state()),
            active: self.active,
            pinned: self.pinned,
            since: self.since,
            last_used: self.last_used,
            expires_at: self.expires_at(longest_keep),
        }
    }
}
