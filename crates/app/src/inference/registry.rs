//! The loaded models: one task owns all of them and their whole life, everybody else sends it messages.
//!
//! One child process for each model, one load at a time, and a model in use is never unloaded to make room for another. It must not
//! know where models come from, what a chat is, or how long anybody wants to wait.

mod entry;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use hearth_engine::{Engine, Limits, LoadSpec, Request, State};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

pub(super) use self::entry::Row;
use self::entry::{Entry, Phase, Waiting};
use super::room::{self, Hold, NoRoom, Occupant, Space};
use super::{Engines, Started};
use crate::error::{Code, Error, Result};
use crate::events::{AppEvent, Events};

/// An engine that was told to end and has not is forgotten after this long: its supervisor kills the child well before.
const END_LIMIT: Duration = Duration::from_secs(10);

/// A model that may be loaded, and how.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) name: String,
    pub(super) spec: LoadSpec,
    /// Estimated memory, in bytes.
    pub(super) bytes: u64,
}

/// How long a model stays loaded after its last use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepAlive {
    For(Duration),
    Forever,
}

impl KeepAlive {
    /// Unless anything else is asked for: SPEC row E14.
    pub const DEFAULT: Self = Self::For(Duration::from_secs(30 * 60));

    /// As APIs say it: 0 unloads at the end of the request, a negative number (or none) means forever.
    pub fn from_seconds(seconds: Option<f64>) -> Self {
        seconds
            .and_then(|s| Duration::try_from_secs_f64(s).ok())
            .map_or(Self::Forever, Self::For)
    }
}

/// The way to the task. Dropping the last one ends every engine.
pub(super) struct Registry {
    commands: mpsc::UnboundedSender<Command>,
    rows: watch::Receiver<Vec<Row>>,
}

enum Command {
    Generate {
        model: Arc<Model>,
        request: Box<Request>,
        keep_alive: Option<KeepAlive>,
        reply: oneshot::Sender<Result<Started>>,
    },
    /// Like [`Command::Generate`], but only when the model is ready now.
    TryGenerate {
        name: String,
        request: Box<Request>,
        reply: oneshot::Sender<Option<Started>>,
    },
    Load {
        model: Arc<Model>,
        reply: oneshot::Sender<Result<()>>,
    },
    Unload {
        name: String,
        reply: oneshot::Sender<Result<()>>,
    },
    /// Ends every engine, or those that nobody uses; answered when they are gone.
    UnloadAll {
        also_busy: bool,
        reply: oneshot::Sender<()>,
    },
    Pin {
        name: String,
        pinned: bool,
        reply: oneshot::Sender<Result<()>>,
    },
    Limit(Limits),
    /// A generation was let go by whoever asked for it.
    Ended {
        entry: u64,
    },
    /// An engine's state has changed.
    Changed,
    ShutDown {
        reply: oneshot::Sender<()>,
    },
}

impl Registry {
    /// Must be called inside a tokio runtime.
    pub(super) fn start(engines: Arc<dyn Engines>, space: Space, events: Events) -> Self {
        let (commands, inbox) = mpsc::unbounded_channel();
        let (sender, rows) = watch::channel(Vec::new());
        let task = Task {
            engines,
            space,
            events,
            own: commands.downgrade(),
            rows: sender,
            entries: Vec::new(),
            ending: Vec::new(),
            limits: Limits::default(),
            last_entry: 0,
            waiting_for_end: Vec::new(),
            closing: false,
        };
        tokio::spawn(task.run(inbox));
        Self { commands, rows }
    }

    /// The models that are loaded, loading or waiting for that.
    pub(super) fn rows(&self) -> Vec<Row> {
        self.rows.borrow().clone()
    }

    pub(super) async fn generate(
        &self,
        model: Arc<Model>,
        request: Request,
        keep_alive: Option<KeepAlive>,
    ) -> Result<Started> {
        let request = Box::new(request);
        let command = |reply| Command::Generate {
            model,
            request,
            keep_alive,
            reply,
        };
        self.ask(command).await.unwrap_or_else(|| Err(shut_down()))
    }

    /// A generation on a model that is ready; `None` when it is not.
    pub(super) async fn try_generate(&self, name: &str, request: Request) -> Option<Started> {
        let (name, request) = (name.to_owned(), Box::new(request));
        let command = |reply| Command::TryGenerate {
            name,
            request,
            reply,
        };
        self.ask(command).await.flatten()
    }

