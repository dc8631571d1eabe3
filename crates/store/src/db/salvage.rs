//! Rebuilds a damaged database: reads every row that can still be read and writes it into a new file.
//!
//! Apart from `open` so that "what is damaged" and "what can be saved" are not mixed. It must not change the damaged file:
//! that stays as evidence and for a second try with other tools.
//!
//! Two readers feed it. SQLite itself is asked first, row by row round the damaged pages; where it cannot make sense of the
//! schema any more, and for rows it did not reach, `pages` decodes the leaf pages directly.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, Transaction, params_from_iter};

use super::{Durability, open_writer, pages};
use crate::error::{Error, Result};
use crate::migrations;
use crate::tables::chats::fold;

/// Give up asking SQLite for a table after this many failing reads; `pages` then reads the rest. Each costs a look into the tree.
const MAX_FAILURES: u32 = 4_000;
/// A row cannot take fewer bytes than this in a page, which bounds the highest row id that is worth asking for.
const SMALLEST_ROW_BYTES: u64 = 16;

/// What was saved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Saved {
    pub chats: usize,
    pub messages: usize,
    /// Rows that are known to be missing: another row refers to them, or they broke a rule of their table. A lower bound.
    pub missing: usize,
}

/// Column values of one row in the order of the table's definition, keyed by row id.
pub(super) type Rows = BTreeMap<i64, Vec<Value>>;

/// The rows of both tables as they are found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub chats: Rows,
    pub messages: Rows,
}

/// Columns of `chats` and `messages` in the order of their definition. `seq` is the row id and stored as NULL.
pub(super) const CHAT_COLUMNS: [&str; 10] = [
    "id",
    "title",
    "title_folded",
    "title_is_auto",
    "draft",
    "head_id",
    "created_at_ms",
    "updated_at_ms",
    "updated_seq",
    "deleted_at_ms",
];
pub(super) const MESSAGE_COLUMNS: [&str; 21] = [
    "seq",
    "id",
    "chat_id",
    "parent_id",
    "role",
    "text",
    "status",
    "created_at_ms",
    "model",
    "prompt_tokens",
    "cached_tokens",
    "tokens",
    "ttft_ms",
    "tokens_per_second",
    "finish_reason",
    "error_code",
    "error_message",
    "error_hint",
    "notice",
    "cut_messages",
    "slowed",
];
/// How many of [`MESSAGE_COLUMNS`] the oldest schema has. Rows written then stay that short; later columns are null in them.
pub(super) const FIRST_MESSAGE_COLUMNS: usize = 19;

/// Reads what it can of `damaged` and writes it into a new database at `path`, which must not exist.
pub(super) fn rebuild(damaged: &Path, path: &Path) -> Result<Saved> {
    let mut found = Found::default();
    let complete = ask_sqlite(damaged, &mut found);
    if !complete {
        pages::scan(damaged, &mut found);
    }
    // Reading makes an index and an empty log beside the file, which are no evidence of anything.
    let _ = fs::remove_file(beside(damaged, "-shm"));
    let log = beside(damaged, "-wal");
    if fs::metadata(&log).is_ok_and(|metadata| metadata.len() == 0) {
        let _ = fs::remove_file(log);
    }
    let mut connection = open_writer(path, Durability::Synced)?;
    let write = |connection: &mut Connection| -> rusqlite::Result<Saved> {
        connection.pragma_update(None, "foreign_keys", false)?;
        let transaction = connection.transaction()?;
        let saved = insert(&transaction, &found)?;
        transaction.commit()?;
        Ok(saved)
    };
    let migrated = migrations::migrations().to_latest(&mut connection);
    let written = match migrated {
        Ok(()) => write(&mut connection),
        Err(rusqlite_migration::Error::RusqliteError { err, .. }) => Err(err),
        Err(_) => Err(rusqlite::Error::InvalidQuery),
    };
    drop(connection);
    written.map_err(|error| {
        // A half-built file would look like the user's database at the next start. The damaged one goes back instead.
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(beside(path, suffix));
        }
        for suffix in ["", "-wal"] {
            let _ = fs::rename(beside(damaged, suffix), beside(path, suffix));
        }
        Error::sqlite(path, error)
    })
}

/// `path` with `suffix` added to its file name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Reads both tables through SQLite. Returns whether every row was reached.
fn ask_sqlite(damaged: &Path, found: &mut Found) -> bool {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let Ok(connection) = Connection::open_with_flags(damaged, flags) else {
        return false;
    };
    // Closing must not fold the log into the file that is kept as evidence.
    let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    let size_bytes = fs::metadata(damaged).map_or(0, |metadata| metadata.len());
    let highest = i64::try_from(size_bytes / SMALLEST_ROW_BYTES)
        .unwrap_or(i64::MAX)
        .max(1 << 16);
    let mut complete = true;
    let messages = message_columns(&connection);
    for (table, columns, rows) in [
        ("chats", CHAT_COLUMNS.as_slice(), &mut found.chats),
        ("messages", messages, &mut found.messages),
    ] {
        let sql = format!(
            "SELECT rowid, {} FROM {table} WHERE rowid BETWEEN ?1 AND ?2",
            columns.join(", ")
        );
        let mut failures = 0;
        let mut open = vec![(i64::MIN, highest)];
        while let Some((low, high)) = open.pop() {
            let Err(last) = read_range(&connection, &sql, columns.len(), (low, high), rows) else {
                continue;
            };
            complete = false;
            failures += 1;
            if failures > MAX_FAILURES {
                break;
            }
            let low = last.map_or(low.max(1), |last| last + 1);
            if low >= high {
                continue;
            }
            // Look behind the damage, the upper half first: whole pages are reached with few questions.
            let middle = low + (high - low) / 2;
            open.push((low, middle));
            open.push((middle + 1, high));
        }
    }
    complete
}

