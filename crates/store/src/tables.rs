//! The tables of the chat database, one module each: plain row structs and the statements on them.
//!
//! They are the only place with SQL on chats and messages. They must not know what a row is used for.

pub mod chats;
pub mod messages;

use rusqlite::Row;

/// A new id: UUID version 7, so ids sort by the time they were made. Order is never taken from them, though: see `seq`.
pub(crate) fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// Text that may hold bytes which are not UTF-8 after a disk fault: one bad byte must not make a whole chat unreadable.
pub(crate) fn read_text(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    Ok(read_optional_text(row, column)?.unwrap_or_default())
}

/// [`read_text`] for a column that may be empty.
pub(crate) fn read_optional_text(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<String>> {
    let bytes = row.get_ref(column)?.as_bytes_or_null()?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
}
