//! The time line's own database file: points at four levels of detail with marks beside them.
//!
//! Apart from the chats, so that damage to figures never touches what cannot be measured again. It must not know what a point's bytes
//! or a mark's text mean: who writes them also says how two points become one.
//!
//! Every point is written to all levels at once, each of which keeps its own stretch of time, so a level is always complete from its
//! oldest point to its newest and a reader never has to join two. Nothing is synced on commit: a power cut may cost what was
//! written since the last checkpoint, a crash of the program nothing.

mod open;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::error::{Error, Result};

/// How much time a point stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// One second, kept for an hour.
    Second,
    /// Ten seconds, kept for a day.
    TenSeconds,
    /// One minute, kept for 30 days.
    Minute,
    /// Half an hour, kept as long, so that a view of 30 days need not read every minute of them.
    HalfHour,
}

impl Level {
    /// The finest first.
    pub const ALL: [Self; 4] = [Self::Second, Self::TenSeconds, Self::Minute, Self::HalfHour];

    /// Milliseconds that a point stands for.
    pub fn step_ms(self) -> i64 {
        match self {
            Self::Second => 1_000,
            Self::TenSeconds => 10_000,
            Self::Minute => 60_000,
            Self::HalfHour => 1_800_000,
        }
    }

    /// Milliseconds after which a point is deleted.
    pub fn keep_ms(self) -> i64 {
        match self {
            Self::Second => 3_600_000,
            Self::TenSeconds => 24 * 3_600_000,
            Self::Minute | Self::HalfHour => 30 * 24 * 3_600_000,
        }
    }

    fn table(self) -> &'static str {
        match self {
            Self::Second => "seconds",
            Self::TenSeconds => "tens",
            Self::Minute => "minutes",
            Self::HalfHour => "half_hours",
        }
    }
}

/// Most marks that are kept; the oldest written go first.
pub const MAX_MARKS: i64 = 20_000;

/// Bytes that stand for a stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointRow {
    /// Unix milliseconds; any time within the stretch.
    pub at_ms: i64,
    pub data: Vec<u8>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkRow {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// What [`TimelineFile::last_mark`] looks for.
    pub kind: String,
    /// Which marks a reader gets when there are too many: the heaviest.
    pub weight: u8,
    pub what: String,
}

/// An open time line.
pub struct TimelineFile {
    path: PathBuf,
    /// Whether the file is ours to set aside.
    owned: bool,
    /// One for all: a write takes a few milliseconds every ten seconds.
    connection: Mutex<Connection>,
}

