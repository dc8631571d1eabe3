//! The errors a user or a client sees: a code to switch on, what happened, and what to do.
//!
//! Every leaf error of the crates below is mapped here and nowhere else, by matches without a wildcard, so that a new leaf
//! variant does not compile until somebody decided what the user is told.

use serde::Serialize;

/// What kind of thing went wrong. The doors choose a status, a button or an exit code by it, never by the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Code {
    InvalidInput,
    NotFound,
    ModelMissing,
    ModelInvalid,
    ModelUnsupported,
    ModelUnreadable,
    InsufficientMemory,
    ContextOverflow,
    EngineCrashed,
    EngineUnresponsive,
    EngineUnavailable,
    Busy,
    DiskFull,
    Storage,
    StorageReadOnly,
    StorageNewer,
    Settings,
    Unsupported,
    Network,
    /// Somebody else's rules: a token or accepted terms are needed.
    Refused,
    Internal,
}

impl Code {
    /// Every code, for the tables and tests at the edges.
    pub const ALL: [Self; 21] = [
        Self::InvalidInput,
        Self::NotFound,
        Self::ModelMissing,
        Self::ModelInvalid,
        Self::ModelUnsupported,
        Self::ModelUnreadable,
        Self::InsufficientMemory,
        Self::ContextOverflow,
        Self::EngineCrashed,
        Self::EngineUnresponsive,
        Self::EngineUnavailable,
        Self::Busy,
        Self::DiskFull,
        Self::Storage,
        Self::StorageReadOnly,
        Self::StorageNewer,
        Self::Settings,
        Self::Unsupported,
        Self::Network,
        Self::Refused,
        Self::Internal,
    ];

    /// The name on the wire and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::NotFound => "not_found",
            Self::ModelMissing => "model_missing",
            Self::ModelInvalid => "model_invalid",
            Self::ModelUnsupported => "model_unsupported",
            Self::ModelUnreadable => "model_unreadable",
            Self::InsufficientMemory => "insufficient_memory",
            Self::ContextOverflow => "context_overflow",
            Self::EngineCrashed => "engine_crashed",
            Self::EngineUnresponsive => "engine_unresponsive",
            Self::EngineUnavailable => "engine_unavailable",
            Self::Busy => "busy",
            Self::DiskFull => "disk_full",
            Self::Storage => "storage",
            Self::StorageReadOnly => "storage_read_only",
            Self::StorageNewer => "storage_newer",
            Self::Settings => "settings",
            Self::Unsupported => "unsupported",
            Self::Network => "network",
            Self::Refused => "refused",
            Self::Internal => "internal",
        }
    }

    /// The code of a name; [`Code::Internal`] for a name that a newer version wrote.
    pub fn from_name(name: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|c| c.name() == name)
            .unwrap_or(Self::Internal)
    }
}

/// An error as it crosses IPC, HTTP and the terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[cfg_attr(feature = "specta", derive(specta::Type), serde(rename = "IpcError"))]
#[error("{message}")]
pub struct Error {
    pub code: Code,
    /// What happened and why, in one sentence.
    pub message: String,
    /// What to do about it, in one sentence.
    pub hint: Option<String>,
    /// When another try is worth it, in seconds. For the HTTP door only.
    #[serde(skip)]
    pub retry_after_s: Option<u64>,
}

/// Result of a use case.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
            retry_after_s: None,
        }
    }

    /// Says when another try is worth it.
    #[must_use]
    pub fn retry_after_s(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A bug or a broken thread; the log has more.
    pub fn internal(what: impl std::fmt::Display) -> Self {
        tracing::error!(%what, "internal error");
        Self::new(
            Code::Internal,
            format!("Something went wrong inside Hearth: {what}."),
        )
        .hint("The log file has more; Settings, Advanced shows where it is.")
    }
}

/// A leaf's message as a sentence.
pub(crate) fn sentence(message: &str) -> String {
    let mut characters = message.chars();
    let first: String = characters
        .next()
        .map(|c| c.to_uppercase().collect())
        .unwrap_or_default();
    format!("{first}{}.", characters.as_str().trim_end_matches('.'))
}

