//! macOS: thin calls of Apple's interfaces, none of which needs rights.
//!
//! What is made of their values stands in `crate::apple`, where it is tested. `unsafe` stays in the files that say so.

mod awake;
mod battery;
mod chip;
mod clocks;
mod facts;
mod memory;
mod state;
mod sysctl;
mod traffic;

pub(crate) use self::awake::{Hold, hold_awake};
pub(crate) use self::clocks::clocks;
pub(crate) use self::facts::{graphics, read};

use crate::sampler::Group;

/// The groups of sensors of this Mac.
pub(crate) fn groups() -> Vec<Group> {
    vec![
        Group::new("chip", chip::open),
        Group::new("temperature", state::open),
        Group::new("memory", memory::open),
        Group::new("battery", battery::open),
        Group::new("traffic", traffic::open),
    ]
}
