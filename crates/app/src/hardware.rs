//! What this machine is, as far as the rest of the program needs to know.

/// Threads for decode: performance cores only.
pub(crate) fn decode_threads() -> u32 {
    hearth_hardware::read().decode_threads()
}
