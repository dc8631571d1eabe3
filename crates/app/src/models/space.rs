//! What the user is told when a model does not fit on the disk, and how full the disks are.

use std::path::Path;

use hearth_models::space::{NoRoom, Space};

use crate::error::{Code, Error};

/// What to do about it.
pub(crate) const NO_ROOM: &str = "Free some space and go on; what is here is kept. What is left free is a setting (or HEARTH_DISK_RESERVE_GB).";

/// How full the disk is on which a folder lies or will lie.
pub(super) fn of_disk(folder: &Path) -> Option<Space> {
    let disk = hearth_hardware::disk::read(folder)?;
    Some(Space {
        free_bytes: disk.free_bytes,
        total_bytes: disk.total_bytes,
    })
}

impl From<NoRoom> for Error {
    fn from(no_room: NoRoom) -> Self {
        let NoRoom {
            needed_bytes,
            free_bytes,
            reserve_bytes,
        } = no_room;
        let gb = |bytes: u64| match bytes {
            0..1_000_000_000 => format!("{} MB", bytes.div_ceil(1_000_000)),
            _ => format!("{:.1} GB", bytes as f64 / 1e9),
        };
        let message = format!(
            "There is not enough room on the disk: {} more are needed, {} are free, and Hearth leaves {} of them.",
            gb(needed_bytes),
            gb(free_bytes),
            gb(reserve_bytes)
        );
        Self::new(Code::DiskFull, message).hint(NO_ROOM)
    }
}
