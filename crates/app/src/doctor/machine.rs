//! The machine's part: chip, graphics, memory, disk, power, sensors, files.

use std::path::Path;
use std::time::Duration;

use hearth_hardware::machine::Graphics;
use hearth_hardware::plan::Plan;

use super::{Finding, State};
use crate::hardware::{Machine, MemoryPressure, Reading};

/// Between the two looks that rates and watts need.
const BETWEEN_LOOKS: Duration = Duration::from_millis(700);
/// Free part of the disk below which the user is warned, as the alert does.
const DISK_WARNING: f64 = 0.20;
/// Too little for chats, logs and the states of conversations.
const DISK_LEAST: u64 = 1_000_000_000;
/// Used part of the memory, as the alert has it.
const MEMORY_WARNING: f64 = 0.95;
/// The server's connections and everything else.
const FILES_WANTED: u64 = 1280;

/// Blocks for about a second.
pub(super) fn examine(data: &Path) -> Vec<Finding> {
    let machine = hearth_hardware::read();
    let graphics = hearth_hardware::graphics();
    let mut source = hearth_hardware::machine_source(data);
    source.read();
    std::thread::sleep(BETWEEN_LOOKS);
    let reading = source.read().unwrap_or_default();
    vec![
        chip(&machine, &graphics),
        translation(&machine),
        budget(&machine, &graphics),
        memory(&reading),
        disk(&reading),
        power(&reading),
        sensors(&machine, &reading),
        files(hearth_hardware::open_files()),
    ]
}

fn chip(machine: &Machine, graphics: &Graphics) -> Finding {
    let Some(chip) = &machine.chip else {
        return Finding::new(
            "chip",
            "Chip",
            State::Unknown,
            "The chip does not tell its name.",
        );
    };
    let mut parts = vec![chip.clone()];
    let levels = machine.core_levels.iter();
    let cores: Vec<_> = levels.map(|l| format!("{} {}", l.cores, l.name)).collect();
    if cores.is_empty() {
        parts.push(format!(
            "{} cores",
            machine.physical_cores.unwrap_or(machine.logical_cores)
        ));
    } else {
        parts.push(format!("{} cores", cores.join(" + ")));
    }
    parts.extend(
        graphics
            .cores
            .map(|cores| format!("{cores} graphics cores")),
    );
    let bandwidth = machine
        .family()
        .and_then(|f| f.bandwidth_gb_s(graphics.cores));
    parts.extend(bandwidth.map(|gb| format!("{gb} GB/s memory")));
    if machine.virtual_machine == Some(true) {
        parts.push("virtual machine".into());
    }
    Finding::new("chip", "Chip", State::Ok, parts.join(", "))
}

fn translation(machine: &Machine) -> Finding {
    let finding = |state, found| Finding::new("rosetta", "Rosetta", state, found);
    match machine.translated {
        Some(false) => finding(State::Ok, "Hearth runs natively."),
        None => finding(
            State::Unknown,
            "It could not be found out whether Hearth runs translated.",
        ),
        Some(true) => finding(
            State::Fail,
            "Hearth runs translated, at a fraction of the speed.",
        )
        .fix("Install the build for Apple silicon."),
    }
}

fn budget(machine: &Machine, graphics: &Graphics) -> Finding {
    let finding = |state, found| Finding::new("metal", "Graphics memory", state, found);
    let Some(plan) = Plan::of(machine, graphics) else {
        return finding(
            State::Unknown,
            "The memory for models is not known.".to_owned(),
        );
    };
    let for_models = format!(
        "models may use {}: {} for weights, {} for context",
        gigabytes(plan.budget),
        gigabytes(plan.weights),
        gigabytes(plan.kv_cache)
    );
    match graphics.working_set_bytes {
        Some(_) => {
            let set = graphics
                .wired_limit_bytes
                .map_or_else(String::new, |limit| {
                    format!(" The limit of {} was set by hand.", gigabytes(limit))
                });
            finding(State::Ok, format!("Metal: {for_models}.{set}"))
        }
        None if cfg!(target_os = "macos") => finding(
            State::Fail,
            format!("Metal does not answer; {for_models}, on the processor."),
        )
        .fix("Start the Mac again; in a virtual machine, use one with graphics."),
        None => finding(State::Ok, format!("No Metal on this system; {for_models}.")),
    }
}

