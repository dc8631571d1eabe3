//! Which values can be. A sensor that says −273 °C, 10 kW or 170 % is broken, and a broken sensor is absent, not a number.
//!
//! It must not judge what is good or bad: a machine at 105 °C is hot, not implausible.

use std::ops::RangeInclusive;

use crate::reading::Reading;

/// Chips switch themselves off at 100 to 115 °C; outside of this, no running machine is.
const CELSIUS: RangeInclusive<f32> = 1.0..=130.0;
/// The largest workstations draw about 2 kW.
const WATTS: RangeInclusive<f32> = 0.0..=3000.0;
/// What one battery can give or take.
const BATTERY_WATTS: RangeInclusive<f32> = -500.0..=500.0;
const PERCENT: RangeInclusive<f32> = 0.0..=100.0;
/// Shares; sensors round, so a little over the whole is the whole.
const SHARE: RangeInclusive<f32> = 0.0..=1.05;
/// A terabyte a second is more than any bus of a machine carries.
const BYTES_PER_SECOND: RangeInclusive<f32> = 0.0..=1e12;
const MAX_MHZ: u32 = 12_000;
const MAX_RPM: u32 = 30_000;
/// A week.
const MAX_MINUTES: u32 = 7 * 24 * 60;

/// Takes out what cannot be, and names it in [`Reading::failed`].
pub(crate) fn refuse_nonsense(reading: &mut Reading) {
    let mut failed = std::mem::take(&mut reading.failed);
    let mut refuse = |name: &str| failed.push(name.to_owned());
    chip(reading, &mut refuse);
    power(reading, &mut refuse);
    storage(reading, &mut refuse);
    failed.sort_unstable();
    failed.dedup();
    reading.failed = failed;
}

/// Leaves a value only when it lies in the range. NaN lies in none.
fn keep(value: &mut Option<f32>, range: &RangeInclusive<f32>, refuse: impl FnOnce()) {
    if value.is_some_and(|v| !range.contains(&v)) {
        *value = None;
        refuse();
    }
}

/// As [`keep`], for shares of a whole.
fn keep_share(value: &mut Option<f32>, refuse: impl FnOnce()) {
    keep(value, &SHARE, refuse);
    *value = value.map(|v| v.min(1.0));
}

fn chip(reading: &mut Reading, refuse: &mut impl FnMut(&str)) {
    keep_share(&mut reading.cpu_usage, || refuse("cpu"));
    for tier in &mut reading.core_tiers {
        keep_share(&mut tier.usage, || refuse("cpu"));
        if tier.mhz.is_some_and(|mhz| mhz > MAX_MHZ) {
            tier.mhz = None;
            refuse("cpu");
        }
        // A core that has no clock does not run this: the sensor is absent.
        tier.mhz = tier.mhz.filter(|mhz| *mhz > 0);
    }
    keep_share(&mut reading.speed_limit, || refuse("cpu"));
    keep_share(&mut reading.gpu_usage, || refuse("gpu"));
    keep(&mut reading.cpu_celsius, &CELSIUS, || refuse("temperature"));
    keep(&mut reading.gpu_celsius, &CELSIUS, || refuse("temperature"));
    let fans = reading.fans.len();
    reading.fans.retain(|fan| fan.rpm <= MAX_RPM);
    if reading.fans.len() < fans {
        refuse("fans");
    }
}

fn power(reading: &mut Reading, refuse: &mut impl FnMut(&str)) {
    for watts in [
        &mut reading.cpu_watts,
        &mut reading.gpu_watts,
        &mut reading.ane_watts,
        &mut reading.system_watts,
    ] {
        keep(watts, &WATTS, || refuse("power"));
    }
    if let Some(battery) = &mut reading.battery {
        keep(&mut battery.watts, &BATTERY_WATTS, || refuse("battery"));
        battery.minutes_left = battery.minutes_left.filter(|m| *m <= MAX_MINUTES);
        if !PERCENT.contains(&battery.percent) {
            reading.battery = None;
            refuse("battery");
        }
    }
}

