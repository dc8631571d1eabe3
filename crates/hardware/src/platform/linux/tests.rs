//! Whole machines in a folder: a laptop, a server without sensors, a container, and machines that fail, hang and talk nonsense.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

use super::*;
use crate::reading::{MemoryPressure, Reading, ThermalState};
use crate::sampler::{EVERY, Groups, Source, start};

const PSI_CALM: &str = "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1\n";
const GIB: u64 = 1 << 30;

/// A machine of these files, paths from its root.
fn machine(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        write(&root, path, text);
    }
    root
}

fn write(root: &TempDir, path: &str, text: &str) {
    let path = root.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// What all groups say at their second look, when counters have grown.
fn second_look(root: &TempDir, between: impl FnOnce()) -> Reading {
    let mut source = Groups::start(groups_under(root.path()));
    source.read().unwrap();
    between();
    std::thread::sleep(Duration::from_millis(100));
    source.read().unwrap()
}

/// Shortened from a ThinkPad with an Intel hybrid chip, on battery.
const LAPTOP: &[(&str, &str)] = &[
    (
        "proc/stat",
        "cpu  4 0 0 4 0\ncpu0 1 0 0 1 0 0 0 0 0 0\ncpu1 1 0 0 1 0\ncpu2 1 0 0 1 0\ncpu3 1 0 0 1 0\nintr 1 2 3\n",
    ),
    (
        "proc/meminfo",
        "MemTotal:       16777216 kB\nMemFree: 1 kB\nMemAvailable:    4194304 kB\nSwapTotal:       2097152 kB\nSwapFree:        1048576 kB\n",
    ),
    (
        "proc/pressure/memory",
        "some avg10=12.50 avg60=3.00 avg300=1.00 total=9\nfull avg10=4.20 avg60=1.00 avg300=0.00 total=9\n",
    ),
    (
        "proc/diskstats",
        " 259 0 nvme0n1 10 0 1000 0 10 0 1000 0 0 0 0\n",
    ),
    (
        "proc/net/dev",
        "t\nt\n    lo: 9 0 0 0 0 0 0 0 9 0 0 0 0 0 0 0\nwlp0s20f3: 1000 0 0 0 0 0 0 0 1000 0 0 0 0 0 0 0\n",
    ),
    ("sys/devices/cpu_core/cpus", "0-1\n"),
    ("sys/devices/cpu_atom/cpus", "2-3\n"),
    (
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq",
        "3600000\n",
    ),
    (
        "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq",
        "3400000\n",
    ),
    (
        "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq",
        "4800000\n",
    ),
    (
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq",
        "2400000\n",
    ),
    ("sys/class/hwmon/hwmon0/name", "acpitz\n"),
    ("sys/class/hwmon/hwmon0/temp1_input", "20000\n"),
    ("sys/class/hwmon/hwmon4/name", "coretemp\n"),
    ("sys/class/hwmon/hwmon4/temp1_input", "96000\n"),
    ("sys/class/hwmon/hwmon4/temp1_label", "Package id 0\n"),
    ("sys/class/hwmon/hwmon4/temp1_max", "100000\n"),
    ("sys/class/hwmon/hwmon4/temp1_crit", "100000\n"),
    ("sys/class/hwmon/hwmon4/temp2_input", "91000\n"),
    ("sys/class/hwmon/hwmon4/temp2_label", "Core 0\n"),
    ("sys/class/hwmon/hwmon6/name", "thinkpad\n"),
    ("sys/class/hwmon/hwmon6/fan1_input", "3214\n"),
    ("sys/class/powercap/intel-rapl:0/name", "package-0\n"),
    ("sys/class/powercap/intel-rapl:0/energy_uj", "999000000\n"),
    (
        "sys/class/powercap/intel-rapl:0/max_energy_range_uj",
        "1000000000\n",
    ),
    ("sys/class/powercap/intel-rapl:0:1/name", "uncore\n"),
    ("sys/class/powercap/intel-rapl:0:1/energy_uj", "5\n"),
    ("sys/class/powercap/intel-rapl-mmio:0/name", "package-0\n"),
    ("sys/class/powercap/intel-rapl-mmio:0/energy_uj", "1\n"),
    ("sys/class/power_supply/AC/type", "Mains\n"),
    ("sys/class/power_supply/AC/online", "0\n"),
    ("sys/class/power_supply/BAT0/type", "Battery\n"),
    ("sys/class/power_supply/BAT0/status", "Discharging\n"),
    ("sys/class/power_supply/BAT0/capacity", "55\n"),
    ("sys/class/power_supply/BAT0/energy_now", "27500000\n"),
    ("sys/class/power_supply/BAT0/energy_full", "50000000\n"),
    ("sys/class/power_supply/BAT0/power_now", "18300000\n"),
    ("sys/class/power_supply/hidpp_battery_0/type", "Battery\n"),
    ("sys/class/power_supply/hidpp_battery_0/scope", "Device\n"),
    ("sys/class/power_supply/hidpp_battery_0/capacity", "5\n"),
    ("sys/firmware/acpi/platform_profile", "low-power\n"),
];

fn laptop() -> TempDir {
    machine(LAPTOP)
}

#[test]
fn a_laptop_on_battery_tells_everything() {
    let root = laptop();
    let reading = second_look(&root, || {
        write(
            &root,
            "proc/stat",
            "cpu  4 0 0 4 0\ncpu0 11 0 0 1 0\ncpu1 6 0 0 6 0\ncpu2 1 0 0 11 0\ncpu3 1 0 0 11 0\n",
        );
        // The counter wrapped: 1 J to its end, 2 J since.
        write(
            &root,
            "sys/class/powercap/intel-rapl:0/energy_uj",
            "2000000\n",
        );
        write(
            &root,
            "proc/diskstats",
            " 259 0 nvme0n1 10 0 3000 0 10 0 1000 0 0 0 0\n",
        );
    });
    assert_eq!(reading.failed, Vec::<String>::new());
    assert_eq!(reading.cpu_usage, Some(0.375));
    let tiers: Vec<_> = reading
        .core_tiers
        .iter()
        .map(|t| (t.label.as_str(), t.usage, t.mhz))
        .collect();
    assert_eq!(
        tiers,
        [("P", Some(0.75), Some(3500)), ("E", Some(0.0), None)]
    );
    assert_eq!(reading.speed_limit, Some(0.5));
    assert_eq!(reading.cpu_celsius, Some(96.0));
    assert_eq!(reading.thermal, Some(ThermalState::Serious));
    assert_eq!((reading.fans[0].rpm, reading.fans.len()), (3214, 1));
    let cpu_watts = reading.cpu_watts.unwrap();
    assert!(
        (0.3..31.0).contains(&cpu_watts),
        "3 J in 0.1 s, or longer on a busy machine: {cpu_watts} W"
    );
    assert_eq!(reading.gpu_watts, Some(0.0));
    assert_memory_and_battery(&reading);
    assert!(reading.disk_bytes_per_second.unwrap() > 100_000.0);
    assert_eq!(reading.network_bytes_per_second, Some(0.0));
}

fn assert_memory_and_battery(reading: &Reading) {
    let memory = reading.memory.unwrap();
    assert_eq!(
        (
            memory.total_bytes,
            memory.used_bytes,
            memory.swap_used_bytes
        ),
        (16 * GIB, 12 * GIB, GIB)
    );
    assert_eq!(reading.pressure, Some(MemoryPressure::Warning));
    let battery = reading.battery.unwrap();
    assert_eq!(
        (battery.percent, battery.charging, battery.watts),
        (55.0, false, Some(18.3))
    );
    assert_eq!(battery.minutes_left, Some(90));
    assert_eq!(
        (reading.on_mains, reading.low_power),
        (Some(false), Some(true))
    );
}

#[test]
fn kinds_of_cores_are_counted_without_their_threads() {
    let root = laptop();
    let cores = |id: &str| format!("physical id\t: 0\ncore id\t\t: {id}\n");
    let cpuinfo: Vec<String> = ["0", "0", "8", "9"]
        .into_iter()
        .enumerate()
        .map(|(thread, core)| format!("processor\t: {thread}\n{}", cores(core)))
        .collect();
    write(&root, "proc/cpuinfo", &cpuinfo.join("\n"));
    let machine = facts::read(&Files::under(root.path()), 4);
    let levels: Vec<_> = machine
        .core_levels
        .iter()
        .map(|l| (l.name.as_str(), l.cores))
        .collect();
    assert_eq!(levels, [("P", 1), ("E", 2)]);
    assert_eq!(
        (machine.physical_cores, machine.decode_threads()),
        (Some(3), 1)
    );
}

#[test]
fn a_charging_battery_takes_power_and_two_are_one() {
    let root = machine(&[
        ("sys/class/power_supply/AC/type", "Mains"),
        ("sys/class/power_supply/AC/online", "1"),
        ("sys/class/power_supply/BAT0/type", "Battery"),
        ("sys/class/power_supply/BAT0/status", "Charging"),
        ("sys/class/power_supply/BAT0/capacity", "50"),
        ("sys/class/power_supply/BAT0/charge_now", "1000000"),
        ("sys/class/power_supply/BAT0/charge_full", "2000000"),
        ("sys/class/power_supply/BAT0/current_now", "-1000000"),
        ("sys/class/power_supply/BAT0/voltage_now", "12000000"),
        ("sys/class/power_supply/BAT1/type", "Battery"),
        ("sys/class/power_supply/BAT1/status", "Unknown"),
        ("sys/class/power_supply/BAT1/capacity", "100"),
        ("sys/class/power_supply/BAT1/charge_now", "2000000"),
        ("sys/class/power_supply/BAT1/charge_full", "2000000"),
        ("sys/class/power_supply/BAT1/current_now", "0"),
        ("sys/class/power_supply/BAT1/voltage_now", "12000000"),
    ]);
    let reading = second_look(&root, || {});
    let battery = reading.battery.unwrap();
    assert_eq!(
        (battery.percent, battery.charging, battery.watts),
        (75.0, true, Some(-12.0))
    );
    assert_eq!(
        (battery.minutes_left, reading.on_mains),
        (Some(60), Some(true))
    );
    // What flows into it is not what the machine draws.
    assert_eq!(reading.system_watts, None);
}

#[test]
fn a_server_without_sensors_says_only_what_it_knows() {
    let root = machine(&[
        ("proc/stat", "cpu  1 0 0 1 0\ncpu0 1 0 0 1 0\n"),
        (
            "proc/meminfo",
            "MemTotal: 1048576 kB\nMemAvailable: 524288 kB\n",
        ),
        ("proc/pressure/memory", PSI_CALM),
        ("sys/class/power_supply/.keep", ""),
    ]);
    let reading = second_look(&root, || {});
    assert_eq!(reading.failed, Vec::<String>::new());
    assert_eq!(
        (reading.cpu_celsius, reading.thermal, reading.system_watts),
        (None, None, None)
    );
    assert_eq!((reading.speed_limit, reading.low_power), (None, None));
    assert_eq!((reading.battery, reading.on_mains), (None, Some(true)));
    assert_eq!(reading.pressure, Some(MemoryPressure::Normal));
    // A folder with nothing in it has nothing, and nothing failed.
    let nothing = second_look(&machine(&[]), || {});
    let expected = Reading {
        at_ms: nothing.at_ms,
        core_tiers: nothing.core_tiers.clone(),
        ..Reading::default()
    };
    assert_eq!(nothing, expected);
}

#[test]
fn a_control_group_that_allows_less_is_the_memory() {
    let kilobytes = "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\n";
    for (what, files) in [
        (
            "version 2, the limit two groups up",
            [
                ("proc/self/cgroup", "0::/app.slice/hearth.service\n"),
                ("sys/fs/cgroup/app.slice/memory.max", "4294967296\n"),
                ("sys/fs/cgroup/app.slice/memory.current", "3221225472\n"),
                (
                    "sys/fs/cgroup/app.slice/memory.stat",
                    "anon 5\ninactive_file 1073741824\n",
                ),
                ("sys/fs/cgroup/app.slice/hearth.service/memory.max", "max\n"),
            ],
        ),
        (
            "version 1 in a container, whose path is the host's",
            [
                ("proc/self/cgroup", "9:cpu:/\n4:memory:/docker/abc\n0::/\n"),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "4294967296\n"),
                ("sys/fs/cgroup/memory/memory.usage_in_bytes", "3221225472\n"),
                (
                    "sys/fs/cgroup/memory/memory.stat",
                    "cache 5\ntotal_inactive_file 1073741824\n",
                ),
                (
                    "sys/fs/cgroup/memory/docker/abd/memory.limit_in_bytes",
                    "5\n",
                ),
            ],
        ),
    ] {
        let root = machine(&files);
        write(&root, "proc/meminfo", kilobytes);
        let memory = second_look(&root, || {}).memory.unwrap();
        assert_eq!(
            (memory.total_bytes, memory.used_bytes),
            (4 * GIB, 2 * GIB),
            "{what}"
        );
        let facts = facts::read(&Files::under(root.path()), 4);
        assert_eq!(facts.memory_bytes, Some(4 * GIB), "{what}");
    }
    let unlimited = machine(&[
        ("proc/meminfo", kilobytes),
        ("proc/self/cgroup", "4:memory:/\n"),
        (
            "sys/fs/cgroup/memory/memory.limit_in_bytes",
            "9223372036854771712\n",
        ),
    ]);
    assert_eq!(
        second_look(&unlimited, || {}).memory.unwrap().total_bytes,
        16 * GIB
    );
}

