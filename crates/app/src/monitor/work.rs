//! What the engines did in the last second, from the counters of their models.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::inference::Counts;
use crate::throttle::{Baselines, Load, Speed};
use crate::timeline::Work;

/// Over how many moments the part of prompts that had been read before is taken.
const CACHE_MOMENTS: usize = 60;
/// More tokens than this for each step and answer were guessed ahead: no speed to learn from.
const GUESSED: f64 = 1.3;

/// The counters of a second ago.
#[derive(Default)]
pub(super) struct Meter {
    last: BTreeMap<String, Counts>,
    /// Tokens of prompts, and those of them that had been read before, of the last moments.
    prompts: VecDeque<(u64, u64)>,
}

/// What one second was like.
#[derive(Default)]
pub(super) struct Second {
    pub(super) work: Work,
    /// Of the model that wrote most.
    pub(super) speed: Option<Speed>,
    pub(super) load: Option<Load>,
    /// Whether its speed says something about the machine: nothing was guessed ahead, and no answer began or ended in between.
    pub(super) is_plain: bool,
    /// How long the longest open answer has been going on.
    pub(super) longest: Option<Duration>,
}

/// What one model did in the second.
struct Share {
    model: String,
    tokens_per_second: f32,
    tokens: u64,
    load: Load,
    is_plain: bool,
    elsewhere: bool,
}

impl Meter {
    /// Takes the counters now. `waiting` are requests that no engine has yet.
    pub(super) fn second(
        &mut self,
        now: BTreeMap<String, Counts>,
        waiting: u32,
        cool: &Baselines,
    ) -> Second {
        let before = std::mem::replace(&mut self.last, now);
        let mut second = Second::default();
        let mut shares: Vec<Share> = Vec::new();
        let (mut prompts, mut cached) = (0, 0);
        for (model, now) in &self.last {
            let before = before.get(model).copied().unwrap_or_default();
            second.work.running += now.running;
            second.work.waiting += now.waiting;
            prompts += now.prompt_tokens - before.prompt_tokens;
            cached += now.cached_tokens - before.cached_tokens;
            if now.first_tokens > before.first_tokens {
                second.work.ttft_ms = Some(now.ttft_us as f32 / 1000.0);
            }
            second.longest = second.longest.max(now.longest);
            shares.extend(share(model, &before, now));
        }
        second.work.waiting += waiting;
        second.work.cache_hits = self.cache_hits(prompts, cached);
        let all: f32 = shares.iter().map(|share| share.tokens_per_second).sum();
        let alone = shares.len() == 1;
        if let Some(most) = shares.into_iter().max_by_key(|share| share.tokens) {
            second.work.tokens_per_second = Some(all);
            // How fast another program is depends on what that program does.
            if !most.elsewhere {
                let cool = cool.cool(&most.model, most.load);
                second.work.cool_tokens_per_second = cool;
                second.speed = Some(Speed {
                    model: most.model.clone(),
                    tokens_per_second: most.tokens_per_second,
                    // Models that write at the same time slow each other.
                    cool: cool.filter(|_| alone),
                });
                second.load = Some(most.load);
                second.is_plain = most.is_plain && alone;
            }
            second.work.model = Some(most.model);
        }
        second
    }

    fn cache_hits(&mut self, prompts: u64, cached: u64) -> Option<f32> {
        if self.prompts.len() == CACHE_MOMENTS {
            self.prompts.pop_front();
        }
        self.prompts.push_back((prompts, cached));
        let (read, had) = self
            .prompts
            .iter()
            .fold((0, 0), |(read, had), (p, c)| (read + p, had + c));
        (read > 0).then(|| (had as f64 / read as f64) as f32)
    }
}

