//! Opening the database: is it newer, is it older, is it damaged, was it closed?
//!
//! Apart from `db` because this runs once and decides between files, while `db` runs always and knows one file. It must not
//! read or write chats itself; rebuilding a damaged file is `salvage`'s.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::backup::Backup;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::files::{corrupt, remove, sibling};
use super::{
    AtomicUsize, Db, Durability, Mutex, OpenReport, open_connection, open_writer, salvage,
};
use crate::error::{Error, Result};
use crate::migrations;

/// Byte offset of the schema version (`user_version`, big endian) in a database file. Source: sqlite.org/fileformat2.html §1.3.
const USER_VERSION_OFFSET: u64 = 60;
/// A schema version above this is a damaged header, not a newer program: one step per release never gets there.
const HIGHEST_PLAUSIBLE_VERSION: u32 = 100_000;
/// A database up to this size in bytes is checked at every start (a few milliseconds); a larger one only after an unclean stop.
const ALWAYS_CHECKED_BYTES: u64 = 16 << 20;

/// Pages that are copied at a time; the size does not matter where nobody writes.
const COPY_PAGES: i32 = 1024;

pub(super) fn open(path: &Path) -> Result<(Db, OpenReport)> {
    let mut report = OpenReport {
        created: !exists(path)?,
        unclean: log_has_content(path),
        ..OpenReport::default()
    };
    if !report.created {
        match inspect(path) {
            Ok(version) => refuse_newer(version)?,
            Err(error) => repair(path, &error, &mut report)?,
        }
    }
    let db = match prepare(path, &mut report) {
        Err(error @ Error::Corrupt { .. }) => {
            repair(path, &error, &mut report)?;
            prepare(path, &mut report)?
        }
        other => other?,
    };
    report.interrupted = db.messages().mark_interrupted_all()?;
    Ok((db, report))
}

pub(super) fn open_read_only(path: &Path) -> Result<Db> {
    refuse_newer(inspect(path)?)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let readable = |connection: Connection| {
        let count =
            connection.query_row("SELECT COUNT(*) FROM chats", [], |row| row.get::<_, i64>(0));
        count
            .map(|_| connection)
            .map_err(|error| Error::sqlite(path, error))
    };
    let connection = open_connection(path, flags)
        .and_then(readable)
        .or_else(|_| {
            // Without a writable folder the log's index cannot be made; `immutable` reads the file without it.
            let uri = format!("file:{}?immutable=1", escape_uri(path));
            open_connection(Path::new(&uri), flags | OpenFlags::SQLITE_OPEN_URI).and_then(readable)
        })?;
    let connection = up_to_date_copy(path, connection)?;
    Ok(Db {
        path: path.to_owned(),
        writers: None,
        readers: vec![Mutex::new(connection)],
        next_reader: AtomicUsize::new(0),
    })
}

/// A database of an older version that cannot be written is read from a migrated copy in memory.
fn up_to_date_copy(path: &Path, connection: Connection) -> Result<Connection> {
    let failed = |error| Error::sqlite(path, error);
    if user_version(&connection).map_err(failed)? >= migrations::LATEST {
        return Ok(connection);
    }
    let mut copy = Connection::open_in_memory().map_err(failed)?;
    let copied = Backup::new(&connection, &mut copy)
        .and_then(|backup| backup.run_to_completion(COPY_PAGES, Duration::ZERO, None));
    copied.map_err(failed)?;
    to_latest(path, &mut copy)?;
    Ok(copy)
}

