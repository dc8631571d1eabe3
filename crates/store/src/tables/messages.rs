//! Messages: a tree per chat, in which every path from the root to a leaf is one branch of the conversation.
//!
//! The branch that is shown ends in the chat's `head_id`. Editing a question or asking for another answer adds a sibling;
//! nothing is ever overwritten. This file has what changes messages; reading branches is in `branches`, the row types in
//! `rows`. It must not know what an answer is made by.

mod branches;
mod rows;

use rusqlite::{OptionalExtension, Transaction, named_params, params};

pub use self::branches::{BranchEntry, Place};
pub use self::rows::{
    AnswerFinish, FinishReason, MessageRow, NewAnswer, NewTurn, Role, Status, Turn,
};

use crate::db::{Db, Durability};
use crate::error::{Error, Result};
use crate::tables::chats::{not_found, touch};
use crate::tables::new_id;

/// The statements on messages.
#[derive(Debug, Clone, Copy)]
pub struct Messages<'db> {
    db: &'db Db,
}

impl<'db> Messages<'db> {
    pub(crate) fn new(db: &'db Db) -> Self {
        Self { db }
    }

    /// Stores the user's message alone, makes it the head and clears the chat's draft. Synced: when this returns, the message
    /// survives anything.
    pub fn insert_user(self, turn: &NewTurn) -> Result<MessageRow> {
        let id = self
            .db
            .write(Durability::Synced, |tx| insert_question(tx, turn));
        self.get(&id.map_err(|error| missing_target(error, &turn.chat_id))?)
    }

    /// Stores the user's message and the empty answer to it (status streaming) in one synced transaction. The answer becomes
    /// the head and the chat's draft is cleared.
    pub fn insert_turn(self, turn: &NewTurn) -> Result<Turn> {
        let inserted = self.db.write(Durability::Synced, |tx| {
            let user = insert_question(tx, turn)?;
            let answer = NewAnswer {
                chat_id: turn.chat_id.clone(),
                parent_id: user.clone(),
                model: turn.model.clone(),
                now_ms: turn.now_ms,
            };
            let assistant = insert_answer(tx, &answer)?;
            Ok((user, assistant))
        });
        let (user, assistant) = inserted.map_err(|error| missing_target(error, &turn.chat_id))?;
        Ok(Turn {
            user: self.get(&user)?,
            assistant: self.get(&assistant)?,
        })
    }

    /// Stores an empty answer (status streaming) to a message that exists, and makes it the head. Synced.
    pub fn insert_assistant(self, answer: &NewAnswer) -> Result<MessageRow> {
        let id = self
            .db
            .write(Durability::Synced, |tx| insert_answer(tx, answer));
        self.get(&id.map_err(|error| missing_target(error, &answer.chat_id))?)
    }

    /// Appends streamed text. In the log when this returns (survives a crash of the program), synced a little later. Only a
    /// message with status streaming takes text; any other is [`Error::NotFound`].
    pub fn append_text(self, id: &str, text: &str) -> Result<()> {
        let changed = self.db.write(Durability::Flushed, |tx| {
            tx.prepare_cached(
                "UPDATE messages SET text = text || ?2 WHERE id = ?1 AND status = 'streaming'",
            )?
            .execute(params![id, text])
        })?;
        if changed == 0 {
            Err(not_found("streaming message", id))
        } else {
            Ok(())
        }
    }

    /// Puts an answer into its final state. Synced. Values that are `None` leave what is stored.
    pub fn finish(self, id: &str, finish: &AnswerFinish) -> Result<MessageRow> {
        let changed = self
            .db
            .write(Durability::Synced, |tx| update_finished(tx, id, finish))?;
        if changed == 0 {
            Err(not_found("message", id))
        } else {
            self.get(id)
        }
    }

    /// Sets the visible warning of a message. Flushed.
    pub fn set_notice(self, id: &str, notice: &str) -> Result<()> {
        let changed = self.db.write(Durability::Flushed, |tx| {
            tx.execute(
                "UPDATE messages SET notice = ?2 WHERE id = ?1",
                params![id, notice],
            )
        })?;
        if changed == 0 {
            Err(not_found("message", id))
        } else {
            Ok(())
        }
    }

    /// Marks every answer that still streams as interrupted: at start none can be running. Returns how many.
    pub fn mark_interrupted_all(self) -> Result<usize> {
        self.db.write(Durability::Synced, |tx| {
            tx.execute(
                "UPDATE messages SET status = 'interrupted' WHERE status = 'streaming'",
                [],
            )
        })
    }

    /// One message.
    pub fn get(self, id: &str) -> Result<MessageRow> {
        self.db
            .read(|connection| {
                connection
                    .prepare_cached(&format!(
                        "SELECT {} FROM messages WHERE id = ?1",
                        rows::COLUMNS
                    ))?
                    .query_row([id], MessageRow::read)
                    .optional()
            })?
            .ok_or_else(|| not_found("message", id))
    }

