//! Prompts that are read aside, in simulated time.

use super::{Costs, TOKEN_MS, alone, hash, request, simulate};
use crate::backend::{Aside, Computed, Reading, Reuse, Token};
use crate::scheduler::Work;
use crate::{Limits, Priority};

/// Milliseconds that what reads aside gets between two steps.
const ASIDE_MS: f64 = 60.0;

/// Reads a prompt in the time that passes between two looks at it.
#[derive(Default)]
pub(super) struct SideReader {
    tokens: Vec<Token>,
    /// Of the last one that is computed, and of those before.
    hashes: Vec<u64>,
    reading: bool,
    stopped: bool,
    pub(super) passed_ms: f64,
    /// How often it ended, and with how many tokens in all.
    ended: usize,
    computed: usize,
}

impl Aside for SideReader {
    fn worth_tokens(&self) -> usize {
        30
    }

    fn most_tokens(&self) -> usize {
        400
    }

    fn start(&mut self, tokens: Vec<Token>, begin: Option<Computed>) -> bool {
        assert!(!self.reading, "one at a time");
        assert!(tokens.iter().all(|token| *token >= 0), "a picture");
        let state = begin.map(|begin| begin.state).unwrap_or_default();
        let (hashes, _) = state.as_chunks::<8>();
        self.hashes = hashes.iter().map(|h| u64::from_le_bytes(*h)).collect();
        (self.tokens, self.reading, self.stopped) = (tokens, true, false);
        true
    }

    fn poll(&mut self) -> Reading {
        if !self.reading {
            return Reading::Ended(None);
        }
        self.passed_ms += ASIDE_MS;
        for _ in 0..(ASIDE_MS / TOKEN_MS) as usize {
            let next = self.tokens.get(self.hashes.len()).filter(|_| !self.stopped);
            let Some(token) = next else { break };
            let before = self.hashes.last().copied().unwrap_or(17);
            self.hashes.push(hash(before, *token));
            self.computed += 1;
        }
        let length = self.hashes.len();
        if length < self.tokens.len() && !self.stopped {
            return Reading::On(length);
        }
        (self.reading, self.ended) = (false, self.ended + 1);
        let state = self.hashes.iter().flat_map(|h| h.to_le_bytes()).collect();
        // Now and then it fails, or has nothing yet.
        let fails = length == 0 || self.ended.is_multiple_of(5);
        Reading::Ended((!fails).then_some(Computed { length, state }))
    }

    fn stop(&mut self) {
        self.stopped = true;
    }
}

#[test]
fn a_long_prompt_is_read_aside_while_streams_run() {
    let mut costs = Costs::new(4000, 8000, Reuse::Prefix);
    costs.aside = Some(SideReader::default());
    let ask = |at, id, prompt: &str, tokens, priority| {
        let request = request(prompt, tokens, priority);
        (at, Work::Generate { id, request })
    };
    let work = vec![
        ask(0.0, 1, "short", 400, Priority::Api),
        ask(300.0, 2, &"x".repeat(300), 5, Priority::Background),
        // More urgent than the other, which gives back what it has; and both are long.
        ask(350.0, 3, &"y".repeat(300), 5, Priority::Api),
        // Too short to wait for that.
        ask(400.0, 4, "z", 1, Priority::Api),
        // Begins like the second one, to whose end it waits.
        ask(450.0, 5, &("x".repeat(299) + "?"), 1, Priority::Background),
    ];
    let seen = simulate(&mut costs, 8, work);
    let first = |id: u64| seen[&id].times_ms[0];
    assert!(first(4) < first(3) && first(3) < first(2), "{seen:?}");
    let aside = costs.aside.unwrap();
    assert_eq!((aside.computed, aside.ended), (598, 3), "once each");
    assert_eq!(seen[&5].cached, 299);
    let gaps = seen[&1].times_ms.windows(2).map(|t| t[1] - t[0]);
    let worst = gaps.fold(0.0, f64::max);
    assert!(worst <= 1.1 * f64::from(Limits::STEP_MS), "{worst} ms");
}

#[test]
fn a_pause_of_background_work_ends_no_other_reader() {
    for (priority, pieces) in [(Priority::Api, 1), (Priority::Background, 2)] {
        let mut costs = Costs::new(4000, 8000, Reuse::Prefix);
        costs.aside = Some(SideReader::default());
        let ask = |id, prompt: &str, priority| {
            let request = request(prompt, 100, priority);
            Work::Generate { id, request }
        };
        let limit = |background| Work::Limit {
            limits: Limits {
                background,
                ..Limits::default()
            },
        };
        let work = vec![
            (0.0, ask(1, "short", Priority::Api)),
            (100.0, ask(2, &"x".repeat(390), priority)),
            (200.0, limit(false)),
            (600.0, limit(true)),
        ];
        let seen = simulate(&mut costs, 4, work);
        assert_eq!(costs.aside.unwrap().ended, pieces, "{priority:?}");
        assert_eq!(seen[&2].text, alone(&[Token::from(b'x'); 390], 100));
    }
}

#[test]
fn what_reads_aside_ends_with_its_stream_and_with_a_limit() {
    for end in [
        Work::Cancel { id: 2 },
        Work::Limit {
            limits: Limits {
                duty: 0.5,
                ..Limits::default()
            },
        },
    ] {
        let cancelled = matches!(end, Work::Cancel { .. });
        let mut costs = Costs::new(4000, 8000, Reuse::Prefix);
        costs.aside = Some(SideReader::default());
        let ask = |id, prompt: &str| {
            let request = request(prompt, 100, Priority::Api);
            Work::Generate { id, request }
        };
        let work = vec![
            (0.0, ask(1, "short")),
            (100.0, ask(2, &"x".repeat(390))),
            (250.0, end),
        ];
        let seen = simulate(&mut costs, 4, work);
        let aside = costs.aside.unwrap();
        assert_eq!(aside.ended, 1);
        assert!(aside.computed < 300, "{}", aside.computed);
        if !cancelled {
            assert_eq!(seen[&2].text.len(), 100);
            let prompt = vec![Token::from(b'x'); 390];
            assert_eq!(seen[&2].text, alone(&prompt, 100));
        }
    }
}
