//! One step: the batch or the picture of a plan is computed, tokens are sampled, and what went wrong ends the streams it hurt.

use std::time::{Duration, Instant};

use super::Scheduler;
use super::outbox::Outbox;
use super::plan::{self, Plan};
use super::stream::Stream;
use crate::backend::{Backend, DecodeError, Token};
use crate::{Error, FinishReason};

/// Least share of the time in which the engine computes, however hot the machine is.
const LEAST_DUTY: f32 = 0.05;
/// Shortest rest. The threads of llama.cpp's CPU backend look for work at full power for a while before they sleep: some 5 ms, as the
/// processor time of `hearth-benches governor` says. So many short rests cool less than a few of the same sum.
const LEAST_REST: Duration = Duration::from_millis(40);

impl Scheduler<'_> {
    pub(super) fn compute(&mut self, plan: Plan) {
        let image = plan.image;
        if !plan.batch.is_empty() {
            self.compute_batch(&plan);
        }
        if let Some(id) = image {
            self.compute_image(id);
        }
    }

    fn compute_batch(&mut self, plan: &Plan) {
        let before = self.backend.now();
        for part in &plan.parts {
            let stream = &mut self.streams[part.stream];
            let cached = self.cache.length(stream.sequence);
            if let Some(event) = stream.begin(cached, before) {
                self.outbox.push(stream.id, event);
            }
        }
        self.outbox.flush();
        let computed = if self.cache.make_room(self.backend, plan.batch.len()) {
            self.backend.decode(&plan.batch)
        } else {
            Err(DecodeError::Full)
        };
        match computed {
            Ok(()) => {}
            Err(DecodeError::Full) => return self.on_full(plan),
            Err(DecodeError::Failed(error)) => return self.on_failed(plan, &error),
        }
        self.steps += 1;
        self.cache.computed(&plan.batch);
        let now = self.backend.now();
        let took = now.duration_since(before);
        self.budget
            .record(plan.decoded, plan.read, took.as_secs_f64() * 1000.0);
        self.drafts.record(plan, took);
        let mut ended = Vec::new();
        for part in &plan.parts {
            if let Some(reason) = self.take_tokens(part, plan) {
                ended.push((self.streams[part.stream].id, reason));
            }
        }
        // Choosing tokens is work too, and under a grammar not a little.
        let took = self.backend.now().duration_since(before);
        self.rest_after(took);
        self.rest_for_aside(took);
        for (id, end) in ended {
            self.end(id, end);
        }
    }

    /// Computes the next picture of a stream: one step, however long it takes.
    fn compute_image(&mut self, id: u64) {
        let Some(at) = self.streams.iter().position(|s| s.id == id) else {
            return;
        };
        let before = self.backend.now();
        let stream = &mut self.streams[at];
        let (sequence, length) = (stream.sequence, self.cache.length(stream.sequence));
        let Some(image) = stream.images.iter().find(|i| i.at == length).cloned() else {
            return;
        };
        if let Some(event) = stream.begin(length, before) {
            self.outbox.push(id, event);
            self.outbox.flush();
        }
        let computed = if self.cache.make_room(self.backend, image.count) {
            self.backend.decode_image(&image.pixels, sequence, length)
        } else {
            Err(DecodeError::Full)
        };
        match computed {
            Ok(()) => {}
            Err(DecodeError::Full) => {
                if !self.cache.cut_idle(self.backend, image.count) && !self.park_one() {
                    let reason = "the KV cache has no room for a picture".to_owned();
                    self.end(id, Err(Error::OutOfMemory { reason }));
                }
                return;
            }
            Err(DecodeError::Failed(error)) => return self.end(id, Err(error)),
        }
        let stream = &self.streams[at];
        self.steps += 1;
        self.cache
            .extend(sequence, &stream.tokens[length..length + image.count]);
        self.outbox.push(id, stream.progress(length + image.count));
        let took = self.backend.now().duration_since(before);
        self.rest_after(took);
        self.rest_for_aside(took);
    }

    /// Adds the rest that is due after work, and begins it once it is long enough.
    fn rest_after(&mut self, took: Duration) {
        let duty = self.limits.duty.clamp(LEAST_DUTY, 1.0);
        self.rest_due += took.mul_f32(1.0 / duty - 1.0);
        if self.rest_due >= LEAST_REST {
            self.rest_until = self.rest_until.max(Instant::now()) + self.rest_due;
            self.rest_due = Duration::ZERO;
        }
    }

    /// Samples what a part of the batch has made possible; says how the stream ends when it does.
    fn take_tokens(
        &mut self,
        part: &plan::Part,
        plan: &Plan,
    ) -> Option<Result<FinishReason, Error>> {
        let stream = &mut self.streams[part.stream];
        let length = self.cache.length(stream.sequence);
        if stream.request.read_ahead {
            return (length == stream.tokens.len()).then_some(Ok(FinishReason::Stop));
        }
        if part.samples == 0 {
            self.outbox.push(stream.id, stream.progress(length));
            return None;
        }
        let first = part.first + part.count - part.samples;
        let mut end = None;
        for index in first..part.first + part.count {
            let token = match self.backend.sample(stream.slot, index) {
                Ok(token) => token,
                Err(error) => return Some(Err(error)),
            };
            stream.sampled(self.backend.now());
            end = accept(self.backend, &mut self.outbox, stream, token);
            if part.samples > 1 {
                // Guesses that come true are told one by one: an engine that dies takes none of them along.
                self.outbox.flush();
            }
            let guessed = plan
                .batch
                .get(index + 1)
                .filter(|_| index + 1 < part.first + part.count);
            if end.is_some() || guessed.is_none_or(|next| next.token != token) {
                // What was guessed wrong must not stay in the cache.
                let kept = length - (part.first + part.count - 1 - index);
                self.drafts.guessed(part.samples - 1, index - first);
                self.cache.truncate(self.backend, stream.sequence, kept);
                break;
            }
        }
        end.or_else(|| self.when_full(part.stream)).map(Ok)
    }

    /// What happens when the next token would not fit the context window.
    fn when_full(&mut self, at: usize) -> Option<FinishReason> {
        let stream = &mut self.streams[at];
        let window = self.backend.info().context_tokens as usize;
        if stream.tokens.len() < window {
            return None;
        }
        // The prompt stays as far as it fills half of the window; the older half of the rest goes.
        let keep = stream.prompt_tokens.min(window / 2);
        let length = self.cache.length(stream.sequence);
        let to = keep + (length - keep) / 2;
        // A picture cannot be cut in two, and its places are no tokens that could be read again.
        let shift = stream.request.shift && stream.images.is_empty();
        if shift && self.cache.shift(self.backend, stream.sequence, keep, to) {
            stream.tokens.drain(keep..to);
            None
        } else {
            Some(FinishReason::Length)
        }
    }

    /// The KV cache had less room than its books say: sequences that came to the same tokens on their own share no positions.
    fn on_full(&mut self, plan: &Plan) {
        if self.cache.cut_idle(self.backend, plan.batch.len()) || self.park_one() {
            return;
        }
        let reason = "the KV cache has no room left".to_owned();
        self.on_failed(plan, &Error::OutOfMemory { reason });
    }

    fn on_failed(&mut self, plan: &Plan, error: &Error) {
        let ids: Vec<u64> = plan
            .parts
            .iter()
            .map(|p| self.streams[p.stream].id)
            .collect();
        for id in ids {
            if let Some(stream) = self.streams.iter().find(|s| s.id == id) {
                self.cache.truncate(self.backend, stream.sequence, 0);
            }
            self.end(id, Err(error.clone()));
        }
    }
}

/// Takes a sampled token into a stream and sends its text; the reason when it ends the answer.
fn accept(
    backend: &mut dyn Backend,
    outbox: &mut Outbox<'_>,
    stream: &mut Stream,
    token: Token,
) -> Option<FinishReason> {
    if backend.is_end(token) && !stream.request.ignore_eos {
        return Some(FinishReason::Stop);
    }
    let mut bytes = Vec::with_capacity(16);
    backend.piece(token, &stream.visible, &mut bytes);
    let logprob = backend.logprobs(stream.slot, token);
    let (events, stopped) = stream.push(token, &bytes, logprob);
    for event in events {
        outbox.push(stream.id, event);
    }
    if stopped {
        Some(FinishReason::Stop)
    } else {
        stream.is_long_enough().then_some(FinishReason::Length)
    }
}
