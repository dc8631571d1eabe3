//! The task behind the registry: what it does with each message, with each change of an engine, and with time.
//!
//! It alone changes entries. It waits for nothing but its messages and the clock, so no engine can hold it up.

use std::sync::Arc;
use std::time::Duration;

use hearth_engine::{Engine, Limits, Request, State};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use super::entry::{Answer, Entry, Phase, Row, Waiting, answer};
use super::{Command, Model, Work, shut_down};
use crate::error::{Code, Error, Result};
use crate::events::{AppEvent, Events};
use crate::inference::held::Restraint;
use crate::inference::meter::Meters;
use crate::inference::room::{self, Hold, NoRoom, Occupant, Space};
use crate::inference::{Engines, Started};

/// An engine that was told to end and has not is forgotten after this long: its supervisor kills the child well before.
pub(super) const END_LIMIT: Duration = Duration::from_secs(10);
/// While memory is short, a model that was used is kept for its user's next question, but no longer than this.
const SHORT_KEEP: Duration = Duration::from_secs(60);

/// An engine that was told to end.
struct Ending {
    engine: Arc<dyn Engine>,
    bytes: u64,
    forget_at: Instant,
}

/// Owns the loaded models.
pub(super) struct Task {
    engines: Arc<dyn Engines>,
    space: Space,
    events: Events,
    /// For messages to itself; weak, so that the task ends when nobody else can reach it.
    own: mpsc::WeakUnboundedSender<Command>,
    rows: watch::Sender<Vec<Row>>,
    /// In the order in which they were asked for, which is the order of loading.
    entries: Vec<Entry>,
    ending: Vec<Ending>,
    restraint: Restraint,
    meters: Meters,
    last_entry: u64,
    /// Given after the rows are published.
    answers: Vec<Answer>,
    /// Answered when no engine is ending any more.
    waiting_for_end: Vec<oneshot::Sender<()>>,
    closing: bool,
}

impl Task {
    /// `own` leads back to the task, `rows` to everybody who looks.
    pub(super) fn new(
        engines: Arc<dyn Engines>,
        space: Space,
        events: Events,
        own: mpsc::WeakUnboundedSender<Command>,
        rows: watch::Sender<Vec<Row>>,
        meters: Meters,
    ) -> Self {
        Self {
            engines,
            space,
            events,
            own,
            rows,
            entries: Vec::new(),
            ending: Vec::new(),
            restraint: Restraint::default(),
            meters,
            last_entry: 0,
            answers: Vec::new(),
            waiting_for_end: Vec::new(),
            closing: false,
        }
    }

