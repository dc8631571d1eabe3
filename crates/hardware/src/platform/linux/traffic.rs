//! What flows to and from disks (`/proc/diskstats`) and networks (`/proc/net/dev`).

use std::time::Instant;

use super::files::Files;
use crate::reading::Reading;
use crate::sampler::{Probe, Rate};

/// The kernel counts in these whatever the disk's own sectors are.
const SECTOR_BYTES: u64 = 512;
/// Devices whose traffic goes on to a disk and is counted there, or never reaches one.
const VIRTUAL_DISKS: [&str; 7] = ["loop", "ram", "zram", "dm-", "md", "sr", "fd"];
/// Interfaces whose traffic goes on through another one, or stays inside.
const VIRTUAL_INTERFACES: [&str; 10] = [
    "lo", "ifb", "dummy", "veth", "docker", "br-", "virbr", "tun", "tap", "wg",
];

pub(super) fn open(files: Files) -> Probe {
    let (mut disk, mut network) = (Rate::default(), Rate::default());
    Box::new(move || {
        let now = Instant::now();
        let disk_bytes = files.parsed("proc/diskstats", disks);
        let network_bytes = files.parsed("proc/net/dev", interfaces);
        let mut reading = Reading {
            disk_bytes_per_second: disk_bytes
                .and_then(|bytes| disk.per_second(bytes, None, now))
                .map(|rate| rate as f32),
            network_bytes_per_second: network_bytes
                .and_then(|bytes| network.per_second(bytes, None, now))
                .map(|rate| rate as f32),
            ..Reading::default()
        };
        if files.take_broken() {
            reading.failed.push("traffic".into());
        }
        reading
    })
}

/// Bytes read and written by all whole disks. `None` when there is none or a number does not fit.
fn disks(diskstats: &str) -> Option<u64> {
    let mut disks: Vec<(&str, u64)> = Vec::new();
    for line in diskstats.lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        // major minor name reads merged sectors-read ms writes merged sectors-written (Documentation/admin-guide/iostats).
        let (name, read, written) = (*words.get(2)?, words.get(5)?, words.get(9)?);
        let is_virtual = VIRTUAL_DISKS.iter().any(|v| name.starts_with(v));
        // A disk stands before its partitions.
        if is_virtual || disks.iter().any(|(disk, _)| is_partition(name, disk)) {
            continue;
        }
        let sectors = read
            .parse::<u64>()
            .ok()?
            .checked_add(written.parse().ok()?)?;
        disks.push((name, sectors.checked_mul(SECTOR_BYTES)?));
    }
    let bytes = disks.iter().map(|(_, bytes)| *bytes);
    bytes.reduce(u64::saturating_add)
}

/// `sda1` is of `sda`; where a disk's name ends in a digit, as `nvme0n1`, its partitions have a `p` between.
fn is_partition(name: &str, disk: &str) -> bool {
    let Some(rest) = name.strip_prefix(disk) else {
        return false;
    };
    let digit_ends = disk.ends_with(|c: char| c.is_ascii_digit());
    let number = if digit_ends {
        rest.strip_prefix('p')
    } else {
        Some(rest)
    };
    number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Bytes received and sent by all interfaces but virtual ones. `None` when no interface is in the text or a number does not fit.
fn interfaces(text: &str) -> Option<u64> {
    let mut sum: Option<u64> = None;
    // Two lines of titles.
    for line in text.lines().skip(2) {
        let (name, counters) = line.split_once(':')?;
        if VIRTUAL_INTERFACES
            .iter()
            .any(|v| name.trim().starts_with(v))
        {
            continue;
        }
        let counters: Vec<&str> = counters.split_ascii_whitespace().collect();
        let received: u64 = counters.first()?.parse().ok()?;
        let sent: u64 = counters.get(8)?.parse().ok()?;
        sum = Some(sum.unwrap_or(0).checked_add(received.checked_add(sent)?)?);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_disks_count_once() {
        let text = "   7       0 loop0 11 0 28 0 0 0 0 0 0 0 0
 259       0 nvme0n1 100 0 2000 0 50 0 1000 0 0 0 0
 259       1 nvme0n1p1 100 0 2000 0 50 0 1000 0 0 0 0
 259       2 nvme0n1p12 100 0 2000 0 50 0 1000 0 0 0 0
   8       0 sda 1 0 10 0 1 0 20 0 0 0 0
   8       1 sda1 1 0 10 0 1 0 20 0 0 0 0
   8      16 sdaa 1 0 1 0 1 0 1 0 0 0 0
 253       0 dm-0 9 0 9999 0 9 0 9999 0 0 0 0";
        assert_eq!(disks(text), Some((3000 + 30 + 2) * 512));
        for text in [
            "",
            "garbage",
            "8 0 sda 1 0 -10 0 1 0 20 0 0",
            "8 0 sda 1 0 10",
            "8 0 sda 1 0 18446744073709551615 0 1 0 20 0",
            "7 0 loop0 11 0 28 0 0 0 0 0",
        ] {
            assert_eq!(disks(text), None, "{text}");
        }
    }

    #[test]
    fn the_loopback_does_not_count() {
        let titles =
            "Inter-|   Receive   |  Transmit\n face |bytes    packets errs|bytes    packets\n";
        let text = format!(
            "{titles}    lo: 8363526122 1 0 0 0 0 0 0 8363526122 1 0 0 0 0 0 0
  ifb0:       5       0    0    0    0     0          0         0        5       0    0    0    0     0       0          0
  eth0: 1000 235422 0 0 0 0 0 0 200 157369 0 0 0 0 0 0
wlp2s0:30 2 0 0 0 0 0 0 4 1 0 0 0 0 0 0"
        );
        assert_eq!(interfaces(&text), Some(1234));
        for line in [
            "garbage",
            "eth0: 1 2 3",
            "eth0: -1 0 0 0 0 0 0 0 1",
            "lo: 1 0 0 0 0 0 0 0 1",
        ] {
            assert_eq!(interfaces(&format!("{titles}{line}")), None, "{line}");
        }
    }
}
