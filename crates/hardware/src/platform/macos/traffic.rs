//! What flows to and from disks and networks.

use std::time::Instant;

use sysinfo::{DiskRefreshKind, Disks, Networks};

use crate::reading::Reading;
use crate::sampler::{Probe, Rate};

/// Interfaces whose traffic goes on through another one, or stays inside.
const VIRTUAL: [&str; 6] = ["lo", "utun", "bridge", "awdl", "llw", "vmenet"];

pub(super) fn open() -> Probe {
    let mut disks = Disks::new_with_refreshed_list_specifics(io()).ok();
    let mut networks = Networks::new_with_refreshed_list().ok();
    let (mut disk, mut network) = (Rate::default(), Rate::default());
    Box::new(move || {
        let now = Instant::now();
        let disk_bytes = disks.as_mut().and_then(flowed_to_disks);
        let network_bytes = networks.as_mut().and_then(flowed_to_networks);
        Reading {
            disk_bytes_per_second: disk_bytes
                .and_then(|bytes| disk.per_second(bytes, None, now))
                .map(|rate| rate as f32),
            network_bytes_per_second: network_bytes
                .and_then(|bytes| network.per_second(bytes, None, now))
                .map(|rate| rate as f32),
            ..Reading::default()
        }
    })
}

fn io() -> DiskRefreshKind {
    DiskRefreshKind::nothing().with_io_usage()
}

/// The volumes of an APFS container share one disk and each tells the whole of it, so the busiest stands for it.
fn flowed_to_disks(disks: &mut Disks) -> Option<u64> {
    disks.refresh_specifics(true, io());
    let bytes = disks.iter().map(|disk| {
        let usage = disk.usage();
        usage
            .total_read_bytes
            .saturating_add(usage.total_written_bytes)
    });
    bytes.max()
}

fn flowed_to_networks(networks: &mut Networks) -> Option<u64> {
    networks.refresh(true);
    let real = networks.iter().filter(|(name, _)| {
        let name = name.to_string_lossy();
        !VIRTUAL.iter().any(|v| name.starts_with(v))
    });
    let bytes = real.map(|(_, data)| {
        data.total_received()
            .saturating_add(data.total_transmitted())
    });
    bytes.reduce(u64::saturating_add)
}