    /// Every message of a chat on every branch, oldest first.
    pub fn in_chat(self, chat_id: &str) -> Result<Vec<MessageRow>> {
        self.db.read(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {} FROM messages WHERE chat_id = ?1 ORDER BY seq",
                    rows::COLUMNS
                ))?
                .query_map([chat_id], MessageRow::read)?
                .collect()
        })
    }

    /// Calls `each` with every message of every chat that is not deleted, by chat (oldest first) and then by `seq`, holding
    /// one row at a time: for an export. Messages added meanwhile are not seen.
    pub fn for_each(self, mut each: impl FnMut(MessageRow)) -> Result<()> {
        self.db.read(|connection| {
            let columns = rows::qualified("m");
            let mut statement = connection.prepare(&format!(
                "SELECT {columns} FROM messages m JOIN chats c ON c.id = m.chat_id
                 WHERE c.deleted_at_ms IS NULL ORDER BY c.created_at_ms, c.rowid, m.seq"
            ))?;
            let mut found = statement.query([])?;
            while let Some(row) = found.next()? {
                each(MessageRow::read(row)?);
            }
            Ok(())
        })
    }
}

/// `parent_id` must belong to the same chat, or a message would show up in two conversations.
const INSERT: &str = "INSERT INTO messages (id, chat_id, parent_id, role, text, status, created_at_ms, model)
     SELECT :id, :chat, :parent, :role, :text, :status, :now, :model
     WHERE EXISTS (SELECT 1 FROM chats WHERE id = :chat AND deleted_at_ms IS NULL)
       AND (:parent IS NULL OR EXISTS (SELECT 1 FROM messages WHERE id = :parent AND chat_id = :chat))";

fn insert_question(tx: &Transaction<'_>, turn: &NewTurn) -> rusqlite::Result<String> {
    let id = new_id();
    let inserted = tx.prepare_cached(INSERT)?.execute(named_params! {
        ":id": id, ":chat": turn.chat_id, ":parent": turn.parent_id, ":role": Role::User, ":text": turn.text,
        ":status": Status::Complete, ":now": turn.now_ms, ":model": None::<String>,
    })?;
    require(inserted)?;
    tx.prepare_cached("UPDATE chats SET draft = '' WHERE id = ?1")?
        .execute([&turn.chat_id])?;
    touch(tx, &turn.chat_id, &id, turn.now_ms)?;
    Ok(id)
}

fn insert_answer(tx: &Transaction<'_>, answer: &NewAnswer) -> rusqlite::Result<String> {
    let id = new_id();
    let inserted = tx.prepare_cached(INSERT)?.execute(named_params! {
        ":id": id, ":chat": answer.chat_id, ":parent": answer.parent_id, ":role": Role::Assistant, ":text": "",
        ":status": Status::Streaming, ":now": answer.now_ms, ":model": answer.model,
    })?;
    require(inserted)?;
    touch(tx, &answer.chat_id, &id, answer.now_ms)?;
    Ok(id)
}

/// Fails, and so rolls back, when nothing was inserted: the chat or the parent is not there.
fn require(inserted: usize) -> rusqlite::Result<()> {
    if inserted == 0 {
        Err(rusqlite::Error::QueryReturnedNoRows)
    } else {
        Ok(())
    }
}

fn missing_target(error: Error, chat_id: &str) -> Error {
    match error {
        Error::Sqlite(rusqlite::Error::QueryReturnedNoRows) => {
            not_found("chat or parent message", chat_id)
        }
        other => other,
    }
}

fn update_finished(
    tx: &Transaction<'_>,
    id: &str,
    finish: &AnswerFinish,
) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "UPDATE messages SET
           status = :status,
           text = COALESCE(:text, text),
           model = COALESCE(:model, model),
           prompt_tokens = COALESCE(:prompt_tokens, prompt_tokens),
           cached_tokens = COALESCE(:cached_tokens, cached_tokens),
           tokens = COALESCE(:tokens, tokens),
           ttft_ms = COALESCE(:ttft_ms, ttft_ms),
           tokens_per_second = COALESCE(:tokens_per_second, tokens_per_second),
           finish_reason = COALESCE(:finish_reason, finish_reason),
           error_code = COALESCE(:error_code, error_code),
           error_message = COALESCE(:error_message, error_message),
           error_hint = COALESCE(:error_hint, error_hint),
           notice = COALESCE(:notice, notice),
           cut_messages = COALESCE(:cut_messages, cut_messages),
           slowed = COALESCE(:slowed, slowed)
         WHERE id = :id",
    )?
    .execute(named_params! {
        ":id": id, ":status": finish.status, ":text": finish.text, ":model": finish.model,
        ":prompt_tokens": finish.prompt_tokens, ":cached_tokens": finish.cached_tokens, ":tokens": finish.tokens,
        ":ttft_ms": finish.ttft_ms, ":tokens_per_second": finish.tokens_per_second,
        ":finish_reason": finish.finish_reason, ":error_code": finish.error_code,
        ":error_message": finish.error_message, ":error_hint": finish.error_hint, ":notice": finish.notice,
        ":cut_messages": finish.cut_messages, ":slowed": finish.slowed,
    })
}