    pub(super) async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Command>) {
        loop {
            let due = self.next_due();
            tokio::select! {
                command = inbox.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => return self.end_all(true),
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
            self.expire();
            self.forget_ended();
            self.load_next();
            self.publish();
            let is_quiet = self.ending.is_empty();
            if is_quiet {
                let ended = self.waiting_for_end.drain(..);
                self.answers.extend(ended.map(|reply| answer(reply, ())));
            }
            self.answers.drain(..).for_each(|give| give());
            if is_quiet && self.closing {
                return;
            }
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Generate {
                model,
                work,
                keep_alive,
                reply,
            } => {
                if let Some(entry) = self.entry(model) {
                    entry.keep_alive = keep_alive.unwrap_or(entry.keep_alive);
                    let given = entry.take(Waiting::Generate { work, reply });
                    self.answers.extend(given);
                }
            }
            Command::TryGenerate {
                name,
                request,
                reply,
            } => {
                let started = answer(reply, self.try_generate(&name, request));
                self.answers.push(started);
            }
            Command::Load { model, reply } => {
                if let Some(entry) = self.entry(model) {
                    let given = entry.take(Waiting::Load { reply });
                    self.answers.extend(given);
                }
            }
            Command::Unload { name, reply } => {
                let done = answer(reply, self.unload(&name));
                self.answers.push(done);
            }
            Command::UnloadAll { also_busy, reply } => {
                self.end_all(also_busy);
                self.waiting_for_end.push(reply);
            }
            Command::Pin {
                name,
                pinned,
                reply,
            } => {
                let done = answer(reply, self.pin(&name, pinned));
                self.answers.push(done);
            }
            Command::Budget(bytes) => self.space.budget_bytes = bytes,
            Command::Restrain(restraint) => self.restrain(*restraint),
            Command::Ended { entry } => {
                if let Some(entry) = self.entries.iter_mut().find(|e| e.id == entry) {
                    entry.active = entry.active.saturating_sub(1);
                    entry.last_used = Instant::now();
                }
            }
            Command::Changed => {}
            Command::ShutDown { reply } => {
                self.closing = true;
                self.end_all(true);
                self.waiting_for_end.push(reply);
            }
        }
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
            meters: self.meters.clone(),
            ..next
        });
        self.entries.last_mut()
    }

    fn try_generate(&mut self, name: &str, request: Box<Request>) -> Option<Started> {
        let entry = self.entries.iter_mut().find(|e| e.model.name == name)?;
        match entry.state() {
            State::Ready { .. } => entry.start(Work::Generate(request)),
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

    fn restrain(&mut self, restraint: Restraint) {
        if restraint.engine != self.restraint.engine {
            let engines = self.entries.iter().filter_map(Entry::engine);
            engines.for_each(|engine| engine.limit(restraint.engine));
        }
        if restraint.drop_idle && !self.restraint.drop_idle {
            let idle = self.entries.iter().filter(|e| !e.is_busy() && !e.pinned);
            let idle: Vec<u64> = idle.map(|entry| entry.id).collect();
            tracing::info!(models = idle.len(), "idle models are unloaded");
            idle.into_iter().for_each(|id| self.end(id));
        }
        self.restraint = restraint;
    }

    /// How long models that nobody uses may stay at most.
    fn longest_keep(&self) -> Option<Duration> {
        self.restraint.drop_idle.then_some(SHORT_KEEP)
    }

    fn pin(&mut self, name: &str, pinned: bool) -> Result<()> {
        let entry = self.entries.iter_mut().find(|e| e.model.name == name);
        entry.ok_or_else(|| not_loaded(name))?.pinned = pinned;
        Ok(())
    }

    /// Ends an engine; whoever still waits for it is told.
    fn end(&mut self, id: u64) {
        let Some(at) = self.entries.iter().position(|e| e.id == id) else {
            return;
        };
        let mut entry = self.entries.remove(at);
        self.answers.extend(entry.refuse(&shut_down()));
        if let Some(engine) = entry.engine() {
            engine.shut_down();
            self.ending.push(Ending {
                engine: engine.clone(),
                bytes: entry.model.bytes,
                forget_at: Instant::now() + END_LIMIT,
            });
        }
    }

    fn end_all(&mut self, also_busy: bool) {
        let leave = self.entries.iter().filter(|e| also_busy || !e.is_busy());
        let leave: Vec<u64> = leave.map(|entry| entry.id).collect();
        leave.into_iter().for_each(|id| self.end(id));
    }

    fn next_due(&self) -> Option<Instant> {
        let at_most = self.longest_keep();
        let expiries = self.entries.iter().filter_map(|e| e.expires_at(at_most));
        expiries
            .chain(self.ending.iter().map(|e| e.forget_at))
            .min()
    }

    fn expire(&mut self) {
        let now = Instant::now();
        let at_most = self.longest_keep();
        let is_due = |e: &&Entry| e.expires_at(at_most).is_some_and(|at| at <= now);
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
            if let Some(no_load) = &self.restraint.no_load {
                let error = no_load.of(&name, need);
                let mut refused = self.entries.remove(at);
                self.answers.extend(refused.refuse(&error));
                continue;
            }
            match room::plan(need, &self.occupants(), &self.space) {
                Err(full) => {
                    let mut refused = self.entries.remove(at);
                    self.answers
                        .extend(refused.refuse(&no_room(&name, need, &full)));
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
                let error = hearth_engine::Error::Spawn { reason }.into();
                self.answers.extend(refused.refuse(&error));
                return;
            }
        };
        if self.restraint.engine != Limits::default() {
            engine.limit(self.restraint.engine);
        }
        if is_new {
            tokio::spawn(report_changes(engine.state(), self.own.clone()));
        }
        let begun = self.entries[at].begin(engine);
        self.answers.extend(begun);
    }

    fn publish(&self) {
        let rows: Vec<Row> = self
            .entries
            .iter()
            .map(|entry| entry.row(self.longest_keep()))
            .collect();
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
