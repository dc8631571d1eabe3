//! How busy the processor is with the work of other programs: what makes a model slow without any heat.
//!
//! Engines say once a second what they have used of it; the rest is others'. It must not decide what follows.

use std::collections::BTreeMap;

/// So much of the processor used by others makes our models slower, as a part of it.
const BUSY: f32 = 0.25;
/// Weight of the newest second: engines and sensors report at moments of their own.
const NEWEST: f32 = 0.3;

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    /// Processor time of each engine's process in milliseconds.
    clocks: BTreeMap<u64, u64>,
    /// Parts of the processor, 0 to 1, smoothed.
    all: Option<f32>,
    ours: f32,
}

impl Elsewhere {
    /// Takes a second: the part of the processor that is used, and the clocks of the engines. Where engines have none, `guess` is the part
    /// that they use.
    pub(super) fn second(
        &mut self,
        usage: Option<f32>,
        clocks: BTreeMap<u64, u64>,
        guess: f32,
        (seconds, cores): (f32, u32),
    ) {
        let before = std::mem::replace(&mut self.clocks, clocks);
        let Some(usage) = usage else {
            self.all = None;
            return;
        };
        let used_ms: u64 = self
            .clocks
            .iter()
            .map(|(engine, now)| {
                // A process that began anew counts from 0.
                let then = before.get(engine).copied().filter(|then| then <= now);
                now - then.unwrap_or_default()
            })
            .sum();
        let ours = if self.clocks.is_empty() {
            guess
        } else {
            used_ms as f32 / (1000.0 * seconds.max(0.1) * cores.max(1) as f32)
        };
        let smooth = |old: f32, new: f32| old + NEWEST * (new - old);
        self.ours = if self.all.is_some() {
            smooth(self.ours, ours)
        } else {
            ours
        };
        self.all = Some(self.all.map_or(usage, |all| smooth(all, usage)));
    }

    /// Whether others use enough of it to explain a slow model.
    pub(super) fn is_busy(&self) -> bool {
        self.all.is_some_and(|all| all - self.ours > BUSY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten seconds on four cores, on each of which our engine used so many milliseconds.
    fn seen(usage: f32, used_ms: u64) -> Elsewhere {
        let mut elsewhere = Elsewhere::default();
        for second in 0..10 {
            let clocks = BTreeMap::from([(1, second * used_ms)]);
            elsewhere.second(Some(usage), clocks, 0.0, (1.0, 4));
        }
        elsewhere
    }

    #[test]
    fn what_our_engines_use_is_not_held_against_others() {
        assert!(!seen(1.0, 4000).is_busy(), "all of it is ours");
        assert!(
            seen(1.0, 2000).is_busy(),
            "half of a full processor is others'"
        );
        assert!(!seen(0.6, 2000).is_busy());
        assert!(!seen(0.2, 0).is_busy());
        assert!(seen(0.9, 0).is_busy());
    }

    #[test]
    fn beats_that_come_late_and_processes_that_begin_anew_are_smoothed_out() {
        let mut elsewhere = seen(1.0, 4000);
        // One beat is missing, the next brings both.
        for clock in [36_000, 44_000, 48_000] {
            elsewhere.second(Some(1.0), BTreeMap::from([(1, clock)]), 0.0, (1.0, 4));
        }
        assert!(!elsewhere.is_busy());
        elsewhere.second(Some(1.0), BTreeMap::from([(1, 4000)]), 0.0, (1.0, 4));
        assert!(!elsewhere.is_busy());
    }

    #[test]
    fn without_clocks_the_guess_counts_and_without_a_figure_nothing_does() {
        let mut elsewhere = Elsewhere::default();
        elsewhere.second(Some(0.9), BTreeMap::new(), 0.5, (1.0, 4));
        assert!(elsewhere.is_busy());
        elsewhere.second(None, BTreeMap::new(), 0.5, (1.0, 4));
        assert!(!elsewhere.is_busy());
    }
}
