//! What Apple's interfaces say, as plain values, and what a reading makes of them.
//!
//! Apart from `platform` so that the rules are tested on any system, with captured values. It must not call the system.

use serde::Deserialize;

use crate::machine::CoreLevel;
use crate::reading::{Battery, CoreTier, Fan, MemoryPressure, Reading, ThermalState};

/// The chip's figures over a stretch of time, in macmon's words.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(crate) struct ChipMetrics {
    pub(crate) temp: Temperatures,
    pub(crate) fans: Vec<FanMetrics>,
    pub(crate) cpu_active_ratio: f32,
    /// The slowest first.
    pub(crate) cpu_tiers: Vec<TierMetrics>,
    pub(crate) gpu_freq_mhz: u32,
    pub(crate) gpu_active_ratio: f32,
    pub(crate) cpu_power: f32,
    pub(crate) gpu_power: f32,
    pub(crate) ane_power: f32,
    pub(crate) all_power: f32,
    pub(crate) sys_power: f32,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(crate) struct Temperatures {
    pub(crate) cpu_temp_avg: Option<f32>,
    pub(crate) gpu_temp_avg: Option<f32>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct FanMetrics {
    pub(crate) name: String,
    pub(crate) rpm: u32,
    pub(crate) max_rpm: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct TierMetrics {
    pub(crate) label: String,
    pub(crate) freq_mhz: u32,
    pub(crate) active_ratio: f32,
}

impl ChipMetrics {
    /// In a virtual machine there are no counters of power and frequency, and their zeros mean that: nothing was measured. The same
    /// holds on a Mac whose chip the library does not know yet: power that is zero in every part is absent, because a running chip
    /// draws some.
    pub(crate) fn reading(self, virtual_machine: bool) -> Reading {
        let measured = !virtual_machine && self.all_power != 0.0;
        let watts = |watts: f32| measured.then_some(watts);
        let tier = |tier: TierMetrics| CoreTier {
            // macmon's word for a kind of core that it does not know.
            label: if tier.label == "_" {
                "CPU".into()
            } else {
                tier.label
            },
            usage: Some(tier.active_ratio),
            mhz: Some(tier.freq_mhz).filter(|mhz| *mhz > 0),
        };
        let fan = |fan: FanMetrics| Fan {
            name: fan.name,
            rpm: fan.rpm,
            max_rpm: fan.max_rpm,
        };
        Reading {
            cpu_usage: Some(self.cpu_active_ratio),
            // Named the other way round than ours.
            core_tiers: self.cpu_tiers.into_iter().rev().map(tier).collect(),
            gpu_usage: (self.gpu_freq_mhz > 0 || self.gpu_active_ratio > 0.0)
                .then_some(self.gpu_active_ratio),
            cpu_watts: watts(self.cpu_power),
            gpu_watts: watts(self.gpu_power),
            ane_watts: watts(self.ane_power),
            // Without its sensor the library says zero.
            system_watts: Some(self.sys_power).filter(|w| *w != 0.0 && !virtual_machine),
            cpu_celsius: self.temp.cpu_temp_avg,
            gpu_celsius: self.temp.gpu_temp_avg,
            fans: self.fans.into_iter().map(fan).collect(),
            ..Reading::default()
        }
    }
}

/// `NSProcessInfo.thermalState`. A number that Apple adds one day is unknown.
pub(crate) fn thermal_state(raw: isize) -> Option<ThermalState> {
    match raw {
        0 => Some(ThermalState::Nominal),
        1 => Some(ThermalState::Fair),
        2 => Some(ThermalState::Serious),
        3 => Some(ThermalState::Critical),
        _ => None,
    }
}

/// `kern.memorystatus_vm_pressure_level`: the flags of `DISPATCH_MEMORYPRESSURE`.
pub(crate) fn memory_pressure(raw: u32) -> Option<MemoryPressure> {
    match raw {
        1 => Some(MemoryPressure::Normal),
        2 => Some(MemoryPressure::Warning),
        4 => Some(MemoryPressure::Critical),
        _ => None,
    }
}

/// What the power source says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PowerSource {
    /// 0 to 1.
    pub(crate) charge: f32,
    pub(crate) charging: bool,
    pub(crate) discharging: bool,
    /// Without sign.
    pub(crate) watts: f32,
    pub(crate) seconds_to_full: Option<f32>,
    pub(crate) seconds_to_empty: Option<f32>,
}

impl PowerSource {
    /// A Mac without a battery is on mains.
    pub(crate) fn reading(source: Option<Self>) -> Reading {
        let Some(source) = source else {
            return Reading {
                on_mains: Some(true),
                ..Reading::default()
            };
        };
        let sign = if source.charging { -1.0 } else { 1.0 };
        let seconds = if source.charging {
            source.seconds_to_full
        } else {
            source.seconds_to_empty
        };
        Reading {
            battery: Some(Battery {
                percent: source.charge * 100.0,
                charging: source.charging,
                watts: (source.charging || source.discharging).then_some(sign * source.watts.abs()),
                minutes_left: seconds
                    .filter(|s| s.is_finite() && *s > 0.0)
                    .map(|s| (s / 60.0).round() as u32),
            }),
            on_mains: Some(!source.discharging),
            ..Reading::default()
        }
    }
}

/// Levels of cores that are asked for; chips up to M6 have at most three.
const MAX_LEVELS: u32 = 8;

/// The kinds of cores by the names of `sysctl`; level 0 is the fastest (Apple, "Determining system capabilities").
pub(crate) fn core_levels(
    number: impl Fn(&str) -> Option<u32>,
    text: impl Fn(&str) -> Option<String>,
) -> Vec<CoreLevel> {
    let count = number("hw.nperflevels").unwrap_or(0).min(MAX_LEVELS);
    let level = |level: u32| {
        let cores = number(&format!("hw.perflevel{level}.physicalcpu"))?;
        let name = text(&format!("hw.perflevel{level}.name"));
        Some(CoreLevel {
            name: name.unwrap_or_else(|| format!("level {level}")),
            cores,
        })
    };
    // A level without cores is one that this Mac does not have.
    let levels = (0..count).filter_map(level);
    levels.filter(|level| level.cores > 0).collect()
}

#[cfg(test)]
mod tests;