#[test]
fn hitting_the_limit_of_the_control_group_is_pressure() {
    let events = |held, killed| format!("low 0\nhigh 0\nmax {held}\noom 0\noom_kill {killed}\n");
    let path = "sys/fs/cgroup/memory.events";
    let group = |root: &TempDir| write(root, path, &events(3, 0));
    let root = machine(&[
        (
            "proc/meminfo",
            "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\n",
        ),
        ("proc/pressure/memory", PSI_CALM),
        ("proc/self/cgroup", "0::/\n"),
        ("sys/fs/cgroup/memory.max", "8589934592\n"),
        ("sys/fs/cgroup/memory.current", "1073741824\n"),
    ]);
    group(&root);
    assert_eq!(
        second_look(&root, || {}).pressure,
        Some(MemoryPressure::Normal)
    );
    let hit = second_look(&root, || write(&root, path, &events(9, 0)));
    assert_eq!(hit.pressure, Some(MemoryPressure::Warning));
    let killed = second_look(&root, || write(&root, path, &events(9, 1)));
    assert_eq!(killed.pressure, Some(MemoryPressure::Critical));
}

#[test]
fn a_machine_that_talks_nonsense_is_named_group_by_group() {
    let root = laptop();
    for (path, text) in [
        ("proc/stat", "cpu0 many\n"),
        ("proc/meminfo", "MemTotal: -5 kB\n"),
        ("proc/net/dev", "t\nt\neth0 truncat"),
        (
            "sys/class/hwmon/hwmon4/temp1_input",
            "99999999999999999999\n",
        ),
        ("sys/class/power_supply/BAT0/capacity", "full\n"),
        ("sys/class/powercap/intel-rapl:0/energy_uj", "-1\n"),
    ] {
        write(&root, path, text);
    }
    let reading = second_look(&root, || {});
    assert_eq!(
        reading.failed,
        [
            "cpu",
            "temperature",
            "memory",
            "power",
            "battery",
            "traffic"
        ]
    );
    assert_eq!(
        (reading.cpu_usage, reading.cpu_celsius, reading.memory),
        (None, None, None)
    );
    assert_eq!(reading.cpu_watts, None);
    // Beside the broken ones, whole ones are still read.
    assert_eq!(reading.fans[0].rpm, 3214);
    assert_eq!(reading.disk_bytes_per_second, Some(0.0));
}

