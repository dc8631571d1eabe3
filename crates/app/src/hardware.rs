//! What this machine is and what its sensors say, as far as the rest of the program needs to know.

pub use hearth_hardware::reading::{
    Battery, CoreTier, Disk, Fan, Memory, MemoryPressure, Reading, ThermalState,
};

pub(crate) use hearth_hardware::Machine;

/// Reads what this machine is; takes a few milliseconds.
pub(crate) fn read() -> Machine {
    hearth_hardware::read()
}
