//! Keeps the time line: moments come once a second, and go to the disk together, from a thread of its own.
//!
//! While something happens every ten seconds, else once a minute, so that an idle Mac's disk is not woken. What has not been written
//! yet is read from memory, so readers see everything. A crash of the program loses what was not written.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use hearth_models::lock::FileLock;
use hearth_store::{Error as StoreError, MarkRow, PointRow, TimelineFile};

use super::point::{Point, merge};
use super::{Happening, Mark, Moment};
use crate::error::{Code, Error, Result};
use crate::paths::Paths;
use crate::throttle::Level;

/// Moments in a batch while something happens.
const BUSY_BATCH: usize = 10;
/// Moments in a batch while nothing does.
const IDLE_BATCH: usize = 60;
/// Most moments that wait for a disk that cannot be written: an hour.
const MAX_PENDING: usize = 3_600;
/// Most marks that wait for it.
const MAX_PENDING_MARKS: usize = 2_000;
/// Longest text of a mark in bytes: names come from strangers.
const MAX_MARK_BYTES: usize = 4_096;

/// The time line of this installation.
pub struct Timeline {
    pub(super) kept: Arc<Kept>,
    pub(super) exports: PathBuf,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Held for as long as this process is the one that writes; `None` when another one is.
    _lock: Option<FileLock>,
}

/// What the thread and the readers have in common.
pub(super) struct Kept {
    pub(super) file: TimelineFile,
    writes: bool,
    pending: Mutex<Pending>,
    changed: Condvar,
    /// Held while a batch goes from memory to the disk, and while something reads both.
    moving: Mutex<()>,
}

#[derive(Default)]
struct Pending {
    points: Vec<(i64, Point)>,
    marks: Vec<Mark>,
    /// Something happened in this batch.
    busy: bool,
    /// Moments since the last try to write.
    untried: usize,
    due: bool,
    closing: bool,
}

/// What is in memory only.
#[derive(Default)]
pub(super) struct Unwritten {
    pub(super) points: Vec<(i64, Point)>,
    pub(super) marks: Vec<Mark>,
}

impl Timeline {
    /// Opens the time line in the data folder; blocks on the disk. Where it cannot be written, the time line is kept in memory and the
    /// log says why. Where another process writes it, this one only reads.
    ///
    /// # Errors
    /// When the system gives no memory or no thread.
    pub fn open(paths: &Paths) -> Result<Arc<Self>> {
        let path = paths.timeline();
        let lock = lock_file(paths);
        let opened = match &lock {
            Ok(Some(_)) => TimelineFile::open(&path),
            Ok(None) => {
                tracing::info!("another process keeps the time line; this one only reads it");
                TimelineFile::open_read_only(&path)
            }
            Err(error) => Err(StoreError::io(&path, std::io::Error::from(error.kind()))),
        };
        let file = opened.or_else(|error| {
            tracing::warn!(%error, "the time line is only kept in memory");
            TimelineFile::in_memory()
        })?;
        let kept = Arc::new(Kept {
            file,
            writes: !matches!(lock, Ok(None)),
            pending: Mutex::default(),
            changed: Condvar::new(),
            moving: Mutex::default(),
        });
        let own = Arc::clone(&kept);
        let writer = std::thread::Builder::new()
            .name("timeline".into())
            .spawn(move || own.write_until_closed())
            .map_err(Error::internal)?;
        Ok(Arc::new(Self {
            kept,
            exports: paths.exports(),
            writer: Mutex::new(Some(writer)),
            _lock: lock.ok().flatten(),
        }))
    }

    /// Opens what another process writes, or wrote, for reading only; blocks on the disk.
    ///
    /// # Errors
    /// When nothing was recorded yet, or the file cannot be read.
    pub fn open_read_only(paths: &Paths) -> Result<Self> {
        let path = paths.timeline();
        if !path.exists() {
            return Err(Error::new(Code::NotFound, "Nothing was recorded yet.")
                .hint("The app and `hearth serve` record while they run."));
        }
        Ok(Self {
            kept: Arc::new(Kept {
                file: TimelineFile::open_read_only(&path)?,
                writes: false,
                pending: Mutex::default(),
                changed: Condvar::new(),
                moving: Mutex::default(),
            }),
            exports: paths.exports(),
            writer: Mutex::new(None),
            _lock: None,
        })
    }

    /// Keeps a moment. Never waits for the disk.
    pub fn record(&self, moment: &Moment) {
        self.kept.take(|pending| {
            let idle = moment.work.running == 0
                && moment.work.waiting == 0
                && moment.decision.level == Level::Free;
            pending.busy |= !idle;
            pending
                .points
                .push((moment.reading.at_ms, Point::of(moment)));
            pending.untried += 1;
        });
    }

    /// Keeps a mark. Never waits for the disk.
    pub fn mark(&self, mark: Mark) {
        self.kept.take(|pending| {
            // The machine may not come back from its sleep.
            pending.due |= mark.what == Happening::Slept;
            pending.busy = true;
            pending.marks.push(mark);
        });
    }

    /// Writes what is in memory; blocks on the disk.
    pub fn flush(&self) {
        self.kept.write();
    }

