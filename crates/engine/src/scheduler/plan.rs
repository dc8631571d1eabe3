//! What goes into the next batch: who may compute, in which order, and how much.

use std::time::Duration;

use super::Scheduler;
use super::budget::WIDE;
use super::draft::Drafts;
use super::stream::Stream;
use crate::Priority;
use crate::backend::{Input, Token};
use crate::cache::shared;

/// Fewest tokens for which a stream waits until another one has computed them.
const WORTH_WAITING_TOKENS: usize = 16;
/// Room beyond its own tokens that a parked stream needs to go on.
const UNPARK_TOKENS: usize = 64;
/// Steps that the others compute before a parked stream is tried again.
const PARKED_STEPS: u64 = 16;

/// The next batch.
#[derive(Debug, Default)]
pub struct Plan {
    pub batch: Vec<Input>,
    pub parts: Vec<Part>,
    /// Tokens of running streams, guesses included.
    pub decoded: usize,
    /// Tokens of prompts.
    pub read: usize,
    /// The stream whose next picture is computed after the batch: it is no part of one.
    pub image: Option<u64>,
}

/// What one stream has in the batch.
#[derive(Debug)]
pub struct Part {
    /// Index of the stream.
    pub stream: usize,
    /// Index of its first entry, and how many it has.
    pub first: usize,
    pub count: usize,
    /// How many of the last entries a token can be sampled after.
    pub samples: usize,
}

impl Stream {
    /// The part of the tokens that may come from somewhere else: the last one is computed here, for its logits.
    pub fn to_read(&self) -> &[Token] {
        let own = usize::from(!self.request.read_ahead);
        &self.tokens[..self.tokens.len().saturating_sub(own)]
    }
}

