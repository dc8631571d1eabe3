//! Memory and swap, and how short the system says it is.

use sysinfo::{MemoryRefreshKind, System};

use super::sysctl::number;
use crate::apple;
use crate::reading::{Memory, Reading};
use crate::sampler::Probe;

pub(super) fn open() -> Probe {
    let mut system = System::new()
        .inspect_err(|error| tracing::debug!(%error, "the memory cannot be read"))
        .ok();
    Box::new(move || {
        let memory = system.as_mut().map(read);
        Reading {
            memory,
            pressure: number("kern.memorystatus_vm_pressure_level")
                .and_then(apple::memory_pressure),
            failed: memory
                .is_none()
                .then(|| "memory".into())
                .into_iter()
                .collect(),
            ..Reading::default()
        }
    })
}

fn read(system: &mut System) -> Memory {
    system.refresh_memory_specifics(MemoryRefreshKind::everything());
    Memory {
        total_bytes: system.total_memory(),
        used_bytes: system.used_memory(),
        swap_total_bytes: system.total_swap(),
        swap_used_bytes: system.used_swap(),
    }
}
