//! What does not change: chip, cores and system, from `/proc/cpuinfo` and `/etc/os-release`.

use std::collections::{BTreeMap, BTreeSet};

use super::files::Files;
use super::{cpu, memory};
use crate::machine::{CoreLevel, Machine};

pub(super) fn read(files: &Files, logical_cores: u32) -> Machine {
    let cpuinfo = files.text("proc/cpuinfo");
    Machine {
        chip: cpuinfo.as_deref().and_then(chip),
        core_levels: core_levels(files, cpuinfo.as_deref()),
        physical_cores: cpuinfo.as_deref().and_then(physical_cores),
        logical_cores,
        memory_bytes: memory::total_bytes(files),
        os_version: files.text("etc/os-release").as_deref().and_then(os_version),
        translated: Some(false),
        virtual_machine: cpuinfo.as_deref().and_then(virtual_machine),
    }
}

/// Kinds of cores, when there are several. Intel's fast ones have two threads each, which `/proc/cpuinfo` tells apart.
fn core_levels(files: &Files, cpuinfo: Option<&str>) -> Vec<CoreLevel> {
    let tiers = cpu::tiers(files);
    if tiers.len() < 2 {
        return Vec::new();
    }
    let cores_of = cpuinfo.map(cores).unwrap_or_default();
    let level = |(name, cpus): (&str, Vec<u32>)| {
        let known: BTreeSet<_> = cpus.iter().filter_map(|cpu| cores_of.get(cpu)).collect();
        let cores = if known.is_empty() {
            cpus.len()
        } else {
            known.len()
        };
        CoreLevel {
            name: name.to_owned(),
            cores: u32::try_from(cores).unwrap_or(u32::MAX),
        }
    };
    tiers.into_iter().map(level).collect()
}

/// The value of a `name : value` line.
fn value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (found, value) = line.split_once(':')?;
    (found.trim() == name)
        .then(|| value.trim())
        .filter(|value| !value.is_empty())
}

fn chip(cpuinfo: &str) -> Option<String> {
    cpuinfo
        .lines()
        .find_map(|line| value(line, "model name"))
        .map(str::to_owned)
}

/// Package and core of each thread. Machines that name no cores (ARM, some virtual ones) have none.
fn cores(cpuinfo: &str) -> BTreeMap<u32, (String, String)> {
    let mut cores = BTreeMap::new();
    let (mut thread, mut package) = (None, "0");
    for line in cpuinfo.lines() {
        if line.trim().is_empty() {
            (thread, package) = (None, "0");
        } else if let Some(number) = value(line, "processor") {
            thread = number.parse().ok();
        } else if let Some(id) = value(line, "physical id") {
            package = id;
        } else if let Some((id, thread)) = value(line, "core id").zip(thread) {
            cores.insert(thread, (package.to_owned(), id.to_owned()));
        }
    }
    cores
}

fn physical_cores(cpuinfo: &str) -> Option<u32> {
    let cores: BTreeSet<_> = cores(cpuinfo).into_values().collect();
    u32::try_from(cores.len()).ok().filter(|count| *count > 0)
}

fn os_version(os_release: &str) -> Option<String> {
    let name = os_release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    let name = name.trim().trim_matches(['"', '\'']);
    (!name.is_empty()).then(|| name.to_owned())
}

/// x86 tells by a flag; other architectures have none, so nothing is known there.
fn virtual_machine(cpuinfo: &str) -> Option<bool> {
    let flags = cpuinfo.lines().find_map(|line| value(line, "flags"))?;
    Some(flags.split_whitespace().any(|flag| flag == "hypervisor"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two packages of two cores with two threads each, shortened from a real one.
    const SERVER: &str = "processor\t: 0
model name\t: Intel(R) Xeon(R) Processor @ 2.50GHz
physical id\t: 0
core id\t\t: 0
flags\t\t: fpu vme sse2 hypervisor avx512f

processor\t: 1
physical id\t: 0
core id\t\t: 1

processor\t: 2
physical id\t: 1
core id\t\t: 0

processor\t: 3
physical id\t: 1
core id\t\t: 1

processor\t: 4
physical id\t: 0
core id\t\t: 0

processor\t: 5
physical id\t: 0
core id\t\t: 1
";
    const ARM: &str = "processor\t: 0
BogoMIPS\t: 50.00
Features\t: fp asimd evtstrm aes
CPU implementer\t: 0x41

processor\t: 1
BogoMIPS\t: 50.00
";

    #[test]
    fn x86_server() {
        assert_eq!(
            chip(SERVER).as_deref(),
            Some("Intel(R) Xeon(R) Processor @ 2.50GHz")
        );
        assert_eq!(physical_cores(SERVER), Some(4));
        assert_eq!(virtual_machine(SERVER), Some(true));
        assert_eq!(
            virtual_machine(&SERVER.replace("hypervisor", "")),
            Some(false)
        );
    }

    #[test]
    fn what_is_not_said_is_none() {
        for text in [ARM, "", "garbage", ":", "core id", "model name:"] {
            assert_eq!(chip(text), None, "{text}");
            assert_eq!(physical_cores(text), None, "{text}");
            assert_eq!(virtual_machine(text), None, "{text}");
        }
    }

    #[test]
    fn system() {
        let text = "NAME=\"Debian GNU/Linux\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";
        assert_eq!(
            os_version(text).as_deref(),
            Some("Debian GNU/Linux 12 (bookworm)")
        );
        assert_eq!(os_version("PRETTY_NAME=\"\""), None);
    }
}
