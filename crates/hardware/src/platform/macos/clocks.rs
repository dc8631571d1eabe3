//! Time since the machine started, with and without the time it slept.
#![allow(unsafe_code)]

use std::time::Duration;

use crate::clock::Clocks;

/// `CLOCK_UPTIME_RAW` stands still in sleep, `CLOCK_MONOTONIC_RAW` does not (clock_gettime(3)); both count nanoseconds.
pub(crate) fn clocks() -> Option<Clocks> {
    // SAFETY: the call takes a number, touches no memory of ours, and answers 0 for a clock that it does not know.
    let now = |clock| unsafe { libc::clock_gettime_nsec_np(clock) };
    // In this order: the time between both calls must not look like sleep that went backwards.
    let (awake, passed) = (now(libc::CLOCK_UPTIME_RAW), now(libc::CLOCK_MONOTONIC_RAW));
    (awake > 0 && passed > 0).then(|| Clocks {
        awake: Duration::from_nanos(awake),
        passed: Duration::from_nanos(passed),
    })
}
