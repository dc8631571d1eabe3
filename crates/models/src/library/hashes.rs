//! SHA-256 of model files, for files of which no store says it.
//!
//! Reading a model takes as long as loading it, so each is read once and the result is kept in a file; it holds as long as size and
//! time of the last change stay. It must not decide which files are worth it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Bytes read at a time.
const CHUNK_BYTES: usize = 1 << 20;
/// Most hashes that are kept; beyond that the file is begun anew.
const MAX_KEPT: usize = 10_000;

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    path: PathBuf,
    size_bytes: u64,
    /// Nanoseconds since 1970.
    modified_ns: u64,
    sha256: String,
}

/// The hashes that are known.
#[derive(Debug, Default)]
pub(super) struct Hashes {
    /// Where they are kept; nowhere without.
    file: Option<PathBuf>,
    known: Mutex<HashMap<PathBuf, Kept>>,
}

impl Hashes {
    /// Those in `file`. A damaged file is an empty one: everything in it can be made again.
    pub(super) fn open(file: PathBuf) -> Self {
        let kept: Vec<Kept> = fs::read(&file)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        let known = kept
            .into_iter()
            .take(MAX_KEPT)
            .map(|kept| (kept.path.clone(), kept))
            .collect();
        Self {
            file: Some(file),
            known: Mutex::new(known),
        }
    }

    /// The hash of a file, if it is known and the file is still the same.
    pub(super) fn get(&self, path: &Path) -> Option<String> {
        let (size_bytes, modified_ns) = stamp(path)?;
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = known
            .get(path)
            .filter(|kept| (kept.size_bytes, kept.modified_ns) == (size_bytes, modified_ns))?;
        Some(kept.sha256.clone())
    }

    /// Reads a file and keeps its hash. Blocks for as long as that takes.
    pub(super) fn make(&self, path: &Path) -> io::Result<()> {
        let before = stamp(path);
        let sha256 = sha256(path)?;
        let Some((size_bytes, modified_ns)) = before.filter(|_| before == stamp(path)) else {
            return Err(io::Error::other("the file changed while it was read"));
        };
        let kept = Kept {
            path: path.to_owned(),
            size_bytes,
            modified_ns,
            sha256,
        };
        let all: Vec<Kept> = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= MAX_KEPT {
                known.clear();
            }
            known.insert(path.to_owned(), kept);
            known.values().cloned().collect()
        };
        self.keep(&all)
    }

    fn keep(&self, all: &[Kept]) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        // Never half of a file, whatever happens between.
        let fresh = file.with_extension("new");
        fs::write(&fresh, serde_json::to_vec(all)?)?;
        fs::rename(&fresh, file)
    }
}

/// Size and time of the last change.
fn stamp(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    let since = metadata
        .modified()
        .unwrap_or(SystemTime::UNIX_EPOCH)
        .duration_since(UNIX_EPOCH);
    Some((
        metadata.len(),
        since.map_or(0, |time| time.as_nanos() as u64),
    ))
}

/// Hexadecimal SHA-256 of a file.
pub(crate) fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(crate::hex(&hash.finalize())),
            count => hash.update(&chunk[..count]),
        }
    }
}
