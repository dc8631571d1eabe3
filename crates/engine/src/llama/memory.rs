//! What llama.cpp says that a model takes, read from its log: it has no call for that which the binding offers.
//!
//! One model is loaded in a process, so there is one sum. It must not guess: a load of which nothing was said has no figures.

use std::sync::{Mutex, PoisonError};

use crate::MemoryUse;

/// Sums since [`begin`].
static SUMS: Mutex<Option<MemoryUse>> = Mutex::new(None);

/// Forgets what an earlier load said.
pub(super) fn begin() {
    *SUMS.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// What was said since [`begin`], and the weights in bytes; the buffers of a mapped file show pages and not tensors, so those come
/// from the model itself.
pub(super) fn reported(weights: u64) -> Option<MemoryUse> {
    let sums = *SUMS.lock().unwrap_or_else(PoisonError::into_inner);
    sums.map(|sums| MemoryUse {
        weights: sums.weights + weights,
        ..sums
    })
}

/// Takes note of a line of llama.cpp's log.
pub(crate) fn note(line: &str) {
    let Some((part, bytes)) = figure(line) else {
        return;
    };
    let mut sums = SUMS.lock().unwrap_or_else(PoisonError::into_inner);
    let sums = sums.get_or_insert_default();
    match part {
        Part::Projector => sums.weights += bytes,
        Part::Cache => sums.cache += bytes,
        Part::Compute => sums.compute += bytes,
        Part::Output => sums.output += bytes,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Projector,
    Cache,
    Compute,
    Output,
}

/// The lines that count: `llama_kv_cache` and `llama_memory_recurrent` say `size = … MiB (… cells, …`, which is also true when nothing
/// is allocated; `sched_reserve` and `llama_context` name their buffers; `clip` its tensors.
fn figure(line: &str) -> Option<(Part, u64)> {
    let line = line.trim();
    let (part, rest) = if let Some(rest) = line.strip_prefix("size =") {
        line.contains(" cells,").then_some((Part::Cache, rest))?
    } else if let Some((_, rest)) = line.split_once("compute buffer size =") {
        (Part::Compute, rest)
    } else if let Some((_, rest)) = line.split_once("output buffer size =") {
        (Part::Output, rest)
    } else {
        (Part::Projector, line.strip_prefix("model size:")?)
    };
    let (number, rest) = rest.trim_start().split_once(' ')?;
    let mebibytes: f64 = number.parse().ok().filter(|n| *n >= 0.0)?;
    rest.starts_with("MiB")
        .then_some((part, (mebibytes * 1024.0 * 1024.0).round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_the_lines_that_count() {
        const MIB: u64 = 1 << 20;
        for (line, found) in [
            (
                "size =  180.00 MiB (  8192 cells,  30 layers, 29/1 seqs), K (f16):   90.00 MiB, V (f16):   90.00 MiB",
                Some((Part::Cache, 180 * MIB)),
            ),
            (
                "       CPU compute buffer size =    96.50 MiB",
                Some((Part::Compute, 96 * MIB + MIB / 2)),
            ),
            (
                "       CPU  output buffer size =     5.25 MiB",
                Some((Part::Output, 5 * MIB + MIB / 4)),
            ),
            (
                "model size:         12.00 MiB",
                Some((Part::Projector, 12 * MIB)),
            ),
            ("       CPU KV buffer size =   180.00 MiB", None),
            ("CPU_Mapped model buffer size =    93.70 MiB", None),
            (
                "CPU compute buffer size is  96.5000 MiB, matches expectation of  96.5000 MiB",
                None,
            ),
            ("size = 180.00 MiB of something", None),
            ("CPU compute buffer size = many MiB", None),
            ("CPU compute buffer size = -1.00 MiB", None),
            ("", None),
        ] {
            assert_eq!(figure(line), found, "{line}");
        }
    }
}
