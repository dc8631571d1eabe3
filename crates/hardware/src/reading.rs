//! What the sensors say at one moment.
//!
//! The same form on every system and in recordings. Whatever could not be read is `None`, never zero. It must not know where a value
//! comes from.

use serde::{Deserialize, Serialize};

/// How hot the system says it is (`NSProcessInfo.thermalState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum ThermalState {
    Nominal,
    Fair,
    Serious,
    Critical,
}

/// How short of memory the system says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum MemoryPressure {
    Normal,
    Warning,
    Critical,
}

/// The cores of one kind together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct CoreTier {
    /// As the chip names it, such as `P`, `E` or `S`; `CPU` where all are alike.
    pub label: String,
    /// 0 to 1.
    pub usage: Option<f32>,
    pub mhz: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct Fan {
    pub name: String,
    pub rpm: u32,
    pub max_rpm: Option<u32>,
}

/// Main memory and swap, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub total_bytes: u64,
    /// What programs hold and the system cannot take back without effort.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub used_bytes: u64,
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub swap_total_bytes: u64,
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub swap_used_bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct Battery {
    /// 0 to 100.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub percent: f32,
    pub charging: bool,
    /// What flows out of it; negative while it charges.
    pub watts: Option<f32>,
    /// Until it is empty, or full while it charges.
    pub minutes_left: Option<u32>,
}

/// The volume that Hearth's data lies on, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct Disk {
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub total_bytes: u64,
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub free_bytes: u64,
}

/// Everything at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase", default)]
pub struct Reading {
    /// Unix milliseconds.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub at_ms: i64,
    /// Over all cores, 0 to 1.
    pub cpu_usage: Option<f32>,
    /// The fastest first.
    pub core_tiers: Vec<CoreTier>,
    /// 0 to 1.
    pub gpu_usage: Option<f32>,
    pub cpu_watts: Option<f32>,
    pub gpu_watts: Option<f32>,
    /// Neural Engine.
    pub ane_watts: Option<f32>,
    /// The whole machine; without such a sensor, the sum of the chip's parts.
    pub system_watts: Option<f32>,
    pub cpu_celsius: Option<f32>,
    pub gpu_celsius: Option<f32>,
    pub fans: Vec<Fan>,
    pub memory: Option<Memory>,
    pub pressure: Option<MemoryPressure>,
    pub thermal: Option<ThermalState>,
    pub battery: Option<Battery>,
    /// On mains power; `None` when that is not known, true on a machine without a battery.
    pub on_mains: Option<bool>,
    pub low_power: Option<bool>,
    pub disk: Option<Disk>,
    /// Bytes a second of all disks, read and written.
    pub disk_bytes_per_second: Option<f32>,
    /// Bytes a second of all network interfaces but the loopback, both ways.
    pub network_bytes_per_second: Option<f32>,
    /// The chip's speed against its limit by the system, 0 to 1: below 1 the system slows it (cpufreq, `pmset -g therm`).
    pub speed_limit: Option<f32>,
    /// Sensors that are there and failed, hung or gave what cannot be: a name each, such as `gpu`.
    pub failed: Vec<String>,
}

impl Reading {
    /// The hotter of both.
    pub fn hottest_celsius(&self) -> Option<f32> {
        let hotter = |a: f32, b: f32| if b > a { b } else { a };
        [self.cpu_celsius, self.gpu_celsius]
            .into_iter()
            .flatten()
            .reduce(hotter)
    }
    /// Takes over what the other one has and this one has not: both are parts of one moment. Every field is named, so that a new one
    /// cannot be forgotten.
    pub(crate) fn join(&mut self, part: Reading) {
        let Reading {
            at_ms: _,
            cpu_usage,
            core_tiers,
            gpu_usage,
            cpu_watts,
            gpu_watts,
            ane_watts,
            system_watts,
            cpu_celsius,
            gpu_celsius,
            fans,
            memory,
            pressure,
            thermal,
            battery,
            on_mains,
            low_power,
            disk,
            disk_bytes_per_second,
            network_bytes_per_second,
            speed_limit,
            failed,
        } = part;
        fill(&mut self.cpu_usage, cpu_usage);
        fill(&mut self.gpu_usage, gpu_usage);
        fill(&mut self.cpu_watts, cpu_watts);
        fill(&mut self.gpu_watts, gpu_watts);
        fill(&mut self.ane_watts, ane_watts);
        fill(&mut self.system_watts, system_watts);
        fill(&mut self.cpu_celsius, cpu_celsius);
        fill(&mut self.gpu_celsius, gpu_celsius);
        fill(&mut self.memory, memory);
        fill(&mut self.pressure, pressure);
        fill(&mut self.thermal, thermal);
        fill(&mut self.battery, battery);
        fill(&mut self.on_mains, on_mains);
        fill(&mut self.low_power, low_power);
        fill(&mut self.disk, disk);
        fill(&mut self.disk_bytes_per_second, disk_bytes_per_second);
        fill(&mut self.network_bytes_per_second, network_bytes_per_second);
        fill(&mut self.speed_limit, speed_limit);
        self.core_tiers.extend(core_tiers);
        self.fans.extend(fans);
        self.failed.extend(failed);
    }
}

fn fill<T>(place: &mut Option<T>, value: Option<T>) {
    if place.is_none() {
        *place = value;
    }
}
