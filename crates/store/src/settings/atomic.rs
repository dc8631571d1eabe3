//! Writing a small file so that it is always either the old one or the new one, and keeping copies of damaged ones.
//!
//! Apart from `settings` because it is about files only. It must not know what is in them.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::{Error, Result};

/// Links followed before a chain is taken for a loop.
const MAX_LINKS: usize = 16;

/// The file behind a symbolic link, so that writing replaces the file and not the link (people keep settings in a repository).
/// A link to a file that does not exist yet leads to where that file would be.
pub(super) fn real_path(path: &Path) -> Result<PathBuf> {
    let mut current = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&current) {
            Ok(target) => current = current.parent().unwrap_or(Path::new(".")).join(target),
            // Not a link, or nothing there.
            Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::NotFound) => {
                return Ok(current);
            }
            Err(source) => return Err(Error::io(&current, source)),
        }
    }
    Err(Error::Invalid {
        what: format!("`{}`", path.display()),
        reason: "too many symbolic links".into(),
    })
}

/// Replaces the file in one step: written next to it, synced, renamed, folder synced. Keeps the permissions it had.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = folder_of(path);
    fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
    let partial = partial_name(path);
    let written = write_partial(&partial, path, bytes)
        .and_then(|()| fs::rename(&partial, path))
        .and_then(|()| File::open(folder)?.sync_all());
    written.map_err(|source| {
        let _ = fs::remove_file(&partial);
        Error::io(path, source)
    })
}

fn write_partial(partial: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(partial)?;
    if let Ok(metadata) = fs::metadata(path) {
        file.set_permissions(metadata.permissions())?;
    }
    file.write_all(bytes)?;
    file.sync_all()
}

/// Writes `bytes` to a new file beside `path`, named by [`damaged_name`].
pub(super) fn keep_copy(path: &Path, bytes: &[u8]) -> Result<PathBuf> {
    let copy = damaged_name(path);
    write(&copy, bytes)?;
    Ok(copy)
}

/// A free name `<name>.damaged-<Unix seconds>`.
pub(super) fn damaged_name(path: &Path) -> PathBuf {
    let stamp = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let name = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged-{stamp}{suffix}"));
        PathBuf::from(name)
    };
    let mut candidate = name("");
    let mut attempt = 1;
    while candidate.exists() {
        attempt += 1;
        candidate = name(&format!("-{attempt}"));
    }
    candidate
}

fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// A hidden name in the same folder that no other thread or process uses.
fn partial_name(path: &Path) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let stamp = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.subsec_nanos());
    folder_of(path).join(format!(
        ".{name}.{}-{number}-{stamp}.part",
        std::process::id()
    ))
}
