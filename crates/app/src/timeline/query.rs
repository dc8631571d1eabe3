//! A stretch of the time line in as many points as a view can draw.

use std::collections::BTreeMap;

use hearth_store::{Error as StoreError, Level, TimelineFile};

use super::keep::{Timeline, Unwritten, of_row, weight};
use super::point::Point;
use super::{History, Mark, Series};
use crate::error::{Code, Error, Result};
use crate::monitor::Span;

/// Most points of a stretch.
const MAX_POINTS: u32 = 10_000;
/// Most marks of a stretch; the weightiest.
const MAX_MARKS: usize = 200;
/// More than are kept.
const EVERY_MARK: usize = 100_000;
/// Seconds that a point may stand for, so that the axis has plain numbers; above these, whole days.
const STEPS_S: [i64; 20] = [
    1, 2, 3, 5, 10, 20, 30, 60, 120, 180, 300, 600, 900, 1_200, 1_800, 3_600, 7_200, 14_400,
    28_800, 43_200,
];
const DAY_MS: i64 = 86_400_000;
/// Latest time that can be asked for, in the year 2286: far beyond it, times cannot be added up.
pub(super) const LAST_MS: i64 = 10_000_000_000_000;

impl Timeline {
    /// A stretch of the time line; blocks on the disk.
    ///
    /// # Errors
    /// When the span has no length, or no points or too many, or the file cannot be read.
    pub fn history(&self, span: Span) -> Result<History> {
        self.stretch(span, MAX_MARKS)
    }

    /// Like [`Timeline::history`], with every mark: for exports, which nobody draws.
    pub(super) fn with_every_mark(&self, span: Span) -> Result<History> {
        self.stretch(span, EVERY_MARK)
    }

    fn stretch(&self, span: Span, most_marks: usize) -> Result<History> {
        check(span)?;
        let gathered = || {
            self.kept
                .whole(|file, unwritten| gather(file, unwritten, span, most_marks))
        };
        match gathered() {
            // The damaged file was set aside when the damage was found.
            Err(StoreError::Corrupt { .. }) => Ok(gathered()?),
            done => Ok(done?),
        }
    }
}

fn check(span: Span) -> Result<()> {
    let wrong = |what: &str| Err(Error::new(Code::InvalidInput, what));
    if span.from_ms < 0 || span.from_ms >= span.to_ms {
        return wrong("The stretch of time must begin before it ends, and after 1970.");
    }
    if span.to_ms > LAST_MS {
        return wrong("The stretch of time must end before the year 2286.");
    }
    if !(1..=MAX_POINTS).contains(&span.points) {
        return wrong("A stretch of time has 1 to 10,000 points.");
    }
    Ok(())
}

fn gather(
    file: &TimelineFile,
    unwritten: &Unwritten,
    span: Span,
    most_marks: usize,
) -> hearth_store::Result<History> {
    let mut oldest = [None; Level::ALL.len()];
    for (oldest, level) in oldest.iter_mut().zip(Level::ALL) {
        *oldest = file.oldest(level)?;
    }
    let (level, step_ms) = choose(span, oldest);
    let mut points: BTreeMap<i64, Point> = BTreeMap::new();
    let (mut begin, mut point) = (i64::MIN, Point::default());
    // A level's point may begin before the stretch and reach into it.
    let from_ms = span.from_ms - span.from_ms % level.step_ms();
    file.points(level, from_ms, span.to_ms, |at_ms, bytes| {
        let next = at_ms - at_ms % step_ms;
        if next != begin {
            keep(&mut points, begin, std::mem::take(&mut point));
            begin = next;
        }
        point.add_bytes(bytes);
    })?;
    keep(&mut points, begin, point);
    for (at_ms, point) in &unwritten.points {
        if (from_ms..span.to_ms).contains(at_ms) {
            points
                .entry(at_ms - at_ms % step_ms)
                .or_default()
                .add(point);
        }
    }
    let mut series = Series::default();
    for point in points.values() {
        point.push_to(&mut series);
    }
    Ok(History {
        from_ms: span.from_ms,
        to_ms: span.to_ms,
        step_ms: u32::try_from(step_ms).unwrap_or(u32::MAX),
        at_ms: points.into_keys().collect(),
        series,
        marks: marks(file, unwritten, span.from_ms, span.to_ms, most_marks)?,
    })
}

fn keep(points: &mut BTreeMap<i64, Point>, begin: i64, point: Point) {
    if begin != i64::MIN {
        points.insert(begin, point);
    }
}

/// The weightiest marks within a stretch, in the order of their time.
pub(super) fn marks(
    file: &TimelineFile,
    unwritten: &Unwritten,
    from_ms: i64,
    to_ms: i64,
    most: usize,
) -> hearth_store::Result<Vec<Mark>> {
    let limit = u32::try_from(most).unwrap_or(u32::MAX);
    let rows = file.marks(from_ms, to_ms, limit)?;
    let fresh = unwritten.marks.iter();
    let fresh = fresh.filter(|mark| (from_ms..to_ms).contains(&mark.at_ms));
    let mut marks: Vec<Mark> = rows
        .iter()
        .filter_map(of_row)
        .chain(fresh.cloned())
        .collect();
    if marks.len() > most {
        marks.sort_by_key(|mark| std::cmp::Reverse((weight(&mark.what), mark.at_ms)));
        marks.truncate(most);
    }
    marks.sort_by_key(|mark| mark.at_ms);
    Ok(marks)
}

/// Which level is read, and how much time a point stands for: as fine as the number of points allows, and as coarse as it must be for
/// the begin of the stretch to be there. `oldest` is where each level begins.
fn choose(span: Span, oldest: [Option<i64>; Level::ALL.len()]) -> (Level, i64) {
    let mut step_ms = fitting_step(span, Level::Second);
    let mut level = coarsest(step_ms);
    for (coarser, begins) in Level::ALL.into_iter().zip(oldest) {
        let Some(begins) = begins.filter(|_| coarser > level) else {
            continue;
        };
        let begin = oldest[level as usize].unwrap_or(i64::MAX);
        let misses = begin > span.from_ms;
        // Its first point may begin earlier just because it is longer.
        let reaches_back = begins < begin - begin.rem_euclid(coarser.step_ms());
        if misses && reaches_back {
            step_ms = fitting_step(span, coarser);
            level = coarsest(step_ms);
        }
    }
    (level, step_ms)
}

/// The coarsest level of which a whole number of points makes one of `step_ms`: every level is complete, so the fewest rows are best.
fn coarsest(step_ms: i64) -> Level {
    let fitting = |level: &Level| step_ms % level.step_ms() == 0;
    let mut levels = Level::ALL.into_iter().rev();
    levels.find(fitting).unwrap_or(Level::Second)
}

/// The shortest step that leaves at most the points that are wanted, in whole points of a level.
fn fitting_step(span: Span, level: Level) -> i64 {
    let fits = |step_ms: &i64| {
        let last = (span.to_ms - 1) / step_ms;
        step_ms % level.step_ms() == 0 && last - span.from_ms / step_ms < i64::from(span.points)
    };
    let plain = STEPS_S.into_iter().map(|seconds| seconds * 1_000);
    // In at most 2^21 days every time of the span is in one point.
    let days = (0..=21).map(|doubled| DAY_MS << doubled);
    plain.chain(days).find(fits).unwrap_or(DAY_MS << 21)
}

#[cfg(test)]
mod tests;