    /// Writes what is in memory and ends the thread; blocks on the disk. What is recorded afterwards is lost.
    pub fn shut_down(&self) {
        lock(&self.kept.pending).closing = true;
        self.kept.changed.notify_one();
        if let Some(writer) = lock(&self.writer).take()
            && writer.join().is_err()
        {
            tracing::error!("the thread of the time line panicked");
        }
    }
}

impl Drop for Timeline {
    fn drop(&mut self) {
        self.shut_down();
    }
}

impl Kept {
    fn take(&self, put: impl FnOnce(&mut Pending)) {
        if !self.writes {
            return;
        }
        let mut pending = lock(&self.pending);
        put(&mut pending);
        let batch = if pending.busy { BUSY_BATCH } else { IDLE_BATCH };
        pending.due |= pending.untried >= batch;
        if pending.due {
            self.changed.notify_one();
        }
    }

    fn write_until_closed(&self) {
        loop {
            let closing = {
                let pending = self
                    .changed
                    .wait_while(lock(&self.pending), |pending| {
                        !pending.due && !pending.closing
                    })
                    .unwrap_or_else(PoisonError::into_inner);
                pending.closing
            };
            self.write();
            if closing {
                return;
            }
        }
    }

    /// Moves what is pending to the disk; what cannot be written stays pending, up to a bound.
    fn write(&self) {
        let _moving = lock(&self.moving);
        let (points, marks) = {
            let mut pending = lock(&self.pending);
            pending.due = false;
            pending.busy = false;
            pending.untried = 0;
            (
                std::mem::take(&mut pending.points),
                std::mem::take(&mut pending.marks),
            )
        };
        let newest = points.last().map(|(at_ms, _)| *at_ms);
        let Some(now_ms) = newest.or_else(|| marks.last().map(|mark| mark.at_ms)) else {
            return;
        };
        let point_rows: Vec<PointRow> = points
            .iter()
            .map(|(at_ms, point)| PointRow {
                at_ms: *at_ms,
                data: point.bytes(),
            })
            .collect();
        let mark_rows: Vec<MarkRow> = marks.iter().filter_map(row).collect();
        let written = self.file.add(&point_rows, &mark_rows, now_ms, merge);
        if let Err(error) = written {
            tracing::warn!(%error, moments = points.len(), "the time line could not be written; it is tried again");
            let mut pending = lock(&self.pending);
            pending.points.splice(0..0, points);
            pending.marks.splice(0..0, marks);
            let too_many = pending.points.len().saturating_sub(MAX_PENDING);
            pending.points.drain(..too_many);
            let too_many = pending.marks.len().saturating_sub(MAX_PENDING_MARKS);
            pending.marks.drain(..too_many);
        }
    }

    /// Runs `read` with what is in memory, while nothing moves to the disk.
    pub(super) fn whole<T>(&self, read: impl FnOnce(&TimelineFile, &Unwritten) -> T) -> T {
        let _still = lock(&self.moving);
        let unwritten = {
            let pending = lock(&self.pending);
            Unwritten {
                points: pending.points.clone(),
                marks: pending.marks.clone(),
            }
        };
        read(&self.file, &unwritten)
    }
}

/// `None` when another process has it.
fn lock_file(paths: &Paths) -> std::io::Result<Option<FileLock>> {
    std::fs::create_dir_all(&paths.data)?;
    FileLock::take(&paths.timeline_lock())
}

/// A mark as it is stored, or `None` for one with names of absurd length.
fn row(mark: &Mark) -> Option<MarkRow> {
    let what = serde_json::to_string(&mark.what).ok()?;
    if what.len() > MAX_MARK_BYTES {
        tracing::warn!(bytes = what.len(), "a mark is too long for the time line");
        return None;
    }
    Some(MarkRow {
        at_ms: mark.at_ms,
        kind: kind(&mark.what).into(),
        weight: weight(&mark.what),
        what,
    })
}

/// A stored mark; `None` for one that a newer version wrote.
pub(super) fn of_row(row: &MarkRow) -> Option<Mark> {
    let what = serde_json::from_str(&row.what).ok()?;
    Some(Mark {
        at_ms: row.at_ms,
        what,
    })
}

/// The kinds that say from when on a decision holds.
pub(super) const LIMITS: &str = "limits";
pub(super) const STARTED: &str = "started";

pub(super) fn kind(what: &Happening) -> &'static str {
    match what {
        Happening::Started => STARTED,
        Happening::Limits { .. } => LIMITS,
        Happening::Loaded { .. } => "loaded",
        Happening::Unloaded { .. } => "unloaded",
        Happening::Slept => "slept",
        Happening::Woke { .. } => "woke",
        Happening::Client { .. } => "client",
        Happening::Alert { .. } => "alert",
        Happening::OtherEngine { .. } => "other_engine",
    }
}

/// Which marks are shown when there are too many: those that explain most.
pub(super) fn weight(what: &Happening) -> u8 {
    match what {
        Happening::Alert { .. } => 4,
        Happening::Limits { .. } => 3,
        Happening::Started | Happening::Slept | Happening::Woke { .. } => 2,
        Happening::Loaded { .. } | Happening::Unloaded { .. } => 1,
        Happening::Client { .. } | Happening::OtherEngine { .. } => 0,
    }
}

/// Nothing under these locks can be left half-way.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
