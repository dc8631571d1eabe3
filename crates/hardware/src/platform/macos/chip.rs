//! Clusters, graphics, watts, temperatures and fans, through macmon: it knows the private counters of each chip.

use macmon::{Metrics, Sampler};

use super::facts;
use crate::apple::{ChipMetrics, FanMetrics, Temperatures, TierMetrics};
use crate::reading::Reading;
use crate::sampler::Probe;

/// How long macmon measures at least, in milliseconds. Less than the second between two readings, so that only the first one waits.
const MEASURE_MS: u32 = 500;

/// Opens the counters here, on the thread that reads them: the sampler cannot be sent to another one.
pub(super) fn open() -> Probe {
    let mut sampler: Option<Sampler> = None;
    let virtual_machine = facts::virtual_machine().unwrap_or(false);
    Box::new(move || {
        if sampler.is_none() {
            match Sampler::new() {
                Ok(opened) => sampler = Some(opened),
                Err(error) => tracing::debug!(%error, "the chip's sensors cannot be opened"),
            }
        }
        let measured = sampler.as_mut().map(|s| s.get_metrics(MEASURE_MS));
        match measured {
            Some(Ok(metrics)) => plain(metrics).reading(virtual_machine),
            // A Mac whose counters this version cannot read; the next reading tries again.
            Some(Err(_)) | None => {
                sampler = None;
                Reading {
                    failed: vec!["chip".into()],
                    ..Reading::default()
                }
            }
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
