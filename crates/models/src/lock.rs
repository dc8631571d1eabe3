//! A file that one process at a time holds.
//!
//! The system's lock belongs to the open file, and a program that is just being started shares it for a moment with the one that starts
//! it. So closing the file is not enough to give it back: it is given back by name.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

/// Held until it is dropped, or the process ends.
#[derive(Debug)]
pub struct FileLock(File);

impl FileLock {
    /// Takes it, and makes the file where there is none; `None` while somebody else holds it.
    ///
    /// # Errors
    /// What the disk says.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        let file = File::create(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // What fails here is undone by the end of the process.
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_free_at_once_also_when_a_starting_program_shares_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = FileLock::take(&path).unwrap().unwrap();
        assert!(FileLock::take(&path).unwrap().is_none());
        let shared = held.0.try_clone().unwrap();
        drop(held);
        assert!(FileLock::take(&path).unwrap().is_some());
        drop(shared);
    }
}