#[test]
fn a_file_that_cannot_be_read_is_broken_and_one_that_is_not_there_is_absent() {
    let root = machine(&[("proc/meminfo/is/a/folder", "")]);
    let files = Files::under(root.path());
    assert_eq!(files.text("proc/meminfo"), None);
    assert!(files.take_broken() && !files.take_broken());
    assert_eq!(files.text("proc/nothing"), None);
    assert!(!files.take_broken());
}

/// A pipe that nobody writes: whoever opens it waits.
fn hang(root: &TempDir, path: &str) -> PathBuf {
    let path = root.path().join(path);
    fs::remove_file(&path).unwrap();
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    path
}

#[test]
fn a_sensor_that_hangs_costs_its_own_values_for_as_long_as_it_hangs() {
    let root = laptop();
    let folder = root.path().to_owned();
    let readings = start(
        move || Box::new(Groups::start(groups_under(&folder))),
        EVERY,
    )
    .unwrap();
    let until = |what: &str, like: &dyn Fn(&Reading) -> bool| {
        let since = Instant::now();
        while !like(&readings.borrow()) {
            assert!(
                since.elapsed() < Duration::from_secs(10),
                "{what}: {:?}",
                readings.borrow()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        since.elapsed()
    };
    until("whole at first", &|r| {
        r.memory.is_some() && r.cpu_celsius.is_some()
    });
    let pipe = hang(&root, "proc/meminfo");
    let took = until("absent and named", &|r| {
        r.memory.is_none() && r.failed == ["memory"]
    });
    // Up to a second until it is asked again, and one until it is missed.
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(readings.borrow().cpu_celsius, Some(96.0));
    fs::OpenOptions::new()
        .write(true)
        .open(&pipe)
        .unwrap()
        .write_all(b"MemTotal: 1048576 kB\nMemAvailable: 524288 kB\n")
        .unwrap();
    fs::remove_file(&pipe).unwrap();
    write(
        &root,
        "proc/meminfo",
        "MemTotal: 1048576 kB\nMemAvailable: 524288 kB\n",
    );
    until("back again", &|r| {
        r.memory.is_some_and(|m| m.total_bytes == GIB) && r.failed.is_empty()
    });
}

#[test]
fn this_machine_can_be_read() {
    let mut source = crate::machine_source(&std::env::temp_dir());
    source.read().unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let reading = source.read().unwrap();
    assert!(reading.failed.is_empty(), "{:?}", reading.failed);
    assert!(reading.memory.is_some() && reading.disk.is_some() && reading.cpu_usage.is_some());
}
