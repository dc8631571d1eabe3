//! Which folders are watched for a store, and the way to the system.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use notify::{ErrorKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::library::{Source, Store};

/// Most folders that are watched: far more than anybody's stores have, and few beside what systems allow (8192 at the least).
const MAX_FOLDERS: usize = 4096;

/// The folders that are watched.
pub(super) struct Folders {
    watcher: RecommendedWatcher,
    watched: BTreeMap<PathBuf, RecursiveMode>,
}

impl Folders {
    pub(super) fn new(watcher: RecommendedWatcher) -> Self {
        Self {
            watcher,
            watched: BTreeMap::new(),
        }
    }

    /// Watches what there is of these stores now, and nothing else any more.
    ///
    /// # Errors
    /// The last thing that was refused; the rest is watched all the same.
    pub(super) fn follow(&mut self, stores: &[Store]) -> notify::Result<()> {
        let wanted = wanted(stores);
        let gone: Vec<PathBuf> = self
            .watched
            .iter()
            .filter(|(path, mode)| wanted.get(*path) != Some(mode))
            .map(|(path, _)| path.clone())
            .collect();
        for path in gone {
            self.unwatch(&path);
        }
        let mut refused = Ok(());
        for (path, mode) in wanted {
            if self.watched.contains_key(&path) {
                continue;
            }
            match self.watcher.watch(&path, mode) {
                Ok(()) => {
                    self.watched.insert(path, mode);
                }
                Err(error) if is_limit(&error) => return Err(error),
                // It went away in between, or may not be read.
                Err(error) => refused = Err(error),
            }
        }
        refused
    }

    /// A folder went, and what lay in it: another one of the same name is watched anew.
    pub(super) fn forget(&mut self, path: &Path) {
        let below: Vec<PathBuf> = self
            .watched
            .keys()
            .filter(|watched| watched.starts_with(path))
            .cloned()
            .collect();
        for path in below {
            self.unwatch(&path);
        }
    }

    pub(super) fn forget_all(&mut self) {
        self.forget(Path::new("/"));
    }

    fn unwatch(&mut self, path: &Path) {
        self.watched.remove(path);
        // The system forgets folders that are gone by itself.
        let _ = self.watcher.unwatch(path);
    }
}

/// Whether the system watches no more folders.
pub(super) fn is_limit(error: &notify::Error) -> bool {
    match &error.kind {
        ErrorKind::MaxFilesWatch => true,
        ErrorKind::Io(error) => error.kind() == std::io::ErrorKind::StorageFull,
        _ => false,
    }
}

/// The folders to be watched, and whether all below them are too.
fn wanted(stores: &[Store]) -> BTreeMap<PathBuf, RecursiveMode> {
    let mut wanted = BTreeMap::new();
    for store in stores {
        if !store.root.is_dir() {
            let above = store.root.ancestors().skip(1).find(|path| path.is_dir());
            if let Some(above) = above {
                wanted
                    .entry(above.to_owned())
                    .or_insert(RecursiveMode::NonRecursive);
            }
        } else if cfg!(target_os = "macos") {
            // One stream for all of it; hundreds of single folders would be slow there.
            wanted.insert(store.root.clone(), RecursiveMode::Recursive);
        } else {
            for folder in folders_of(store) {
                wanted.insert(folder, RecursiveMode::NonRecursive);
            }
        }
    }
    wanted
}

/// The folder of a store and those below it in which a model may lie: never all below it, because it may be anybody's home.
fn folders_of(store: &Store) -> Vec<PathBuf> {
    let mut all = vec![store.root.clone()];
    let mut level = all.clone();
    for _ in 0..store.depth() {
        let below: Vec<PathBuf> = level
            .iter()
            .flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten())
            .map(|entry| entry.path())
            .filter(|path| !super::relevant::is_hidden(path, store) && path.is_dir())
            .take(MAX_FOLDERS)
            .collect();
        all.extend(below.iter().cloned());
        level = below;
    }
    all.truncate(MAX_FOLDERS);
    all
}

/// Folders in which stores keep bytes under names that say nothing; what is listed lies elsewhere.
pub(super) fn keeps_blobs(store: &Store) -> bool {
    matches!(store.source, Source::HuggingFace | Source::Ollama)
}
