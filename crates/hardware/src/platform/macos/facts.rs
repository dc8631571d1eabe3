//! What does not change: chip, cores, memory and graphics.

use objc2_metal::{MTLCreateSystemDefaultDevice, MTLDevice};

use super::sysctl::{number, text, wide_number};
use crate::apple;
use crate::machine::{Graphics, Machine};

pub(crate) fn read(logical_cores: u32) -> Machine {
    Machine {
        chip: text("machdep.cpu.brand_string"),
        core_levels: apple::core_levels(number, text),
        physical_cores: number("hw.physicalcpu"),
        logical_cores,
        memory_bytes: wide_number("hw.memsize"),
        os_version: text("kern.osproductversion"),
        // The name does not exist on Intel Macs, where nothing is translated either.
        translated: number("sysctl.proc_translated")
            .map(|value| value == 1)
            .or(Some(false)),
        virtual_machine: virtual_machine(),
    }
}

pub(super) fn virtual_machine() -> Option<bool> {
    number("kern.hv_vmm_present").map(|value| value == 1)
}

pub(crate) fn graphics() -> Graphics {
    let cores = macmon::sources::get_soc_info().ok();
    let device = MTLCreateSystemDefaultDevice();
    Graphics {
        cores: cores
            .map(|chip| u32::from(chip.gpu_cores))
            .filter(|cores| *cores > 0),
        working_set_bytes: device
            .map(|device| device.recommendedMaxWorkingSetSize())
            .filter(|bytes| *bytes > 0),
        // 0 is the system's own limit.
        wired_limit_bytes: wide_number("iogpu.wired_limit_mb")
            .filter(|megabytes| *megabytes > 0)
            .and_then(|megabytes| megabytes.checked_mul(1 << 20)),
    }
}