fn memory(reading: &Reading) -> Finding {
    let finding = |state, found| Finding::new("memory", "Memory", state, found);
    let Some(memory) = reading.memory else {
        return finding(State::Unknown, "The memory could not be read.".to_owned());
    };
    let used = memory.used_bytes as f64 / memory.total_bytes as f64;
    let found = format!(
        "{} of {} are used, {} in swap.",
        gigabytes(memory.used_bytes),
        gigabytes(memory.total_bytes),
        gigabytes(memory.swap_used_bytes)
    );
    let short = reading.pressure.is_some_and(|p| p > MemoryPressure::Normal);
    if short || used > MEMORY_WARNING {
        return finding(State::Warn, found).fix("Close other programs, or choose a smaller model.");
    }
    finding(State::Ok, found)
}

fn disk(reading: &Reading) -> Finding {
    let finding = |state, found| Finding::new("disk", "Disk", state, found);
    let Some(disk) = reading.disk else {
        return finding(
            State::Unknown,
            "The free space could not be read.".to_owned(),
        );
    };
    let part = disk.free_bytes as f64 / disk.total_bytes as f64;
    let found = format!(
        "{} of {} are free ({:.0} %).",
        gigabytes(disk.free_bytes),
        gigabytes(disk.total_bytes),
        part * 100.0
    );
    let fix = "Free some space, or remove models that you do not use.";
    match disk.free_bytes {
        0..DISK_LEAST => finding(State::Fail, found).fix(fix),
        _ if part < DISK_WARNING => finding(State::Warn, found).fix(fix),
        _ => finding(State::Ok, found),
    }
}

fn power(reading: &Reading) -> Finding {
    let source = match (reading.on_mains, reading.battery) {
        (Some(true), _) => "On mains".to_owned(),
        (_, Some(battery)) => format!("On battery, {:.0} % left", battery.percent),
        _ => {
            return Finding::new(
                "power",
                "Power",
                State::Unknown,
                "The power source is not known.",
            );
        }
    };
    if reading.low_power == Some(true) {
        let found = format!("{source}; the system saves power and runs slower.");
        return Finding::new("power", "Power", State::Warn, found)
            .fix("Switch Low Power Mode off when speed counts.");
    }
    Finding::new("power", "Power", State::Ok, format!("{source}."))
}

fn sensors(machine: &Machine, reading: &Reading) -> Finding {
    let finding = |state, found| Finding::new("sensors", "Sensors", state, found);
    if !reading.failed.is_empty() {
        let found = format!(
            "These do not answer or make no sense: {}.",
            reading.failed.join(", ")
        );
        return finding(State::Warn, found)
            .fix("Nothing has to be done; they are shown as n/a, and heat is judged by speed.");
    }
    let absent: Vec<&str> = [
        ("temperature", reading.hottest_celsius().is_none()),
        ("thermal state", reading.thermal.is_none()),
        ("watts", reading.system_watts.is_none()),
        ("graphics load", reading.gpu_usage.is_none()),
        ("memory pressure", reading.pressure.is_none()),
    ]
    .into_iter()
    .filter_map(|(name, absent)| absent.then_some(name))
    .collect();
    if absent.is_empty() {
        return finding(State::Ok, "All answer.".to_owned());
    }
    let place = if machine.virtual_machine == Some(true) {
        "This virtual machine has none for"
    } else {
        "This machine has none for"
    };
    finding(State::Unknown, format!("{place} {}.", absent.join(", ")))
}

/// How many files may be open: now, and when they are asked for. `None` is without a limit.
fn files((now, most): (Option<u64>, Option<u64>)) -> Finding {
    let finding = |state, found| Finding::new("open_files", "Open files", state, found);
    match most {
        Some(most) if most < FILES_WANTED => {
            let found =
                format!("At most {most} may be open, so the server takes fewer connections.");
            finding(State::Warn, found).fix(format!(
                "Raise the hard limit to {FILES_WANTED} (`ulimit -Hn`)."
            ))
        }
        _ => {
            let now = now.map_or_else(|| "Any number".to_owned(), |now| now.to_string());
            finding(
                State::Ok,
                format!("{now} may be open; the server asks for more when it needs them."),
            )
        }
    }
}

