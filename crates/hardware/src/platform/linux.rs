//! Linux: everything comes from text files of the kernel, so parsers are pure and tested on captured text.
//!
//! It must not start programs or need rights: what only root may read is absent for everybody else.

mod awake;
mod battery;
mod cpu;
mod facts;
mod files;
mod gpu;
mod heat;
mod memory;
mod power;
mod traffic;

use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

pub(crate) use self::awake::{Hold, hold_awake};
use self::files::Files;
use crate::clock::Clocks;
use crate::machine::{Graphics, Machine};
use crate::sampler::Group;

/// The facts about this machine.
pub(crate) fn read(logical_cores: u32) -> Machine {
    facts::read(&Files::under(Path::new("/")), logical_cores)
}

/// No library of a graphics maker is asked here.
pub(crate) fn graphics() -> Graphics {
    Graphics::default()
}

/// The groups of sensors of this machine.
pub(crate) fn groups() -> Vec<Group> {
    groups_under(Path::new("/"))
}

/// The same of a machine whose `/proc` and `/sys` lie in another folder.
fn groups_under(root: &Path) -> Vec<Group> {
    let group = |name, open: fn(Files) -> crate::sampler::Probe| {
        let files = Files::under(root);
        Group::new(name, move || open(files.clone()))
    };
    vec![
        group("cpu", cpu::open),
        group("temperature", heat::open),
        group("memory", memory::open),
        group("power", power::open),
        group("battery", battery::open),
        group("gpu", gpu::open),
        group("traffic", traffic::open),
    ]
}

/// `CLOCK_MONOTONIC` stands still in suspend, `CLOCK_BOOTTIME` does not (clock_gettime(2)).
#[allow(clippy::unnecessary_wraps)] // Another system may have no such clocks.
pub(crate) fn clocks() -> Option<Clocks> {
    let now = |id| Duration::try_from(clock_gettime(id)).ok();
    // In this order: the time between both calls must not look like sleep that went backwards.
    let awake = now(ClockId::Monotonic)?;
    let passed = now(ClockId::Boottime)?;
    Some(Clocks { awake, passed })
}

#[cfg(test)]
mod tests;
