//! Battery, mains and power saving: `/sys/class/power_supply` and the platform profile.

use super::files::Files;
use crate::reading::{Battery, Reading};
use crate::sampler::Probe;

const SUPPLIES: &str = "sys/class/power_supply";

pub(super) fn open(files: Files) -> Probe {
    Box::new(move || {
        let mut reading = read(&files);
        let profile = files.text("sys/firmware/acpi/platform_profile");
        reading.low_power = profile.map(|profile| profile == "low-power");
        if files.take_broken() {
            reading.failed.push("battery".into());
        }
        reading
    })
}

/// One battery of possibly several, in micro-units: watt-hours and watts, or ampere-hours and amperes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Cell {
    percent: Option<f32>,
    now: Option<f64>,
    full: Option<f64>,
    /// Without sign: drivers do not agree on it.
    flow: Option<f64>,
    watts: Option<f64>,
    charging: bool,
    discharging: bool,
}

fn read(files: &Files) -> Reading {
    if !files.has(SUPPLIES) {
        return Reading::default();
    }
    let mut cells = Vec::new();
    let mut mains = Vec::new();
    for name in files.names(SUPPLIES) {
        let folder = format!("{SUPPLIES}/{name}");
        let text = |file: &str| files.text(&format!("{folder}/{file}"));
        // A mouse has a battery too.
        if text("scope").as_deref() == Some("Device") {
            continue;
        }
        match text("type").as_deref() {
            Some("Battery") if text("present").as_deref() != Some("0") => {
                cells.push(cell(files, &folder));
            }
            Some("Mains" | "USB" | "Wireless") => {
                mains.extend(files.number::<u8>(&format!("{folder}/online")));
            }
            _ => {}
        }
    }
    let battery = battery(&cells);
    let discharges = cells.iter().any(|cell| cell.discharging);
    let on_mains = if cells.is_empty() || mains.contains(&1) {
        Some(true)
    } else if discharges || !mains.is_empty() {
        Some(false)
    } else {
        None
    };
    let drawn = battery.as_ref().and_then(|b| b.watts).filter(|w| *w > 0.0);
    Reading {
        // On battery, what flows out of it is what the machine draws.
        system_watts: drawn.filter(|_| on_mains == Some(false)),
        battery,
        on_mains,
        ..Reading::default()
    }
}

fn cell(files: &Files, folder: &str) -> Cell {
    let number = |name: &str| files.number::<f64>(&format!("{folder}/{name}"));
    let status = files.text(&format!("{folder}/status"));
    let energy = number("energy_now").zip(number("energy_full"));
    let charge = number("charge_now").zip(number("charge_full"));
    let power = number("power_now").map(f64::abs);
    let current = number("current_now").map(f64::abs);
    let volts = number("voltage_now").map(|micro| micro / 1e6);
    let (now, full) = energy.or(charge).unzip();
    Cell {
        percent: number("capacity").map(|percent| percent as f32),
        now,
        full,
        flow: if energy.is_some() { power } else { current },
        watts: power
            .or(current.zip(volts).map(|(current, volts)| current * volts))
            .map(|micro| micro / 1e6),
        charging: status.as_deref() == Some("Charging"),
        discharging: status.as_deref() == Some("Discharging"),
    }
}

/// All cells as one.
fn battery(cells: &[Cell]) -> Option<Battery> {
    let charging = cells.iter().any(|cell| cell.charging);
    let discharging = cells.iter().any(|cell| cell.discharging);
    let total = |value: fn(&Cell) -> Option<f64>| cells.iter().map(value).sum::<Option<f64>>();
    let (now, full) = total(|c| c.now).zip(total(|c| c.full)).unzip();
    let percents: Option<f32> = cells.iter().map(|cell| cell.percent).sum();
    let percent = match (cells, now.zip(full)) {
        ([], _) => None,
        // The system's own figure knows more than the quotient.
        ([one], _) if one.percent.is_some() => one.percent,
        (_, Some((now, full))) if full > 0.0 => Some((100.0 * now / full) as f32),
        _ => percents.map(|sum| sum / cells.len() as f32),
    }?;
    let flow = total(|c| c.flow).filter(|flow| *flow > 0.0);
    let hours = match (flow, now.zip(full)) {
        (Some(flow), Some((now, full))) if charging => Some((full - now).max(0.0) / flow),
        (Some(flow), Some((now, _))) if discharging => Some(now / flow),
        _ => None,
    };
    let sign = if charging { -1.0 } else { 1.0 };
    let moving = charging || discharging;
    Some(Battery {
        percent,
        charging,
        watts: total(|c| c.watts)
            .filter(|_| moving)
            .map(|w| (sign * w) as f32),
        minutes_left: hours
            .filter(|hours| hours.is_finite())
            .map(|hours| (hours * 60.0).round() as u32),
    })
}
