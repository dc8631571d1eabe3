//! The time line's file: what is kept at which level, that it does not grow, and what damage and wrong clocks do to it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hearth_store::timeline::MAX_MARKS;
use hearth_store::{Error, Level, MarkRow, PointRow, TimelineFile};
use proptest::prelude::*;

use super::{Dice, fast_folder};

/// Some morning in 2026, at the begin of a minute.
const BEGIN_MS: i64 = 1_790_000_040_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Points of these tests are sums: whatever was put in must come out once.
fn sum(a: &[u8], b: &[u8]) -> Vec<u8> {
    (number(a) + number(b)).to_le_bytes().to_vec()
}

fn number(data: &[u8]) -> u64 {
    u64::from_le_bytes(data.try_into().unwrap())
}

fn point(at_ms: i64, value: u64) -> PointRow {
    PointRow {
        at_ms,
        data: value.to_le_bytes().to_vec(),
    }
}

fn mark(at_ms: i64, kind: &str, weight: u8) -> MarkRow {
    MarkRow {
        at_ms,
        kind: kind.into(),
        weight,
        what: format!("{kind} at {at_ms}"),
    }
}

fn open(folder: &Path) -> TimelineFile {
    TimelineFile::open(&folder.join("timeline.db")).unwrap()
}

fn all(file: &TimelineFile, level: Level) -> BTreeMap<i64, u64> {
    let mut rows = BTreeMap::new();
    let everything = file.points(level, i64::MIN, i64::MAX, |at_ms, data| {
        rows.insert(at_ms, number(data));
    });
    everything.unwrap();
    rows
}

