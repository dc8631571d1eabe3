//! A moment as text: a view of some ten lines, or one line for pipes. What could not be read says so and is never zero.

use std::fmt::Write as _;

use hearth_app::hardware::{CoreTier, MemoryPressure, Reading, ThermalState};
use hearth_app::throttle::{Decision, Level, Reason};
use hearth_app::timeline::{Moment, Work, clock_time};

use crate::list::size;

/// Shown for what could not be read.
const ABSENT: &str = "n/a";

/// The whole view.
pub(super) fn lines(moment: &Moment) -> Vec<String> {
    let Moment {
        reading,
        work,
        decision,
    } = moment;
    let mut lines = vec![format!("Hearth at {}", clock_time(reading.at_ms))];
    let mut row = |name: &str, text: String| lines.push(plain(&format!("{name:9} {text}")));
    row("Speed", speed(work));
    row("Requests", requests(work));
    row("CPU", cpu(reading));
    row(
        "GPU",
        joined(&[
            percent(reading.gpu_usage),
            celsius(reading.gpu_celsius),
            watts(reading.gpu_watts),
        ]),
    );
    row("Power", power(reading));
    row("Memory", memory(reading));
    row("Heat", heat(reading));
    row("Traffic", traffic(reading));
    row("Limits", limits(decision));
    if !reading.failed.is_empty() {
        row("Failed", format!("sensors: {}", reading.failed.join(", ")));
    }
    lines
}

/// The same, as far as it fits into one line.
pub(super) fn line(moment: &Moment) -> String {
    let reading = &moment.reading;
    plain(&format!(
        "{}  {}  {}  CPU {}  GPU {}  memory {}  heat {}  {}",
        clock_time(reading.at_ms),
        tokens(moment.work.tokens_per_second),
        watts(reading.system_watts),
        percent(reading.cpu_usage),
        percent(reading.gpu_usage),
        pressure(reading.pressure),
        thermal(reading.thermal),
        limits(&moment.decision),
    ))
}

fn speed(work: &Work) -> String {
    let mut text = tokens(work.tokens_per_second);
    if let Some(cool) = work.cool_tokens_per_second {
        let _ = write!(text, " ({cool:.0} on the cool machine)");
    }
    if let Some(ttft) = work.ttft_ms {
        let _ = write!(text, ", first token after {ttft:.0} ms");
    }
    if let Some(model) = &work.model {
        let _ = write!(text, ", {model}");
    }
    text
}

fn requests(work: &Work) -> String {
    let mut text = format!("{} running, {} waiting", work.running, work.waiting);
    if let Some(hits) = work.cache_hits {
        let _ = write!(text, ", {:.0} % of the prompts read before", hits * 100.0);
    }
    text
}

fn cpu(reading: &Reading) -> String {
    let mut text = joined(&[
        percent(reading.cpu_usage),
        celsius(reading.cpu_celsius),
        watts(reading.cpu_watts),
    ]);
    let tiers = &reading.core_tiers;
    for CoreTier { label, usage, mhz } in tiers {
        // A single kind of cores is what stands in front already.
        if tiers.len() == 1 && mhz.is_none() {
            continue;
        }
        let _ = write!(text, ", {label} {}", percent(*usage));
        if let Some(mhz) = mhz {
            let _ = write!(text, " at {mhz} MHz");
        }
    }
    text
}

fn power(reading: &Reading) -> String {
    let mut text = watts(reading.system_watts);
    if let Some(battery) = reading.battery {
        let _ = write!(text, ", battery {:.0} %", battery.percent);
        text.push_str(if battery.charging { " (charging)" } else { "" });
    }
    match reading.on_mains {
        Some(true) => text.push_str(", on mains"),
        Some(false) => text.push_str(", on battery"),
        None => {}
    }
    if reading.low_power == Some(true) {
        text.push_str(", Low Power Mode");
    }
    text
}

fn memory(reading: &Reading) -> String {
    let used = reading.memory.map_or(ABSENT.to_owned(), |memory| {
        format!(
            "{} of {} used, swap {}",
            size(memory.used_bytes),
            size(memory.total_bytes),
            size(memory.swap_used_bytes)
        )
    });
    format!("{used}, pressure {}", pressure(reading.pressure))
}

fn heat(reading: &Reading) -> String {
    let mut text = thermal(reading.thermal).to_owned();
    for fan in &reading.fans {
        let _ = write!(text, ", {} {} rpm", fan.name, fan.rpm);
    }
    if let Some(limit) = reading.speed_limit.filter(|limit| *limit < 1.0) {
        let _ = write!(
            text,
            ", the system lets it run at {:.0} % of its speed",
            limit * 100.0
        );
    }
    text
}

