//! What the system allows this process.

use rustix::process::{Resource, getrlimit};

/// How many files may be open: now, and at most when the process asks for more. `None` is without a limit.
pub fn open_files() -> (Option<u64>, Option<u64>) {
    let limit = getrlimit(Resource::Nofile);
    (limit.current, limit.maximum)
}
