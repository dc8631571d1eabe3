//! Chats and messages as the doors see them.

use hearth_store::{
    BranchEntry, ChatRow, FinishReason as RowFinish, MessageRow, Place, Role as RowRole, Status,
};
use serde::Serialize;

use crate::error::{Code, Error};
use crate::throttle::Slowed;

/// A chat in the list.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct ChatSummary {
    pub id: String,
    pub title: String,
    /// Unix milliseconds.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub created_at_ms: i64,
    /// Unix milliseconds.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub updated_at_ms: i64,
    /// Whether an answer is being written now.
    pub generating: bool,
}

/// A chat with the branch that is shown, oldest message first.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct ChatView {
    pub chat: ChatSummary,
    pub messages: Vec<Message>,
    pub draft: String,
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    User,
    Assistant,
}

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum MessageStatus {
    Complete,
    Streaming,
    /// The user stopped it.
    Stopped,
    /// The program or the engine ended while it was being written.
    Interrupted,
    Failed,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    Stop,
    Length,
    Cancelled,
}

/// Figures of an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct AnswerStats {
    pub model: String,
    pub prompt_tokens: u32,
    pub cached_tokens: u32,
    pub tokens: u32,
    pub ttft_ms: Option<f64>,
    pub tokens_per_second: Option<f64>,
    pub finish_reason: Option<FinishReason>,
    /// Present when heat, power or memory held it back.
    pub slowed: Option<Slowed>,
}

/// Where a message stands among its versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct Branch {
    /// From 0.
    pub index: u32,
    pub count: u32,
    pub previous_id: Option<String>,
    pub next_id: Option<String>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct Message {
    pub id: String,
    pub chat_id: String,
    pub role: Role,
    pub text: String,
    pub status: MessageStatus,
    /// Unix milliseconds.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub created_at_ms: i64,
    pub branch: Branch,
    pub stats: Option<AnswerStats>,
    /// Why it failed or was interrupted.
    pub error: Option<Error>,
    /// A warning, such as a missing chat template.
    pub notice: Option<String>,
    /// How many of the oldest messages the model did not see, because its context window was full; 0 when it saw all.
    pub cut_messages: u32,
}

/// What a sent message gave: both are on disk.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct SendReceipt {
    /// `None` when an answer is made again.
    pub user: Option<Message>,
    pub assistant: Message,
}

/// What a running generation tells a view, at most thirty times a second.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(
    tag = "type",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum ChatEvent {
    Loading {
        model: String,
        progress: Option<f32>,
    },
    Prefill {
        done: u32,
        total: u32,
    },
    /// The whole answer so far; the first event of a view that joins.
    Snapshot {
        message: Message,
    },
    Delta {
        message_id: String,
        text: String,
    },
    /// The last event.
    Finished {
        message: Message,
    },
}

pub(super) fn summary(row: &ChatRow, generating: bool) -> ChatSummary {
    ChatSummary {
        id: row.id.clone(),
        title: row.title.clone(),
        created_at_ms: row.created_at_ms,
        updated_at_ms: row.updated_at_ms,
        generating,
    }
}

pub(super) fn message(entry: BranchEntry) -> Message {
    let BranchEntry {
        message: row,
        place,
    } = entry;
    let Place {
        index,
        count,
        previous_id,
        next_id,
    } = place;
    Message {
        stats: stats(&row),
        error: row.error_code.as_deref().map(|code| Error {
            code: Code::from_name(code),
            message: row.error_message.clone().unwrap_or_default(),
            hint: row.error_hint.clone(),
            retry_after_s: None,
        }),
        id: row.id,
        chat_id: row.chat_id,
        role: match row.role {
            RowRole::User => Role::User,
            RowRole::Assistant => Role::Assistant,
        },
        text: row.text,
        status: match row.status {
            Status::Complete => MessageStatus::Complete,
            Status::Streaming => MessageStatus::Streaming,
            Status::Stopped => MessageStatus::Stopped,
            Status::Interrupted => MessageStatus::Interrupted,
            Status::Failed => MessageStatus::Failed,
        },
        created_at_ms: row.created_at_ms,
        branch: Branch {
            index: index as u32,
            count: count as u32,
            previous_id,
            next_id,
        },
        notice: row.notice,
        cut_messages: row.cut_messages.unwrap_or_default(),
    }
}

fn stats(row: &MessageRow) -> Option<AnswerStats> {
    Some(AnswerStats {
        model: row.model.clone()?,
        prompt_tokens: row.prompt_tokens?,
        cached_tokens: row.cached_tokens.unwrap_or_default(),
        tokens: row.tokens?,
        ttft_ms: row.ttft_ms,
        tokens_per_second: row.tokens_per_second,
        finish_reason: row.finish_reason.map(|reason| match reason {
            RowFinish::Stop => FinishReason::Stop,
            RowFinish::Length => FinishReason::Length,
            RowFinish::Cancelled => FinishReason::Cancelled,
        }),
        slowed: row.slowed.as_deref().and_then(|json| {
            // One that a newer version wrote may have reasons that this one does not know.
            serde_json::from_str(json).ok()
        }),
    })
}
