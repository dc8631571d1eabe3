//! The errors of this crate, sorted by what a caller can do about them.
//!
//! It stands alone so that every check names the field and the place in the file in the same way. It must not know the codes
//! and hints the user will see.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::space::NoRoom;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a model cannot be used. Cheap to clone, so that a library can remember it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A field of the file breaks a rule. The file is damaged or was made to do harm; another copy may be fine.
    #[error("{field} at byte {offset}: {reason}")]
    Invalid {
        /// Which field, e.g. ``tensor 12 `blk.0.attn_q.weight` offset``.
        field: String,
        /// Byte offset of the field in the file.
        offset: u64,
        /// The rule it breaks, with the value found.
        reason: String,
    },
    /// The file ends too early: an unfinished download or copy.
    #[error("the file ends inside {field}: {needed_bytes} bytes are needed, it has {actual_bytes}")]
    Truncated {
        /// The field that is cut.
        field: String,
        /// How long the file would have to be at least.
        needed_bytes: u64,
        /// How long it is.
        actual_bytes: u64,
    },
    /// The file is something else.
    #[error("this is not a GGUF file: it starts with {found}")]
    NotGguf {
        /// The first four bytes, readable.
        found: String,
    },
    /// An old version of the format that nothing reads any more.
    #[error("GGUF version {version} is too old, version 2 is the oldest that can be read")]
    TooOld {
        /// Version found.
        version: u32,
    },
    /// A version of the format that came after this program.
    #[error("GGUF version {version} is too new, this program reads up to version {supported}")]
    TooNew {
        /// Version found.
        version: u32,
        /// Newest version that can be read.
        supported: u32,
    },
    /// The file was made for machines with the other byte order.
    #[error(
        "the file is in big-endian byte order (GGUF version {version}), this machine is little-endian"
    )]
    BigEndian {
        /// Version after swapping.
        version: u32,
    },
    /// A sound file that is not a model one can talk to, e.g. a vision projector or an adapter.
    #[error("`{what}` cannot be used as a model: {reason}")]
    Unsupported {
        /// What the file is, in its own words.
        what: String,
        /// Why it cannot be used.
        reason: String,
    },
    /// There is no such file.
    #[error("the model file `{path}` does not exist")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused to read it.
    #[error("`{path}` cannot be read: {source}")]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// The path leads to a folder, a pipe or a device.
    #[error("`{path}` is not a file")]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// No model has this name.
    #[error("there is no model `{name}`")]
    NotFound {
        /// The name asked for.
        name: String,
    },
    /// Several models start with this name.
    #[error("`{name}` could be any of {}", candidates.join(", "))]
    Ambiguous {
        /// The name asked for.
        name: String,
        /// Their full names, sorted.
        candidates: Vec<String>,
    },
    /// A model inside the app can be neither removed nor copied.
    #[error("the model `{name}` is part of Hearth and stays as it is")]
    Bundled {
        /// Its name.
        name: String,
    },
    /// A model that another program keeps is used where it lies and never changed.
    #[error("the model `{name}` belongs to {owner} and is only used by Hearth, never changed")]
    Foreign {
        /// Its name.
        name: String,
        /// Whose it is, for people.
        owner: &'static str,
    },
    /// Another model has the name.
    #[error("there is a model `{name}` already")]
    Exists {
        /// The name asked for, as models are named here.
        name: String,
    },
    /// Not a short name as the user may give them.
    #[error("`{alias}` cannot be an alias")]
    BadAlias {
        /// The name asked for.
        alias: String,
    },
    /// The user has no such short name.
    #[error("there is no alias `{alias}`")]
    NoAlias {
        /// The name asked for.
        alias: String,
    },
    /// What a short name stands for is gone.
    #[error("`{alias}` stands for the model `{model}`, which is not there")]
    AliasOfNothing {
        /// The name asked for.
        alias: String,
        /// The name that it stands for.
        model: String,
    },
    /// What is done to a model's files is not done by a short name.
    #[error("`{alias}` is an alias of the model `{model}`")]
    IsAlias {
        /// The name asked for.
        alias: String,
        /// The name that it stands for.
        model: String,
    },
    /// Imports run one after the other.
    #[error("another import is running")]
    Importing,
    /// A name without a letter or digit.
    #[error("`{name}` is no name for a model")]
    BadName {
        /// The name asked for.
        name: String,
    },
    /// The operating system refused to write or remove it.
    #[error("`{path}` could not be changed: {source}")]
    NotWritten {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// It does not fit on the disk.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// The content is not what it should be.
    #[error("the file has sha256 {found}, {expected} was expected")]
    WrongHash {
        /// Hash that was expected, hexadecimal.
        expected: String,
        /// Hash of the file.
        found: String,
    },
}

impl Error {
    /// An operating system error on a change of `path`. A full disk is one of its own.
    pub(crate) fn not_written(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoRoom(NoRoom {
                needed_bytes: 1,
                free_bytes: 0,
                reserve_bytes: 0,
            }),
            _ => Self::NotWritten {
                path: path.to_owned(),
                source: Arc::new(source),
            },
        }
    }

    /// Sorts an operating system error on `path`.
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing {
                path: path.to_owned(),
            },
            io::ErrorKind::IsADirectory => Self::NotAFile {
                path: path.to_owned(),
            },
            _ => Self::Unreadable {
                path: path.to_owned(),
                source: Arc::new(source),
            },
        }
    }
}
