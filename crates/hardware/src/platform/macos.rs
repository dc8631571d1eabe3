//! macOS: everything comes from `sysctlbyname`, which is public, needs no rights and starts no program.
//!
//! The only file of this crate with `unsafe`. It must not interpret what it reads beyond its type.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::ptr;

use crate::machine::Machine;

/// Levels of cores that are asked for; chips up to M6 have at most three.
const MAX_LEVELS: u32 = 8;

pub(crate) fn read(logical_cores: u32) -> Machine {
    let levels = number("hw.nperflevels").unwrap_or(0).min(MAX_LEVELS);
    let cores_of = |level: u32| number(&format!("hw.perflevel{level}.physicalcpu"));
    Machine {
        chip: text("machdep.cpu.brand_string"),
        // Level 0 is the fastest (Apple, "Determining system capabilities").
        performance_cores: if levels > 0 { cores_of(0) } else { None },
        efficiency_cores: if levels > 1 {
            (1..levels).map(cores_of).sum()
        } else {
            None
        },
        physical_cores: number("hw.physicalcpu"),
        logical_cores,
        memory_bytes: wide_number("hw.memsize"),
        os_version: text("kern.osproductversion"),
        // The name does not exist on Intel Macs, where nothing is translated either.
        translated: number("sysctl.proc_translated")
            .map(|value| value == 1)
            .or(Some(false)),
        virtual_machine: number("kern.hv_vmm_present").map(|value| value == 1),
    }
}

/// The raw bytes of a value, at most `capacity` of them.
fn bytes(name: &str, capacity: usize) -> Option<Vec<u8>> {
    let name = CString::new(name).ok()?;
    let mut buffer = vec![0_u8; capacity];
    let mut length = buffer.len();
    // SAFETY: `name` ends in NUL and outlives the call; `buffer` has `length` writable bytes and `length` is a valid pointer to
    // that number; no new value is set, so the last two arguments are null and 0 as the manual asks.
    let answer = unsafe {
        libc::sysctlbyname(
            name.as_ptr(),
            buffer.as_mut_ptr().cast(),
            &raw mut length,
            ptr::null_mut(),
            0,
        )
    };
    if answer != 0 {
        return None;
    }
    buffer.truncate(length);
    Some(buffer)
}

fn number(name: &str) -> Option<u32> {
    wide_number(name).and_then(|value| u32::try_from(value).ok())
}

/// A number of four or eight bytes.
fn wide_number(name: &str) -> Option<u64> {
    let raw = bytes(name, 8)?;
    match raw.len() {
        4 => raw.try_into().ok().map(u32::from_ne_bytes).map(u64::from),
        8 => raw.try_into().ok().map(u64::from_ne_bytes),
        _ => None,
    }
}

fn text(name: &str) -> Option<String> {
    let raw = bytes(name, 256)?;
    let text = String::from_utf8_lossy(&raw);
    let text = text.trim_end_matches('\0').trim();
    (!text.is_empty()).then(|| text.to_owned())
}
