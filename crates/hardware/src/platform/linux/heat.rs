//! Temperatures, fans and how close the chip is to its limits: hwmon and thermal zones.

use super::files::Files;
use crate::reading::{Fan, Reading, ThermalState};
use crate::sampler::Probe;

const HWMON: &str = "sys/class/hwmon";
const ZONES: &str = "sys/class/thermal";
/// Drivers whose sensors lie in the processor.
const CPU_DRIVERS: [&str; 6] = [
    "coretemp",
    "k10temp",
    "zenpower",
    "cpu_thermal",
    "soc_thermal",
    "scpi_sensors",
];
/// Sensors of those drivers that speak for the whole chip; one without a label does too. `Tctl` may carry an offset that the vendor
/// adds for its fans, so the real one goes first.
const PACKAGE_LABELS: [&str; 4] = ["Package id 0", "Tdie", "Tctl", "CPU"];
/// Thermal zones of the processor, by the beginning of their type, the best first.
const CPU_ZONES: [&str; 5] = ["x86_pkg_temp", "cpu", "soc", "TCPU", "acpitz"];
/// So far below the point at which the kernel slows the chip, the machine is warm.
const FAIR_MARGIN: f32 = 10.0;
/// So far below the point at which the machine switches itself off, it is close to that.
const CRITICAL_MARGIN: f32 = 3.0;
/// Where no point is given at which the kernel slows the chip: so far below the one at which it switches off, chips slow themselves.
const UNKNOWN_PASSIVE: f32 = 10.0;

/// A sensor and the points at which something happens, in °C.
#[derive(Debug, Clone, PartialEq)]
struct Sensor {
    path: String,
    limits: Limits,
}

/// The kernel documents these as trip points (thermal/sysfs-api): passive slows the chip, hot tells user space, critical switches off.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Limits {
    passive: Option<f32>,
    hot: Option<f32>,
    critical: Option<f32>,
}

pub(super) fn open(files: Files) -> Probe {
    let sensor = cpu_sensor(&files);
    let zone = cpu_zone(&files);
    let fans = fans(&files);
    // What is broken among files that are not needed is nobody's business.
    files.take_broken();
    Box::new(move || {
        let from_sensor = sensor.as_ref().and_then(|s| celsius(&files, &s.path));
        let from_zone = zone.as_ref().and_then(|z| celsius(&files, &z.path));
        let state =
            |sensor: &Option<Sensor>, celsius: Option<f32>| sensor.as_ref()?.limits.state(celsius?);
        let mut reading = Reading {
            cpu_celsius: from_sensor.or(from_zone),
            thermal: state(&sensor, from_sensor).max(state(&zone, from_zone)),
            ..Reading::default()
        };
        if files.take_broken() {
            reading.failed.push("temperature".into());
        }
        reading.fans = fans.iter().filter_map(|fan| fan.read(&files)).collect();
        if files.take_broken() {
            reading.failed.push("fans".into());
        }
        reading
    })
}

impl Limits {
    /// How hot that is; `None` where the machine tells no limit, for 80 °C is little for one chip and too much for another.
    fn state(self, celsius: f32) -> Option<ThermalState> {
        let from_critical = self.critical.map(|c| c - UNKNOWN_PASSIVE);
        let slows = self.passive.or(self.hot).or(from_critical)?;
        let at_its_end = self.hot.or(self.critical.map(|c| c - CRITICAL_MARGIN));
        // Some machines say that they slow at the point where they switch off.
        let at_its_end = at_its_end.filter(|end| *end > slows || self.passive.is_none());
        Some(if at_its_end.is_some_and(|end| celsius >= end) {
            ThermalState::Critical
        } else if celsius >= slows {
            ThermalState::Serious
        } else if celsius >= slows - FAIR_MARGIN {
            ThermalState::Fair
        } else {
            ThermalState::Nominal
        })
    }
}

/// Thousandths of a degree.
fn celsius(files: &Files, path: &str) -> Option<f32> {
    files
        .number::<i64>(path)
        .map(|milli| (milli as f64 / 1000.0) as f32)
}

/// A limit; 0 and below is one that nobody set.
fn limit(files: &Files, path: &str) -> Option<f32> {
    celsius(files, path).filter(|c| *c > 0.0 && *c < 200.0)
}

/// Numbers of the files `PREFIXnSUFFIX` in a folder.
fn numbered(files: &Files, folder: &str, prefix: &str, suffix: &str) -> Vec<u32> {
    let names = files.names(folder);
    let number = |name: &String| {
        name.strip_prefix(prefix)?
            .strip_suffix(suffix)?
            .parse()
            .ok()
    };
    names.iter().filter_map(number).collect()
}