/// Binary units, as memory is sold; the same for disks, so that both can be compared.
fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::{Battery, Disk, Memory};

    const GIB: u64 = 1 << 30;

    #[test]
    fn disk_and_memory_have_their_thresholds() {
        let disk_with = |free_bytes| {
            disk(&Reading {
                disk: Some(Disk {
                    total_bytes: 100 * GIB,
                    free_bytes,
                }),
                ..Reading::default()
            })
        };
        assert_eq!(disk_with(21 * GIB).state, State::Ok);
        assert_eq!(disk_with(19 * GIB).state, State::Warn);
        let full = disk_with(900_000_000);
        assert!(full.state == State::Fail && full.fix.is_some());
        let memory_with = |used, pressure| {
            memory(&Reading {
                memory: Some(Memory {
                    total_bytes: 100,
                    used_bytes: used,
                    ..Memory::default()
                }),
                pressure,
                ..Reading::default()
            })
            .state
        };
        assert_eq!(memory_with(95, None), State::Ok);
        assert_eq!(memory_with(96, None), State::Warn);
        assert_eq!(memory_with(5, Some(MemoryPressure::Warning)), State::Warn);
        for look in [disk, memory, power] {
            assert_eq!(look(&Reading::default()).state, State::Unknown);
        }
    }

    #[test]
    fn what_slows_hearth_down_is_said_with_its_fix() {
        let translated = Machine {
            translated: Some(true),
            ..Machine::default()
        };
        let finding = translation(&translated);
        assert!(finding.state == State::Fail && finding.fix.is_some());
        let saving = power(&Reading {
            battery: Some(Battery {
                percent: 41.0,
                charging: false,
                watts: None,
                minutes_left: None,
            }),
            on_mains: Some(false),
            low_power: Some(true),
            ..Reading::default()
        });
        assert!(
            saving.state == State::Warn && saving.found.contains("41 %"),
            "{saving:?}"
        );
        let broken = sensors(
            &Machine::default(),
            &Reading {
                failed: vec!["temperature".into()],
                ..Reading::default()
            },
        );
        assert!(broken.state == State::Warn && broken.found.contains("temperature"));
        assert_eq!(files((Some(256), Some(512))).state, State::Warn);
        assert_eq!(files((Some(256), None)).state, State::Ok);
    }

    #[test]
    fn the_memory_for_models_and_a_limit_set_by_hand_are_said() {
        let machine = Machine {
            memory_bytes: Some(128 * GIB),
            ..Machine::default()
        };
        let graphics = Graphics {
            working_set_bytes: Some(112 * GIB),
            wired_limit_bytes: Some(112 * GIB),
            ..Graphics::default()
        };
        let finding = budget(&machine, &graphics);
        assert_eq!(
            (finding.state, finding.found.as_str()),
            (
                State::Ok,
                "Metal: models may use 112.0 GiB: 70.0 GiB for weights, 17.5 GiB for context. The limit of 112.0 GiB was set by hand."
            )
        );
        assert_eq!(
            budget(&Machine::default(), &Graphics::default()).state,
            State::Unknown
        );
    }

    #[test]
    fn a_mac_is_described_in_a_line() {
        let level = |cores, name: &str| hearth_hardware::machine::CoreLevel {
            name: name.into(),
            cores,
        };
        let machine = Machine {
            chip: Some("Apple M3 Max".into()),
            core_levels: vec![level(12, "Performance"), level(4, "Efficiency")],
            ..Machine::default()
        };
        let graphics = Graphics {
            cores: Some(40),
            ..Graphics::default()
        };
        assert_eq!(
            chip(&machine, &graphics).found,
            "Apple M3 Max, 12 Performance + 4 Efficiency cores, 40 graphics cores, 400 GB/s memory"
        );
    }
}
