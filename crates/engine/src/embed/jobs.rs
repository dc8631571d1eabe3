//! One request on its way: which windows are still to be computed, and what has come of the others.
//!
//! Texts are tokenised one at a time, when their turn comes, so that a large request takes memory and time in small pieces. It
//! must not know of other requests.

use std::collections::VecDeque;
use std::time::Instant;

use super::encoder::{Encoder, Sequence};
use super::pooling::normalize;
use super::windows::split;
use super::{LongText, Pooling, Task, Vectors};
use crate::backend::Token;
use crate::request::invalid;
use crate::{Error, FinishReason, Purpose, Summary};

/// A request, from its arrival to its last vector.
pub(super) struct Job {
    pub(super) id: u64,
    pub(super) task: Box<Task>,
    /// Tokens of the query; empty when texts are embedded.
    query: Vec<Token>,
    pooling: Pooling,
    /// The next text to tokenise.
    next_text: usize,
    /// Windows of the texts that were tokenised, in order.
    waiting: VecDeque<Sequence>,
    /// Texts that were tokenised and not yet sent, in order.
    open: VecDeque<Text>,
    received: Instant,
    first: Option<Instant>,
    tokens: u32,
    compute_ms: f64,
}

/// What has come of one text so far.
struct Text {
    /// Tokens of the text itself in each window that is still to come, in order: how much the window counts.
    weights: VecDeque<usize>,
    /// The vectors of its windows, each times its weight; for a score the best one.
    sum: Vec<f32>,
    /// Sum of the weights so far.
    weight: usize,
    tokens: u32,
}

impl Job {
    /// Checks the request against its limits and the model.
    pub(super) fn new(id: u64, task: Box<Task>, encoder: &mut dyn Encoder) -> Result<Self, Error> {
        task.validate()?;
        let purpose = encoder.purpose();
        let (query, pooling) = match (&*task, purpose) {
            (Task::Embed(request), Purpose::Embed) => {
                let trained = encoder.encoder_info().pooling;
                (Vec::new(), request.pooling.unwrap_or(trained))
            }
            (Task::Rerank(request), Purpose::Rerank) => {
                (encoder.tokenize(&request.query)?, Pooling::Rank)
            }
            (Task::Embed(_), _) => {
                return Err(invalid("model", "is loaded for reranking, not for vectors"));
            }
            (Task::Rerank(_), _) => {
                return Err(invalid("model", "is loaded for vectors, not for reranking"));
            }
        };
        let job = Self {
            id,
            task,
            query,
            pooling,
            next_text: 0,
            waiting: VecDeque::new(),
            open: VecDeque::new(),
            received: Instant::now(),
            first: None,
            tokens: 0,
            compute_ms: 0.0,
        };
        job.check_query(encoder)?;
        Ok(job)
    }

    /// A query may take half the window, so that a document is not cut into crumbs.
    fn check_query(&self, encoder: &dyn Encoder) -> Result<(), Error> {
        let framing = encoder.framing();
        let frame = framing.before.len() + framing.between.len() + framing.after.len();
        let window = encoder.encoder_info().window_tokens as usize;
        let limit = window.saturating_sub(frame) / 2;
        if self.query.len() > limit {
            let reason = format!("has {} tokens, the limit is {limit}", self.query.len());
            return Err(invalid("query", reason));
        }
        Ok(())
    }

    /// The next window, when it has at most `room` tokens.
    pub(super) fn take(
        &mut self,
        encoder: &mut dyn Encoder,
        room: usize,
    ) -> Result<Option<Sequence>, Error> {
        if self.waiting.is_empty() && self.next_text < self.task.texts().1.len() {
            self.open_text(encoder)?;
        }
        Ok(self
            .waiting
            .pop_front_if(|window| window.tokens.len() <= room))
    }