    /// Begins to load a model. It is still loading when this returns.
    pub(super) async fn load(&self, model: Arc<Model>) -> Result<()> {
        self.ask(|reply| Command::Load { model, reply })
            .await
            .unwrap_or_else(|| Err(shut_down()))
    }

    /// Unloads a model, pinned or not; refused while it is in use.
    pub(super) async fn unload(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.ask(|reply| Command::Unload { name, reply })
            .await
            .unwrap_or(Ok(()))
    }

    /// Unloads all models (those in use only when `also_busy`) and waits until they are gone.
    pub(super) async fn unload_all(&self, also_busy: bool) {
        self.ask(|reply| Command::UnloadAll { also_busy, reply })
            .await;
    }

    pub(super) async fn pin(&self, name: &str, pinned: bool) -> Result<()> {
        let name = name.to_owned();
        self.ask(|reply| Command::Pin {
            name,
            pinned,
            reply,
        })
        .await
        .unwrap_or_else(|| Err(shut_down()))
    }

    pub(super) fn limit(&self, limits: Limits) {
        let _ = self.commands.send(Command::Limit(limits));
    }

    /// Ends every engine and waits until all are gone. Nothing is loaded after that.
    pub(super) async fn shut_down(&self) {
        self.ask(|reply| Command::ShutDown { reply }).await;
    }

    /// `None` when the task has ended.
    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).ok()?;
        answer.await.ok()
    }
}

fn shut_down() -> Error {
    hearth_engine::Error::ShutDown.into()
}

/// An engine that was told to end.
struct Ending {
    engine: Arc<dyn Engine>,
    bytes: u64,
    forget_at: Instant,
}

struct Task {
    engines: Arc<dyn Engines>,
    space: Space,
    events: Events,
    /// For messages to itself; weak, so that the task ends when nobody else can reach it.
    own: mpsc::WeakUnboundedSender<Command>,
    rows: watch::Sender<Vec<Row>>,
    /// In the order in which they were asked for, which is the order of loading.
    entries: Vec<Entry>,
    ending: Vec<Ending>,
    limits: Limits,
    last_entry: u64,
    /// Answered when no engine is ending any more.
    waiting_for_end: Vec<oneshot::Sender<()>>,
    closing: bool,
}

impl Task {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Command>) {
        loop {
            let due = self.next_due();
            tokio::select! {
                command = inbox.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => return self.end_all(),
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
            self.expire();
            self.forget_ended();
            self.load_next();
            self.publish();
            if self.ending.is_empty() {
                for reply in self.waiting_for_end.drain(..) {
                    let _ = reply.send(());
                }
                if self.closing {
                    return;
                }
            }
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Generate {
                model,
                request,
                keep_alive,
                reply,
            } => {
                if let Some(entry) = self.entry(model) {
                    entry.keep_alive = keep_alive.unwrap_or(entry.keep_alive);
                    entry.take(Waiting::Generate { request, reply });
                }
            }
            Command::TryGenerate {
                name,
                request,
                reply,
            } => {
                let _ = reply.send(self.try_generate(&name, request));
            }
            Command::Load { model, reply } => {
                if let Some(entry) = self.entry(model) {
                    entry.take(Waiting::Load { reply });
                }
            }
            Command::Unload { name, reply } => {
                let _ = reply.send(self.unload(&name));
            }
            Command::UnloadAll { also_busy, reply } => {
                let leave = self.entries.iter().filter(|e| also_busy || !e.is_busy());
                let leave: Vec<u64> = leave.map(|entry| entry.id).collect();
                leave.into_iter().for_each(|id| self.end(id));
                self.waiting_for_end.push(reply);
            }
            Command::Pin {
                name,
                pinned,
                reply,
            } => {
                let _ = reply.send(self.pin(&name, pinned));
            }
            Command::Limit(limits) => {
                self.limits = limits;
                let engines = self.entries.iter().filter_map(Entry::engine);
                engines.for_each(|engine| engine.limit(limits));
            }
            Command::Ended { entry } => {
                if let Some(entry) = self.entries.iter_mut().find(|e| e.id == entry) {
                    entry.active = entry.active.saturating_sub(1);
                    entry.last_used = Instant::now();
                }
            }
            Command::Changed => {}
            Command::ShutDown { reply } => {
                self.closing = true;
                self.end_all();
                self.waiting_for_end.push(reply);
            }
        }
    }