/// Checks, backs up and migrates, then connects.
fn prepare(path: &Path, report: &mut OpenReport) -> Result<Db> {
    let fresh = report.created || !report.repaired.is_empty();
    let mut connection = open_writer(path, Durability::Synced)?;
    // If this ends in a repair, closing must not fold the log into the file that is kept as evidence.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .map_err(|error| Error::sqlite(path, error))?;
    let size_bytes = fs::metadata(path).map_or(0, |metadata| metadata.len());
    if !fresh && (report.unclean || size_bytes <= ALWAYS_CHECKED_BYTES) {
        let complaint = first_complaint(&connection).map_err(|error| Error::sqlite(path, error))?;
        if let Some(reason) = complaint {
            return Err(Error::Corrupt {
                path: path.to_owned(),
                reason,
            });
        }
    }
    let found = user_version(&connection).map_err(|error| Error::sqlite(path, error))?;
    if found < migrations::LATEST {
        migrate(path, &mut connection, found, report)?;
    }
    verify_schema(path, &connection)?;
    // The connections that stay are opened before this one closes, so that the log is not folded in and deleted in between.
    let db = Db::connect(path)?;
    drop(connection);
    Ok(db)
}

/// Brings an older schema up to date in one transaction per step, after a copy of the file was made.
fn migrate(
    path: &Path,
    connection: &mut Connection,
    found: u32,
    report: &mut OpenReport,
) -> Result<()> {
    let has_tables: bool = connection
        .query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| {
            row.get(0)
        })
        .map_err(|error| Error::sqlite(path, error))?;
    if found == 0 && has_tables {
        // No release wrote version 0: the header lost its version.
        return Err(corrupt(path, "tables exist but the schema version is 0"));
    }
    if found > 0 {
        let backup = sibling(path, &format!(".v{found}.bak"));
        copy_into(connection, path, &backup)?;
        report.migrated_from = Some(found);
        report.backup = Some(backup);
    }
    to_latest(path, connection)
}

fn to_latest(path: &Path, connection: &mut Connection) -> Result<()> {
    migrations::migrations()
        .to_latest(connection)
        .map_err(|error| match error {
            rusqlite_migration::Error::RusqliteError { err, .. } => Error::sqlite(path, err),
            other => corrupt(path, &other.to_string()),
        })
}

/// A whole, compact copy of the database that includes what is still in the log. Written under another name first, so a file
/// with the final name is always complete.
fn copy_into(connection: &Connection, path: &Path, backup: &Path) -> Result<()> {
    let partial = sibling(backup, ".part");
    remove(&partial)?;
    let Some(name) = partial.to_str() else {
        return Err(Error::Invalid {
            what: "data folder".into(),
            reason: "its name is not UTF-8".into(),
        });
    };
    connection
        .execute("VACUUM INTO ?1", [name])
        .map_err(|error| Error::sqlite(path, error))?;
    File::open(&partial)
        .and_then(|file| file.sync_all())
        .map_err(|source| Error::io(&partial, source))?;
    fs::rename(&partial, backup).map_err(|source| Error::io(backup, source))
}

/// The tables this build uses must be there with their columns; else the schema itself is damaged.
fn verify_schema(path: &Path, connection: &Connection) -> Result<()> {
    for sql in [
        "SELECT updated_seq, deleted_at_ms FROM chats LIMIT 1",
        "SELECT seq, notice, cut_messages, slowed FROM messages LIMIT 1",
    ] {
        connection
            .prepare(sql)
            .map_err(|error| match Error::sqlite(path, error) {
                Error::Sqlite(error) => corrupt(path, &error.to_string()),
                other => other,
            })?;
    }
    Ok(())
}

/// Moves the damaged file aside and builds a new one from what can be read of it.
fn repair(path: &Path, why: &Error, report: &mut OpenReport) -> Result<()> {
    let Error::Corrupt { reason, .. } = why else {
        return Err(match why {
            Error::DiskFull => Error::DiskFull,
            Error::ReadOnly => Error::ReadOnly,
            other => Error::Invalid {
                what: format!("`{}`", path.display()),
                reason: other.to_string(),
            },
        });
    };
    tracing::warn!(%reason, "the chat database is damaged and will be rebuilt");
    let aside = move_aside(path)?;
    let saved = salvage::rebuild(&aside, path)?;
    report.repaired.push(format!(
        "The chat database was damaged ({reason}). {} chats and {} messages were saved, {} are known to be missing. \
         The damaged file was kept as `{}`.",
        saved.chats,
        saved.messages,
        saved.missing,
        aside.display()
    ));
    Ok(())
}