    fn open_text(&mut self, encoder: &mut dyn Encoder) -> Result<(), Error> {
        let (field, texts) = self.task.texts();
        let at = self.next_text;
        let body = encoder.tokenize(&texts[at])?;
        let framing = encoder.framing();
        let mut before = framing.before.clone();
        if self.pooling == Pooling::Rank {
            before.extend(&self.query);
            before.extend(&framing.between);
        }
        let frame = before.len() + framing.after.len();
        if frame + body.len() == 0 {
            return Err(invalid(&format!("{field}[{at}]"), "holds no tokens"));
        }
        let window_tokens = encoder.encoder_info().window_tokens;
        let room = (window_tokens as usize).saturating_sub(frame);
        let Some(parts) = split(body.len(), room, self.long()) else {
            return Err(Error::ContextOverflow {
                prompt_tokens: (body.len() + frame) as u32,
                context_tokens: window_tokens,
            });
        };
        let mut text = Text {
            weights: VecDeque::with_capacity(parts.len()),
            sum: Vec::new(),
            weight: 0,
            tokens: 0,
        };
        for part in parts {
            text.weights.push_back(part.len().max(1));
            let tokens = [before.as_slice(), &body[part], &framing.after].concat();
            text.tokens += tokens.len() as u32;
            self.waiting.push_back(Sequence {
                tokens,
                pooling: self.pooling,
            });
        }
        self.next_text += 1;
        self.open.push_back(text);
        Ok(())
    }

    fn long(&self) -> LongText {
        match &*self.task {
            Task::Embed(request) => request.long,
            Task::Rerank(_) => LongText::Split,
        }
    }

    /// Takes the result of the window that was handed out longest ago.
    pub(super) fn put(&mut self, vector: &[f32]) -> Result<(), Error> {
        if vector.iter().any(|value| !value.is_finite()) {
            let reason = "the model computed a vector that holds no numbers".into();
            return Err(Error::Backend { reason });
        }
        self.first.get_or_insert_with(Instant::now);
        let Some(text) = self.open.iter_mut().find(|text| !text.weights.is_empty()) else {
            return Ok(());
        };
        text.add(vector, self.pooling);
        Ok(())
    }

    pub(super) fn add_compute_ms(&mut self, ms: f64) {
        self.compute_ms += ms;
    }

    /// The vectors of the texts that are complete and were not sent yet.
    pub(super) fn completed(&mut self) -> Option<Vectors> {
        let mut vectors = Vectors {
            dimensions: 0,
            values: Vec::new(),
            tokens: Vec::new(),
        };
        let normalized = matches!(&*self.task, Task::Embed(request) if request.normalize);
        while let Some(text) = self.open.pop_front_if(|text| text.weights.is_empty()) {
            let tokens = text.tokens;
            let mut vector = text.finish(self.pooling);
            if normalized {
                normalize(&mut vector);
            }
            vectors.dimensions = vector.len() as u32;
            vectors.values.extend(vector);
            vectors.tokens.push(tokens);
            self.tokens += tokens;
        }
        (!vectors.tokens.is_empty()).then_some(vectors)
    }

    pub(super) fn is_done(&self) -> bool {
        self.open.is_empty() && self.next_text == self.task.texts().1.len()
    }

    pub(super) fn summary(&self, reason: FinishReason) -> Summary {
        let ttft = self.first.map(|at| at.duration_since(self.received));
        Summary {
            reason,
            stop: None,
            prompt_tokens: self.tokens,
            cached_tokens: 0,
            tokens: 0,
            ttft_ms: ttft.map_or(0.0, |time| time.as_secs_f64() * 1000.0),
            prefill_ms: self.compute_ms,
            decode_ms: 0.0,
        }
    }
}

impl Text {
    fn add(&mut self, vector: &[f32], pooling: Pooling) {
        let weight = self.weights.pop_front().unwrap_or(1);
        self.weight += weight;
        if pooling == Pooling::Rank {
            // The best part speaks for the document (MaxP: Dai and Callan, SIGIR 2019).
            let best = self.sum.first().copied().unwrap_or(f32::NEG_INFINITY);
            let score = vector.first().copied().unwrap_or(f32::NEG_INFINITY);
            self.sum = vec![best.max(score)];
            return;
        }
        self.sum.resize(vector.len(), 0.0);
        for (sum, value) in self.sum.iter_mut().zip(vector) {
            *sum += value * weight as f32;
        }
    }

    fn finish(self, pooling: Pooling) -> Vec<f32> {
        let mut vector = self.sum;
        if pooling != Pooling::Rank {
            let weight = self.weight.max(1) as f32;
            vector.iter_mut().for_each(|value| *value /= weight);
        }
        vector
    }
}
