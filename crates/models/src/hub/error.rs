//! What can go wrong on the way from a hub to this disk, sorted by what can be done about it.
//!
//! One list for asking and fetching, because most of it can happen to both. It must not know what the user is told.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::space::NoRoom;

/// Shorthand for results of the hub and of downloads.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Cheap to clone, so that a list of downloads can show it for as long as it holds.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Not a name on a hub.
    #[error("`{text}` cannot be fetched: {reason}")]
    Name { text: String, reason: String },
    #[error("`{0}` is not the address of a hub, such as `https://huggingface.co`")]
    Endpoint(String),
    /// A token with characters that no token has.
    #[error("the Hugging Face token cannot be sent")]
    Token,
    /// The hub wants to know who asks. It also says so of what does not exist.
    #[error("`{repo}` does not exist, or needs a Hugging Face token")]
    SignIn { repo: String },
    /// A licence has to be accepted first.
    #[error("`{repo}` is given only to those who accepted its terms at {page}")]
    Gated { repo: String, page: String },
    #[error("{what} was renamed or removed, or never existed")]
    Missing { what: String },
    #[error("`{repo}` holds no model in the GGUF format")]
    NoModel { repo: String },
    /// Which of several models is not clear.
    #[error("`{repo}` has no single model for `{wanted}`; it has {}", available.join(", "))]
    NoChoice {
        repo: String,
        wanted: String,
        /// Quantisations, or names of files where those say nothing.
        available: Vec<String>,
    },
    /// Too many requests.
    #[error("{host} takes no more requests for now")]
    Limited {
        host: String,
        /// As the hub says it.
        wait: Option<Duration>,
    },
    /// A fault at the other side.
    #[error("{host} answered with status {status}")]
    Unavailable {
        host: String,
        status: u16,
        wait: Option<Duration>,
    },
    #[error("{host} cannot be reached: {reason}")]
    Unreachable { host: String, reason: String },
    #[error("nothing came from {host} for {seconds} s")]
    Stalled { host: String, seconds: u64 },
    /// It broke off before its end.
    #[error("the connection to {host} broke off: {reason}")]
    Broken { host: String, reason: String },
    #[error("the hub led elsewhere, which was not followed: {reason}")]
    Redirect { reason: String },
    /// A page for people in place of a file: mostly a network that wants a password first.
    #[error("{host} answered with a web page where a file was asked for")]
    WebPage { host: String },
    /// The hub says something that cannot be so.
    #[error("the answer of {host} cannot be used: {reason}")]
    Unreadable { host: String, reason: String },
    /// The file at the hub is not the one that was begun.
    #[error("`{file}` changed at the hub while it was fetched")]
    Changed { file: String },
    /// The bytes are not those that the hub announced.
    #[error("`{file}` arrived damaged: its sha256 is {found}, {expected} was announced")]
    WrongHash {
        file: String,
        expected: String,
        found: String,
    },
    #[error(transparent)]
    DiskFull(#[from] NoRoom),
    #[error("`{path}` cannot be written: {source}")]
    Disk {
        path: PathBuf,
        source: Arc<io::Error>,
    },
    /// Another process fetches the same.
    #[error("`{name}` is being fetched by another Hearth")]
    InUse { name: String },
    /// What came is whole, and yet no model that can be used.
    #[error(transparent)]
    Model(#[from] crate::Error),
}

impl Error {
    pub(super) fn name(text: &str, reason: &str) -> Self {
        // What somebody typed is said back, but not a book of it.
        let shown = text.chars().filter(|c| !c.is_control()).take(100).collect();
        Self::Name {
            text: shown,
            reason: reason.to_owned(),
        }
    }

    pub(super) fn redirect(reason: &str) -> Self {
        Self::Redirect {
            reason: reason.to_owned(),
        }
    }

    /// An operating system error on a change of `path`. A full disk is one of its own.
    pub(crate) fn disk(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull(NoRoom {
                needed_bytes: 1,
                free_bytes: 0,
                reserve_bytes: 0,
            }),
            _ => Self::Disk {
                path: path.to_owned(),
                source: Arc::new(source),
            },
        }
    }

    /// Whether the same request may well succeed in a while, without anybody doing anything.
    pub fn passes(&self) -> bool {
        matches!(
            self,
            Self::Limited { .. }
                | Self::Unavailable { .. }
                | Self::Unreachable { .. }
                | Self::Stalled { .. }
                | Self::Broken { .. }
                | Self::Unreadable { .. }
                | Self::Changed { .. }
                | Self::WrongHash { .. }
        )
    }

    /// How long the other side wants to be left alone.
    pub(crate) fn wait(&self) -> Option<Duration> {
        match self {
            Self::Limited { wait, .. } | Self::Unavailable { wait, .. } => *wait,
            _ => None,
        }
    }
}