impl Scheduler<'_> {
    /// The next batch; `None` when nobody can compute anything now.
    pub(super) fn plan(&mut self) -> Option<Plan> {
        loop {
            self.unpark();
            let order = self.order();
            if order.is_empty() {
                return None;
            }
            for i in &order {
                let s = &self.streams[*i];
                self.cache.adopt(self.backend, s.sequence, s.to_read());
            }
            // A prompt that is in the cache to the last token has nothing to compute.
            if let Some(done) = self.finished_reading(&order) {
                self.end(done, Ok(crate::FinishReason::Stop));
                continue;
            }
            let plan = self.fill(&order);
            if !plan.batch.is_empty() || plan.image.is_some() {
                return Some(plan);
            }
            if !self.park_one() {
                return None;
            }
        }
    }

    /// Streams that may compute, the most urgent first: by priority, and among equals by when they would be done alone, so that a
    /// short prompt overtakes a long one but nobody is overtaken for ever.
    fn order(&self) -> Vec<usize> {
        let token_ms = self.budget.token_ms();
        let due = |s: &Stream| {
            let left = s.tokens.len().saturating_sub(self.cache.length(s.sequence));
            s.received + Duration::from_secs_f64(left as f64 * token_ms / 1000.0)
        };
        let may = |s: &Stream| {
            let paused = s.priority() == Priority::Background && !self.limits.background;
            s.parked.is_none() && !s.is_away() && !paused
        };
        let mut order: Vec<usize> = (0..self.streams.len())
            .filter(|i| may(&self.streams[*i]))
            .collect();
        order.sort_by_key(|i| {
            let s = &self.streams[*i];
            (s.priority(), !s.is_streaming(), due(s), s.id)
        });
        order
    }

    fn fill(&mut self, order: &[usize]) -> Plan {
        let mut plan = Plan::default();
        let mut room = self.cache.available().min(self.backend.batch_tokens());
        let (running, reading): (Vec<usize>, Vec<usize>) = order.iter().partition(|i| {
            let s = &self.streams[**i];
            s.is_streaming() && self.cache.length(s.sequence) + 1 == s.tokens.len()
        });
        if running.len() > room {
            return plan;
        }
        let guess = reading.is_empty() && self.cache.can_cut() && self.drafts.wanted(running.len());
        for (n, i) in running.iter().enumerate() {
            let spare = room - (running.len() - n);
            let guesses = if guess {
                self.guesses(*i, spare)
            } else {
                Vec::new()
            };
            room -= 1 + guesses.len();
            self.add_running(&mut plan, *i, &guesses);
        }
        let most = if running.is_empty() {
            self.budget.alone()
        } else {
            self.begin_aside(&reading);
            // Half of the time between two tokens is the reader's.
            let part = if self.aside.is_some() { 2 } else { 1 };
            self.budget
                .beside(running.len(), self.limits.step_ms / part)
        };
        let mut left = most.min(room);
        for (n, i) in reading.iter().enumerate() {
            if self.waits_for_another(*i, &reading[..n]) || self.waits_for_aside(*i) {
                continue;
            }
            let text = self.text_before_image(*i);
            if text == 0 {
                plan.image = plan.image.or(Some(self.streams[*i].id));
            }
            if left == 0 || text == 0 {
                continue;
            }
            let spare = running.is_empty().then(|| room - plan.read);
            let count = self.piece(*i, left, spare).min(text);
            left = left.saturating_sub(self.add_reading(&mut plan, *i, count));
        }
        plan
    }

    /// Tokens that probably follow. None where the same text is expected each time: a batch with guesses is added up in another
    /// order, which changes the last digits of the probabilities.
    fn guesses(&self, at: usize, room: usize) -> Vec<Token> {
        let s = &self.streams[at];
        if s.request.sampling.is_repeatable() {
            return Vec::new();
        }
        let window = self.backend.info().context_tokens as usize;
        let left = s
            .request
            .max_tokens
            .map_or(usize::MAX, |max| (max - s.generated) as usize);
        let most = room
            .min(left.saturating_sub(1))
            .min(window.saturating_sub(s.tokens.len() + 1));
        Drafts::guess(&s.tokens, most)
    }

    fn add_running(&self, plan: &mut Plan, at: usize, guesses: &[Token]) {
        let s = &self.streams[at];
        let length = self.cache.length(s.sequence);
        let first = plan.batch.len();
        let tokens = s.tokens[length..].iter().chain(guesses);
        plan.batch
            .extend(tokens.enumerate().map(|(n, token)| Input {
                token: *token,
                position: (length + n) as u32,
                sequence: s.sequence,
                wants_logits: true,
            }));
        let count = plan.batch.len() - first;
        plan.decoded += count;
        plan.parts.push(Part {
            stream: at,
            first,
            count,
            samples: count,
        });
    }

    /// How many of at most `most` tokens of a prompt to read now.
    ///
    /// llama.cpp computes attention in another way for less than [`WIDE`] tokens, which changes the last digits. So when
    /// no stream runs beside it a prompt is not cut so that a small rest is left, and greedy text is that of a plain loop.
    /// `spare` is what the batch could hold beyond that; `None` when streams run.
    fn piece(&self, at: usize, most: usize, spare: Option<usize>) -> usize {
        let s = &self.streams[at];
        let remaining = s.tokens.len() - self.cache.length(s.sequence);
        let rest = remaining.saturating_sub(most);
        match spare {
            Some(_) if rest == 0 || rest >= WIDE => most,
            Some(_) if most >= 2 * WIDE => remaining - WIDE,
            Some(spare) => remaining.min(spare),
            None => most,
        }
    }

    /// How many tokens of a prompt can be computed before its next picture.
    fn text_before_image(&self, at: usize) -> usize {
        let s = &self.streams[at];
        let length = self.cache.length(s.sequence);
        let next = s.images.iter().find(|image| image.at >= length);
        next.map_or(usize::MAX, |image| image.at - length)
    }

    /// Adds at most `most` tokens of a prompt; says how many.
    fn add_reading(&self, plan: &mut Plan, at: usize, most: usize) -> usize {
        let s = &self.streams[at];
        let length = self.cache.length(s.sequence);
        let count = most.min(s.tokens.len() - length);
        if count == 0 {
            return 0;
        }
        let samples = usize::from(length + count == s.tokens.len() && !s.request.read_ahead);
        let first = plan.batch.len();
        plan.batch.extend((0..count).map(|n| Input {
            token: s.tokens[length + n],
            position: (length + n) as u32,
            sequence: s.sequence,
            wants_logits: samples > 0 && n + 1 == count,
        }));
        plan.read += count;
        plan.parts.push(Part {
            stream: at,
            first,
            count,
            samples,
        });
        count
    }

    /// Whether a more urgent stream is about to compute a good deal of what this one needs.
    fn waits_for_another(&self, at: usize, more_urgent: &[usize]) -> bool {
        let s = &self.streams[at];
        let have = self.cache.length(s.sequence);
        more_urgent.iter().any(|other| {
            let other = &self.streams[*other];
            let same = shared(&s.tokens, &other.tokens);
            same >= have + WORTH_WAITING_TOKENS && self.cache.length(other.sequence) < same
        })
    }

    fn finished_reading(&self, order: &[usize]) -> Option<u64> {
        let mut streams = order.iter().map(|i| &self.streams[*i]);
        streams
            .find(|s| s.request.read_ahead && self.cache.length(s.sequence) == s.tokens.len())
            .map(|s| s.id)
    }

    /// Takes the KV entries of the least urgent stream, so that the others can go on; it computes them again later. `false` when
    /// there is only one.
    pub(super) fn park_one(&mut self) -> bool {
        let awake = self
            .streams
            .iter()
            .filter(|s| s.parked.is_none() && !s.is_away());
        if awake.count() < 2 {
            return false;
        }
        let least = self
            .streams
            .iter_mut()
            .filter(|s| s.parked.is_none() && !s.is_away())
            .max_by_key(|s| (s.priority(), s.received, s.id));
        let Some(stream) = least else { return false };
        stream.parked = Some(self.steps + PARKED_STEPS);
        self.cache.truncate(self.backend, stream.sequence, 0);
        true
    }

    /// Lets parked streams go on for which there is room now, the most urgent first.
    fn unpark(&mut self) {
        let mut parked: Vec<usize> = (0..self.streams.len())
            .filter(|i| self.streams[*i].parked.is_some())
            .collect();
        parked.sort_by_key(|i| {
            let s = &self.streams[*i];
            (s.priority(), s.received, s.id)
        });
        for i in parked {
            let alone = self
                .streams
                .iter()
                .all(|s| s.parked.is_some() || s.is_away());
            // What the others still have to compute of their prompts is spoken for.
            let others = self.streams.iter().filter(|s| s.parked.is_none());
            let promised: usize = others
                .map(|s| s.tokens.len().saturating_sub(self.cache.length(s.sequence)))
                .sum();
            let needed = promised + self.streams[i].tokens.len() + UNPARK_TOKENS;
            let too_soon = self.streams[i].parked.is_some_and(|step| step > self.steps);
            if !alone && (too_soon || self.cache.available() < needed) {
                return;
            }
            self.streams[i].parked = None;
        }
    }
}
