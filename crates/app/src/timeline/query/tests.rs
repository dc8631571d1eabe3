//! The time line as a whole: what is recorded comes back, from memory and disk, at any length and fineness.

use std::sync::Arc;

use super::*;
use crate::paths::Paths;
use crate::throttle::{Decision, Limits};
use crate::timeline::{Alert, Happening, Moment};

/// Some morning in 2026, at the begin of a minute.
const BEGIN_MS: i64 = 1_790_000_040_000;
const HOUR_MS: i64 = 3_600_000;

fn open(home: &tempfile::TempDir) -> Arc<Timeline> {
    Timeline::open(&Paths::under(home.path())).unwrap()
}

fn moment(at_ms: i64, speed: Option<f32>, celsius: f32) -> Moment {
    let mut moment = Moment::default();
    moment.reading.at_ms = at_ms;
    moment.reading.cpu_celsius = Some(celsius);
    moment.work.tokens_per_second = speed;
    moment.work.running = u32::from(speed.is_some());
    moment
}

fn span(from_ms: i64, to_ms: i64, points: u32) -> Span {
    Span {
        from_ms,
        to_ms,
        points,
    }
}

fn loaded(at_ms: i64) -> Mark {
    Mark {
        at_ms,
        what: Happening::Loaded {
            model: "starter".into(),
        },
    }
}

#[test]
fn what_is_in_memory_and_on_the_disk_is_one_line() {
    let home = tempfile::tempdir().unwrap();
    let timeline = open(&home);
    for second in 0..45 {
        timeline.record(&moment(
            BEGIN_MS + second * 1_000,
            Some(second as f32),
            50.0,
        ));
        if second == 20 {
            timeline.mark(loaded(BEGIN_MS + 20_500));
            timeline.flush();
        }
    }
    timeline.mark(loaded(BEGIN_MS + 44_500));
    let history = timeline
        .history(span(BEGIN_MS, BEGIN_MS + 60_000, 60))
        .unwrap();
    assert_eq!(history.step_ms, 1_000);
    let times: Vec<i64> = (0..45).map(|second| BEGIN_MS + second * 1_000).collect();
    assert_eq!(history.at_ms, times);
    let speeds: Vec<_> = (0..45).map(|second| Some(second as f32)).collect();
    assert_eq!(history.series.tokens_per_second, speeds);
    assert_eq!(history.series.gpu_watts, vec![None; 45], "never measured");
    assert_eq!(
        history.marks,
        [loaded(BEGIN_MS + 20_500), loaded(BEGIN_MS + 44_500)]
    );
    // A point of twenty seconds has both parts: twelve of one stretch were written, the rest was not.
    let history = timeline
        .history(span(BEGIN_MS, BEGIN_MS + 60_000, 3))
        .unwrap();
    assert_eq!(history.step_ms, 20_000);
    assert_eq!(
        history.series.tokens_per_second,
        [Some(9.5), Some(29.5), Some(42.0)]
    );
    timeline.shut_down();
    drop(timeline);
    let again = open(&home)
        .history(span(BEGIN_MS, BEGIN_MS + 60_000, 3))
        .unwrap();
    assert_eq!(again, history, "nothing was lost at the end");
}

