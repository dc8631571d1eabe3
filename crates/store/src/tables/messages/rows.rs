//! The plain types that go in and out of the messages table.
//!
//! Apart from the statements so that a caller can read the shape of the data without any SQL. They must not carry behaviour.

use crate::tables::{read_optional_text, read_text};
use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

/// Columns in the order [`MessageRow::read`] takes them.
pub(super) const COLUMNS: &str = "id, chat_id, parent_id, role, text, status, seq, created_at_ms, model, prompt_tokens, \
     cached_tokens, tokens, ttft_ms, tokens_per_second, finish_reason, error_code, error_message, error_hint, notice, \
     cut_messages, slowed";

/// [`COLUMNS`], each with the name of its table in front.
pub(super) fn qualified(table: &str) -> String {
    COLUMNS
        .split(", ")
        .map(|column| format!("{table}.{column}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Implements the three conversions of an enum that is stored as a word.
macro_rules! stored_as_text {
    ($name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        impl $name {
            /// The word in the database.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The value of a word in the database.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::from(self.as_str()))
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                Self::parse(value.as_str()?).ok_or(FromSqlError::InvalidType)
            }
        }
    };
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The person.
    User,
    /// The model.
    Assistant,
}
stored_as_text!(Role { User = "user", Assistant = "assistant" });

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Finished as it should.
    Complete,
    /// Being written now.
    Streaming,
    /// Stopped by the user.
    Stopped,
    /// The program or the engine ended while it was being written.
    Interrupted,
    /// It could not be written.
    Failed,
}
stored_as_text!(Status {
    Complete = "complete",
    Streaming = "streaming",
    Stopped = "stopped",
    Interrupted = "interrupted",
    Failed = "failed",
});

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// The model ended it, or a stop string did.
    Stop,
    /// The token limit or the context was reached.
    Length,
    /// It was cancelled.
    Cancelled,
}
stored_as_text!(FinishReason { Stop = "stop", Length = "length", Cancelled = "cancelled" });

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageRow {
    /// UUID version 7.
    pub id: String,
    /// The chat it belongs to.
    pub chat_id: String,
    /// The message before it on its branch; `None` at the root.
    pub parent_id: Option<String>,
    /// Who wrote it.
    pub role: Role,
    /// The text so far.
    pub text: String,
    /// How far it has come.
    pub status: Status,
    /// Grows with every message of the database and is never reused: the order of messages.
    pub seq: i64,
    /// Unix milliseconds; for display, not for order.
    pub created_at_ms: i64,
    /// Name of the model that answered.
    pub model: Option<String>,
    /// Tokens of the prompt.
    pub prompt_tokens: Option<u32>,
    /// Tokens of the prompt that did not have to be computed.
    pub cached_tokens: Option<u32>,
    /// Tokens of the answer.
    pub tokens: Option<u32>,
    /// Milliseconds from the request to the first token.
    pub ttft_ms: Option<f64>,
    /// Speed of the answer after its first token.
    pub tokens_per_second: Option<f64>,
    /// Why it ended.
    pub finish_reason: Option<FinishReason>,
    /// Code of the error it ended with.
    pub error_code: Option<String>,
    /// Message of that error.
    pub error_message: Option<String>,
    /// What the user can do about it.
    pub error_hint: Option<String>,
    /// A visible warning.
    pub notice: Option<String>,
    /// How many of the oldest messages of its branch the model did not see; `None` when it saw all.
    pub cut_messages: Option<u32>,
    /// What held the answer back while it was written, as JSON; `None` when nothing did.
    pub slowed: Option<String>,
}

impl MessageRow {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: read_text(row, 0)?,
            chat_id: read_text(row, 1)?,
            parent_id: read_optional_text(row, 2)?,
            role: row.get(3)?,
            text: read_text(row, 4)?,
            status: row.get(5)?,
            seq: row.get(6)?,
            created_at_ms: row.get(7)?,
            model: read_optional_text(row, 8)?,
            prompt_tokens: row.get(9)?,
            cached_tokens: row.get(10)?,
            tokens: row.get(11)?,
            ttft_ms: row.get(12)?,
            tokens_per_second: row.get(13)?,
            finish_reason: row.get(14)?,
            error_code: read_optional_text(row, 15)?,
            error_message: read_optional_text(row, 16)?,
            error_hint: read_optional_text(row, 17)?,
            notice: read_optional_text(row, 18)?,
            cut_messages: row.get(19)?,
            slowed: read_optional_text(row, 20)?,
        })
    }
}

/// A message the user sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTurn {
    /// The chat.
    pub chat_id: String,
    /// The message it follows; `None` starts the chat, or a new branch of its first message.
    pub parent_id: Option<String>,
    /// What the user wrote.
    pub text: String,
    /// Name of the model that will answer.
    pub model: Option<String>,
    /// Unix milliseconds.
    pub now_ms: i64,
}

/// An answer that is about to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAnswer {
    /// The chat.
    pub chat_id: String,
    /// The message it answers.
    pub parent_id: String,
    /// Name of the model that will answer.
    pub model: Option<String>,
    /// Unix milliseconds.
    pub now_ms: i64,
}

/// A question and its empty answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// The user's message.
    pub user: MessageRow,
    /// The answer, with status streaming.
    pub assistant: MessageRow,
}

/// The final state of an answer. `None` leaves what is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct AnswerFinish {
    /// The final status.
    pub status: Status,
    /// The whole text, replacing what was streamed.
    pub text: Option<String>,
    /// See [`MessageRow::model`].
    pub model: Option<String>,
    /// See [`MessageRow::prompt_tokens`].
    pub prompt_tokens: Option<u32>,
    /// See [`MessageRow::cached_tokens`].
    pub cached_tokens: Option<u32>,
    /// See [`MessageRow::tokens`].
    pub tokens: Option<u32>,
    /// See [`MessageRow::ttft_ms`].
    pub ttft_ms: Option<f64>,
    /// See [`MessageRow::tokens_per_second`].
    pub tokens_per_second: Option<f64>,
    /// See [`MessageRow::finish_reason`].
    pub finish_reason: Option<FinishReason>,
    /// See [`MessageRow::error_code`].
    pub error_code: Option<String>,
    /// See [`MessageRow::error_message`].
    pub error_message: Option<String>,
    /// See [`MessageRow::error_hint`].
    pub error_hint: Option<String>,
    /// See [`MessageRow::notice`].
    pub notice: Option<String>,
    /// See [`MessageRow::cut_messages`].
    pub cut_messages: Option<u32>,
    /// See [`MessageRow::slowed`].
    pub slowed: Option<String>,
}

impl AnswerFinish {
    /// A final state that changes nothing but the status.
    pub fn new(status: Status) -> Self {
        Self {
            status,
            text: None,
            model: None,
            prompt_tokens: None,
            cached_tokens: None,
            tokens: None,
            ttft_ms: None,
            tokens_per_second: None,
            finish_reason: None,
            error_code: None,
            error_message: None,
            error_hint: None,
            notice: None,
            cut_messages: None,
            slowed: None,
        }
    }
}