    fn pin(&mut self, name: &str, pinned: bool) -> Result<()> {
        let found = self.entries.iter_mut().find(|e| e.model.name == name);
        let entry = found.ok_or_else(|| not_loaded(name))?;
        entry.pinned = pinned;
        Ok(())
    }

    /// The entry of a model, made when there is none. `None` while the program ends.
    fn entry(&mut self, model: Arc<Model>) -> Option<&mut Entry> {
        if self.closing {
            return None;
        }
        let known = self.entries.iter().position(|e| e.model.name == model.name);
        let next = match known.map(|at| (at, self.entries[at].state())) {
            Some((at, State::Loading { .. } | State::Ready { .. })) => {
                return self.entries.get_mut(at);
            }
            // The engine counts its crashes, so it decides when another try is worth it.
            Some((at, State::Failed(hearth_engine::Error::GaveUp { .. }))) => {
                self.entries.remove(at).again(true)
            }
            // A load that failed may work now: the file was replaced, or there is more memory.
            Some((at, State::Failed(_) | State::ShutDown)) => {
                let failed = self.entries.remove(at);
                failed.engine().into_iter().for_each(|e| e.shut_down());
                failed.again(false)
            }
            None => Entry::new(model),
        };
        self.last_entry += 1;
        self.entries.push(Entry {
            id: self.last_entry,
            own: self.own.clone(),
            ..next
        });
        self.entries.last_mut()
    }

    fn try_generate(&mut self, name: &str, request: Box<Request>) -> Option<Started> {
        let entry = self.entries.iter_mut().find(|e| e.model.name == name)?;
        match entry.state() {
            State::Ready { .. } => entry.start(*request),
            _ => None,
        }
    }

    fn unload(&mut self, name: &str) -> Result<()> {
        let entry = self.entries.iter().find(|e| e.model.name == name);
        let entry = entry.ok_or_else(|| not_loaded(name))?;
        if entry.is_busy() {
            return Err(Error::new(
                Code::Busy,
                format!("The model `{name}` is in use, so it was not unloaded."),
            )
            .hint("Stop its answer first, or wait for its end."));
        }
        let id = entry.id;
        self.end(id);
        Ok(())
    }

    /// Ends an engine; whoever still waits for it is told.
    fn end(&mut self, id: u64) {
        let Some(at) = self.entries.iter().position(|e| e.id == id) else {
            return;
        };
        let mut entry = self.entries.remove(at);
        entry.refuse(&shut_down());
        if let Some(engine) = entry.engine() {
            engine.shut_down();
            self.ending.push(Ending {
                engine: engine.clone(),
                bytes: entry.model.bytes,
                forget_at: Instant::now() + END_LIMIT,
            });
        }
    }

    fn end_all(&mut self) {
        let all: Vec<u64> = self.entries.iter().map(|entry| entry.id).collect();
        all.into_iter().for_each(|id| self.end(id));
    }

    fn next_due(&self) -> Option<Instant> {
        let expiries = self.entries.iter().filter_map(Entry::expires_at);
        expiries
            .chain(self.ending.iter().map(|e| e.forget_at))
            .min()
    }

    fn expire(&mut self) {
        let now = Instant::now();
        let is_due = |e: &&Entry| e.expires_at().is_some_and(|at| at <= now);
        let due: Vec<u64> = self
            .entries
            .iter()
            .filter(is_due)
            .map(|entry| entry.id)
            .collect();
        due.into_iter().for_each(|id| self.end(id));
    }

    fn forget_ended(&mut self) {
        let now = Instant::now();
        self.ending.retain(|ending| {
            // A failed engine has no process.
            let gone = matches!(
                &*ending.engine.state().borrow(),
                State::ShutDown | State::Failed(_)
            );
            if !gone && ending.forget_at <= now {
                tracing::warn!("an engine did not end in time");
            }
            !gone && ending.forget_at > now
        });
    }