fn cpu_sensor(files: &Files) -> Option<Sensor> {
    let chips = files.names(HWMON);
    let of_cpu = |chip: &&String| {
        let name = files.text(&format!("{HWMON}/{chip}/name"));
        name.is_some_and(|n| CPU_DRIVERS.contains(&n.as_str()))
    };
    let folder = format!("{HWMON}/{}", chips.iter().find(of_cpu)?);
    let rank = |number: &u32| {
        let label = files.text(&format!("{folder}/temp{number}_label"));
        let place = label.map(|l| PACKAGE_LABELS.iter().position(|p| *p == l));
        // Without a label it speaks for the chip; with another one, for a core.
        match place {
            None => 0,
            Some(place) => place.unwrap_or(PACKAGE_LABELS.len()),
        }
    };
    let numbers = numbered(files, &folder, "temp", "_input");
    let number = numbers.into_iter().min_by_key(rank)?;
    let max = limit(files, &format!("{folder}/temp{number}_max"));
    let critical = limit(files, &format!("{folder}/temp{number}_crit"));
    Some(Sensor {
        path: format!("{folder}/temp{number}_input"),
        limits: Limits {
            // Many drivers repeat the critical point as the maximum.
            passive: max.filter(|max| critical.is_none_or(|c| *max < c)),
            hot: None,
            critical,
        },
    })
}

fn cpu_zone(files: &Files) -> Option<Sensor> {
    let rank = |zone: &String| {
        let kind = files.text(&format!("{ZONES}/{zone}/type"))?;
        let place = CPU_ZONES.iter().position(|z| kind.starts_with(z));
        place.map(|place| (place, zone.clone()))
    };
    let zones = files.names(ZONES);
    let zones = zones.iter().filter(|name| name.starts_with("thermal_zone"));
    let (_, zone) = zones.filter_map(rank).min()?;
    let folder = format!("{ZONES}/{zone}");
    let mut limits = Limits::default();
    for number in numbered(files, &folder, "trip_point_", "_type") {
        let kind = files.text(&format!("{folder}/trip_point_{number}_type"));
        let Some(at) = limit(files, &format!("{folder}/trip_point_{number}_temp")) else {
            continue;
        };
        let place = match kind.as_deref() {
            Some("passive") => &mut limits.passive,
            Some("hot") => &mut limits.hot,
            Some("critical") => &mut limits.critical,
            _ => continue,
        };
        *place = Some(place.map_or(at, |other| other.min(at)));
    }
    Some(Sensor {
        path: format!("{folder}/temp"),
        limits,
    })
}

struct FanFiles {
    name: String,
    speed: String,
    max_rpm: Option<u32>,
}

impl FanFiles {
    fn read(&self, files: &Files) -> Option<Fan> {
        Some(Fan {
            name: self.name.clone(),
            rpm: files.number(&self.speed)?,
            max_rpm: self.max_rpm,
        })
    }
}

fn fans(files: &Files) -> Vec<FanFiles> {
    let mut found = Vec::new();
    for chip in files.names(HWMON) {
        let folder = format!("{HWMON}/{chip}");
        for number in numbered(files, &folder, "fan", "_input") {
            let label = files.text(&format!("{folder}/fan{number}_label"));
            found.push(FanFiles {
                name: label.unwrap_or_else(|| format!("fan{}", found.len())),
                speed: format!("{folder}/fan{number}_input"),
                max_rpm: files.number(&format!("{folder}/fan{number}_max")),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_follow_the_limits_that_the_machine_tells() {
        use ThermalState::{Critical, Fair, Nominal, Serious};
        let limits = |passive, hot, critical| Limits {
            passive,
            hot,
            critical,
        };
        let laptop = limits(Some(95.0), None, Some(103.0));
        for (celsius, state) in [
            (40.0, Nominal),
            (84.9, Nominal),
            (85.0, Fair),
            (95.0, Serious),
            (99.9, Serious),
            (100.0, Critical),
            (110.0, Critical),
        ] {
            assert_eq!(laptop.state(celsius), Some(state), "{celsius}");
        }
        let only_critical = limits(None, None, Some(100.0));
        assert_eq!(only_critical.state(79.0), Some(Nominal));
        assert_eq!(only_critical.state(80.0), Some(Fair));
        assert_eq!(only_critical.state(91.0), Some(Serious));
        assert_eq!(only_critical.state(97.0), Some(Critical));
        assert_eq!(limits(None, Some(90.0), None).state(91.0), Some(Critical));
        // Slows where it switches off: it cannot be told apart, so it is the lesser.
        assert_eq!(
            limits(Some(100.0), None, Some(100.0)).state(101.0),
            Some(Serious)
        );
        assert_eq!(Limits::default().state(99.0), None);
    }
}
