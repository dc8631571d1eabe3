//! The chat database: its connections and how durable a write on each of them is.
//!
//! One place sets every pragma, so no table module can open a connection of its own with other rules. It must not know the
//! columns: those are in `migrations` and `tables`.
//!
//! Two write connections stand behind one lock. *Durable* syncs every commit to the platter: what was acknowledged survives a
//! power cut. *Flush* is for streamed text: a commit survives a crash of the program at once, and a power cut as soon as
//! any later durable commit or checkpoint has synced the log. Reads have connections of their own and never wait for a writer
//! (WAL). All calls block; async callers wrap them in `spawn_blocking`.

pub(crate) mod files;
mod open;
mod pages;
mod salvage;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::error::{Error, Result};
use crate::tables::chats::Chats;
use crate::tables::messages::Messages;

/// How long a call waits for another process that holds the database.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Read connections. Two, so that a long export does not hold up the window.
const READERS: usize = 2;

/// What happened while the database was opened. Everything in `repaired` is a plain sentence for the user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// There was no database before.
    pub created: bool,
    /// Schema version found, when it was older than the present one and has been brought up to date.
    pub migrated_from: Option<u32>,
    /// Copy made before the migration.
    pub backup: Option<PathBuf>,
    /// The program did not close the database the last time.
    pub unclean: bool,
    /// What was damaged, what could be saved and where the damaged file went.
    pub repaired: Vec<String>,
    /// Answers that were being written when the program stopped, now marked as interrupted.
    pub interrupted: usize,
}

/// How a write reaches the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Synced before the call returns.
    Synced,
    /// In the log, synced a little later.
    Flushed,
}

struct Writers {
    durable: Connection,
    flush: Connection,
}

/// An open chat database.
pub struct Db {
    path: PathBuf,
    /// `None`: opened for reading only.
    writers: Option<Mutex<Writers>>,
    readers: Vec<Mutex<Connection>>,
    next_reader: AtomicUsize,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Db")
            .field("path", &self.path)
            .field("read_only", &self.is_read_only())
            .finish_non_exhaustive()
    }
}

impl Db {
    /// Opens or creates the database at `path`: refuses a newer one untouched, backs up and migrates an older one, checks it
    /// after an unclean stop, and replaces a damaged one by what could be salvaged from it.
    ///
    /// Fails with [`Error::Newer`], [`Error::ReadOnly`] (then [`Db::open_read_only`] may still work), [`Error::DiskFull`].
    pub fn open(path: &Path) -> Result<(Self, OpenReport)> {
        open::open(path)
    }

    /// Opens an existing database for reading only; every write then fails with [`Error::ReadOnly`]. Meant for a folder that
    /// cannot be written: where the log cannot be read either, what was only in the log is not seen.
    pub fn open_read_only(path: &Path) -> Result<Self> {
        open::open_read_only(path)
    }

    /// Where the database lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this database can only be read.
    pub fn is_read_only(&self) -> bool {
        self.writers.is_none()
    }

    /// The chats.
    pub fn chats(&self) -> Chats<'_> {
        Chats::new(self)
    }

    /// The messages.
    pub fn messages(&self) -> Messages<'_> {
        Messages::new(self)
    }

    /// Asks SQLite whether the file is structurally sound; `Ok(None)` is sound, else the first complaint.
    pub fn quick_check(&self) -> Result<Option<String>> {
        self.read(open::first_complaint)
    }

    /// Closes the database and folds the log back into the file. Dropping does the same but cannot report a failure.
    pub fn close(self) -> Result<()> {
        let path = self.path;
        for reader in self.readers {
            let reader = reader.into_inner().unwrap_or_else(PoisonError::into_inner);
            reader
                .close()
                .map_err(|(_, error)| Error::sqlite(&path, error))?;
        }
        if let Some(writers) = self.writers {
            let writers = writers.into_inner().unwrap_or_else(PoisonError::into_inner);
            writers
                .flush
                .close()
                .map_err(|(_, error)| Error::sqlite(&path, error))?;
            writers
                .durable
                .close()
                .map_err(|(_, error)| Error::sqlite(&path, error))?;
        }
        Ok(())
    }

    /// Runs `work` on a read connection.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let connection = self.reader();
        work(&connection).map_err(|error| Error::sqlite(&self.path, error))
    }

    /// Runs `work` in one transaction; it is rolled back when `work` fails.
    pub(crate) fn write<T>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let mut writers = lock(self.writers.as_ref().ok_or(Error::ReadOnly)?);
        let connection = match durability {
            Durability::Synced => &mut writers.durable,
            Durability::Flushed => &mut writers.flush,
        };
        let run = || -> rusqlite::Result<T> {
            // Immediate: taking the write lock at once waits for another process instead of failing half-way.
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        run().map_err(|error| Error::sqlite(&self.path, error))
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        for reader in &self.readers {
            if let Ok(guard) = reader.try_lock() {
                return guard;
            }
        }
        let turn = self.next_reader.fetch_add(1, Ordering::Relaxed) % self.readers.len();
        lock(&self.readers[turn])
    }

    fn connect(path: &Path) -> Result<Self> {
        let writers = Writers {
            durable: open_writer(path, Durability::Synced)?,
            flush: open_writer(path, Durability::Flushed)?,
        };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut readers = Vec::with_capacity(READERS);
        for _ in 0..READERS {
            readers.push(Mutex::new(open_connection(path, flags)?));
        }
        Ok(Self {
            path: path.to_owned(),
            writers: Some(Mutex::new(writers)),
            readers,
            next_reader: AtomicUsize::new(0),
        })
    }
}

/// A panic of a lock's holder rolled its transaction back, so the connection behind a poisoned lock is sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens a connection with the rules that hold for all of them: bounded waiting, foreign keys, and no trust in the schema.
pub(crate) fn open_connection(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        // Damaged cells must end in an error, not in a read past the page.
        connection.pragma_update(None, "cell_size_check", true)?;
        Ok(connection)
    };
    open().map_err(|error| Error::sqlite(path, error))
}

fn open_writer(path: &Path, durability: Durability) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = open_connection(path, flags)?;
    let configure = || -> rusqlite::Result<()> {
        connection.pragma_update(None, "journal_mode", "wal")?;
        // A deleted chat is overwritten, not just unlinked: salvage must not bring it back, and neither must anyone else.
        connection.pragma_update(None, "secure_delete", true)?;
        match durability {
            Durability::Synced => {
                connection.pragma_update(None, "synchronous", "full")?;
                // On macOS a plain fsync leaves data in the drive's cache; this asks for F_FULLFSYNC. No effect elsewhere.
                connection.pragma_update(None, "fullfsync", true)?;
                connection.pragma_update(None, "checkpoint_fullfsync", true)
            }
            Durability::Flushed => {
                connection.pragma_update(None, "synchronous", "normal")?;
                connection.pragma_update(None, "checkpoint_fullfsync", true)
            }
        }
    };
    configure().map_err(|error| Error::sqlite(path, error))?;
    Ok(connection)
}
