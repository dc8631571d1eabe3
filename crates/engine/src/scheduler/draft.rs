//! Prompt lookup: guesses the next tokens by finding the last ones earlier in the text, so that one step can confirm several.
//!
//! Used when few streams run, because a batch with guesses costs more than one without, and only while the guesses that came true
//! are worth that. Rewriting, quoting and code repeat themselves; free prose does not.

use std::time::Duration;

use super::plan::Plan;
use crate::backend::Token;

/// More streams than this use the batch well without guesses.
const MOST_STREAMS: usize = 2;
/// Length of the run of tokens that is looked for, the longest first.
const RUN_LENGTHS: [usize; 2] = [4, 3];
/// Most tokens that are guessed at once.
const MOST_GUESSES: usize = 10;
/// How far back a run is looked for, in tokens.
const LOOK_BACK: usize = 16 * 1024;
/// Steps with guesses whose cost is measured before they are judged.
const TRIAL: u32 = 4;
/// Steps without guesses after they did not pay, before they are tried again; doubles each time.
const FIRST_PAUSE: u32 = 64;
const LONGEST_PAUSE: u32 = 4096;
/// Weight of the newest measurement in the running averages.
const NEW: f64 = 0.2;
/// How much faster a token must come with guesses to go on with them.
const GAIN: f64 = 1.05;

/// See the module text.
#[derive(Debug)]
pub struct Drafts {
    /// Milliseconds a token without guesses, and with them.
    plain: Option<f64>,
    guessed: Option<f64>,
    trial: u32,
    pause: u32,
    next_pause: u32,
    /// Tokens that the last step with guesses has made, and what it cost; joined when the samples are known.
    step: Option<Duration>,
}

impl Default for Drafts {
    fn default() -> Self {
        Self {
            plain: None,
            guessed: None,
            trial: 0,
            pause: 0,
            next_pause: FIRST_PAUSE,
            step: None,
        }
    }
}

impl Drafts {
    /// Whether guesses are worth a try with that many running streams.
    pub fn wanted(&self, streams: usize) -> bool {
        (1..=MOST_STREAMS).contains(&streams) && self.pause == 0 && self.plain.is_some()
    }

    /// At most `most` tokens that followed when the last tokens of the text stood in it before.
    pub fn guess(tokens: &[Token], most: usize) -> Vec<Token> {
        let most = most.min(MOST_GUESSES);
        let text = &tokens[tokens.len().saturating_sub(LOOK_BACK)..];
        for length in RUN_LENGTHS {
            if most == 0 || text.len() <= length {
                continue;
            }
            let (before, run) = text.split_at(text.len() - length);
            // The latest place, but for the run itself.
            let place = text[..text.len() - 1]
                .windows(length)
                .rposition(|w| w == run);
            if let Some(at) = place.filter(|at| *at < before.len()) {
                let follows = text[at + length..].iter().take(most);
                // What follows there may be a picture, which nobody writes.
                return follows.copied().take_while(|t| *t >= 0).collect();
            }
        }
        Vec::new()
    }

    /// Learns what a step has cost. Steps that read prompts say nothing.
    pub fn record(&mut self, plan: &Plan, took: Duration) {
        self.step = None;
        if plan.read > 0 || plan.parts.len() > MOST_STREAMS {
            return;
        }
        self.pause = self.pause.saturating_sub(1);
        if plan.decoded > plan.parts.len() {
            self.step = Some(took);
        } else {
            blend(&mut self.plain, took.as_secs_f64() * 1000.0);
        }
    }

    /// Learns how many of `guesses` came true, for each stream of the step.
    pub fn guessed(&mut self, guesses: usize, came_true: usize) {
        let Some(took) = self.step.filter(|_| guesses > 0) else {
            return;
        };
        blend(
            &mut self.guessed,
            took.as_secs_f64() * 1000.0 / (came_true + 1) as f64,
        );
        self.trial += 1;
        let (Some(plain), Some(guessed)) = (self.plain, self.guessed) else {
            return;
        };
        if self.trial < TRIAL {
            return;
        }
        if guessed * GAIN > plain {
            self.pause = self.next_pause;
            self.next_pause = (self.next_pause * 2).min(LONGEST_PAUSE);
            (self.trial, self.guessed) = (0, None);
        } else {
            self.next_pause = FIRST_PAUSE;
        }
    }
}

fn blend(average: &mut Option<f64>, value: f64) {
    *average = Some(average.map_or(value, |old| old + NEW * (value - old)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_what_followed_before() {
        let text = [1, 2, 3, 4, 5, 6, 7, 9, 2, 3, 4];
        assert_eq!(Drafts::guess(&text, 3), [5, 6, 7]);
        assert_eq!(Drafts::guess(&text, 0), Vec::<Token>::new());
        assert_eq!(Drafts::guess(&[1, 2, 3, 4], 3), Vec::<Token>::new());
        // A text that repeats itself goes on repeating.
        assert_eq!(Drafts::guess(&[8; 20], 4), [8]);
    }

    #[test]
    fn gives_up_when_it_does_not_pay_and_tries_again_later() {
        let mut drafts = Drafts::default();
        assert!(!drafts.wanted(1), "nothing is known yet");
        let step = |drafts: &mut Drafts, guesses: usize, came_true: usize, ms: u64| {
            let parts = vec![crate::scheduler::plan::Part {
                stream: 0,
                first: 0,
                count: 1 + guesses,
                samples: 1 + guesses,
            }];
            let plan = Plan {
                parts,
                decoded: 1 + guesses,
                ..Plan::default()
            };
            drafts.record(&plan, Duration::from_millis(ms));
            drafts.guessed(guesses, came_true);
        };
        step(&mut drafts, 0, 0, 10);
        assert!(drafts.wanted(1) && drafts.wanted(2) && !drafts.wanted(3));
        for _ in 0..20 {
            step(&mut drafts, 10, 9, 40);
        }
        assert!(drafts.wanted(1), "4 ms a token against 10");
        for _ in 0..40 {
            if drafts.wanted(1) {
                step(&mut drafts, 10, 0, 40);
            }
        }
        assert!(!drafts.wanted(1), "40 ms a token against 10");
        for _ in 0..FIRST_PAUSE {
            step(&mut drafts, 0, 0, 10);
        }
        assert!(drafts.wanted(1));
    }
}