/// Renames the database with its log, so that the pair still belongs together under the new name.
fn move_aside(path: &Path) -> Result<PathBuf> {
    let stamp = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let mut aside = sibling(path, &format!(".corrupt-{stamp}"));
    let mut attempt = 1;
    while exists(&aside)? {
        attempt += 1;
        aside = sibling(path, &format!(".corrupt-{stamp}-{attempt}"));
    }
    for suffix in ["-wal", ""] {
        let from = sibling(path, suffix);
        if exists(&from)? {
            fs::rename(&from, sibling(&aside, suffix))
                .map_err(|source| Error::io(&from, source))?;
        }
    }
    // The index of the log is rebuilt from the log; a stale one must not meet the new file.
    remove(&sibling(path, "-shm"))?;
    Ok(aside)
}

/// Schema version of an existing file, found without changing a byte of it or of its log.
fn inspect(path: &Path) -> Result<u32> {
    let in_file = version_in_header(path)?;
    // The header decides first, so that an unknown format is not even opened. The log may hold a newer header still.
    if in_file > migrations::LATEST || !log_has_content(path) {
        return Ok(in_file);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let read = || -> rusqlite::Result<u32> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        user_version(&connection)
    };
    match read().map_err(|error| Error::sqlite(path, error)) {
        Err(Error::Sqlite(_) | Error::ReadOnly) => Ok(in_file),
        other => other,
    }
}

fn version_in_header(path: &Path) -> Result<u32> {
    let io = |source| Error::io(path, source);
    let mut file = File::open(path).map_err(io)?;
    if file.metadata().map_err(io)?.len() == 0 {
        // SQLite treats an empty file as a new database.
        return Ok(0);
    }
    let mut magic = [0; 16];
    let mut version = [0; 4];
    let read = file
        .read_exact(&mut magic)
        .and_then(|()| file.seek(SeekFrom::Start(USER_VERSION_OFFSET)))
        .and_then(|_| file.read_exact(&mut version));
    match read {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Err(corrupt(path, "the file is shorter than a header"))
        }
        Err(error) => Err(io(error)),
        Ok(()) if &magic != b"SQLite format 3\0" => {
            Err(corrupt(path, "the file does not start like a database"))
        }
        Ok(()) => Ok(u32::from_be_bytes(version)),
    }
    .and_then(|version| {
        if version > HIGHEST_PLAUSIBLE_VERSION {
            Err(corrupt(path, "the schema version is nonsense"))
        } else {
            Ok(version)
        }
    })
}

fn refuse_newer(found: u32) -> Result<()> {
    let supported = migrations::LATEST;
    if found > supported {
        Err(Error::Newer { found, supported })
    } else {
        Ok(())
    }
}

fn user_version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// `None` when SQLite finds the structure sound.
pub(super) fn first_complaint(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let answer: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if answer != "ok" {
        return Ok(Some(answer));
    }
    // A damaged id is sound to SQLite but breaks a branch.
    let dangling = connection.prepare("PRAGMA foreign_key_check")?.exists([])?;
    Ok(dangling.then(|| "a message refers to one that is not there".to_owned()))
}

/// The last connection to close deletes the log, so one with content means that the program did not get to close.
fn log_has_content(path: &Path) -> bool {
    fs::metadata(sibling(path, "-wal")).is_ok_and(|metadata| metadata.len() > 0)
}

fn exists(path: &Path) -> Result<bool> {
    path.try_exists().map_err(|source| Error::io(path, source))
}

/// Escapes what has a meaning in an SQLite URI file name.
fn escape_uri(path: &Path) -> String {
    path.to_string_lossy()
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23")
}
