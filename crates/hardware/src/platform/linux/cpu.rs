//! How busy the cores are (`/proc/stat`), how fast they run and may run (cpufreq).

use std::collections::BTreeMap;

use super::files::Files;
use crate::reading::{CoreTier, Reading};
use crate::sampler::Probe;

const CPUS: &str = "sys/devices/system/cpu";
/// Cores of a tier whose clock is read: on some chips reading one wakes the core.
const CLOCKS_READ: usize = 4;

/// Time that a core was busy, and all its time, in ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Ticks {
    busy: u64,
    total: u64,
}

/// Cores by their number; a core that is switched off is missing.
type Cores = BTreeMap<u32, Ticks>;

pub(super) fn open(files: Files) -> Probe {
    let tiers = tiers(&files);
    let mut before: Option<Cores> = None;
    Box::new(move || {
        let now = files.parsed("proc/stat", cores);
        let usage_of = |cpus: &dyn Fn(u32) -> bool| usage(before.as_ref()?, now.as_ref()?, cpus);
        let mut reading = Reading {
            cpu_usage: usage_of(&|_| true),
            core_tiers: tiers
                .iter()
                .map(|(label, cpus)| CoreTier {
                    label: (*label).to_owned(),
                    usage: usage_of(&|cpu| cpus.is_empty() || cpus.contains(&cpu)),
                    mhz: mhz(&files, cpus),
                })
                .collect(),
            speed_limit: speed_limit(&files, &tiers),
            ..Reading::default()
        };
        before = now;
        if files.take_broken() {
            reading.failed.push("cpu".into());
        }
        reading
    })
}