/// The columns that the damaged database has: it may be of an older version.
fn message_columns(connection: &Connection) -> &'static [&'static str] {
    (FIRST_MESSAGE_COLUMNS..=MESSAGE_COLUMNS.len())
        .rev()
        .map(|count| &MESSAGE_COLUMNS[..count])
        .find(|columns| {
            let sql = format!("SELECT {} FROM messages", columns.join(", "));
            connection.prepare(&sql).is_ok()
        })
        .unwrap_or(&MESSAGE_COLUMNS)
}

/// Reads one range of row ids; on failure returns the last row id that was read.
fn read_range(
    connection: &Connection,
    sql: &str,
    columns: usize,
    (low, high): (i64, i64),
    rows: &mut Rows,
) -> std::result::Result<(), Option<i64>> {
    let mut last = None;
    let mut read = || -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(sql)?;
        let mut cursor = statement.query([low, high])?;
        while let Some(row) = cursor.next()? {
            let rowid: i64 = row.get(0)?;
            let values = (1..=columns)
                .map(|column| value(row, column))
                .collect::<rusqlite::Result<Vec<_>>>()?;
            rows.insert(rowid, values);
            last = Some(rowid);
        }
        Ok(())
    };
    read().map_err(|_| last)
}

/// A value whose text may not be UTF-8 any more.
fn value(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Value> {
    use rusqlite::types::ValueRef;
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) => Value::Text(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    })
}

/// Ids that a row refers to and that no row has.
const COUNT_DANGLING: &str = "SELECT COUNT(*) FROM (
     SELECT parent_id FROM messages WHERE parent_id IS NOT NULL AND parent_id NOT IN (SELECT id FROM messages)
     UNION SELECT head_id FROM chats WHERE head_id IS NOT NULL AND head_id NOT IN (SELECT id FROM messages)
     UNION SELECT chat_id FROM messages WHERE chat_id NOT IN (SELECT id FROM chats))";

/// Writes what was found, then mends what no longer fits together.
fn insert(tx: &Transaction<'_>, found: &Found) -> rusqlite::Result<Saved> {
    let mut saved = Saved::default();
    saved.chats = insert_rows(tx, "chats", &CHAT_COLUMNS, &found.chats, &mut saved.missing)?;
    saved.messages = insert_rows(
        tx,
        "messages",
        &MESSAGE_COLUMNS,
        &found.messages,
        &mut saved.missing,
    )?;
    saved.missing += tx.query_row(COUNT_DANGLING, [], |row| row.get::<_, i64>(0))? as usize;
    let title = "Recovered chat";
    // Messages whose chat is lost get a chat again; it can have been deleted by the user only together with its messages.
    saved.chats += tx.execute(
        "INSERT INTO chats (id, title, title_folded, title_is_auto, created_at_ms, updated_at_ms, updated_seq)
         SELECT chat_id, ?1, ?2, 1, MIN(created_at_ms), MAX(created_at_ms), 0 FROM messages
         WHERE chat_id NOT IN (SELECT id FROM chats) GROUP BY chat_id",
        [title, &fold(title)],
    )?;
    // A message whose parent is lost continues after the newest older message of its chat that is left.
    tx.execute_batch(
        "UPDATE messages SET parent_id = (
           SELECT p.id FROM messages p WHERE p.chat_id = messages.chat_id AND p.seq < messages.seq ORDER BY p.seq DESC LIMIT 1)
         WHERE parent_id IS NOT NULL AND NOT EXISTS (
           SELECT 1 FROM messages p
           WHERE p.id = messages.parent_id AND p.chat_id = messages.chat_id AND p.seq < messages.seq);
         UPDATE chats SET head_id = (
           SELECT m.id FROM messages m WHERE m.chat_id = chats.id ORDER BY m.seq DESC LIMIT 1)
         WHERE head_id IS NULL OR NOT EXISTS (
           SELECT 1 FROM messages m WHERE m.id = chats.head_id AND m.chat_id = chats.id);",
    )?;
    Ok(saved)
}

/// Inserts rows one by one; one that breaks a rule of the table is counted as missing and left out.
fn insert_rows(
    tx: &Transaction<'_>,
    table: &str,
    columns: &[&str],
    rows: &Rows,
    missing: &mut usize,
) -> rusqlite::Result<usize> {
    let marks = vec!["?"; columns.len() + 1].join(", ");
    let mut statement = tx.prepare(&format!(
        "INSERT INTO {table} (rowid, {}) VALUES ({marks})",
        columns.join(", ")
    ))?;
    let mut inserted = 0;
    for (rowid, values) in rows {
        // `seq` is another name of the row id; given both, SQLite takes the last.
        let values = values
            .iter()
            .chain(std::iter::repeat(&Value::Null))
            .zip(columns)
            .map(|(value, column)| match *column {
                "seq" => Value::Integer(*rowid),
                _ => value.clone(),
            });
        match statement.execute(params_from_iter(
            std::iter::once(Value::Integer(*rowid)).chain(values),
        )) {
            Ok(_) => inserted += 1,
            Err(error)
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) =>
            {
                *missing += 1;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(inserted)
}
