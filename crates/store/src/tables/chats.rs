//! Chats: title, draft, which branch is shown, and when they were last used.
//!
//! Apart from messages because most calls need only one of the two. It must not know how titles are made or who asks.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, named_params, params};

use crate::db::{Db, Durability};
use crate::error::{Error, Result};
use crate::tables::{new_id, read_optional_text, read_text};

const COLUMNS: &str =
    "id, title, title_is_auto, draft, head_id, created_at_ms, updated_at_ms, deleted_at_ms";

/// One chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatRow {
    /// UUID version 7.
    pub id: String,
    /// May be empty: then the chat has no title yet.
    pub title: String,
    /// The title was not given by the user and may be replaced.
    pub title_is_auto: bool,
    /// Text in the input box that was not sent.
    pub draft: String,
    /// Last message of the branch that is shown; `None` in an empty chat.
    pub head_id: Option<String>,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Unix milliseconds; for display, not for order.
    pub updated_at_ms: i64,
    /// Unix milliseconds of a deletion that can still be undone.
    pub deleted_at_ms: Option<i64>,
}

impl ChatRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: read_text(row, 0)?,
            title: read_text(row, 1)?,
            title_is_auto: row.get(2)?,
            draft: read_text(row, 3)?,
            head_id: read_optional_text(row, 4)?,
            created_at_ms: row.get(5)?,
            updated_at_ms: row.get(6)?,
            deleted_at_ms: row.get(7)?,
        })
    }
}

/// The statements on chats.
#[derive(Debug, Clone, Copy)]
pub struct Chats<'db> {
    db: &'db Db,
}

impl<'db> Chats<'db> {
    pub(crate) fn new(db: &'db Db) -> Self {
        Self { db }
    }

    /// Makes an empty chat, at the top of the list. Synced.
    pub fn create(self, title: &str, title_is_auto: bool, now_ms: i64) -> Result<ChatRow> {
        let id = new_id();
        self.db.write(Durability::Synced, |tx| {
            tx.execute(
                "INSERT INTO chats (id, title, title_folded, title_is_auto, created_at_ms, updated_at_ms, updated_seq)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?5, (SELECT COALESCE(MAX(updated_seq), 0) + 1 FROM chats))",
                params![id, title, fold(title), title_is_auto, now_ms],
            )
        })?;
        self.get(&id)
    }

