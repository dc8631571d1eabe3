//! Keeps the folder of models out of backups and out of the search of files: models are large, can be fetched again, and hold no words
//! that anybody looks for.

use std::fs;
use std::io;
use std::path::Path;

use crate::platform::os;

/// Makes the folder if need be, and says to the system that it is neither to be backed up nor searched. What the system does not take is
/// no reason to do without the folder.
///
/// # Errors
/// When the folder cannot be made.
pub fn make(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    if let Err(error) = os::keep_out(folder) {
        tracing::warn!(%error, "the models folder is backed up and searched like any other");
    }
    Ok(())
}
