//! Macs as their interfaces describe them, in `tests/data`.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;

/// The figures of one Mac, as `macmon pipe` prints them.
fn captured(name: &str) -> ChipMetrics {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let text = std::fs::read_to_string(data.join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn labels(reading: &Reading) -> Vec<&str> {
    reading
        .core_tiers
        .iter()
        .map(|t| t.label.as_str())
        .collect()
}

#[test]
fn an_m1_has_two_kinds_of_cores_and_no_fan() {
    let reading = captured("m1.json").reading(false);
    assert_eq!(labels(&reading), ["P", "E"]);
    assert_eq!(reading.core_tiers[0].mhz, Some(3204));
    assert_eq!(reading.cpu_watts, Some(6.31));
    assert_eq!(reading.ane_watts, Some(0.0), "idle is a measured zero");
    // Its system sensor is missing.
    assert_eq!(reading.system_watts, None);
    assert!(reading.fans.is_empty() && reading.cpu_celsius == Some(71.2));
}

#[test]
fn an_m3_max_tells_everything() {
    let reading = captured("m3-max.json").reading(false);
    assert_eq!(labels(&reading), ["P", "E"]);
    assert_eq!(reading.gpu_usage, Some(0.97));
    assert_eq!(reading.system_watts, Some(78.4));
    let fans: Vec<_> = reading.fans.iter().map(|f| (f.rpm, f.max_rpm)).collect();
    assert_eq!(fans, [(3120, Some(5777)), (3390, Some(6241))]);
}

#[test]
fn three_kinds_of_cores_come_fastest_first() {
    let reading = captured("three-tiers.json").reading(false);
    assert_eq!(labels(&reading), ["S", "P", "E"]);
}

#[test]
fn zeros_of_a_virtual_machine_are_absent() {
    let reading = captured("virtual.json").reading(true);
    assert_eq!(labels(&reading), ["CPU"]);
    assert_eq!(reading.core_tiers[0].mhz, None);
    assert_eq!(
        (reading.cpu_watts, reading.gpu_watts, reading.ane_watts),
        (None, None, None)
    );
    assert_eq!((reading.system_watts, reading.gpu_usage), (None, None));
    assert_eq!((reading.cpu_celsius, reading.fans.len()), (None, 0));
    assert_eq!(reading.cpu_usage, Some(0.24), "measured by ticks");
    // The same zeros on a chip that the library does not know.
    let unknown = captured("virtual.json").reading(false);
    assert_eq!((unknown.cpu_watts, unknown.system_watts), (None, None));
}

#[test]
fn numbers_of_the_system_that_nobody_knows_are_absent() {
    assert_eq!(thermal_state(2), Some(ThermalState::Serious));
    assert_eq!((thermal_state(4), thermal_state(-1)), (None, None));
    assert_eq!(memory_pressure(4), Some(MemoryPressure::Critical));
    assert_eq!((memory_pressure(0), memory_pressure(3)), (None, None));
}

#[test]
fn power_sources() {
    assert_eq!(PowerSource::reading(None).on_mains, Some(true));
    let source = PowerSource {
        charge: 0.5,
        charging: false,
        discharging: true,
        watts: 18.0,
        seconds_to_full: None,
        seconds_to_empty: Some(5400.0),
    };
    let reading = PowerSource::reading(Some(source));
    let battery = reading.battery.unwrap();
    assert_eq!(
        (battery.percent, battery.watts, battery.minutes_left),
        (50.0, Some(18.0), Some(90))
    );
    assert_eq!(reading.on_mains, Some(false));
    let full = PowerSource::reading(Some(PowerSource {
        charge: 1.0,
        discharging: false,
        seconds_to_empty: Some(f32::INFINITY),
        ..source
    }));
    let battery = full.battery.unwrap();
    assert_eq!(
        (battery.watts, battery.minutes_left, full.on_mains),
        (None, None, Some(true))
    );
}

#[test]
fn levels_of_cores_are_counted_and_not_assumed() {
    let levels = |values: &[(&str, &str)]| {
        let values: BTreeMap<_, _> = values.iter().copied().collect();
        let text = |name: &str| values.get(name).map(|v| (*v).to_owned());
        let number = |name: &str| values.get(name)?.parse().ok();
        let levels = core_levels(number, text);
        levels
            .into_iter()
            .map(|l| (l.name, l.cores))
            .collect::<Vec<_>>()
    };
    let level = |name: &str, cores| (name.to_owned(), cores);
    let m5_pro = levels(&[
        ("hw.nperflevels", "2"),
        ("hw.perflevel0.name", "Super"),
        ("hw.perflevel0.physicalcpu", "6"),
        ("hw.perflevel1.name", "Performance"),
        ("hw.perflevel1.physicalcpu", "12"),
    ]);
    assert_eq!(m5_pro, [level("Super", 6), level("Performance", 12)]);
    let virtual_machine = levels(&[("hw.nperflevels", "1"), ("hw.perflevel0.physicalcpu", "4")]);
    assert_eq!(virtual_machine, [level("level 0", 4)]);
    assert_eq!(levels(&[]), []);
    let hostile = levels(&[
        ("hw.nperflevels", "4294967295"),
        ("hw.perflevel1.physicalcpu", "0"),
    ]);
    assert_eq!(hostile, []);
}
