//! Memory, and how short it is: `/proc/meminfo`, the control group when it allows less, and pressure stall information (PSI).

use super::files::Files;
use crate::reading::{Memory, MemoryPressure, Reading};
use crate::sampler::Probe;

/// Share of the time, in percent over ten seconds, in which something waits for memory. Android's low memory killer begins at 70 ms
/// within a second (`ro.lmk.psi_partial_stall_ms`).
const SOME_WARNING: f32 = 7.0;
/// Share in which everything waits: half of what systemd-oomd kills at (`DefaultMemoryPressureLimit=60%`, oomd.conf(5)), because Hearth
/// is to give way before somebody is killed.
const FULL_CRITICAL: f32 = 30.0;
/// Share of memory, and of swap, that is left. earlyoom ends programs at 10 % of both, and kills at 5 %.
const LEFT_WARNING: f64 = 0.10;
const LEFT_CRITICAL: f64 = 0.05;

pub(super) fn open(files: Files) -> Probe {
    let group = ControlGroup::find(&files);
    let mut events: Option<Events> = None;
    Box::new(move || {
        let system = files.parsed("proc/meminfo", meminfo);
        let limited = group.as_ref().and_then(|group| group.memory(&files));
        let memory = match (system, limited) {
            (Some(system), Some(limited)) if limited.total_bytes < system.total_bytes => {
                Some(Memory {
                    swap_total_bytes: system.swap_total_bytes,
                    swap_used_bytes: system.swap_used_bytes,
                    ..limited
                })
            }
            (system, _) => system,
        };
        let now = group.as_ref().and_then(|group| group.events(&files));
        let stalls = stalls(&files, group.as_ref());
        let pressure = [
            stalls.map(Stalls::pressure),
            memory.and_then(|memory| left(&memory)),
            now.map(|now| now.since(events.unwrap_or(now))),
        ];
        events = now;
        let mut reading = Reading {
            memory,
            pressure: pressure.into_iter().flatten().max(),
            ..Reading::default()
        };
        if files.take_broken() {
            reading.failed.push("memory".into());
        }
        reading
    })
}

/// What is left, judged. Unlike the stalls this says something before anybody waits.
fn left(memory: &Memory) -> Option<MemoryPressure> {
    let share = |left: u64, total: u64| {
        // No swap is swap that is used up.
        if total == 0 {
            0.0
        } else {
            left as f64 / total as f64
        }
    };
    let free = memory.total_bytes.checked_sub(memory.used_bytes)?;
    let free_swap = memory
        .swap_total_bytes
        .checked_sub(memory.swap_used_bytes)?;
    let left = share(free, memory.total_bytes).max(share(free_swap, memory.swap_total_bytes));
    Some(match left {
        _ if left < LEFT_CRITICAL => MemoryPressure::Critical,
        _ if left < LEFT_WARNING => MemoryPressure::Warning,
        _ => MemoryPressure::Normal,
    })
}

/// The value of a `Name:   1234 kB` line, in bytes.
fn kibibytes(meminfo: &str, name: &str) -> Option<u64> {
    let lines = meminfo.lines().filter_map(|line| line.split_once(':'));
    let mut values = lines.filter(|(found, _)| *found == name);
    let number = values.next()?.1.trim().strip_suffix("kB")?.trim();
    number.parse::<u64>().ok()?.checked_mul(1024)
}

fn meminfo(text: &str) -> Option<Memory> {
    let total = kibibytes(text, "MemTotal").filter(|total| *total > 0)?;
    let swap = kibibytes(text, "SwapTotal").unwrap_or(0);
    Some(Memory {
        total_bytes: total,
        used_bytes: total.checked_sub(kibibytes(text, "MemAvailable")?)?,
        swap_total_bytes: swap,
        swap_used_bytes: swap.saturating_sub(kibibytes(text, "SwapFree").unwrap_or(swap)),
    })
}

/// Main memory in bytes, or what the control group allows of it.
pub(super) fn total_bytes(files: &Files) -> Option<u64> {
    let total = kibibytes(&files.text("proc/meminfo")?, "MemTotal")?;
    let allowed = ControlGroup::find(files).and_then(|group| group.limit(files));
    Some(allowed.map_or(total, |allowed| allowed.min(total)))
}

/// The control group of this process whose memory is limited most.
#[derive(Debug, Clone, PartialEq)]
struct ControlGroup {
    folder: String,
    names: &'static Names,
}

/// How both versions of control groups call their files.
#[derive(Debug, PartialEq)]
struct Names {
    mount: &'static str,
    limit: &'static str,
    used: &'static str,
    /// The line of `memory.stat` with what can be given back at once: cached files that nobody used lately.
    reclaimable: &'static str,
}

