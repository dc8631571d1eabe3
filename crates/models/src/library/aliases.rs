//! Short names that the user gives to models, kept in a small file.
//!
//! The file is read anew whenever it changed, because the command and the window may both write it. It must not know which models there
//! are: what an alias stands for is decided where the list is.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::names;
use crate::error::{Error, Result};

/// Longest alias in bytes: it is there to be typed.
const MAX_BYTES: usize = 64;
/// Most bytes of the file that are read: some thousand aliases.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Alias to the name of a model.
pub(super) type Map = BTreeMap<String, String>;
/// Size and time of the last change.
type Stamp = (u64, Option<SystemTime>);

/// The aliases of one installation.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    /// Where they are kept; there are none without.
    file: Option<PathBuf>,
    known: Mutex<Option<(Stamp, Map)>>,
}

impl Aliases {
    pub(super) fn open(file: PathBuf) -> Self {
        Self {
            file: Some(file),
            known: Mutex::default(),
        }
    }

    /// All of them. A file that is missing, or no list of aliases, holds none.
    pub(super) fn all(&self) -> Map {
        let Some(stamp) = self.file.as_deref().and_then(stamp) else {
            return Map::new();
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, all)) = known.as_ref().filter(|(read, _)| *read == stamp) {
            return all.clone();
        }
        let all = self.file.as_deref().map(read).unwrap_or_default();
        *known = Some((stamp, all.clone()));
        all
    }

    /// Changes them and puts the result to the disk, whole or not at all.
    pub(super) fn change(&self, change: impl FnOnce(&mut Map)) -> Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let failed = |error| Error::not_written(file, error);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        // Whoever else changes them waits, or one of the changes would be lost.
        let lock = File::create(file.with_extension("lock")).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let mut all = read(file);
        change(&mut all);
        write(file, &all).map_err(failed)?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }
}

/// The alias, when it can be one: small letters, digits, `.`, `_` and `-`, and nothing that looks like an option or a hidden file.
pub(super) fn checked(alias: &str) -> Result<&str> {
    let is_alias = !alias.is_empty()
        && alias.len() <= MAX_BYTES
        && alias.bytes().any(|byte| byte.is_ascii_alphanumeric())
        && names::slug(alias) == alias;
    is_alias.then_some(alias).ok_or_else(|| Error::BadAlias {
        alias: alias.chars().take(MAX_BYTES).collect(),
    })
}

fn stamp(file: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.len(), metadata.modified().ok()))
}

fn read(file: &Path) -> Map {
    let small = stamp(file).is_some_and(|(bytes, _)| bytes <= MAX_FILE_BYTES);
    let bytes = small.then(|| fs::read(file).ok()).flatten();
    let all: Map = bytes
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    // Anybody may have written it.
    let sound = |alias: &String| checked(alias).is_ok();
    all.into_iter().filter(|(alias, _)| sound(alias)).collect()
}

fn write(file: &Path, all: &Map) -> io::Result<()> {
    let fresh = file.with_extension("new");
    let mut written = File::create(&fresh)?;
    written.write_all(&serde_json::to_vec_pretty(all)?)?;
    written.sync_all()?;
    fs::rename(&fresh, file)
}
