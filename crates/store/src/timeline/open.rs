//! Opening the time line's file: is it newer, is it damaged, what is done then.
//!
//! Simpler than for the chats: figures are worth no salvage. A damaged file is kept beside the new one, for whoever wants to look, and
//! only the last of them, so that a bad disk does not fill itself with them.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::db::files::{corrupt, remove, sibling};
use crate::db::open_connection;
use crate::error::{Error, Result};

/// Version of the schema below.
const VERSION: u32 = 1;
/// A version above this is a damaged header, not a newer program.
const HIGHEST_PLAUSIBLE_VERSION: u32 = 10_000;
/// Pages in the log after which it is folded into the file: 1 MB.
const CHECKPOINT_PAGES: u32 = 256;
/// Bytes that the log may keep on the disk between two checkpoints.
const LOG_BYTES: u32 = 2 << 20;

/// `at_ms` is the begin of the stretch and, as the row id, the order on the disk. `seq` tells which mark was written later, whatever the
/// clock says.
const SCHEMA: &str = "
CREATE TABLE seconds (at_ms INTEGER PRIMARY KEY NOT NULL, data BLOB NOT NULL);
CREATE TABLE tens    (at_ms INTEGER PRIMARY KEY NOT NULL, data BLOB NOT NULL);
CREATE TABLE minutes (at_ms INTEGER PRIMARY KEY NOT NULL, data BLOB NOT NULL);
CREATE TABLE half_hours (at_ms INTEGER PRIMARY KEY NOT NULL, data BLOB NOT NULL);
CREATE TABLE marks (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms  INTEGER NOT NULL,
    kind   TEXT NOT NULL,
    weight INTEGER NOT NULL,
    what   TEXT NOT NULL
);
CREATE INDEX marks_by_time ON marks (at_ms, weight);
";

pub(super) fn open(path: &Path) -> Result<Connection> {
    match open_sound(path) {
        Err(Error::Corrupt { reason, .. }) => begin_anew(path, &reason),
        other => other,
    }
}

pub(super) fn open_read_only(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = open_connection(path, flags)?;
    if version(path, &connection)? == VERSION {
        Ok(connection)
    } else {
        Err(corrupt(path, "it has no tables yet"))
    }
}

pub(super) fn in_memory(path: &Path) -> Result<Connection> {
    let connection = Connection::open_in_memory().map_err(|error| Error::sqlite(path, error))?;
    create(path, &connection)?;
    Ok(connection)
}

/// Sets a damaged file aside and creates a new one. Any connection to the old one must not be used again.
pub(super) fn begin_anew(path: &Path, reason: &str) -> Result<Connection> {
    let aside = sibling(path, ".damaged");
    tracing::warn!(%reason, kept_as = %aside.display(), "the time line is damaged and begins anew");
    for suffix in ["", "-wal"] {
        let from = sibling(path, suffix);
        let to = sibling(&aside, suffix);
        match fs::rename(&from, &to) {
            // Without a log of this one, the log of the last one must not stay beside it.
            Err(error) if error.kind() == ErrorKind::NotFound => remove(&to)?,
            done => done.map_err(|source| Error::io(&from, source))?,
        }
    }
    remove(&sibling(path, "-shm"))?;
    open_sound(path)
}

fn open_sound(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = open_connection(path, flags)?;
    let configure = || -> rusqlite::Result<String> {
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
    };
    let answer = configure().map_err(|error| Error::sqlite(path, error))?;
    if answer != "ok" {
        return Err(corrupt(path, &answer));
    }
    if version(path, &connection)? == 0 {
        create(path, &connection)?;
    }
    Ok(connection)
}

/// 0 is a new file.
fn version(path: &Path, connection: &Connection) -> Result<u32> {
    let failed = |error| Error::sqlite(path, error);
    let found: u32 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(failed)?;
    let tables: u32 = connection
        .query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    match found {
        0 if tables > 0 => Err(corrupt(path, "tables exist but the schema version is 0")),
        1.. if tables == 0 => Err(corrupt(path, "it has a version but no tables")),
        0 | VERSION => Ok(found),
        ..=HIGHEST_PLAUSIBLE_VERSION => Err(Error::Newer {
            found,
            supported: VERSION,
        }),
        _ => Err(corrupt(path, "the schema version is nonsense")),
    }
}

fn create(path: &Path, connection: &Connection) -> Result<()> {
    connection
        .execute_batch(&format!(
            "BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;"
        ))
        .map_err(|error| Error::sqlite(path, error))
}
