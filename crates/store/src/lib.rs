//! Everything Hearth keeps: chats and messages in SQLite, the time line in a file of its own, settings in a TOML file, secrets in the
//! system's key store.
//!
//! It is a crate of its own so that one place decides how durable a write is and what happens to a damaged file. It must not
//! know what a model, an engine, a window or a setting *means*: rows and typed values go in and come out, nothing else.
//!
//! Nothing here is async. Every call may block on the disk for as long as an fsync takes; callers on an async runtime wrap
//! each call in `spawn_blocking`.

pub mod db;
pub mod error;
pub mod migrations;
pub mod secrets;
pub mod settings;
pub mod tables;
pub mod timeline;

pub use db::{Db, OpenReport};
pub use error::{Error, Result};
pub use secrets::{Keychain, MemorySecrets, Secrets, Sensitive};
pub use settings::{Repair, SettingValue, SettingsFile};
pub use tables::chats::{ChatRow, Chats};
pub use tables::messages::{
    AnswerFinish, BranchEntry, FinishReason, MessageRow, Messages, NewAnswer, NewTurn, Place, Role,
    Status, Turn,
};
pub use timeline::{Level, MarkRow, PointRow, TimelineFile};