const VERSION_2: Names = Names {
    mount: "sys/fs/cgroup",
    limit: "memory.max",
    used: "memory.current",
    reclaimable: "inactive_file",
};
const VERSION_1: Names = Names {
    mount: "sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    reclaimable: "total_inactive_file",
};

impl ControlGroup {
    /// Limits hold for all groups below, so the path is followed up to the root.
    fn find(files: &Files) -> Option<Self> {
        let own = files.text("proc/self/cgroup")?;
        let path = |begin: &dyn Fn(&str, &str) -> bool| {
            own.lines().find_map(|line| {
                let mut parts = line.splitn(3, ':');
                let (id, controllers) = (parts.next()?, parts.next()?);
                begin(id, controllers).then(|| parts.next())?
            })
        };
        let memory = path(&|_, controllers| controllers.split(',').any(|c| c == "memory"));
        let (names, path) = match memory {
            Some(path) => (&VERSION_1, path),
            None => (
                &VERSION_2,
                path(&|id, controllers| id == "0" && controllers.is_empty())?,
            ),
        };
        // Inside a container the path is the host's; the root of what is mounted is then the own group.
        let mut folders = vec![names.mount.to_owned()];
        for part in path
            .split('/')
            .filter(|part| !part.is_empty() && *part != "..")
        {
            folders.push(format!("{}/{part}", folders.last()?));
        }
        let groups = folders.into_iter().map(|folder| Self { folder, names });
        let limited = groups.filter_map(|group| group.limit(files).map(|limit| (limit, group)));
        limited
            .min_by_key(|(limit, _)| *limit)
            .map(|(_, group)| group)
    }

    fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// In bytes; `None` without one. Version 1 writes a number near 2^63 for that, version 2 a word.
    fn limit(&self, files: &Files) -> Option<u64> {
        let text = files.text(&self.file(self.names.limit))?;
        text.parse().ok().filter(|limit| *limit < 1 << 60)
    }

    fn memory(&self, files: &Files) -> Option<Memory> {
        let total = self.limit(files)?;
        let used: u64 = files.number(&self.file(self.names.used))?;
        let stat = files.text(&self.file("memory.stat")).unwrap_or_default();
        let reclaimable = count(&stat, self.names.reclaimable).unwrap_or(0);
        Some(Memory {
            total_bytes: total,
            // A group may be over its limit for a moment.
            used_bytes: used.saturating_sub(reclaimable).min(total),
            ..Memory::default()
        })
    }

    fn events(&self, files: &Files) -> Option<Events> {
        let text = files.text(&self.file("memory.events"))?;
        Some(Events {
            held_back: count(&text, "high")?.checked_add(count(&text, "max")?)?,
            killed: count(&text, "oom_kill")?,
        })
    }
}

/// The number behind a name in lines of `name number`.
fn count(text: &str, name: &str) -> Option<u64> {
    let mut values = text.lines().filter_map(|line| line.split_once(' '));
    values
        .find(|(found, _)| *found == name)?
        .1
        .trim()
        .parse()
        .ok()
}

/// How often the control group hit its limits since it exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Events {
    held_back: u64,
    killed: u64,
}

impl Events {
    fn since(self, before: Self) -> MemoryPressure {
        if self.killed > before.killed {
            MemoryPressure::Critical
        } else if self.held_back > before.held_back {
            MemoryPressure::Warning
        } else {
            MemoryPressure::Normal
        }
    }
}

/// Shares of the last ten seconds in percent.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stalls {
    some: f32,
    full: f32,
}

impl Stalls {
    fn pressure(self) -> MemoryPressure {
        if self.full >= FULL_CRITICAL {
            MemoryPressure::Critical
        } else if self.some >= SOME_WARNING {
            MemoryPressure::Warning
        } else {
            MemoryPressure::Normal
        }
    }
}

/// Of the system, or of the control group when it is worse there.
fn stalls(files: &Files, group: Option<&ControlGroup>) -> Option<Stalls> {
    let system = files.parsed("proc/pressure/memory", psi);
    let own = group.and_then(|group| files.parsed(&group.file("memory.pressure"), psi));
    [system, own].into_iter().flatten().reduce(|a, b| Stalls {
        some: a.some.max(b.some),
        full: a.full.max(b.full),
    })
}

fn psi(text: &str) -> Option<Stalls> {
    let share = |kind: &str| {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(kind));
        let mut words = lines.next()?.split_ascii_whitespace();
        let share = words.find_map(|word| word.strip_prefix("avg10="))?;
        let share: f32 = share.parse().ok()?;
        (0.0..=100.0).contains(&share).then_some(share)
    };
    Some(Stalls {
        some: share("some ")?,
        full: share("full ")?,
    })
}

#[cfg(test)]
mod tests;