#[test]
fn ranges_join_without_gap_or_overlap() {
    let home = tempfile::tempdir().unwrap();
    let timeline = open(&home);
    let hours = 30;
    let end_ms = BEGIN_MS + hours * HOUR_MS;
    // Coarsely but for the last two hours; the temperature has one peak an hour.
    let coarse = (BEGIN_MS..end_ms - 2 * HOUR_MS).step_by(10_000);
    let fine = (end_ms - 2 * HOUR_MS..end_ms).step_by(1_000);
    for (number, at_ms) in coarse.chain(fine).enumerate() {
        let peak = (at_ms - BEGIN_MS) % HOUR_MS == 1_800_000;
        timeline.record(&moment(at_ms, Some(40.0), if peak { 99.0 } else { 60.0 }));
        if number % 2_000 == 0 {
            timeline.flush();
        }
    }
    timeline.flush();
    for (length_ms, points, step_ms) in [
        (60_000, 60, 1_000),
        (60_000, 7, 10_000),
        (HOUR_MS, 1_500, 3_000),
        (HOUR_MS, 720, 5_000),
        // The seconds do not reach back so far.
        (2 * HOUR_MS, 10_000, 10_000),
        (24 * HOUR_MS, 1_500, 60_000),
        (24 * HOUR_MS, 10_000, 10_000),
        // Nor do the tens.
        (28 * HOUR_MS, 10_000, 60_000),
        (30 * HOUR_MS, 31, 3_600_000),
    ] {
        let case = format!("{length_ms} ms in {points}");
        let history = timeline
            .history(span(end_ms - length_ms, end_ms, points))
            .unwrap();
        assert_eq!(i64::from(history.step_ms), step_ms, "{case}");
        assert!(history.at_ms.len() <= points as usize, "{case}");
        let first = (end_ms - length_ms) - (end_ms - length_ms) % step_ms;
        let expected: Vec<i64> = (first..end_ms).step_by(step_ms as usize).collect();
        assert_eq!(history.at_ms, expected, "{case}");
        assert!(
            history
                .series
                .tokens_per_second
                .iter()
                .all(|speed| *speed == Some(40.0)),
            "{case}"
        );
        let peaks = history.series.cpu_celsius.iter();
        let peaks = peaks.filter(|celsius| **celsius == Some(99.0)).count() as i64;
        assert_eq!(peaks, (length_ms + HOUR_MS / 2) / HOUR_MS, "{case}");
    }
}

#[test]
fn a_stretch_without_hearth_has_no_points() {
    let home = tempfile::tempdir().unwrap();
    let timeline = open(&home);
    for at_ms in [0, 1_000, 900_000, 901_000] {
        timeline.record(&moment(BEGIN_MS + at_ms, None, 50.0));
    }
    let history = timeline
        .history(span(BEGIN_MS, BEGIN_MS + HOUR_MS, 60))
        .unwrap();
    assert_eq!(history.at_ms, [BEGIN_MS, BEGIN_MS + 900_000]);
    let nothing = timeline.history(span(0, 5_000, 60)).unwrap();
    assert!(nothing.at_ms.is_empty() && nothing.series.duty.is_empty());
}

#[test]
fn any_span_fits_its_points() {
    let spans = [
        (0, 1),
        (BEGIN_MS, BEGIN_MS + 1),
        (BEGIN_MS - 1, BEGIN_MS + 1),
        (BEGIN_MS + 7, BEGIN_MS + 30 * 24 * HOUR_MS + 3),
        (0, 10_000_000_000_000),
    ];
    for (from_ms, to_ms) in spans {
        for points in [1, 2, 60, 1_500, 10_000] {
            for level in Level::ALL {
                let step_ms = fitting_step(span(from_ms, to_ms, points), level);
                let count = (to_ms - 1) / step_ms - from_ms / step_ms + 1;
                assert!(count <= i64::from(points), "{from_ms} {to_ms} {points}");
                assert_eq!(step_ms % level.step_ms(), 0);
            }
        }
    }
    for wrong in [
        span(5, 5, 10),
        span(-1, 5, 10),
        span(0, 5, 0),
        span(0, 5, 10_001),
        span(0, i64::MAX, 10),
    ] {
        assert_eq!(check(wrong).unwrap_err().code, Code::InvalidInput);
    }
}

