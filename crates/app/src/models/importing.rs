//! Model files of the user on their way among the models: one after the other, seen and ended from any window.
//!
//! Their state lives here, not in a view, so that a window that is closed and opened again finds it. What is told of a file is its name
//! and never where it lies: views do not learn paths. It must not know how a file is copied.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hearth_models::import::{self, Outcome, Progress, Step};
use serde::Serialize;

use super::{Models, on_disk};
use crate::error::{Code, Error, Result};
use crate::events::{AppEvent, Events};

/// Most files that wait or are shown; more at once are a mistake.
const MAX_SHOWN: usize = 100;

/// What an import does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(
    tag = "type",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum ImportState {
    /// It waits for those before it, or its header is being read.
    Waiting,
    /// Finding out whether it is here already.
    Comparing,
    Copying,
    /// It is a model now.
    Done {
        model: String,
    },
    /// It was one already, and nothing was done.
    Here {
        model: String,
    },
    Failed {
        error: Error,
    },
}

/// An import as views show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct Importing {
    pub id: u32,
    /// Name of the file.
    pub file: String,
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub done_bytes: u64,
    /// 0 until it is known.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub total_bytes: u64,
    pub state: ImportState,
}

/// How an import ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    /// It is a model now, under this name.
    New(String),
    /// The same weights were a model already.
    Known(String),
    /// The caller gave it up.
    Stopped,
}

/// A file that waits for its turn.
struct Wish {
    id: u32,
    path: PathBuf,
    stop: Arc<AtomicBool>,
}

/// What [`Models`] keeps of it.
#[derive(Default)]
pub(super) struct Imports(Mutex<Shown>);

#[derive(Default)]
struct Shown {
    last_id: u32,
    list: Vec<Importing>,
    stops: Vec<(u32, Arc<AtomicBool>)>,
    waiting: VecDeque<Wish>,
    /// A task takes them one by one.
    runs: bool,
}

impl Imports {
    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, id: u32, change: impl FnOnce(&mut Importing)) {
        let mut shown = self.shown();
        if let Some(one) = shown.list.iter_mut().find(|one| one.id == id) {
            change(one);
        }
    }

    /// Puts files into the row; whether somebody has to begin to take them.
    fn add(&self, paths: Vec<PathBuf>) -> bool {
        let mut shown = self.shown();
        for path in paths {
            if shown.list.len() >= MAX_SHOWN {
                tracing::warn!("more files were dropped than are imported at once");
                break;
            }
            shown.last_id += 1;
            let (id, stop) = (shown.last_id, Arc::<AtomicBool>::default());
            shown.list.push(Importing {
                id,
                file: file_name(&path),
                done_bytes: 0,
                total_bytes: 0,
                state: ImportState::Waiting,
            });
            shown.stops.push((id, Arc::clone(&stop)));
            shown.waiting.push_back(Wish { id, path, stop });
        }
        !std::mem::replace(&mut shown.runs, true)
    }

    fn next(&self) -> Option<Wish> {
        let mut shown = self.shown();
        let next = shown.waiting.pop_front();
        shown.runs = next.is_some();
        next
    }
}

impl Models {
    /// The files that are being imported, and those that were until they are dismissed.
    pub fn imports(&self) -> Vec<Importing> {
        self.imports.shown().list.clone()
    }

    /// Takes model files among the user's models, one after the other; `events` hears of each that begins or ends.
    pub fn start_imports(self: &Arc<Self>, paths: Vec<PathBuf>, events: &Events) {
        if !self.imports.add(paths) {
            return;
        }
        let (models, events) = (Arc::clone(self), events.clone());
        tokio::spawn(async move {
            events.send(AppEvent::DownloadsChanged);
            while let Some(wish) = models.imports.next() {
                models.take(wish).await;
                events.send(AppEvent::DownloadsChanged);
                events.send(AppEvent::ModelsChanged);
            }
        });
    }

    /// Gives up an import, or forgets one that is over.
    pub fn end_import(&self, id: u32) {
        let mut shown = self.imports.shown();
        shown.list.retain(|one| one.id != id);
        shown.waiting.retain(|wish| wish.id != id);
        if let Some(at) = shown.stops.iter().position(|(other, _)| *other == id) {
            shown.stops.swap_remove(at).1.store(true, Ordering::Relaxed);
        }
    }

    async fn take(self: &Arc<Self>, wish: Wish) {
        let Wish { id, path, stop } = wish;
        let models = Arc::clone(self);
        let on_progress = move |progress: Progress| {
            models.imports.change(id, |one| {
                (one.done_bytes, one.total_bytes) = (progress.done_bytes, progress.total_bytes);
                one.state = match progress.step {
                    Step::Comparing => ImportState::Comparing,
                    Step::Copying => ImportState::Copying,
                };
            });
            !stop.load(Ordering::Relaxed)
        };
        let state = match self.import(path, on_progress).await {
            Ok(Imported::New(model)) => ImportState::Done { model },
            Ok(Imported::Known(model)) => ImportState::Here { model },
            // Whoever gave it up took it off the list.
            Ok(Imported::Stopped) => return,
            Err(error) => ImportState::Failed { error },
        };
        self.imports.change(id, |one| one.state = state);
    }

    /// Takes one model file among the user's models. `go_on` hears how far it is and says whether to go on.
    ///
    /// # Errors
    /// When the file is no model that can be used, or does not fit on the disk, and when the disk cannot be read or written.
    pub async fn import(
        &self,
        path: PathBuf,
        mut go_on: impl FnMut(Progress) -> bool + Send + 'static,
    ) -> Result<Imported> {
        let (library, room) = (Arc::clone(&self.library), self.room());
        let source = path.clone();
        let imported = on_disk(move || {
            let ended = import::import(&library, &source, &room, &mut go_on)?;
            Ok(match ended {
                Outcome::Done(model) => Imported::New(model),
                Outcome::Here(model) => Imported::Known(model),
                Outcome::Stopped => Imported::Stopped,
            })
        });
        imported.await.map_err(|error| without_path(error, &path))
    }
}

/// Names the file and not where it lies; the hints of a library's own files make no sense for it.
fn without_path(error: Error, path: &Path) -> Error {
    let folder = path.parent().map(|folder| format!("{}/", folder.display()));
    let message = match folder.filter(|folder| folder.len() > 1) {
        Some(folder) => error.message.replace(&folder, ""),
        None => error.message.clone(),
    };
    let hint = match error.code {
        Code::ModelMissing => Some("Choose a file that is there.".to_owned()),
        Code::ModelInvalid if message.contains("GGUF") => error.hint,
        Code::ModelInvalid => Some("Nothing was copied. Fetch the file again.".to_owned()),
        _ => error.hint,
    };
    Error {
        message,
        hint,
        ..error
    }
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}
