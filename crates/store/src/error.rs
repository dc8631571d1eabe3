//! The errors of this crate, sorted by what a caller can do about them.
//!
//! It stands alone so that the mapping from SQLite's result codes and the operating system's error numbers to an action
//! ("free space", "make the folder writable", "use the newer app") is written once. It must not know which code or hint the
//! user will see: that is decided where all leaf errors are mapped.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ffi;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The volume has no room left. Nothing that was acknowledged before is lost; the call can be repeated once space is free.
    #[error("the disk is full")]
    DiskFull,
    /// The file or its folder cannot be written.
    #[error("the data folder cannot be written")]
    ReadOnly,
    /// The database was written by a newer version. It was left exactly as it is.
    #[error("the database has schema version {found}, this version reads up to {supported}")]
    Newer {
        /// Schema version found in the file.
        found: u32,
        /// Newest schema version this build can read.
        supported: u32,
    },
    /// The file's structure is damaged. Opening it again moves it aside and salvages what is readable.
    #[error("`{path}` is damaged: {reason}")]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// What the check or SQLite said.
        reason: String,
    },
    /// No such row.
    #[error("{what} `{id}` does not exist")]
    NotFound {
        /// Kind of row, e.g. `chat`.
        what: &'static str,
        /// The id that was asked for.
        id: String,
    },
    /// A value does not fit where it should go.
    #[error("{what} is not valid: {reason}")]
    Invalid {
        /// Name of the value.
        what: String,
        /// Why it was refused.
        reason: String,
    },
    /// The operating system refused a file operation.
    #[error("`{path}`: {source}")]
    Io {
        /// The file or folder concerned.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The system's key store cannot be reached or refuses. The reason never holds a secret.
    #[error("the key store cannot be used: {reason}")]
    KeyStore {
        /// What the key store said; no full stop.
        reason: String,
    },
    /// Any other answer of SQLite.
    #[error("the database refused: {0}")]
    Sqlite(#[source] rusqlite::Error),
}

impl Error {
    /// Sorts an operating system error on `path`: no space, not writable, or the rest.
    pub fn io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly,
            _ => Self::Io {
                path: path.to_owned(),
                source,
            },
        }
    }

    /// Sorts an answer of SQLite about the database at `path`.
    pub(crate) fn sqlite(path: &Path, error: rusqlite::Error) -> Self {
        let (failure, message) = match error {
            rusqlite::Error::SqliteFailure(failure, ref message) => (failure, message.clone()),
            // The schema allows no such value, so the file was changed by something else.
            rusqlite::Error::Utf8Error(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..) => {
                return Self::Corrupt {
                    path: path.to_owned(),
                    reason: error.to_string(),
                };
            }
            _ => return Self::Sqlite(error),
        };
        // Growing the shared-memory index on a full disk reports its own I/O error instead of SQLITE_FULL.
        if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE {
            return Self::DiskFull;
        }
        match failure.code {
            ffi::ErrorCode::DiskFull => Self::DiskFull,
            ffi::ErrorCode::ReadOnly | ffi::ErrorCode::PermissionDenied => Self::ReadOnly,
            ffi::ErrorCode::CannotOpen => Self::cannot_open(path, error),
            ffi::ErrorCode::DatabaseCorrupt | ffi::ErrorCode::NotADatabase => Self::Corrupt {
                path: path.to_owned(),
                reason: message.unwrap_or_else(|| failure.to_string()),
            },
            _ => Self::Sqlite(error),
        }
    }

    /// SQLITE_CANTOPEN does not say why, so the folder is asked by creating a file in it.
    fn cannot_open(path: &Path, error: rusqlite::Error) -> Self {
        let folder = path.parent().unwrap_or(Path::new("."));
        let probe = folder.join(format!(".probe-{}", std::process::id()));
        match std::fs::File::create(&probe) {
            Ok(_) => {
                // A leftover probe is an empty file, so a failure here is worth no error of its own.
                let _ = std::fs::remove_file(&probe);
                Self::Sqlite(error)
            }
            Err(source) => Self::io(folder, source),
        }
    }
}
