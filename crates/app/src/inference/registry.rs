//! The loaded models: one task ([`task`]) owns all of them and their whole life, everybody else sends it messages from here.
//!
//! One child process for each model, one load at a time, and a model in use is never unloaded to make room for another. It must not
//! know where models come from, what a chat is, or how long anybody wants to wait.

mod entry;
mod task;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use hearth_engine::embed::Task as EncodeTask;
use hearth_engine::{LoadSpec, Request, TokenTask};
use tokio::sync::{mpsc, oneshot, watch};

pub(super) use self::entry::Row;
use self::task::Task;
use super::held::Restraint;
use super::meter::Meters;
use super::room::Space;
use super::{Engines, Started};
use crate::error::{Error, Result};
use crate::events::Events;

/// A model that may be loaded, and how.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) name: String,
    pub(super) spec: LoadSpec,
    /// Estimated memory, in bytes.
    pub(super) bytes: u64,
    /// Names the weights: another file under the same name has another one. `None` when the file could not be read for it.
    pub(super) fingerprint: Option<String>,
}

/// What an engine is asked to do.
#[derive(Debug)]
pub(super) enum Work {
    Generate(Box<Request>),
    /// Only for models that are loaded for vectors or scores.
    Encode(Box<EncodeTask>),
    /// A question for the tokeniser.
    Tokens(TokenTask),
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
    meters: Meters,
}

enum Command {
    Generate {
        model: Arc<Model>,
        work: Work,
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
    /// What models may take together from then on, in bytes.
    Budget(Option<u64>),
    /// Holds from then on for every engine, also for those that are started later.
    Restrain(Box<Restraint>),
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
        let meters = Meters::default();
        let task = Task::new(
            engines,
            space,
            events,
            commands.downgrade(),
            sender,
            meters.clone(),
        );
        tokio::spawn(task.run(inbox));
        Self {
            commands,
            rows,
            meters,
        }
    }

    /// The models that are loaded, loading or waiting for that.
    pub(super) fn rows(&self) -> Vec<Row> {
        self.rows.borrow().clone()
    }

    /// What all models that have answered did.
    pub(super) fn meters(&self) -> &Meters {
        &self.meters
    }

    /// Starts work on a model, loading it when needed.
    pub(super) async fn start_work(
        &self,
        model: Arc<Model>,
        work: Work,
        keep_alive: Option<KeepAlive>,
    ) -> Result<Started> {
        let command = |reply| Command::Generate {
            model,
            work,
            keep_alive,
            reply,
        };
        self.ask(command).await.unwrap_or_else(|| Err(shut_down()))
    }

    #[cfg(test)]
    pub(super) async fn generate(
        &self,
        model: Arc<Model>,
        request: Request,
        keep_alive: Option<KeepAlive>,
    ) -> Result<Started> {
        let work = Work::Generate(Box::new(request));
        self.start_work(model, work, keep_alive).await
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

    /// Unloads what nobody uses, without waiting for it. Holding it keeps no engine alive.
    pub(super) fn unloader(&self) -> impl Fn() + Send + 'static {
        let commands = self.commands.downgrade();
        move || {
            if let Some(commands) = commands.upgrade() {
                let (reply, _) = oneshot::channel();
                let _ = commands.send(Command::UnloadAll {
                    also_busy: false,
                    reply,
                });
            }
        }
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

    pub(super) fn set_budget(&self, bytes: Option<u64>) {
        let _ = self.commands.send(Command::Budget(bytes));
    }

    pub(super) fn restrain(&self, restraint: Restraint) {
        let _ = self.commands.send(Command::Restrain(Box::new(restraint)));
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
