//! `sysctlbyname`: public, needs no rights and starts no program.
//!
//! It must not interpret what it reads beyond its type.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::ptr;

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

/// A number of four bytes, or of eight that fits.
pub(super) fn number(name: &str) -> Option<u32> {
    wide_number(name).and_then(|value| u32::try_from(value).ok())
}

/// A number of four or eight bytes.
pub(super) fn wide_number(name: &str) -> Option<u64> {
    let raw = bytes(name, 8)?;
    match raw.len() {
        4 => raw.try_into().ok().map(u32::from_ne_bytes).map(u64::from),
        8 => raw.try_into().ok().map(u64::from_ne_bytes),
        _ => None,
    }
}

/// A text, without the NUL at its end.
pub(super) fn text(name: &str) -> Option<String> {
    let raw = bytes(name, 256)?;
    let text = String::from_utf8_lossy(&raw);
    let text = text.trim_end_matches('\0').trim();
    (!text.is_empty()).then(|| text.to_owned())
}