/// The speed of a model that wrote, or still writes. The time between tokens counts, not the second: what began or ended in the middle
/// of it is not slower for that.
fn share(model: &str, before: &Counts, now: &Counts) -> Option<Share> {
    let tokens = now.gaps - before.gaps;
    let tokens_per_second = if tokens > 0 {
        let us = (now.gap_us - before.gap_us).max(1);
        tokens as f64 * 1e6 / us as f64
    } else {
        // So slow that no token came: no faster than one in all that time.
        let silent = now
            .silent
            .filter(|silent| *silent >= Duration::from_millis(500))?;
        1.0 / silent.as_secs_f64()
    };
    let steps = (now.steps - before.steps).max(1);
    let each = tokens as f64 / (steps as f64 * f64::from(now.writing.max(1)));
    Some(Share {
        model: model.to_owned(),
        tokens_per_second: tokens_per_second as f32,
        tokens,
        load: Load::new(now.writing, now.depth),
        elsewhere: now.elsewhere,
        is_plain: tokens > 0
            && each <= GUESSED
            && now.writing > 0
            && now.writing == before.writing
            && now.first_tokens == before.first_tokens
            && now.prompt_tokens == before.prompt_tokens,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(gaps: u64, gap_ms: u64) -> Counts {
        Counts {
            gaps,
            gap_us: gap_ms * 1000,
            steps: gaps,
            silent: Some(Duration::from_millis(10)),
            writing: 1,
            running: 1,
            depth: 100,
            ..Counts::default()
        }
    }

    fn step(meter: &mut Meter, models: &[(&str, Counts)]) -> Second {
        let now = models.iter().map(|(name, c)| ((*name).to_owned(), *c));
        meter.second(now.collect(), 2, &Baselines::default())
    }

    #[test]
    fn speed_is_exact_although_the_answer_began_in_the_middle_of_the_second() {
        let mut meter = Meter::default();
        let first = step(&mut meter, &[("m", counts(10, 250))]);
        assert_eq!(first.work.tokens_per_second, Some(40.0));
        assert_eq!((first.work.running, first.work.waiting), (1, 2));
        assert_eq!(first.work.model.as_deref(), Some("m"));
        assert!(!first.is_plain, "it began in this second");
        let second = step(&mut meter, &[("m", counts(50, 1250))]);
        assert_eq!(second.work.tokens_per_second, Some(40.0));
        assert!(second.is_plain);
        let over = Counts {
            writing: 0,
            running: 0,
            silent: None,
            ..counts(50, 1250)
        };
        let third = step(&mut meter, &[("m", over)]);
        assert_eq!(
            (third.work.tokens_per_second, third.work.running),
            (None, 0)
        );
    }

    #[test]
    fn an_answer_that_crawls_is_slow_and_not_absent() {
        let mut meter = Meter::default();
        step(&mut meter, &[("m", counts(10, 250))]);
        let crawls = Counts {
            silent: Some(Duration::from_secs(4)),
            ..counts(10, 250)
        };
        let second = step(&mut meter, &[("m", crawls)]);
        assert_eq!(second.work.tokens_per_second, Some(0.25));
        assert!(!second.is_plain);
    }

    #[test]
    fn two_models_are_counted_together_and_not_judged() {
        let mut meter = Meter::default();
        step(&mut meter, &[("a", counts(0, 0)), ("b", counts(0, 0))]);
        let both = [("a", counts(10, 1000)), ("b", counts(30, 1000))];
        let second = step(&mut meter, &both);
        assert_eq!(second.work.tokens_per_second, Some(40.0));
        assert_eq!(second.work.model.as_deref(), Some("b"));
        assert!(!second.is_plain);
    }

    #[test]
    fn another_programs_speed_is_shown_and_never_judged() {
        let mut meter = Meter::default();
        let elsewhere = |gaps, ms| Counts {
            elsewhere: true,
            ..counts(gaps, ms)
        };
        step(&mut meter, &[("m@ollama", elsewhere(10, 250))]);
        let second = step(&mut meter, &[("m@ollama", elsewhere(50, 1250))]);
        assert_eq!(second.work.tokens_per_second, Some(40.0));
        assert_eq!(second.work.model.as_deref(), Some("m@ollama"));
        assert!(second.speed.is_none() && second.load.is_none() && !second.is_plain);
    }

    #[test]
    fn guessed_tokens_are_no_speed_to_learn_from() {
        let mut meter = Meter::default();
        step(&mut meter, &[("m", counts(0, 0))]);
        let guessed = Counts {
            steps: 20,
            ..counts(60, 1000)
        };
        assert!(!step(&mut meter, &[("m", guessed)]).is_plain);
    }

    #[test]
    fn the_part_that_had_been_read_is_that_of_a_minute() {
        let mut meter = Meter::default();
        assert_eq!(step(&mut meter, &[]).work.cache_hits, None);
        let read = |prompt_tokens, cached_tokens| Counts {
            prompt_tokens,
            cached_tokens,
            ..Counts::default()
        };
        let hits = |second: Second| second.work.cache_hits;
        assert_eq!(hits(step(&mut meter, &[("m", read(100, 50))])), Some(0.5));
        assert_eq!(hits(step(&mut meter, &[("m", read(200, 150))])), Some(0.75));
        let later = (0..60).map(|_| hits(step(&mut meter, &[("m", read(200, 150))])));
        assert_eq!(later.last(), Some(None));
    }
}
