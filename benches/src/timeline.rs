//! What the time line takes: thirty days of it, with the real code and a clock of its own, then the four ranges of the Monitor screen.

use std::path::Path;
use std::time::Instant;

use hearth_app::hardware::{Memory, MemoryPressure, ThermalState};
use hearth_app::monitor::Span;
use hearth_app::paths::Paths;
use hearth_app::throttle::Level;
use hearth_app::timeline::{Happening, Mark, Moment, Timeline};

use crate::report::{Must, Report, median};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Some day in 2026.
const BEGIN_MS: i64 = 1_790_000_040_000;
/// Marks of a day on which much happens; thirty of them fill what is kept.
const MARKS_A_DAY: i64 = 700;
/// Points of the screen.
const POINTS: u32 = 1_500;

/// Fills `days` days and measures. Thirty are what is kept; fewer are for a try.
pub(crate) fn measure(report: &mut Report, rounds: usize, days: i64) {
    let home = tempfile::tempdir().unwrap();
    let paths = Paths::under(home.path());
    let timeline = Timeline::open(&paths).unwrap();
    let end_ms = BEGIN_MS + days * DAY_MS;
    // The levels are full at the end: nobody waits for two and a half million seconds.
    let steps = [
        (BEGIN_MS, end_ms - DAY_MS, 60_000),
        (end_ms - DAY_MS, end_ms - HOUR_MS, 10_000),
    ];
    let begun = Instant::now();
    for (from_ms, to_ms, step_ms) in steps {
        fill(&timeline, from_ms, to_ms, step_ms, 600);
    }
    report.note(
        "filling the days before",
        "s",
        begun.elapsed().as_secs_f64(),
    );
    // The last hour as it is lived: a moment a second, a batch every ten.
    let begun = Instant::now();
    fill(&timeline, end_ms - HOUR_MS, end_ms, 1_000, 10);
    let hour_ms = begun.elapsed().as_secs_f64() * 1_000.0;
    report.row(
        "writing a busy hour, of one core",
        "%",
        hour_ms / HOUR_MS as f64 * 100.0,
        &Must::AtMost(0.1),
        &format!("{hour_ms:.0} ms for 3,600 moments in 360 batches"),
    );
    let bytes = size(home.path());
    report.row(
        &format!("size of {days} days on the disk"),
        "MB",
        bytes as f64 / 1e6,
        &Must::AtMost(60.0),
        "with the log and all marks that are kept",
    );
    read(report, &timeline, end_ms, rounds);
    let took = median((0..rounds.max(3)).map(|_| {
        let begun = Instant::now();
        timeline.explain(end_ms - DAY_MS / 2).unwrap();
        begun.elapsed().as_secs_f64() * 1_000.0
    }));
    report.note("explaining a moment", "ms", took);
}

/// The ranges of the screen.
fn read(report: &mut Report, timeline: &Timeline, end_ms: i64, rounds: usize) {
    for (name, length_ms) in [
        ("60 s", 60_000),
        ("1 h", HOUR_MS),
        ("24 h", DAY_MS),
        ("30 d", 30 * DAY_MS),
    ] {
        let span = Span {
            from_ms: end_ms - length_ms,
            to_ms: end_ms,
            points: POINTS,
        };
        let mut found = (0, 0);
        let took = median((0..rounds.max(3)).map(|_| {
            let begun = Instant::now();
            let history = timeline.history(span).unwrap();
            found = (history.at_ms.len(), history.marks.len());
            begun.elapsed().as_secs_f64() * 1_000.0
        }));
        report.row(
            &format!("reading {name}"),
            "ms",
            took,
            &Must::AtMost(30.0),
            &format!("{} points, {} marks", found.0, found.1),
        );
    }
}

/// Records a stretch, with a flush after every `batch` moments.
fn fill(timeline: &Timeline, from_ms: i64, to_ms: i64, step_ms: i64, batch: usize) {
    let mark_every_ms = DAY_MS / MARKS_A_DAY;
    let mut next_mark = from_ms;
    for (number, at_ms) in (from_ms..to_ms).step_by(step_ms as usize).enumerate() {
        timeline.record(&moment(at_ms));
        while next_mark <= at_ms {
            timeline.mark(mark(next_mark));
            next_mark += mark_every_ms;
        }
        if number % batch == batch - 1 {
            timeline.flush();
        }
    }
    timeline.flush();
}

/// A moment in which every figure is measured and none repeats: the worst that there is to store.
fn moment(at_ms: i64) -> Moment {
    let wave = ((at_ms / 1_000) as f32 * 0.01).sin();
    let mut moment = Moment::default();
    moment.work.tokens_per_second = Some(40.0 + wave);
    moment.work.cool_tokens_per_second = Some(44.0);
    moment.work.ttft_ms = Some(200.0 + wave);
    moment.work.running = 1;
    let reading = &mut moment.reading;
    reading.at_ms = at_ms;
    for (figure, middle) in [
        (&mut reading.system_watts, 40.0),
        (&mut reading.cpu_watts, 11.0),
        (&mut reading.gpu_watts, 22.0),
        (&mut reading.cpu_celsius, 80.0),
        (&mut reading.gpu_celsius, 70.0),
        (&mut reading.cpu_usage, 0.5),
        (&mut reading.gpu_usage, 0.8),
    ] {
        *figure = Some(middle + wave / 10.0);
    }
    reading.memory = Some(Memory {
        total_bytes: 16 << 30,
        used_bytes: (12 << 30) + (at_ms % 1_000_003) as u64,
        swap_total_bytes: 2 << 30,
        swap_used_bytes: 1 << 30,
    });
    reading.thermal = Some(ThermalState::Fair);
    reading.pressure = Some(MemoryPressure::Normal);
    moment.decision.level = Level::Slowed;
    moment.decision.limits.duty = 0.8;
    moment
}

/// Half of them the longest that there are.
fn mark(at_ms: i64) -> Mark {
    let what = if at_ms % 2 == 0 {
        Happening::Limits {
            decision: moment(at_ms).decision,
        }
    } else {
        Happening::Loaded {
            model: "SmolLM2-135M-Instruct".into(),
        }
    };
    Mark { at_ms, what }
}

/// Bytes of the file and its log.
fn size(home: &Path) -> u64 {
    let files = std::fs::read_dir(home.join("data")).unwrap();
    let sizes = files.map(|file| file.unwrap().metadata().unwrap().len());
    sizes.sum()
}
