//! What this machine is, as far as the rest of the program needs to know.

pub(crate) use hearth_hardware::Machine;

/// Reads what this machine is; takes a few milliseconds.
pub(crate) fn read() -> Machine {
    hearth_hardware::read()
}
