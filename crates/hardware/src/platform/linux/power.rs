//! What the chip draws: energy counters of RAPL (powercap). Kernels since 5.10 give them to root only; then they are absent.

use std::time::Instant;

use super::files::Files;
use crate::reading::Reading;
use crate::sampler::{Probe, Rate};

const POWERCAP: &str = "sys/class/powercap";

/// What a counter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Package,
    /// The graphics of a client chip; contained in the package.
    Graphics,
    Memory,
    /// The whole platform.
    Platform,
}

struct Counter {
    part: Part,
    path: String,
    greatest: Option<u64>,
    rate: Rate,
}

pub(super) fn open(files: Files) -> Probe {
    let mut counters = counters(&files);
    Box::new(move || {
        let now = Instant::now();
        let mut watts = Vec::new();
        for counter in &mut counters {
            let Some(microjoules) = files.number::<u64>(&counter.path) else {
                continue;
            };
            let rate = counter.rate.per_second(microjoules, counter.greatest, now);
            watts.extend(rate.map(|rate| (counter.part, (rate / 1e6) as f32)));
        }
        let mut reading = reading(&watts);
        if files.take_broken() {
            reading.failed.push("power".into());
        }
        reading
    })
}

fn counters(files: &Files) -> Vec<Counter> {
    let mut found = Vec::new();
    for zone in files.names(POWERCAP) {
        let folder = format!("{POWERCAP}/{zone}");
        // `intel-rapl-mmio` shows the package a second time.
        let name = files.text(&format!("{folder}/name"));
        let part = match name.as_deref() {
            _ if zone.contains("mmio") => continue,
            Some(name) if name.starts_with("package") => Part::Package,
            Some("uncore") => Part::Graphics,
            Some("dram") => Part::Memory,
            Some("psys") => Part::Platform,
            _ => continue,
        };
        found.push(Counter {
            part,
            path: format!("{folder}/energy_uj"),
            greatest: files.number(&format!("{folder}/max_energy_range_uj")),
            rate: Rate::default(),
        });
    }
    found
}

/// A machine may have several of each part.
fn reading(watts: &[(Part, f32)]) -> Reading {
    let sum = |part: Part| {
        let of_part = watts.iter().filter(|(p, _)| *p == part).map(|(_, w)| *w);
        of_part.reduce(|a, b| a + b)
    };
    let (package, graphics) = (sum(Part::Package), sum(Part::Graphics));
    let chip = package.map(|package| package + sum(Part::Memory).unwrap_or(0.0));
    Reading {
        cpu_watts: package.map(|package| (package - graphics.unwrap_or(0.0)).max(0.0)),
        gpu_watts: graphics,
        system_watts: sum(Part::Platform).or(chip),
        ..Reading::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart_and_added() {
        let laptop = reading(&[
            (Part::Package, 15.0),
            (Part::Graphics, 4.0),
            (Part::Platform, 22.0),
        ]);
        assert_eq!(laptop.cpu_watts, Some(11.0));
        assert_eq!(laptop.gpu_watts, Some(4.0));
        assert_eq!(laptop.system_watts, Some(22.0));
        let server = reading(&[
            (Part::Package, 90.0),
            (Part::Memory, 10.0),
            (Part::Package, 80.0),
            (Part::Memory, 12.0),
        ]);
        assert_eq!(server.cpu_watts, Some(170.0));
        assert_eq!(server.gpu_watts, None);
        assert_eq!(server.system_watts, Some(192.0));
        assert_eq!(reading(&[]), Reading::default());
    }
}