impl std::fmt::Debug for TimelineFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TimelineFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl TimelineFile {
    /// Opens or creates the file. A damaged one is set aside as `<name>.damaged` (in place of one that was set aside before) and begun
    /// anew; the log says so. Only one process may hold it open for writing; the caller sees to that.
    ///
    /// # Errors
    /// [`Error::Newer`], which leaves the file as it is, [`Error::ReadOnly`], [`Error::DiskFull`].
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self::of(path, true, open::open(path)?))
    }

    /// Opens an existing file that another process may be writing.
    ///
    /// # Errors
    /// [`Error::Newer`], [`Error::Corrupt`], or that it cannot be opened.
    pub fn open_read_only(path: &Path) -> Result<Self> {
        Ok(Self::of(path, false, open::open_read_only(path)?))
    }

    /// One that is gone when it is dropped, for when there is no file to write to.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn in_memory() -> Result<Self> {
        let path = Path::new("(memory)");
        Ok(Self::of(path, false, open::in_memory(path)?))
    }

    fn of(path: &Path, owned: bool, connection: Connection) -> Self {
        Self {
            path: path.to_owned(),
            owned,
            connection: Mutex::new(connection),
        }
    }

    /// Adds points and marks in one transaction and deletes what is too old by `now_ms`.
    ///
    /// `merge` makes one point's bytes of two, the older first.
    pub fn add(
        &self,
        points: &[PointRow],
        marks: &[MarkRow],
        now_ms: i64,
        merge: impl Fn(&[u8], &[u8]) -> Vec<u8>,
    ) -> Result<()> {
        let run = |connection: &mut Connection| -> rusqlite::Result<()> {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for level in Level::ALL {
                let written = add_points(&transaction, level, points, &merge)?;
                let window = (now_ms - level.keep_ms(), now_ms + level.step_ms());
                forget(&transaction, level.table(), window, 2 * written)?;
            }
            add_marks(&transaction, marks, now_ms)?;
            transaction.commit()
        };
        match self.with(run) {
            // Begun anew by now.
            Err(Error::Corrupt { .. }) => self.with(run),
            done => done,
        }
    }

    /// Gives every point of a level that begins within `from_ms..to_ms` to `each`, the oldest first.
    pub fn points(
        &self,
        level: Level,
        from_ms: i64,
        to_ms: i64,
        mut each: impl FnMut(i64, &[u8]),
    ) -> Result<()> {
        let sql = format!(
            "SELECT at_ms, data FROM {} WHERE at_ms >= ?1 AND at_ms < ?2 ORDER BY at_ms",
            level.table()
        );
        self.with(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query(params![from_ms, to_ms])?;
            while let Some(row) = rows.next()? {
                let data = row.get_ref(1)?;
                each(row.get(0)?, data.as_blob().unwrap_or_default());
            }
            Ok(())
        })
    }

    /// Begin of a level's oldest point, in Unix milliseconds.
    pub fn oldest(&self, level: Level) -> Result<Option<i64>> {
        let sql = format!("SELECT MIN(at_ms) FROM {}", level.table());
        self.with(|connection| {
            connection
                .prepare_cached(&sql)?
                .query_row([], |row| row.get(0))
        })
    }

    /// The `limit` heaviest marks within `from_ms..to_ms`, of equal ones the newest; in the order of their time.
    pub fn marks(&self, from_ms: i64, to_ms: i64, limit: u32) -> Result<Vec<MarkRow>> {
        let mut rows = self.with(|connection| {
            connection
                .prepare_cached(
                    // Chosen from the index alone, so that the text of the others is never read.
                    "SELECT at_ms, kind, weight, what, seq FROM marks WHERE seq IN
                     (SELECT seq FROM marks WHERE at_ms >= ?1 AND at_ms < ?2
                      ORDER BY weight DESC, at_ms DESC, seq DESC LIMIT ?3)",
                )?
                .query_map(params![from_ms, to_ms, limit], |row| {
                    Ok((row.get::<_, i64>(4)?, mark(row)?))
                })?
                .collect::<rusqlite::Result<Vec<_>>>()
        })?;
        rows.sort_by_key(|(seq, mark)| (mark.at_ms, *seq));
        Ok(rows.into_iter().map(|(_, mark)| mark).collect())
    }

    /// The newest mark of one of two kinds that is not later than `at_ms`.
    pub fn last_mark(&self, kinds: [&str; 2], at_ms: i64) -> Result<Option<MarkRow>> {
        self.with(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT at_ms, kind, weight, what FROM marks WHERE at_ms <= ?1 AND kind IN (?2, ?3)
                 ORDER BY at_ms DESC, seq DESC LIMIT 1",
            )?;
            let mut rows = statement.query(params![at_ms, kinds[0], kinds[1]])?;
            rows.next()?.map(mark).transpose()
        })
    }

    /// Runs `work`. When it finds damage, the file is begun anew before the error is returned, so that another try succeeds.
    fn with<T>(&self, work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Result<T> {
        let mut connection = self.lock();
        let done = work(&mut connection).map_err(|error| Error::sqlite(&self.path, error));
        if let (Err(Error::Corrupt { reason, .. }), true) = (&done, self.owned) {
            // Closed first: on closing, SQLite deletes the log by its name, which will be that of the new one. When there can be no
            // new file, the time line goes on in memory.
            *connection = open::in_memory(&self.path)?;
            *connection = open::begin_anew(&self.path, reason)?;
        }
        done
    }

    /// A panic of the holder rolled its transaction back, so the connection behind a poisoned lock is sound.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds points to one level; returns how many of its rows were written.
fn add_points(
    transaction: &Transaction<'_>,
    level: Level,
    points: &[PointRow],
    merge: &impl Fn(&[u8], &[u8]) -> Vec<u8>,
) -> rusqlite::Result<usize> {
    let table = level.table();
    let mut stretches: BTreeMap<i64, Vec<u8>> = BTreeMap::new();
    for point in points {
        let begin = point.at_ms - point.at_ms.rem_euclid(level.step_ms());
        stretches
            .entry(begin)
            .and_modify(|data| *data = merge(data, &point.data))
            .or_insert_with(|| point.data.clone());
    }
    let mut find =
        transaction.prepare_cached(&format!("SELECT data FROM {table} WHERE at_ms = ?1"))?;
    let mut put = transaction.prepare_cached(&format!(
        "INSERT OR REPLACE INTO {table} (at_ms, data) VALUES (?1, ?2)"
    ))?;
    for (begin, data) in &stretches {
        let mut rows = find.query([begin])?;
        let before = rows
            .next()?
            .map(|row| row.get::<_, Vec<u8>>(0))
            .transpose()?;
        match before {
            Some(before) => put.execute(params![begin, merge(&before, data)])?,
            None => put.execute(params![begin, data])?,
        };
    }
    Ok(stretches.len())
}

fn add_marks(
    transaction: &Transaction<'_>,
    marks: &[MarkRow],
    now_ms: i64,
) -> rusqlite::Result<()> {
    let mut put = transaction
        .prepare_cached("INSERT INTO marks (at_ms, kind, weight, what) VALUES (?1, ?2, ?3, ?4)")?;
    for mark in marks {
        put.execute(params![mark.at_ms, mark.kind, mark.weight, mark.what])?;
    }
    let window = (now_ms - Level::Minute.keep_ms(), i64::MAX);
    forget(transaction, "marks", window, 2 * (marks.len() + 1))?;
    transaction
        .prepare_cached("DELETE FROM marks WHERE seq <= (SELECT MAX(seq) FROM marks) - ?1")?
        .execute([MAX_MARKS])?;
    Ok(())
}

/// Deletes what lies outside of a window of time, but never much more than was just written: a clock that goes wrong for a while costs
/// about as much of the past as was recorded under it, not all of it. The file still never grows, because what is left over shrinks
/// with every write.
fn forget(
    transaction: &Transaction<'_>,
    table: &str,
    (from_ms, to_ms): (i64, i64),
    at_most: usize,
) -> rusqlite::Result<()> {
    let sql = format!(
        "DELETE FROM {table} WHERE rowid IN (
            SELECT rowid FROM {table} WHERE at_ms < ?1
            UNION ALL SELECT rowid FROM {table} WHERE at_ms > ?2
            LIMIT ?3)"
    );
    let limit = i64::try_from(at_most).unwrap_or(i64::MAX);
    transaction
        .prepare_cached(&sql)?
        .execute(params![from_ms, to_ms, limit])?;
    Ok(())
}

fn mark(row: &rusqlite::Row<'_>) -> rusqlite::Result<MarkRow> {
    Ok(MarkRow {
        at_ms: row.get(0)?,
        kind: row.get(1)?,
        weight: row.get(2)?,
        what: row.get(3)?,
    })
}