    /// Starts the engines that wait, one after the other: two loads at once are slower than one after the other, and the memory of
    /// the first must be there before the second is let in.
    fn load_next(&mut self) {
        while !self.entries.iter().any(Entry::is_loading) {
            let Some(at) = self.entries.iter().position(Entry::is_queued) else {
                return;
            };
            let (name, need) = (
                self.entries[at].model.name.clone(),
                self.entries[at].model.bytes,
            );
            match room::plan(need, &self.occupants(), &self.space) {
                Err(full) => {
                    let mut refused = self.entries.remove(at);
                    refused.refuse(&no_room(&name, need, &full));
                    continue;
                }
                Ok(leave) => leave.iter().for_each(|name| self.end_named(name)),
            }
            let used: u64 = self.occupants().iter().map(|o| o.bytes).sum();
            let leaving: u64 = self.ending.iter().map(|e| e.bytes).sum();
            if leaving > 0 && !self.space.holds(used + leaving + need) {
                // Until their memory is free.
                return;
            }
            self.launch(&name);
        }
    }

    fn end_named(&mut self, name: &str) {
        tracing::info!(model = name, "unloaded to make room");
        let id = self.entries.iter().find(|e| e.model.name == name);
        if let Some(id) = id.map(|entry| entry.id) {
            self.end(id);
        }
    }

    /// The models that have a process now.
    fn occupants(&self) -> Vec<Occupant> {
        let loaded = self.entries.iter().filter(|entry| entry.has_process());
        loaded
            .map(|entry| Occupant {
                name: entry.model.name.clone(),
                bytes: entry.model.bytes,
                last_used: entry.last_used,
                hold: if entry.is_busy() {
                    Some(Hold::Answering)
                } else {
                    entry.pinned.then_some(Hold::Pinned)
                },
            })
            .collect()
    }

    fn launch(&mut self, name: &str) {
        let Some(at) = self.entries.iter().position(|e| e.model.name == name) else {
            return;
        };
        let known = match &self.entries[at].phase {
            Phase::Queued { engine } => engine.clone(),
            Phase::Started { .. } => return,
        };
        let spec = self.entries[at].model.spec.clone();
        let is_new = known.is_none();
        let engine = match known.map_or_else(|| self.engines.start(spec), Ok) {
            Ok(engine) => engine,
            Err(error) => {
                let reason = error.to_string();
                let mut refused = self.entries.remove(at);
                return refused.refuse(&hearth_engine::Error::Spawn { reason }.into());
            }
        };
        if self.limits != Limits::default() {
            engine.limit(self.limits);
        }
        if is_new {
            tokio::spawn(report_changes(engine.state(), self.own.clone()));
        }
        self.entries[at].begin(engine);
    }

    fn publish(&self) {
        let rows: Vec<Row> = self.entries.iter().map(Entry::row).collect();
        let shown = |rows: &[Row]| -> Vec<(u64, bool)> {
            let pairs = rows.iter().map(|row| (row.entry, row.pinned));
            pairs.collect()
        };
        let changed = shown(&self.rows.borrow()) != shown(&rows);
        self.rows.send_replace(rows);
        if changed {
            self.events.send(AppEvent::LoadedModelsChanged);
        }
    }
}

/// Wakes the task on every change of an engine's state, until the engine has ended.
async fn report_changes(
    mut state: watch::Receiver<State>,
    registry: mpsc::WeakUnboundedSender<Command>,
) {
    while state.changed().await.is_ok() {
        let Some(registry) = registry.upgrade() else {
            return;
        };
        let _ = registry.send(Command::Changed);
        if matches!(*state.borrow_and_update(), State::ShutDown) {
            return;
        }
    }
}

fn not_loaded(name: &str) -> Error {
    Error::new(
        Code::NotFound,
        format!("The model `{name}` is not loaded, so there is nothing to do."),
    )
    .hint("Send it a message to load it.")
}

fn no_room(name: &str, need_bytes: u64, full: &NoRoom) -> Error {
    let who: Vec<String> = full
        .holders
        .iter()
        .map(|(name, hold)| match hold {
            Hold::Answering => format!("`{name}` is answering"),
            Hold::Pinned => format!("`{name}` is pinned"),
        })
        .collect();
    let who = who.join(" and ");
    let message = if full.by_count {
        let most = full.holders.len();
        format!("The model `{name}` cannot be loaded beside {most} others: {who}.")
    } else {
        let gb = need_bytes as f64 / 1e9;
        format!("There is no room for the model `{name}`, which needs about {gb:.1} GB: {who}.")
    };
    let names: Vec<String> = full.holders.iter().map(|(n, _)| format!("`{n}`")).collect();
    let hint = format!(
        "Wait for the answer to end, or unload {}.",
        names.join(" or ")
    );
    Error::new(Code::InsufficientMemory, message).hint(hint)
}
