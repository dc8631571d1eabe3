//! Memory and swap, and how short the system says it is.

use sysinfo::{MemoryRefreshKind, System};

use super::sysctl::number;
use crate::apple;
use crate::reading::{Memory, Reading};
use crate::sampler::Probe;

pub(super) fn open() -> Probe {
    let mut system = System::new();
    Box::new(move || {
        system.refresh_memory_specifics(MemoryRefreshKind::everything());
        Reading {
            memory: Some(Memory {
                total_bytes: system.total_memory(),
                used_bytes: system.used_memory(),
                swap_total_bytes: system.total_swap(),
                swap_used_bytes: system.used_swap(),
            }),
            pressure: number("kern.memorystatus_vm_pressure_level")
                .and_then(apple::memory_pressure),
            ..Reading::default()
        }
    })
}