    /// Chats that are not deleted, last used first, at most `limit`. `query` is looked for anywhere in the title, in any letter
    /// case of any script; empty means all.
    pub fn list(self, query: &str, limit: usize) -> Result<Vec<ChatRow>> {
        let needle = fold(query.trim());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.db.read(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM chats
                     WHERE deleted_at_ms IS NULL AND instr(title_folded, ?1) > 0
                     ORDER BY updated_seq DESC LIMIT ?2"
                ))?
                .query_map(params![needle, limit], ChatRow::read)?
                .collect()
        })
    }

    /// One chat that is not deleted.
    pub fn get(self, id: &str) -> Result<ChatRow> {
        self.find(id, "AND deleted_at_ms IS NULL")
    }

    /// One chat, deleted or not.
    pub fn get_any(self, id: &str) -> Result<ChatRow> {
        self.find(id, "")
    }

    /// Sets the title. An automatic title (`is_auto`) never replaces one the user gave: then nothing changes.
    pub fn rename(self, id: &str, title: &str, is_auto: bool) -> Result<ChatRow> {
        self.change(
            id,
            Durability::Synced,
            "UPDATE chats SET
               title = CASE WHEN :auto AND NOT title_is_auto THEN title ELSE :title END,
               title_folded = CASE WHEN :auto AND NOT title_is_auto THEN title_folded ELSE :folded END,
               title_is_auto = title_is_auto AND :auto
             WHERE id = :id AND deleted_at_ms IS NULL",
            named_params! {":id": id, ":title": title, ":folded": fold(title), ":auto": is_auto},
        )?;
        self.get(id)
    }

    /// Hides a chat; [`Chats::restore`] brings it back until it is purged.
    pub fn soft_delete(self, id: &str, now_ms: i64) -> Result<()> {
        self.change(
            id,
            Durability::Synced,
            "UPDATE chats SET deleted_at_ms = :now WHERE id = :id AND deleted_at_ms IS NULL",
            named_params! {":id": id, ":now": now_ms},
        )
    }

    /// Undoes [`Chats::soft_delete`]; the chat returns to its old place in the list.
    pub fn restore(self, id: &str) -> Result<ChatRow> {
        self.change(
            id,
            Durability::Synced,
            "UPDATE chats SET deleted_at_ms = NULL WHERE id = :id",
            named_params! {":id": id},
        )?;
        self.get(id)
    }

    /// Erases for good what was deleted before `before_ms` (Unix milliseconds), messages included. Returns the ids of
    /// these chats.
    pub fn purge_deleted(self, before_ms: i64) -> Result<Vec<String>> {
        self.db.write(Durability::Synced, |tx| {
            tx.prepare(
                "DELETE FROM chats WHERE deleted_at_ms IS NOT NULL AND deleted_at_ms < ?1 RETURNING id",
            )?
            .query_map([before_ms], |row| row.get(0))?
            .collect()
        })
    }

    /// Erases every chat for good, deleted ones included. Returns how many were not deleted before.
    pub fn delete_all(self) -> Result<usize> {
        let count = self.db.write(Durability::Synced, |tx| {
            let count = tx.query_row(
                "SELECT COUNT(*) FROM chats WHERE deleted_at_ms IS NULL",
                [],
                |row| row.get::<_, i64>(0),
            )?;
            tx.execute("DELETE FROM chats", [])?;
            Ok(count)
        })?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Keeps the text of the input box. Does not move the chat in the list. Flushed, not synced: it is written while typing.
    pub fn save_draft(self, id: &str, draft: &str) -> Result<()> {
        self.change(
            id,
            Durability::Flushed,
            "UPDATE chats SET draft = :draft WHERE id = :id AND deleted_at_ms IS NULL",
            named_params! {":id": id, ":draft": draft},
        )
    }

    /// Shows the branch that ends in `message_id`, which must be a message of this chat.
    pub fn set_head(self, id: &str, message_id: &str) -> Result<()> {
        let changed = self.db.write(Durability::Synced, |tx| {
            tx.execute(
                "UPDATE chats SET head_id = ?2
                 WHERE id = ?1 AND EXISTS (SELECT 1 FROM messages WHERE id = ?2 AND chat_id = ?1)",
                params![id, message_id],
            )
        })?;
        if changed == 0 {
            Err(not_found("message", message_id))
        } else {
            Ok(())
        }
    }

    /// All chats that are not deleted, oldest first: for an export.
    pub fn all(self) -> Result<Vec<ChatRow>> {
        self.db.read(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM chats WHERE deleted_at_ms IS NULL ORDER BY created_at_ms, rowid"
                ))?
                .query_map([], ChatRow::read)?
                .collect()
        })
    }

    fn find(self, id: &str, condition: &str) -> Result<ChatRow> {
        self.db
            .read(|connection| find_row(connection, id, condition))?
            .ok_or_else(|| not_found("chat", id))
    }

    fn change(
        self,
        id: &str,
        durability: Durability,
        sql: &str,
        values: &[(&str, &dyn rusqlite::ToSql)],
    ) -> Result<()> {
        let changed = self
            .db
            .write(durability, |tx| tx.prepare_cached(sql)?.execute(values))?;
        if changed == 0 {
            Err(not_found("chat", id))
        } else {
            Ok(())
        }
    }
}

fn find_row(
    connection: &Connection,
    id: &str,
    condition: &str,
) -> rusqlite::Result<Option<ChatRow>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM chats WHERE id = ?1 {condition}"
        ))?
        .query_row([id], ChatRow::read)
        .optional()
}

/// Moves a chat to the top of the list with a new head. Used by everything that adds a message.
pub(super) fn touch(
    tx: &Transaction<'_>,
    id: &str,
    head_id: &str,
    now_ms: i64,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE chats SET head_id = ?2, updated_at_ms = ?3,
           updated_seq = (SELECT COALESCE(MAX(updated_seq), 0) + 1 FROM chats)
         WHERE id = ?1",
    )?
    .execute(params![id, head_id, now_ms])?;
    Ok(())
}

pub(super) fn not_found(what: &'static str, id: &str) -> Error {
    Error::NotFound {
        what,
        id: id.to_owned(),
    }
}

/// Letter case removed, for searching with `instr`. SQLite's own LIKE folds ASCII only and limits its pattern. Upper case first, so that `ß` and `SS` meet.
pub(crate) fn fold(text: &str) -> String {
    text.to_uppercase().to_lowercase()
}
