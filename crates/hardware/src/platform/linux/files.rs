//! The kernel's text files under a root, which is `/`, or a copy of some machine in a test.
//!
//! It tells what is absent from what is broken, once, so that no parser has to.

use std::cell::Cell;
use std::fs::{File, read_dir};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustix::io::Errno;

/// Longest file that is read, in bytes; `/proc/stat` of a machine with a thousand cores is smaller.
const MAX_BYTES: u64 = 1 << 20;
/// What drivers answer for a sensor that is switched off or unplugged. It is absent, not broken.
const SWITCHED_OFF: [Errno; 7] = [
    Errno::AGAIN,
    Errno::INVAL,
    Errno::NODATA,
    Errno::NODEV,
    Errno::NXIO,
    Errno::OPNOTSUPP,
    Errno::BUSY,
];

#[derive(Debug, Clone)]
pub(super) struct Files {
    root: PathBuf,
    broken: Cell<bool>,
}

impl Files {
    pub(super) fn under(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            broken: Cell::new(false),
        }
    }

    /// Whether something was there and made no sense since this was asked last.
    pub(super) fn take_broken(&self) -> bool {
        self.broken.take()
    }

    /// Notes that something was there and made no sense.
    pub(super) fn note_broken(&self) {
        self.broken.set(true);
    }

    /// The text of a file without blanks around it; `None` when it is not there, empty, or not for us.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let mut bytes = Vec::new();
        let read = File::open(self.root.join(path))
            .and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes));
        if let Err(error) = read {
            let absent = matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::NotADirectory
            ) || Errno::from_io_error(&error)
                .is_some_and(|e| SWITCHED_OFF.contains(&e));
            if !absent {
                self.note_broken();
            }
            return None;
        }
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The text of a file as a parser understands it; what it does not understand is broken.
    pub(super) fn parsed<T>(&self, path: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.text(path)?;
        let parsed = parse(&text);
        if parsed.is_none() {
            self.note_broken();
        }
        parsed
    }

    /// A file that holds one number.
    pub(super) fn number<T: FromStr>(&self, path: &str) -> Option<T> {
        self.parsed(path, |text| text.parse().ok())
    }

    /// Names in a folder, sorted; empty when there is no such folder.
    pub(super) fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = read_dir(self.root.join(folder)) else {
            return Vec::new();
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.collect();
        names.sort_unstable();
        names
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }
}
