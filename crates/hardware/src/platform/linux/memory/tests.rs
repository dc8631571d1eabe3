//! What the kernel writes about memory, and what it never should.

use super::*;

const MEMINFO: &str = "MemTotal:       24684096 kB
MemFree:        15056336 kB
MemAvailable:   24050560 kB
Buffers:          334728 kB
SwapTotal:       8388604 kB
SwapFree:        8388092 kB";

#[test]
fn memory_is_what_is_not_available() {
    let memory = meminfo(MEMINFO).unwrap();
    assert_eq!(memory.total_bytes, 24_684_096 * 1024);
    assert_eq!(memory.used_bytes, (24_684_096 - 24_050_560) * 1024);
    assert_eq!(memory.swap_total_bytes, 8_388_604 * 1024);
    assert_eq!(memory.swap_used_bytes, 512 * 1024);
    for text in [
        "",
        "garbage",
        "MemTotal: 0 kB\nMemAvailable: 0 kB",
        "MemTotal: 10 kB",
        "MemTotal: 10 kB\nMemAvailable: 11 kB",
        "MemTotal: -10 kB\nMemAvailable: 1 kB",
        "MemTotal: 99999999999999999999 kB\nMemAvailable: 1 kB",
        "MemTotal: 18446744073709551615 kB\nMemAvailable: 1 kB",
        "MemTotal: 10 MB\nMemAvailable: 1 MB",
    ] {
        assert_eq!(meminfo(text), None, "{text}");
    }
}

#[test]
fn stalls_are_judged_by_their_thresholds() {
    let text = |some, full| {
        format!(
            "some avg10={some} avg60=0.00 avg300=0.00 total=13397571\nfull avg10={full} avg60=0.00 avg300=0.00 total=8915334"
        )
    };
    for (some, full, expected) in [
        ("0.00", "0.00", MemoryPressure::Normal),
        ("6.99", "6.99", MemoryPressure::Normal),
        ("7.00", "0.12", MemoryPressure::Warning),
        ("98.00", "29.99", MemoryPressure::Warning),
        ("98.00", "30.00", MemoryPressure::Critical),
    ] {
        assert_eq!(
            psi(&text(some, full)).unwrap().pressure(),
            expected,
            "{some} {full}"
        );
    }
    for text in [
        "",
        "some avg10=0.00",
        "some avg10=x\nfull avg10=0.00",
        "some avg10=-1\nfull avg10=0.00",
        "some avg10=101\nfull avg10=0.00",
        "some avg10=NaN\nfull avg10=0.00",
        "some avg60=0.00\nfull avg60=0.00",
    ] {
        assert_eq!(psi(text), None, "{text}");
    }
}

#[test]
fn little_that_is_left_is_pressure_before_anybody_waits() {
    let memory = |used, swap_used| Memory {
        total_bytes: 100,
        used_bytes: used,
        swap_total_bytes: 100,
        swap_used_bytes: swap_used,
    };
    assert_eq!(left(&memory(89, 100)), Some(MemoryPressure::Normal));
    assert_eq!(left(&memory(91, 100)), Some(MemoryPressure::Warning));
    assert_eq!(left(&memory(96, 97)), Some(MemoryPressure::Critical));
    assert_eq!(
        left(&memory(96, 20)),
        Some(MemoryPressure::Normal),
        "swap is left"
    );
    let without_swap = Memory {
        swap_total_bytes: 0,
        ..memory(96, 0)
    };
    assert_eq!(left(&without_swap), Some(MemoryPressure::Critical));
    assert_eq!(left(&memory(101, 0)), None);
}

#[test]
fn hitting_the_limit_of_the_group_is_pressure() {
    let before = Events {
        held_back: 5,
        killed: 1,
    };
    let now = |held_back, killed| Events { held_back, killed };
    assert_eq!(before.since(before), MemoryPressure::Normal);
    assert_eq!(now(6, 1).since(before), MemoryPressure::Warning);
    assert_eq!(now(6, 2).since(before), MemoryPressure::Critical);
    assert_eq!(
        now(0, 0).since(before),
        MemoryPressure::Normal,
        "a new group"
    );
}
