//! How much of a disk stays free, whatever Hearth puts on it: one rule for downloads, copies and imports.
//!
//! A disk that is full to the brim breaks every program on it, so a part is left alone. How full it is comes from outside.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What stays free unless the user wants it otherwise, in bytes: row M7 of what Hearth promises.
pub const RESERVE_BYTES: u64 = 20 << 30;

/// Room on a volume, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    pub free_bytes: u64,
    pub total_bytes: u64,
}

/// What was to be written does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{needed_bytes} more bytes are needed, {free_bytes} are free and {reserve_bytes} stay free"
)]
pub struct NoRoom {
    pub needed_bytes: u64,
    pub free_bytes: u64,
    pub reserve_bytes: u64,
}

impl Space {
    /// That so many more bytes leave `reserve_bytes` free, or a tenth of a small volume.
    ///
    /// # Errors
    /// When they do not.
    pub fn check(self, needed_bytes: u64, reserve_bytes: u64) -> Result<(), NoRoom> {
        let reserve_bytes = reserve_bytes.min(self.total_bytes / 10);
        if self.free_bytes >= needed_bytes.saturating_add(reserve_bytes) {
            return Ok(());
        }
        Err(NoRoom {
            needed_bytes,
            free_bytes: self.free_bytes,
            reserve_bytes,
        })
    }
}

/// How much room there is where a folder lies; `None` where the system does not tell.
pub type SpaceOf = dyn Fn(&Path) -> Option<Space> + Send + Sync;

/// The disks, and what stays free on each.
pub struct Room {
    space: Arc<SpaceOf>,
    reserve_bytes: AtomicU64,
}

impl Room {
    pub fn new(space: Arc<SpaceOf>) -> Self {
        Self {
            space,
            reserve_bytes: AtomicU64::new(RESERVE_BYTES),
        }
    }

    /// From now on leaves so many bytes free, in place of [`RESERVE_BYTES`].
    pub fn leave(&self, reserve_bytes: u64) {
        self.reserve_bytes.store(reserve_bytes, Ordering::Relaxed);
    }

    /// What stays free, in bytes, on a volume of which that is no more than a tenth.
    pub fn reserve_bytes(&self) -> u64 {
        self.reserve_bytes.load(Ordering::Relaxed)
    }

    /// That so many more bytes may be written where `folder` lies or will lie. Where the system does not say how full a disk is,
    /// writing to it will. Blocks on the disk.
    ///
    /// # Errors
    /// When they do not fit beside what stays free.
    pub fn check(&self, folder: &Path, needed_bytes: u64) -> Result<(), NoRoom> {
        let reserve_bytes = self.reserve_bytes();
        (self.space)(folder).map_or(Ok(()), |space| space.check(needed_bytes, reserve_bytes))
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reserve_bytes = &self.reserve_bytes;
        f.debug_struct("Room")
            .field("reserve_bytes", reserve_bytes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_left_free() {
        let gib = |n: u64| n << 30;
        let fits = |free, total, needed, reserve| {
            let space = Space {
                free_bytes: gib(free),
                total_bytes: gib(total),
            };
            let room = Room::new(Arc::new(move |_: &Path| Some(space)));
            room.leave(reserve);
            room.check(Path::new("/"), needed).is_ok()
        };
        assert!(fits(30, 1000, gib(10), RESERVE_BYTES));
        assert!(!fits(30, 1000, gib(10) + 1, RESERVE_BYTES));
        // A tenth of a small volume is enough.
        assert!(fits(15, 100, gib(5), RESERVE_BYTES));
        assert!(!fits(15, 100, gib(5) + 1, RESERVE_BYTES));
        assert!(!fits(30, 1000, u64::MAX, RESERVE_BYTES));
        assert!(fits(1, 1000, gib(1), 0));
    }

    #[test]
    fn a_disk_that_says_nothing_is_tried() {
        let room = Room::new(Arc::new(|_: &Path| None));
        assert_eq!(room.check(Path::new("/"), u64::MAX), Ok(()));
    }
}
