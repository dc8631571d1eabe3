//! Clusters, graphics, watts, temperatures and fans, through macmon: it knows the private counters of each chip.

use std::time::{Duration, Instant};

use macmon::{Metrics, Sampler};

use super::facts;
use crate::apple::{ChipMetrics, FanMetrics, Temperatures, TierMetrics};
use crate::reading::Reading;
use crate::sampler::Probe;

/// How long macmon measures at least, in milliseconds. Less than the second between two readings, so that only the first one waits.
const MEASURE_MS: u32 = 500;
/// To open them costs more than to read them, so a chip that macmon cannot read is not tried every second.
const OPEN_AGAIN: Duration = Duration::from_secs(30);

/// Opens the counters here, on the thread that reads them: the sampler cannot be sent to another one.
pub(super) fn open() -> Probe {
    let mut sampler: Option<Sampler> = None;
    let mut open_at = Instant::now();
    let virtual_machine = facts::virtual_machine().unwrap_or(false);
    Box::new(move || {
        if sampler.is_none() && Instant::now() >= open_at {
            open_at = Instant::now() + OPEN_AGAIN;
            sampler = Sampler::new()
                .inspect_err(|error| tracing::debug!(%error, "the chip's sensors cannot be opened"))
                .ok();
        }
        let metrics = sampler
            .as_mut()
            .and_then(|s| s.get_metrics(MEASURE_MS).ok());
        if let Some(metrics) = metrics {
            return plain(metrics).reading(virtual_machine);
        }
        sampler = None;
        Reading {
            failed: vec!["chip".into()],
            ..Reading::default()
        }
    })
}

fn plain(metrics: Metrics) -> ChipMetrics {
    let tiers = metrics.cpu_tiers.into_iter().map(|tier| TierMetrics {
        label: tier.label,
        freq_mhz: tier.freq_mhz,
        active_ratio: tier.active_ratio,
    });
    let fans = metrics.fans.into_iter().map(|fan| FanMetrics {
        name: fan.name,
        rpm: fan.rpm,
        max_rpm: fan.max_rpm,
    });
    ChipMetrics {
        temp: Temperatures {
            cpu_temp_avg: metrics.temp.cpu_temp_avg,
            gpu_temp_avg: metrics.temp.gpu_temp_avg,
        },
        fans: fans.collect(),
        cpu_active_ratio: metrics.cpu_active_ratio,
        cpu_tiers: tiers.collect(),
        gpu_freq_mhz: metrics.gpu_freq_mhz,
        gpu_active_ratio: metrics.gpu_active_ratio,
        cpu_power: metrics.cpu_power,
        gpu_power: metrics.gpu_power,
        ane_power: metrics.ane_power,
        all_power: metrics.all_power,
        sys_power: metrics.sys_power,
    }
}
