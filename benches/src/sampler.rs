//! What it costs to read this machine's sensors once a second: processor time of this process, which does nothing else meanwhile.

use std::fs;
use std::time::{Duration, Instant};

use hearth_hardware::{machine_source, sampler};
use rustix::time::{ClockId, clock_gettime};

use crate::report::{Must, Report};

/// SPEC row H2, in percent of one core.
const AT_MOST: f64 = 0.5;

/// Samples for so many seconds; 300 are a measurement, few are a look.
pub(crate) fn measure(report: &mut Report, seconds: usize) {
    let folder = std::env::temp_dir();
    let readings = sampler::start(move || machine_source(&folder), sampler::EVERY).unwrap();
    // Opening the sensors is not sampling.
    std::thread::sleep(Duration::from_secs(2));
    let threads_before = threads();
    let (cpu, wall) = (cpu_seconds(), Instant::now());
    std::thread::sleep(Duration::from_secs(seconds.max(2) as u64));
    let share = 100.0 * (cpu_seconds() - cpu) / wall.elapsed().as_secs_f64();
    let how = format!("of one core over {} s", wall.elapsed().as_secs());
    report.row(
        "reading the sensors",
        "%",
        share,
        &Must::AtMost(AT_MOST),
        &how,
    );
    let now = threads();
    for (name, nanoseconds) in &now {
        let before = threads_before.iter().find(|(other, _)| other == name);
        let spent = nanoseconds - before.map_or(0, |(_, before)| *before);
        let per_reading = spent as f64 / 1e3 / wall.elapsed().as_secs_f64();
        report.note(&format!("  {name}, a reading"), "µs", per_reading);
    }
    let failed = readings.borrow().failed.clone();
    assert!(failed.is_empty(), "sensors failed: {failed:?}");
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Names of the threads that read sensors and the nanoseconds that each computed; empty where the kernel does not tell.
fn threads() -> Vec<(String, u64)> {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    let mut found: Vec<_> = tasks
        .flatten()
        .filter_map(|task| {
            let name = fs::read_to_string(task.path().join("comm")).ok()?;
            let spent = fs::read_to_string(task.path().join("schedstat")).ok()?;
            let spent = spent.split_whitespace().next()?.parse().ok()?;
            let name = name.trim().to_owned();
            name.starts_with("sensors").then_some((name, spent))
        })
        .collect();
    found.sort();
    found
}