/// Kinds of cores by label, the fastest first, each with its cores. One kind without a list is all cores alike.
type Tiers = Vec<(&'static str, Vec<u32>)>;

pub(super) fn tiers(files: &Files) -> Tiers {
    // Intel's hybrid chips have a device for each kind of core.
    let list = |path: &str| files.parsed(path, cpu_list).unwrap_or_default();
    let (fast, slow) = (
        list("sys/devices/cpu_core/cpus"),
        list("sys/devices/cpu_atom/cpus"),
    );
    if !fast.is_empty() && !slow.is_empty() {
        return vec![("P", fast), ("E", slow)];
    }
    // ARM tells each core's capacity, relative to the fastest.
    let mut by_capacity: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for cpu in cpu_numbers(files) {
        if let Some(capacity) = files.number(&format!("{CPUS}/cpu{cpu}/cpu_capacity")) {
            by_capacity.entry(capacity).or_default().push(cpu);
        }
    }
    match by_capacity.len() {
        0 | 1 => vec![("CPU", Vec::new())],
        kinds => {
            let labelled = |(place, cpus)| match place {
                0 => ("P", cpus),
                last if last + 1 == kinds => ("E", cpus),
                _ => ("M", cpus),
            };
            let fastest_first = by_capacity.into_values().rev().enumerate();
            fastest_first.map(labelled).collect()
        }
    }
}

fn cpu_numbers(files: &Files) -> Vec<u32> {
    let names = files.names(CPUS);
    let number = |name: &String| name.strip_prefix("cpu")?.parse().ok();
    let mut numbers: Vec<u32> = names.iter().filter_map(number).collect();
    numbers.sort_unstable();
    numbers
}

/// `0-3,8` as numbers. A list that is longer than any machine is none.
fn cpu_list(text: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (first, last) = part
            .trim()
            .split_once('-')
            .unwrap_or((part.trim(), part.trim()));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if first > last || last > 4096 {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

/// `None` when no core is in the text or a number does not fit.
fn cores(stat: &str) -> Option<Cores> {
    let mut cores = Cores::new();
    for line in stat.lines().take_while(|line| line.starts_with("cpu")) {
        let mut words = line.split_ascii_whitespace();
        let Some(name) = words.next()?.strip_prefix("cpu").filter(|n| !n.is_empty()) else {
            continue;
        };
        // user nice system idle iowait irq softirq steal; what follows is part of the first two (proc_stat(5)).
        let times: Vec<u64> = words
            .take(8)
            .map(|w| w.parse().ok())
            .collect::<Option<_>>()?;
        let idle = times.get(3)?.checked_add(*times.get(4).unwrap_or(&0))?;
        let total = times.iter().try_fold(0_u64, |sum, t| sum.checked_add(*t))?;
        let busy = total - idle;
        cores.insert(name.parse().ok()?, Ticks { busy, total });
    }
    (!cores.is_empty()).then_some(cores)
}

/// Share of the time between two looks in which the wanted cores were busy. Cores that came or went in between do not count.
fn usage(before: &Cores, now: &Cores, wanted: &dyn Fn(u32) -> bool) -> Option<f32> {
    let (mut busy, mut total) = (0_u64, 0_u64);
    for (cpu, now) in now.iter().filter(|(cpu, _)| wanted(**cpu)) {
        let Some(before) = before.get(cpu) else {
            continue;
        };
        // The kernel's waiting time can go back a little, and then the whole does.
        total = total.checked_add(now.total.saturating_sub(before.total))?;
        busy = busy.checked_add(now.busy.saturating_sub(before.busy))?;
    }
    (total > 0).then(|| (busy as f64 / total as f64).min(1.0) as f32)
}

/// Cores whose clock stands for a tier.
fn sample(cpus: &[u32]) -> impl Iterator<Item = u32> + '_ {
    let first: &[u32] = if cpus.is_empty() { &[0, 1, 2, 3] } else { cpus };
    first.iter().copied().take(CLOCKS_READ)
}

fn kilohertz(files: &Files, cpu: u32, name: &str) -> Option<u32> {
    files.number(&format!("{CPUS}/cpu{cpu}/cpufreq/{name}"))
}

fn mhz(files: &Files, cpus: &[u32]) -> Option<u32> {
    let clocks = sample(cpus).filter_map(|cpu| kilohertz(files, cpu, "scaling_cur_freq"));
    let clocks: Vec<u64> = clocks.map(u64::from).collect();
    let count = u64::try_from(clocks.len()).ok().filter(|n| *n > 0)?;
    u32::try_from(clocks.iter().sum::<u64>() / count / 1000).ok()
}

/// The lowest share of its greatest clock that a core may use. Firmware and the thermal daemon lower `scaling_max_freq`.
fn speed_limit(files: &Files, tiers: &Tiers) -> Option<f32> {
    let share = |cpu| {
        let greatest = kilohertz(files, cpu, "cpuinfo_max_freq").filter(|khz| *khz > 0)?;
        let allowed = kilohertz(files, cpu, "scaling_max_freq").filter(|khz| *khz > 0)?;
        let by_firmware = kilohertz(files, cpu, "bios_limit").filter(|khz| *khz > 0);
        let allowed = allowed.min(by_firmware.unwrap_or(allowed));
        Some((f64::from(allowed) / f64::from(greatest)).min(1.0) as f32)
    };
    // One core of each kind is enough: limits hold for all of a kind.
    let first_of = |(_, cpus): &(&str, Vec<u32>)| cpus.first().copied().unwrap_or(0);
    let shares = tiers.iter().map(first_of).filter_map(share);
    shares.reduce(f32::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "cpu  100 0 100 800 0 0 0 0 0 0
cpu0 50 0 50 400 0 0 0 0 0 0
cpu1 50 0 50 400 0 0 0 0 0 0
intr 42658885 0 0";
    const AFTER: &str = "cpu  250 0 100 850 0 0 0 0 0 0
cpu0 150 0 50 400 0 0 0 0 0 0
cpu1 75 0 50 450 25 0 0 0 0 0
intr 42658885 0 0";

    #[test]
    fn usage_is_what_was_not_idle_in_between() {
        let (before, after) = (cores(BEFORE).unwrap(), cores(AFTER).unwrap());
        assert_eq!(usage(&before, &after, &|_| true), Some(0.625));
        assert_eq!(usage(&before, &after, &|cpu| cpu == 0), Some(1.0));
        assert_eq!(usage(&before, &after, &|cpu| cpu == 1), Some(0.25));
        assert_eq!(usage(&before, &after, &|cpu| cpu == 7), None);
        assert_eq!(usage(&before, &before, &|_| true), None, "no time passed");
        assert_eq!(usage(&after, &before, &|_| true), None, "time went back");
    }

    #[test]
    fn garbage_and_overflow_give_nothing() {
        for text in [
            "",
            "garbage",
            "cpu  1 2 3 4",
            "cpu0 1 2 3",
            "cpu0 1 2 -3 4 5",
            "cpux 1 2 3 4 5",
            "cpu0 18446744073709551615 1 1 1 1",
            "cpu0 99999999999999999999 1 1 1 1",
            "cpu0 1 2 3 4 5\ncpu1 1 2",
        ] {
            assert_eq!(cores(text), None, "{text}");
        }
    }

    #[test]
    fn lists_of_cores() {
        assert_eq!(cpu_list("0-3,8"), Some(vec![0, 1, 2, 3, 8]));
        assert_eq!(cpu_list("5"), Some(vec![5]));
        for text in ["", "a", "3-1", "0-4294967295", "1,,2", "-1"] {
            assert_eq!(cpu_list(text), None, "{text}");
        }
    }
}
