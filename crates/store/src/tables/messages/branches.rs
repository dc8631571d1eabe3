//! Reading the tree of a chat: the branch that is shown, the siblings of a message, the newest leaf below one.
//!
//! Apart from the writing half because the rules differ: these walks must end even in a database that was salvaged, so each
//! step requires `parent.seq < child.seq`.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{MessageRow, Role, qualified};
use super::{Messages, not_found};
use crate::error::Result;
use crate::tables::{read_optional_text, read_text};

/// Where a message stands among the versions of itself: same parent, same role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// From 0.
    pub index: usize,
    /// At least 1.
    pub count: usize,
    /// Id of the version before.
    pub previous_id: Option<String>,
    /// Id of the version after.
    pub next_id: Option<String>,
}

/// A message of a branch with its place among its siblings.
#[derive(Debug, Clone, PartialEq)]
pub struct BranchEntry {
    /// The message.
    pub message: MessageRow,
    /// Its place.
    pub place: Place,
}

impl Messages<'_> {
    /// The branch that ends in the chat's head, oldest first; empty in an empty chat.
    pub fn branch(self, chat_id: &str) -> Result<Vec<MessageRow>> {
        self.db.read(|connection| {
            walk_up(
                connection,
                chat_id,
                "SELECT head_id FROM chats WHERE id = ?1",
                chat_id,
            )
        })
    }

    /// The branch that ends in this message, oldest first.
    pub fn branch_to(self, message_id: &str) -> Result<Vec<MessageRow>> {
        let message = self.get(message_id)?;
        self.db
            .read(|connection| walk_up(connection, &message.chat_id, "?1", message_id))
    }

    /// [`Messages::branch`] with the place of each message among its siblings.
    pub fn branch_entries(self, chat_id: &str) -> Result<Vec<BranchEntry>> {
        let branch = self.branch(chat_id)?;
        let places = self.db.read(|connection| places(connection, chat_id))?;
        Ok(branch
            .into_iter()
            .map(|message| {
                let place = places.get(&message.id).cloned().unwrap_or(Place {
                    index: 0,
                    count: 1,
                    previous_id: None,
                    next_id: None,
                });
                BranchEntry { message, place }
            })
            .collect())
    }

    /// One message with its place.
    pub fn entry(self, message_id: &str) -> Result<BranchEntry> {
        let siblings = self.siblings(message_id)?;
        let index = siblings.iter().position(|sibling| sibling.id == message_id);
        let index = index.ok_or_else(|| not_found("message", message_id))?;
        let id_at = |at: Option<usize>| {
            at.and_then(|at| siblings.get(at))
                .map(|sibling| sibling.id.clone())
        };
        let place = Place {
            index,
            count: siblings.len(),
            previous_id: id_at(index.checked_sub(1)),
            next_id: id_at(index.checked_add(1)),
        };
        Ok(BranchEntry {
            message: siblings[index].clone(),
            place,
        })
    }

    /// The versions of a message (same chat, same parent, same role), itself included, oldest first.
    pub fn siblings(self, message_id: &str) -> Result<Vec<MessageRow>> {
        let columns = qualified("s");
        let found: Vec<MessageRow> = self.db.read(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {columns} FROM messages m
                     JOIN messages s ON s.chat_id = m.chat_id AND s.parent_id IS m.parent_id AND s.role = m.role
                     WHERE m.id = ?1 ORDER BY s.seq"
                ))?
                .query_map([message_id], MessageRow::read)?
                .collect()
        })?;
        if found.is_empty() {
            Err(not_found("message", message_id))
        } else {
            Ok(found)
        }
    }

    /// The newest message below this one, or itself when nothing follows: the head that shows its branch.
    pub fn leaf_below(self, message_id: &str) -> Result<MessageRow> {
        let columns = qualified("m");
        self.db
            .read(|connection| {
                connection
                    .prepare_cached(&format!(
                        "WITH RECURSIVE down (id, seq) AS (
                           SELECT id, seq FROM messages WHERE id = ?1
                           UNION ALL
                           SELECT c.id, c.seq FROM down JOIN messages c ON c.parent_id = down.id AND c.seq > down.seq
                         )
                         SELECT {columns} FROM messages m WHERE m.seq = (SELECT MAX(seq) FROM down)"
                    ))?
                    .query_row([message_id], MessageRow::read)
                    .optional()
            })?
            .ok_or_else(|| not_found("message", message_id))
    }
}

/// Walks from the message that `start` selects to the root. Children are younger than parents, so `seq` is the order.
fn walk_up(
    connection: &Connection,
    chat_id: &str,
    start: &str,
    value: &str,
) -> rusqlite::Result<Vec<MessageRow>> {
    let columns = qualified("m");
    connection
        .prepare_cached(&format!(
            "WITH RECURSIVE up (id, parent_id, seq) AS (
               SELECT id, parent_id, seq FROM messages WHERE id = ({start}) AND chat_id = ?2
               UNION ALL
               SELECT p.id, p.parent_id, p.seq FROM up JOIN messages p ON p.id = up.parent_id AND p.seq < up.seq
             )
             SELECT {columns} FROM up JOIN messages m ON m.seq = up.seq ORDER BY m.seq"
        ))?
        .query_map(params![value, chat_id], MessageRow::read)?
        .collect()
}

/// The place of every message of a chat, from one pass over its ids.
fn places(connection: &Connection, chat_id: &str) -> rusqlite::Result<HashMap<String, Place>> {
    let mut groups: HashMap<(Option<String>, &'static str), Vec<String>> = HashMap::new();
    let mut statement = connection.prepare_cached(
        "SELECT parent_id, role, id FROM messages WHERE chat_id = ?1 ORDER BY seq",
    )?;
    let mut found = statement.query([chat_id])?;
    while let Some(row) = found.next()? {
        let role: Role = row.get(1)?;
        groups
            .entry((read_optional_text(row, 0)?, role.as_str()))
            .or_default()
            .push(read_text(row, 2)?);
    }
    let mut places = HashMap::new();
    for ids in groups.into_values() {
        for (index, id) in ids.iter().enumerate() {
            let previous_id = index
                .checked_sub(1)
                .and_then(|before| ids.get(before))
                .cloned();
            let place = Place {
                index,
                count: ids.len(),
                previous_id,
                next_id: ids.get(index + 1).cloned(),
            };
            places.insert(id.clone(), place);
        }
    }
    Ok(places)
}