impl From<hearth_store::Error> for Error {
    fn from(error: hearth_store::Error) -> Self {
        use hearth_store::Error as Leaf;
        match error {
            Leaf::DiskFull => Self::new(Code::DiskFull, "The disk is full, so this could not be saved.")
                .hint("Free some space; what you see here is kept until then."),
            Leaf::ReadOnly => Self::new(Code::StorageReadOnly, "Hearth's data folder cannot be written.")
                .hint("Check the permissions of the folder shown in Settings, Advanced."),
            Leaf::Newer { found, supported } => Self::new(
                Code::StorageNewer,
                format!("Your chats were saved by a newer Hearth (format {found}; this one reads up to {supported})."),
            )
            .hint("Install the newer version again. Nothing was changed."),
            Leaf::Corrupt { path, reason } => {
                Self::new(Code::Storage, format!("The file {} is damaged: {reason}.", path.display()))
                    .hint("Start Hearth again: it sets the file aside and saves what can be read.")
            }
            Leaf::NotFound { what, id } => Self::new(Code::NotFound, format!("There is no {what} `{id}`.")),
            Leaf::Invalid { what, reason } => Self::new(Code::InvalidInput, format!("`{what}` {reason}.")),
            Leaf::Io { path, source } => Self::new(Code::Storage, format!("{}: {source}.", path.display()))
                .hint("Check that the folder exists and can be written."),
            Leaf::KeyStore { reason } => Self::new(Code::Storage, format!("The system's key store cannot be used: {reason}."))
                .hint("Unlock it, or on Linux start a Secret Service such as GNOME Keyring, then try again."),
            Leaf::Sqlite(source) => Self::new(Code::Storage, format!("The chat database reported: {source}."))
                .hint("Try again; if it stays, start Hearth again."),
        }
    }
}

impl From<hearth_engine::Error> for Error {
    fn from(error: hearth_engine::Error) -> Self {
        use hearth_engine::Error as Leaf;
        match error {
            Leaf::LoadFailed { reason } if reason.contains("architecture") => {
                Self::new(Code::ModelUnsupported, format!("This model cannot be run: {reason}."))
                    .hint("It may need a newer Hearth, or choose another model.")
            }
            Leaf::LoadFailed { reason } => Self::new(Code::ModelInvalid, format!("The model could not be loaded: {reason}."))
                .hint("Fetch the model again, or choose another one."),
            Leaf::OutOfMemory { reason } => {
                Self::new(Code::InsufficientMemory, format!("There is not enough memory for this model: {reason}."))
                    .hint("Close other programs, or choose a smaller model.")
            }
            Leaf::ContextOverflow { prompt_tokens, context_tokens } => Self::new(
                Code::ContextOverflow,
                format!("The message has {prompt_tokens} tokens, but this model's context holds {context_tokens}."),
            )
            .hint("Shorten the message or start a new chat."),
            Leaf::InvalidRequest { field, reason } => Self::new(Code::InvalidInput, format!("`{field}` {reason}.")),
            Leaf::Backend { reason } => Self::new(Code::EngineCrashed, format!("The engine reported an error: {reason}."))
                .hint("Try again."),
            Leaf::Crashed { how, .. } => Self::new(Code::EngineCrashed, format!("The engine stopped unexpectedly ({how})."))
                .hint("It is already starting again; what was written is kept."),
            Leaf::Unresponsive { after_ms } => Self::new(
                Code::EngineUnresponsive,
                format!("The engine made no progress for {} s and was ended.", after_ms / 1000),
            )
            .hint("It is already starting again; what was written is kept."),
            Leaf::GaveUp { crashes, within_s } => Self::new(
                Code::EngineUnavailable,
                format!("The engine stopped {crashes} times within {within_s} s and was not started again."),
            )
            .hint("Wait a minute and try again, or choose another model."),
            Leaf::Spawn { reason } => Self::new(Code::EngineUnavailable, format!("The engine could not be started: {reason}."))
                .hint("Restart Hearth; if it stays, install it again."),
            Leaf::Protocol { reason } => Self::new(Code::EngineCrashed, format!("The engine could not be understood: {reason}."))
                .hint("Try again."),
            Leaf::ShutDown => Self::new(Code::EngineUnavailable, "The engine was shut down.").hint("Try again."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_serde_and_come_back() {
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.name());
            assert_eq!(Code::from_name(code.name()), code);
        }
    }
}