fn traffic(reading: &Reading) -> String {
    let rate = |bytes: Option<f32>| {
        bytes.map_or(ABSENT.to_owned(), |bytes| {
            format!("{}/s", size(bytes.max(0.0) as u64))
        })
    };
    let mut text = format!(
        "disk {}, network {}",
        rate(reading.disk_bytes_per_second),
        rate(reading.network_bytes_per_second)
    );
    if let Some(disk) = reading.disk {
        let _ = write!(text, ", {} of the disk free", size(disk.free_bytes));
    }
    text
}

fn limits(decision: &Decision) -> String {
    let mut text = match decision.level {
        Level::Free => return "none".to_owned(),
        Level::Eased => "background work waits".to_owned(),
        Level::Slowed => "answers are slowed".to_owned(),
        Level::Held => "held back".to_owned(),
    };
    if decision.limits.duty < 1.0 {
        let _ = write!(text, " to {:.0} %", decision.limits.duty * 100.0);
    }
    let why: Vec<String> = decision.reasons.iter().map(Reason::phrase).collect();
    if !why.is_empty() {
        let _ = write!(text, " because of {}", why.join(" and "));
    }
    text
}

fn joined(parts: &[String]) -> String {
    parts.join(", ")
}

fn tokens(speed: Option<f32>) -> String {
    speed.map_or("no tokens".to_owned(), |speed| {
        format!("{speed:.1} tokens/s")
    })
}

/// A figure and its unit, which also says what it is that is absent.
fn measured(figure: Option<String>, unit: &str) -> String {
    format!("{} {unit}", figure.as_deref().unwrap_or(ABSENT))
}

fn percent(share: Option<f32>) -> String {
    measured(share.map(|share| format!("{:.0}", share * 100.0)), "%")
}

fn celsius(degrees: Option<f32>) -> String {
    measured(degrees.map(|degrees| format!("{degrees:.0}")), "°C")
}

fn watts(power: Option<f32>) -> String {
    measured(power.map(|power| format!("{power:.1}")), "W")
}

fn thermal(state: Option<ThermalState>) -> &'static str {
    match state {
        None => ABSENT,
        Some(ThermalState::Nominal) => "nominal",
        Some(ThermalState::Fair) => "fair",
        Some(ThermalState::Serious) => "serious",
        Some(ThermalState::Critical) => "critical",
    }
}

fn pressure(state: Option<MemoryPressure>) -> &'static str {
    match state {
        None => ABSENT,
        Some(MemoryPressure::Normal) => "normal",
        Some(MemoryPressure::Warning) => "warning",
        Some(MemoryPressure::Critical) => "critical",
    }
}

/// Names of models and sensors come from files: they must not steer the terminal.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use hearth_app::hardware::Memory;
    use hearth_app::throttle::Limits;

    use super::*;

    #[test]
    fn what_was_not_read_says_so() {
        let text = lines(&Moment::default()).join("\n");
        for row in [
            "Speed     no tokens",
            "Requests  0 running, 0 waiting",
            "CPU       n/a %, n/a °C, n/a W",
            "GPU       n/a %, n/a °C, n/a W",
            "Power     n/a W",
            "Memory    n/a, pressure n/a",
            "Heat      n/a",
            "Traffic   disk n/a, network n/a",
            "Limits    none",
        ] {
            assert!(text.contains(row), "{row} is not in\n{text}");
        }
        assert!(!text.contains("Failed"));
    }

    #[test]
    fn figures_have_units_and_limits_have_reasons() {
        let mut moment = Moment::default();
        moment.work.tokens_per_second = Some(31.24);
        moment.work.cool_tokens_per_second = Some(44.0);
        moment.work.model = Some("star\x1b[2Jter".into());
        moment.reading.cpu_usage = Some(0.63);
        moment.reading.core_tiers = vec![CoreTier {
            label: "P".into(),
            usage: Some(0.8),
            mhz: Some(3500),
        }];
        moment.reading.memory = Some(Memory {
            total_bytes: 16_000_000_000,
            used_bytes: 12_300_000_000,
            swap_total_bytes: 0,
            swap_used_bytes: 0,
        });
        moment.reading.failed = vec!["gpu".into()];
        moment.decision = Decision {
            level: Level::Slowed,
            limits: Limits {
                duty: 0.6,
                ..Limits::default()
            },
            reasons: vec![
                Reason::Heat {
                    state: ThermalState::Serious,
                    celsius: Some(96.0),
                },
                Reason::LowPowerMode,
            ],
        };
        let text = lines(&moment).join("\n");
        for row in [
            "Speed     31.2 tokens/s (44 on the cool machine), star[2Jter",
            "CPU       63 %, n/a °C, n/a W, P 80 % at 3500 MHz",
            "Memory    12.3 GB of 16.0 GB used, swap 0 kB, pressure n/a",
            "Limits    answers are slowed to 60 % because of heat (serious, 96 °C) and Low Power Mode",
            "Failed    sensors: gpu",
        ] {
            assert!(text.contains(row), "{row} is not in\n{text}");
        }
        let line = line(&moment);
        assert!(
            line.contains("31.2 tokens/s") && line.contains("CPU 63 %"),
            "{line}"
        );
    }
}
