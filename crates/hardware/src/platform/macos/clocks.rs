//! Time since the machine started, with and without the time it slept.
#![allow(unsafe_code)]

use std::time::Duration;

use crate::clock::Clocks;

/// `CLOCK_UPTIME_RAW` stands still in sleep, `CLOCK_MONOTONIC_RAW` does not (clock_gettime(3)).
pub(crate) fn clocks() -> Option<Clocks> {
    // In this order: the time between both calls must not look like sleep that went backwards.
    let awake = now(libc::CLOCK_UPTIME_RAW)?;
    let passed = now(libc::CLOCK_MONOTONIC_RAW)?;
    Some(Clocks { awake, passed })
}

fn now(clock: libc::clockid_t) -> Option<Duration> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid timespec that the call may write; a clock that the system does not know is answered with an error.
    let answer = unsafe { libc::clock_gettime(clock, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanoseconds = u32::try_from(time.tv_nsec).ok()?;
    (answer == 0).then(|| Duration::new(seconds, nanoseconds))
}