fn storage(reading: &mut Reading, refuse: &mut impl FnMut(&str)) {
    let possible = |m: &crate::reading::Memory| {
        m.total_bytes > 0
            && m.used_bytes <= m.total_bytes
            && m.swap_used_bytes <= m.swap_total_bytes
    };
    if reading.memory.as_ref().is_some_and(|m| !possible(m)) {
        reading.memory = None;
        refuse("memory");
    }
    if reading
        .disk
        .is_some_and(|d| d.total_bytes == 0 || d.free_bytes > d.total_bytes)
    {
        reading.disk = None;
        refuse("disk");
    }
    let traffic = [
        &mut reading.disk_bytes_per_second,
        &mut reading.network_bytes_per_second,
    ];
    for bytes in traffic {
        keep(bytes, &BYTES_PER_SECOND, || refuse("traffic"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::{Battery, CoreTier, Disk, Fan, Memory};

    fn healthy() -> Reading {
        Reading {
            cpu_usage: Some(1.01),
            core_tiers: vec![CoreTier {
                label: "P".into(),
                usage: Some(0.5),
                mhz: Some(4064),
            }],
            gpu_usage: Some(0.0),
            cpu_watts: Some(0.0),
            system_watts: Some(312.0),
            cpu_celsius: Some(108.0),
            fans: vec![Fan {
                name: "fan0".into(),
                rpm: 0,
                max_rpm: None,
            }],
            memory: Some(Memory {
                total_bytes: 8,
                used_bytes: 8,
                swap_total_bytes: 0,
                swap_used_bytes: 0,
            }),
            battery: Some(Battery {
                percent: 0.0,
                charging: true,
                watts: Some(-96.0),
                minutes_left: Some(90),
            }),
            disk: Some(Disk {
                total_bytes: 2,
                free_bytes: 0,
            }),
            ..Reading::default()
        }
    }

    #[test]
    fn what_can_be_stays() {
        let mut reading = healthy();
        refuse_nonsense(&mut reading);
        assert!(reading.failed.is_empty(), "{:?}", reading.failed);
        assert_eq!(reading.cpu_usage, Some(1.0));
        let expected = Reading {
            cpu_usage: Some(1.0),
            ..healthy()
        };
        assert_eq!(reading, expected);
    }

    #[test]
    fn what_cannot_be_is_absent_and_named() {
        type Break = fn(&mut Reading);
        let cases: [(&str, Break); 16] = [
            ("temperature", |r| r.cpu_celsius = Some(-273.15)),
            ("temperature", |r| r.gpu_celsius = Some(900.0)),
            ("temperature", |r| r.cpu_celsius = Some(f32::NAN)),
            ("temperature", |r| r.cpu_celsius = Some(0.0)),
            ("power", |r| r.system_watts = Some(10_000.0)),
            ("power", |r| r.gpu_watts = Some(-1.0)),
            ("power", |r| r.cpu_watts = Some(f32::INFINITY)),
            ("cpu", |r| r.cpu_usage = Some(1.7)),
            ("cpu", |r| r.core_tiers[0].usage = Some(-0.1)),
            ("cpu", |r| r.core_tiers[0].mhz = Some(4_294_967)),
            ("gpu", |r| r.gpu_usage = Some(f32::NEG_INFINITY)),
            ("battery", |r| r.battery.as_mut().unwrap().percent = 300.0),
            ("fans", |r| r.fans[0].rpm = 65_535),
            ("memory", |r| r.memory.as_mut().unwrap().used_bytes = 9),
            ("disk", |r| r.disk.as_mut().unwrap().free_bytes = 3),
            ("traffic", |r| r.network_bytes_per_second = Some(1e30)),
        ];
        for (name, damage) in cases {
            let mut reading = healthy();
            damage(&mut reading);
            refuse_nonsense(&mut reading);
            assert_eq!(reading.failed, [name]);
            // The value is gone, and a second look finds nothing more.
            let once = reading.clone();
            refuse_nonsense(&mut reading);
            assert_eq!(reading, once, "{name}");
        }
    }

    #[test]
    fn one_broken_value_takes_no_other_with_it() {
        let mut reading = healthy();
        reading.cpu_celsius = Some(900.0);
        reading.failed = vec!["temperature".into(), "disk".into()];
        refuse_nonsense(&mut reading);
        assert_eq!(reading.failed, ["disk", "temperature"]);
        assert_eq!(reading.system_watts, Some(312.0));
        assert_eq!(reading.cpu_celsius, None);
    }
}