#[test]
fn an_idle_machine_is_written_once_a_minute_and_a_busy_one_every_ten_seconds() {
    for (speed, batch) in [(None, 60), (Some(30.0), 10)] {
        let home = tempfile::tempdir().unwrap();
        let timeline = open(&home);
        let on_disk = || {
            let other = TimelineFile::open_read_only(&home.path().join("data/timeline.db"));
            let mut rows = 0;
            let read = other
                .unwrap()
                .points(Level::Second, 0, i64::MAX, |_, _| rows += 1);
            read.unwrap();
            rows
        };
        let record = |second: i64| {
            timeline.record(&moment(BEGIN_MS + second * 1_000, speed, 50.0));
        };
        (0..batch - 1).for_each(record);
        std::thread::sleep(std::time::Duration::from_millis(100));
        assert_eq!(on_disk(), 0, "{speed:?}");
        record(batch - 1);
        let begun = std::time::Instant::now();
        while on_disk() < batch {
            assert!(begun.elapsed().as_secs() < 10, "{speed:?}: {}", on_disk());
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

#[test]
fn sleep_is_written_at_once() {
    let home = tempfile::tempdir().unwrap();
    let timeline = open(&home);
    timeline.mark(Mark {
        at_ms: BEGIN_MS,
        what: Happening::Slept,
    });
    let begun = std::time::Instant::now();
    let on_disk = || {
        let other = TimelineFile::open_read_only(&home.path().join("data/timeline.db")).unwrap();
        other.marks(0, i64::MAX, 10).unwrap().len()
    };
    while on_disk() == 0 {
        assert!(begun.elapsed().as_secs() < 10);
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn a_second_process_reads_and_does_not_write() {
    let home = tempfile::tempdir().unwrap();
    let first = open(&home);
    first.record(&moment(BEGIN_MS, Some(40.0), 50.0));
    first.flush();
    let second = open(&home);
    second.record(&moment(BEGIN_MS + 1_000, Some(40.0), 50.0));
    second.flush();
    for timeline in [&first, &second] {
        let history = timeline
            .history(span(BEGIN_MS, BEGIN_MS + 5_000, 10))
            .unwrap();
        assert_eq!(history.at_ms, [BEGIN_MS]);
    }
}

#[test]
fn a_folder_that_cannot_be_used_leaves_the_memory() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(
        home.path().join("data"),
        "a file where the folder should be",
    )
    .unwrap();
    let timeline = open(&home);
    timeline.record(&moment(BEGIN_MS, Some(40.0), 50.0));
    timeline.flush();
    let history = timeline
        .history(span(BEGIN_MS, BEGIN_MS + 5_000, 10))
        .unwrap();
    assert_eq!(history.at_ms, [BEGIN_MS]);
}

#[test]
fn the_weightiest_marks_are_kept_when_there_are_too_many() {
    let home = tempfile::tempdir().unwrap();
    let timeline = open(&home);
    let limits = |at_ms| Mark {
        at_ms,
        what: Happening::Limits {
            decision: Decision {
                limits: Limits {
                    duty: 0.5,
                    ..Limits::default()
                },
                ..Decision::default()
            },
        },
    };
    let alert = Mark {
        at_ms: BEGIN_MS,
        what: Happening::Alert {
            alert: Alert::Disk { percent: 5.0 },
        },
    };
    timeline.mark(alert.clone());
    timeline.mark(limits(BEGIN_MS + 1));
    for n in 2..600 {
        timeline.mark(loaded(BEGIN_MS + n));
        if n == 300 {
            timeline.flush();
        }
    }
    let marks = timeline
        .history(span(BEGIN_MS, BEGIN_MS + 5_000, 10))
        .unwrap()
        .marks;
    assert_eq!(marks.len(), MAX_MARKS);
    let all = timeline.with_every_mark(span(BEGIN_MS, BEGIN_MS + 5_000, 10));
    assert_eq!(all.unwrap().marks.len(), 600);
    assert_eq!(marks[..2], [alert, limits(BEGIN_MS + 1)]);
    assert_eq!(marks[MAX_MARKS - 1], loaded(BEGIN_MS + 599));
    assert!(marks.is_sorted_by_key(|mark| mark.at_ms));
}
