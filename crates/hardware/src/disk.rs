//! How full the volume is that Hearth's data lies on. The same call on every system.

use std::path::{Path, PathBuf};

use rustix::fs::statvfs;

use crate::reading::{Disk, Reading};
use crate::sampler::Group;

/// A group of its own: a network volume that is gone answers after minutes, or never.
pub(crate) fn group(folder: &Path) -> Group {
    let folder: PathBuf = folder.to_owned();
    Group::new("disk", move || {
        let folder = folder.clone();
        Box::new(move || {
            let disk = read(&folder);
            Reading {
                disk,
                failed: disk.is_none().then(|| "disk".into()).into_iter().collect(),
                ..Reading::default()
            }
        })
    })
}

/// The folder may not exist yet; then it will lie on the volume of the next one above that does.
pub fn read(folder: &Path) -> Option<Disk> {
    let volume = folder.ancestors().find_map(|folder| statvfs(folder).ok())?;
    let bytes = |blocks: u64| blocks.checked_mul(volume.f_frsize);
    Some(Disk {
        total_bytes: bytes(volume.f_blocks)?,
        // What a program without special rights may still write.
        free_bytes: bytes(volume.f_bavail)?,
    })
    .filter(|disk| disk.total_bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_yet_lies_on_the_volume_above() {
        let disk = read(&std::env::temp_dir().join("not/there/yet")).unwrap();
        assert!(disk.free_bytes <= disk.total_bytes && disk.total_bytes > 0);
    }
}
