//! What macOS is told about the folder of models.

use std::fs::File;
use std::io;
use std::path::Path;

/// Time Machine leaves out what has this attribute, wherever it is moved to (`man tmutil`, `addexclusion`: a sticky exclusion).
const BACKUP_ATTRIBUTE: &str = "com.apple.metadata:com_apple_backup_excludeItem";
/// Spotlight leaves out a folder that holds a file of this name.
const NO_INDEX: &str = ".metadata_never_index";

/// Keeps a folder out of Time Machine and Spotlight.
pub(crate) fn keep_out(folder: &Path) -> io::Result<()> {
    if xattr::get(folder, BACKUP_ATTRIBUTE)?.is_none() {
        xattr::set(folder, BACKUP_ATTRIBUTE, &super::excluded_by_backups())?;
    }
    let mark = folder.join(NO_INDEX);
    if !mark.exists() {
        File::create(mark)?;
    }
    Ok(())
}