/// Writes a point every `step_ms` within a stretch, a minute a batch.
fn fill(file: &TimelineFile, from_ms: i64, to_ms: i64, step_ms: i64) {
    let times: Vec<i64> = (from_ms..to_ms).step_by(step_ms as usize).collect();
    for batch in times.chunks(60) {
        let points: Vec<PointRow> = batch.iter().map(|at_ms| point(*at_ms, 1)).collect();
        file.add(&points, &[], batch[batch.len() - 1], sum).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Uneven steps, several points in one second, gaps, batches of any size.
    #[test]
    fn every_level_has_every_point_once(
        steps in proptest::collection::vec((0..20_000_i64, 1..1000_u64), 1..200),
        batch in 1..40_usize,
    ) {
        let file = TimelineFile::in_memory().unwrap();
        let mut now = BEGIN_MS;
        let mut points = Vec::new();
        for (step, value) in steps {
            // Now and then nothing is recorded for half an hour.
            now += if step < 200 { HOUR_MS / 2 } else { step };
            points.push(point(now, value));
        }
        for batch in points.chunks(batch) {
            file.add(batch, &[], batch[batch.len() - 1].at_ms, sum).unwrap();
        }
        for level in Level::ALL {
            let mut expected: BTreeMap<i64, u64> = BTreeMap::new();
            for point in &points {
                let begin = point.at_ms - point.at_ms % level.step_ms();
                *expected.entry(begin).or_default() += number(&point.data);
            }
            let kept_from = now - level.keep_ms();
            expected.retain(|begin, _| *begin >= kept_from);
            let mut found = all(&file, level);
            // What is too old may still be there for a while.
            found.retain(|begin, _| *begin >= kept_from);
            prop_assert_eq!(found, expected, "{:?}", level);
        }
    }
}

#[test]
fn sixty_days_take_no_more_room_than_thirty() {
    let folder = fast_folder();
    let file = open(folder.path());
    let path = folder.path().join("timeline.db");
    let size = || fs::metadata(&path).unwrap().len();
    let mut after = Vec::new();
    let mut begin = BEGIN_MS;
    for days in [31, 31] {
        let end = begin + days * DAY_MS;
        // Every level is full at the end, without five million points.
        fill(&file, begin, end - 2 * DAY_MS, 60_000);
        fill(&file, end - 2 * DAY_MS, end - 2 * HOUR_MS, 10_000);
        fill(&file, end - 2 * HOUR_MS, end, 1_000);
        for level in Level::ALL {
            let most = level.keep_ms() / level.step_ms() + 2;
            let rows = all(&file, level).len() as i64;
            assert!(
                (most - 5..=most).contains(&rows),
                "{level:?}: {rows} rows, {most} at most"
            );
        }
        after.push(size());
        begin = end;
    }
    assert!(after[1] <= after[0] + after[0] / 20, "{after:?}");
    let log = fs::metadata(folder.path().join("timeline.db-wal")).unwrap();
    assert!(log.len() < 4 << 20, "the log has {} bytes", log.len());
}

#[test]
fn marks_are_the_newest_and_the_heaviest() {
    let file = TimelineFile::in_memory().unwrap();
    let many: Vec<MarkRow> = (0..MAX_MARKS + 50)
        .map(|n| mark(BEGIN_MS + n, "loaded", u8::from(n % 1000 == 999)))
        .collect();
    for some in many.chunks(5_000) {
        file.add(&[], some, BEGIN_MS, sum).unwrap();
    }
    let kept = file.marks(i64::MIN, i64::MAX, u32::MAX).unwrap();
    assert_eq!(kept, many[50..]);
    let heavy = file.marks(BEGIN_MS, BEGIN_MS + 10_000, 12).unwrap();
    assert_eq!(heavy.iter().filter(|mark| mark.weight == 1).count(), 10);
    assert!(heavy.is_sorted_by_key(|mark| mark.at_ms));
    // After a month they go, a few whenever others come.
    let late = BEGIN_MS + 31 * DAY_MS;
    file.add(&[], &[mark(late, "started", 2)], late, sum)
        .unwrap();
    let left = file.marks(i64::MIN, i64::MAX, u32::MAX).unwrap();
    assert_eq!(left[0], many[54], "one new mark deletes four old ones");
}

#[test]
fn the_last_mark_of_a_kind() {
    let file = TimelineFile::in_memory().unwrap();
    let marks = [
        mark(BEGIN_MS, "started", 2),
        mark(BEGIN_MS + 5_000, "limits", 3),
        mark(BEGIN_MS + 6_000, "loaded", 1),
        mark(BEGIN_MS + 9_000, "limits", 3),
    ];
    file.add(&[], &marks, BEGIN_MS, sum).unwrap();
    let last = |at_ms| file.last_mark(["limits", "started"], at_ms).unwrap();
    assert_eq!(last(BEGIN_MS - 1), None);
    assert_eq!(last(BEGIN_MS + 4_999).as_ref(), Some(&marks[0]));
    assert_eq!(last(BEGIN_MS + 8_999).as_ref(), Some(&marks[1]));
    assert_eq!(last(BEGIN_MS + 9_000).as_ref(), Some(&marks[3]));
}

#[test]
fn a_clock_that_is_wrong_for_a_while_costs_little() {
    for wrong_by in [365 * DAY_MS, -25 * 365 * DAY_MS] {
        let file = TimelineFile::in_memory().unwrap();
        let end = BEGIN_MS + 20 * DAY_MS;
        fill(&file, BEGIN_MS, end, 60_000);
        let before = all(&file, Level::Minute).len();
        fill(&file, end + wrong_by, end + wrong_by + HOUR_MS, 60_000);
        let right_again = end + HOUR_MS;
        fill(&file, right_again, right_again + 4 * HOUR_MS, 60_000);
        let rows = all(&file, Level::Minute);
        let good = rows.range(BEGIN_MS..=right_again + DAY_MS).count();
        assert!(good >= before - 120 + 240, "{good} of {before}");
        assert_eq!(rows.len(), good, "what was recorded under it is gone");
    }
}

#[test]
fn a_clock_that_is_set_back_lives_the_time_twice() {
    let file = TimelineFile::in_memory().unwrap();
    fill(&file, BEGIN_MS, BEGIN_MS + 600_000, 1_000);
    fill(&file, BEGIN_MS + 300_000, BEGIN_MS + 900_000, 1_000);
    let seconds = all(&file, Level::Second);
    assert!(seconds.len() <= 900 && seconds.len() > 500);
    assert_eq!(all(&file, Level::Minute)[&(BEGIN_MS + 300_000)], 120);
}

#[test]
fn what_was_written_survives_a_program_that_does_not_close() {
    let folder = fast_folder();
    let file = open(folder.path());
    fill(&file, BEGIN_MS, BEGIN_MS + 60_000, 1_000);
    std::mem::forget(file);
    assert_eq!(all(&open(folder.path()), Level::Second).len(), 60);
    let other = TimelineFile::open_read_only(&folder.path().join("timeline.db")).unwrap();
    assert_eq!(all(&other, Level::Second).len(), 60);
}

#[test]
fn a_damaged_file_is_set_aside_and_begun_anew() {
    let folder = fast_folder();
    let path = folder.path().join("timeline.db");
    let file = open(folder.path());
    fill(&file, BEGIN_MS, BEGIN_MS + HOUR_MS, 1_000);
    drop(file);
    let sound = fs::read(&path).unwrap();
    let mut flipped = sound.clone();
    let mut dice = Dice(7);
    for _ in 0..400 {
        let at = dice.below(flipped.len());
        flipped[at] ^= 0x5a;
    }
    let mut version = sound.clone();
    version[60..64].copy_from_slice(&[0xff; 4]);
    for damaged in [
        &sound[..sound.len() / 3],
        b"not a database",
        &flipped,
        &version,
    ] {
        fs::write(&path, damaged).unwrap();
        let file = open(folder.path());
        assert_eq!(all(&file, Level::Second).len(), 0);
        fill(&file, BEGIN_MS, BEGIN_MS + 60_000, 1_000);
        assert_eq!(all(&file, Level::Second).len(), 60);
        drop(file);
        assert_eq!(
            fs::metadata(folder.path().join("timeline.db.damaged"))
                .unwrap()
                .len(),
            damaged.len() as u64,
            "the last one is kept"
        );
    }
    let names = fs::read_dir(folder.path()).unwrap();
    assert_eq!(names.count(), 2, "one damaged file, one sound one");
}

#[test]
fn damage_under_an_open_file_is_found_and_left_behind() {
    let folder = fast_folder();
    let path = folder.path().join("timeline.db");
    let file = open(folder.path());
    // More than SQLite keeps in memory.
    let fat = |at_ms| PointRow {
        at_ms,
        data: vec![1; 1_000],
    };
    for minute in 0..8_000 {
        let at_ms = BEGIN_MS + minute * 60_000;
        file.add(&[fat(at_ms)], &[], at_ms, |_, new| new.to_vec())
            .unwrap();
    }
    drop(file);
    let file = open(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    let begin = bytes.len() / 4;
    bytes[begin..].fill(0xa5);
    fs::write(&path, &bytes).unwrap();
    let read = || file.points(Level::Minute, i64::MIN, i64::MAX, |_, _| {});
    assert!(matches!(read(), Err(Error::Corrupt { .. })));
    read().unwrap();
    fill(&file, BEGIN_MS, BEGIN_MS + 60_000, 1_000);
    drop(file);
    assert_eq!(all(&open(folder.path()), Level::Second).len(), 60);
}

#[test]
fn a_newer_file_stays_as_it_is() {
    let folder = fast_folder();
    let path = folder.path().join("timeline.db");
    drop(open(folder.path()));
    let mut bytes = fs::read(&path).unwrap();
    bytes[60..64].copy_from_slice(&9_u32.to_be_bytes());
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(
        TimelineFile::open(&path),
        Err(Error::Newer { found: 9, .. })
    ));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}
