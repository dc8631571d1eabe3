//! The last hour in memory: what the Monitor shows when there is no time line on the disk.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Span;
use crate::timeline::{History, Mark, Moment, Series};

/// Moments that are kept: an hour of them.
const MOMENTS: usize = 3600;
/// Marks that are kept.
const MARKS: usize = 1000;

/// The last moments and marks, the oldest first.
#[derive(Default)]
pub(super) struct Recent {
    moments: VecDeque<Arc<Moment>>,
    marks: VecDeque<Mark>,
}

impl Recent {
    pub(super) fn record(&mut self, moment: Arc<Moment>) {
        if self.moments.len() == MOMENTS {
            self.moments.pop_front();
        }
        self.moments.push_back(moment);
    }

    pub(super) fn mark(&mut self, mark: Mark) {
        if self.marks.len() == MARKS {
            self.marks.pop_front();
        }
        self.marks.push_back(mark);
    }

    /// A stretch with at most as many points as asked for; what falls into one point is averaged.
    pub(super) fn history(&self, span: Span) -> History {
        let length = (i128::from(span.to_ms) - i128::from(span.from_ms)).max(1);
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        let points = i64::from(span.points.clamp(1, 10_000));
        let step_ms = (length / points + i64::from(length % points > 0)).max(1000);
        let inside = |at: i64| (span.from_ms..span.to_ms).contains(&at);
        let mut history = History {
            from_ms: span.from_ms,
            to_ms: span.to_ms,
            step_ms: u32::try_from(step_ms).unwrap_or(u32::MAX),
            ..History::default()
        };
        let marks = self.marks.iter().filter(|mark| inside(mark.at_ms));
        history.marks = marks.cloned().collect();
        // In the next larger numbers, because any span may be asked for.
        let point = |moment: &Moment| {
            let into = i128::from(moment.reading.at_ms) - i128::from(span.from_ms);
            into.div_euclid(i128::from(step_ms))
        };
        let begin = |moment: &Moment| {
            let at = i128::from(span.from_ms) + point(moment) * i128::from(step_ms);
            i64::try_from(at).unwrap_or(span.from_ms)
        };
        let within: Vec<&Moment> = self
            .moments
            .iter()
            .map(AsRef::as_ref)
            .filter(|moment| inside(moment.reading.at_ms))
            .collect();
        for together in within.chunk_by(|a, b| point(a) == point(b)) {
            let Some(first) = together.first() else {
                continue;
            };
            history.at_ms.push(begin(first));
            push(&mut history.series, together);
        }
        history
    }
}

/// Adds one point.
fn push(series: &mut Series, moments: &[&Moment]) {
    let mean = |of: &dyn Fn(&Moment) -> Option<f32>| {
        let present: Vec<f32> = moments.iter().filter_map(|moment| of(moment)).collect();
        let sum: f32 = present.iter().sum();
        (!present.is_empty()).then(|| sum / present.len() as f32)
    };
    let memory = |of: fn(&crate::hardware::Memory) -> u64| {
        mean(&move |m: &Moment| m.reading.memory.as_ref().map(|memory| of(memory) as f32))
    };
    series
        .tokens_per_second
        .push(mean(&|m| m.work.tokens_per_second));
    series
        .cool_tokens_per_second
        .push(mean(&|m| m.work.cool_tokens_per_second));
    series.ttft_ms.push(mean(&|m| m.work.ttft_ms));
    series.running.push(mean(&|m| Some(m.work.running as f32)));
    series.waiting.push(mean(&|m| Some(m.work.waiting as f32)));
    series.system_watts.push(mean(&|m| m.reading.system_watts));
    series.cpu_watts.push(mean(&|m| m.reading.cpu_watts));
    series.gpu_watts.push(mean(&|m| m.reading.gpu_watts));
    series.cpu_celsius.push(mean(&|m| m.reading.cpu_celsius));
    series.gpu_celsius.push(mean(&|m| m.reading.gpu_celsius));
    series.cpu_usage.push(mean(&|m| m.reading.cpu_usage));
    series.gpu_usage.push(mean(&|m| m.reading.gpu_usage));
    series
        .memory_used_bytes
        .push(memory(|memory| memory.used_bytes));
    series
        .swap_used_bytes
        .push(memory(|memory| memory.swap_used_bytes));
    series
        .thermal
        .push(mean(&|m| m.reading.thermal.map(|t| f32::from(t as u8))));
    series
        .pressure
        .push(mean(&|m| m.reading.pressure.map(|p| f32::from(p as u8))));
    series
        .battery_percent
        .push(mean(&|m| m.reading.battery.map(|b| b.percent)));
    series.duty.push(mean(&|m| Some(m.decision.limits.duty)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::Reading;
    use crate::timeline::{Happening, Work};

    fn moment(second: i64, speed: Option<f32>) -> Arc<Moment> {
        Arc::new(Moment {
            reading: Reading {
                at_ms: second * 1000,
                ..Reading::default()
            },
            work: Work {
                tokens_per_second: speed,
                ..Work::default()
            },
            ..Moment::default()
        })
    }

    fn span(from_s: i64, to_s: i64, points: u32) -> Span {
        Span {
            from_ms: from_s * 1000,
            to_ms: to_s * 1000,
            points,
        }
    }

    #[test]
    fn a_stretch_is_averaged_into_the_points_that_are_asked_for() {
        let mut recent = Recent::default();
        for second in 0..100 {
            let speed = (second < 50).then_some(second as f32);
            recent.record(moment(second, speed));
        }
        recent.mark(Mark {
            at_ms: 30_000,
            what: Happening::Started,
        });
        let all = recent.history(span(0, 100, 100));
        assert_eq!((all.at_ms.len(), all.step_ms), (100, 1000));
        let coarse = recent.history(span(0, 100, 10));
        assert_eq!((coarse.at_ms.len(), coarse.step_ms), (10, 10_000));
        assert_eq!(coarse.series.tokens_per_second[0], Some(4.5));
        assert_eq!(coarse.series.tokens_per_second[9], None);
        assert_eq!(coarse.series.duty[9], Some(1.0));
        assert_eq!(coarse.marks.len(), 1);
        assert!(recent.history(span(31, 60, 10)).marks.is_empty());
        assert!(recent.history(span(200, 100, 10)).at_ms.is_empty());
        for from_ms in [i64::MIN, 0] {
            let ever = recent.history(Span {
                from_ms,
                to_ms: i64::MAX,
                points: 1,
            });
            assert_eq!(ever.at_ms.len(), 1);
        }
    }

    #[test]
    fn it_keeps_an_hour() {
        let mut recent = Recent::default();
        (0..4000).for_each(|second| recent.record(moment(second, None)));
        let all = recent.history(span(0, 4000, 10_000));
        assert_eq!(all.at_ms.len(), MOMENTS);
        assert_eq!(all.at_ms[0], 400_000);
    }
}
