//! What this machine is (chip, cores, memory, system), and what its sensors say.
//!
//! It is a crate of its own because reading it needs Apple's interfaces, which no other crate may touch. It must not decide
//! anything about models; it reads, and what cannot be read is `None`, never zero.

#[cfg(any(target_os = "macos", test))]
mod apple;
pub mod awake;
pub mod chips;
pub mod clock;
pub mod disk;
mod limits;
pub mod machine;
pub mod plan;
pub mod reading;
pub mod replay;
pub mod sampler;

mod platform;

use std::path::Path;

pub use limits::open_files;
pub use machine::{Machine, graphics, read};
pub use reading::Reading;

/// This machine's sensors, to be read by [`sampler::start`]. `data_folder` is where Hearth's data lies: that volume's space is watched.
/// Nothing in it fails: what is not there, hangs or breaks is absent.
pub fn machine_source(data_folder: &Path) -> Box<dyn sampler::Source> {
    let mut groups = platform::os::groups();
    groups.push(disk::group(data_folder));
    Box::new(sampler::Groups::start(groups))
}
