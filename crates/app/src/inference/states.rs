//! What models have read of chats, kept on disk so that a chat need not be read again: where it lies and how it is removed.
//!
//! The engine writes the files and alone knows what is in them. It must not know chats: a conversation is a name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hearth_engine::StateSpec;
use hearth_engine::kvstore::file_name;

/// The most that states may take, in bytes; the engine drops the oldest beyond it.
pub(super) const CAP_BYTES: u64 = 4 << 30;

/// The folder of the states; none while nothing is to be kept.
#[derive(Debug, Default)]
pub(super) struct States(Mutex<Option<PathBuf>>);

impl States {
    pub(super) fn keep_in(&self, folder: Option<PathBuf>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = folder;
    }

    pub(super) fn folder(&self) -> Option<PathBuf> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// How an engine keeps the states of a model.
pub(super) fn spec(folder: PathBuf, fingerprint: String) -> StateSpec {
    StateSpec {
        folder,
        model: fingerprint,
        cap_bytes: CAP_BYTES,
    }
}

/// Removes the states of these conversations with these models. Blocks on the disk.
pub(super) fn forget(folder: &Path, models: &[String], conversations: &[String]) -> io::Result<()> {
    let pairs = models
        .iter()
        .flat_map(|model| conversations.iter().map(move |name| (model, name)));
    for (model, conversation) in pairs {
        match fs::remove_file(folder.join(file_name(model, conversation))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Removes everything in the folder and returns how many bytes that were. Blocks on the disk.
pub(super) fn clear(folder: &Path) -> io::Result<u64> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        other => other?,
    };
    let mut freed = 0;
    for entry in entries {
        let entry = entry?;
        // Not followed: a link put here by somebody must not lead out of the folder.
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            continue;
        }
        fs::remove_file(entry.path())?;
        freed += metadata.len();
    }
    Ok(freed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_conversation_is_forgotten_with_every_model_and_the_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = |model: &str, chat: &str| folder.path().join(file_name(model, chat));
        for (model, chat) in [("a", "one"), ("b", "one"), ("a", "two")] {
            fs::write(path(model, chat), "state").unwrap();
        }
        let names = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        forget(folder.path(), &names(&["a", "b", "c"]), &names(&["one"])).unwrap();
        assert!(!path("a", "one").exists() && !path("b", "one").exists());
        assert!(path("a", "two").exists());
    }

    #[test]
    fn clearing_says_what_was_freed_and_a_missing_folder_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(clear(&folder.path().join("none")).unwrap(), 0);
        fs::write(folder.path().join("a.kv"), "12345").unwrap();
        fs::write(folder.path().join("b.tmp"), "123").unwrap();
        assert_eq!(clear(folder.path()).unwrap(), 8);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
