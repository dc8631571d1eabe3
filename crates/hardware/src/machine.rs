//! The facts about the machine that do not change while the program runs, and the thread count that follows from them.
//!
//! Apart from `platform` so that the rules are the same on every system and tested on any. It must not call the system itself.

use crate::chips::Family;
use crate::platform;

/// Cores of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoreLevel {
    /// As the system names it, such as `Performance`, or a letter.
    pub name: String,
    /// Cores without counting their hardware threads twice.
    pub cores: u32,
}

/// This machine. `None` means that it could not be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// Name of the chip, e.g. `Apple M3 Max`.
    pub chip: Option<String>,
    /// The kinds of cores, the fastest first; empty where all are alike or levels are unknown.
    pub core_levels: Vec<CoreLevel>,
    /// Cores without counting their hardware threads twice.
    pub physical_cores: Option<u32>,
    /// Hardware threads that this process may use, at least 1: affinity and CPU quota are taken into account.
    pub logical_cores: u32,
    /// Main memory in bytes, or what the process may use of it.
    pub memory_bytes: Option<u64>,
    /// Version of the system, e.g. `15.1` or `Debian GNU/Linux 12 (bookworm)`.
    pub os_version: Option<String>,
    /// The program runs translated (Rosetta) and so at a fraction of the speed.
    pub translated: Option<bool>,
    /// The system runs in a virtual machine, where sensors are missing.
    pub virtual_machine: Option<bool>,
}

/// What the graphics chip is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Graphics {
    pub cores: Option<u32>,
    /// How much memory it may use before the whole machine suffers (Metal's `recommendedMaxWorkingSetSize`), in bytes.
    pub working_set_bytes: Option<u64>,
    /// What somebody with rights set as the limit (`iogpu.wired_limit_mb`), in bytes; the working set follows it.
    pub wired_limit_bytes: Option<u64>,
}

/// Reads what this machine is. Takes a few milliseconds; nothing in it fails.
pub fn read() -> Machine {
    platform::os::read(usable_threads())
}

/// Asks the graphics driver. Takes up to some hundred milliseconds; nothing in it fails.
pub fn graphics() -> Graphics {
    platform::os::graphics()
}

impl Machine {
    /// Threads for decoding: one for each core of the fastest level, else one for each physical core, never more than may be used and
    /// at least 1. Decoding waits for memory, so hardware threads and slow cores only make the others wait
    /// (llama.cpp's own default follows the same rule).
    pub fn decode_threads(&self) -> u32 {
        let fastest = self.core_levels.first().map(|level| level.cores);
        let wanted = fastest
            .or(self.physical_cores)
            .unwrap_or(self.logical_cores);
        wanted.min(self.logical_cores).max(1)
    }

    /// Apple's family, if it is one of Apple's chips.
    pub fn family(&self) -> Option<Family> {
        self.chip.as_deref().and_then(Family::of)
    }
}

/// The standard library asks for affinity and for the quota of the control group.
fn usable_threads() -> u32 {
    std::thread::available_parallelism().map_or(1, |threads| {
        u32::try_from(threads.get()).unwrap_or(u32::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(fastest: Option<u32>, physical: Option<u32>, logical: u32) -> Machine {
        let level = |cores| CoreLevel {
            name: "Performance".into(),
            cores,
        };
        Machine {
            core_levels: fastest.map(level).into_iter().collect(),
            physical_cores: physical,
            logical_cores: logical,
            ..Machine::default()
        }
    }

    #[test]
    fn decode_threads_follow_the_fast_cores() {
        for (what, performance, physical, logical, expected) in [
            ("M3 Max: 12 fast of 16", Some(12), Some(16), 16, 12),
            ("Xeon with hyper-threading", None, Some(8), 16, 8),
            ("limited to two threads of it", None, Some(8), 2, 2),
            ("nothing known", None, None, 4, 4),
            ("nonsense", Some(0), None, 0, 1),
        ] {
            assert_eq!(
                machine(performance, physical, logical).decode_threads(),
                expected,
                "{what}"
            );
        }
    }

    #[test]
    fn this_machine_can_be_read() {
        let machine = read();
        assert!(machine.logical_cores >= 1);
        assert!(machine.decode_threads() <= machine.logical_cores);
        // Zero would be a value that was not read.
        assert_ne!(machine.memory_bytes, Some(0));
        assert_ne!(machine.physical_cores, Some(0));
    }
}
