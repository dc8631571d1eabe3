//! Decides which windows are computed next. One thread owns the model and calls [`run`]; everyone else sends it [`Work`].
//!
//! Between any two batches the mailbox is looked at, so a cancel or a shutdown waits for one batch at most, and work of a higher
//! priority goes before work that has begun. Windows of several requests of one priority share a batch.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::Task;
use super::encoder::{Encoder, Sequence};
use super::jobs::Job;
use crate::request::invalid;
use crate::scheduler::{Progress, Work};
use crate::{Error, Event, FinishReason, Limits, Priority, TokenReply, TokenTask};

/// Longest sleep between two batches, however small the share of time that [`Limits::duty`] leaves.
const MAX_REST: Duration = Duration::from_secs(2);

/// Serves requests until told to shut down or until nobody can send any more. `emit` must not block for long.
pub fn run(
    encoder: &mut dyn Encoder,
    mailbox: &Receiver<Work>,
    progress: &Progress,
    started: Instant,
    emit: &mut dyn FnMut(u64, Event),
) {
    let mut queue = Queue {
        loaded_threads: encoder.info().threads,
        encoder,
        emit,
        jobs: Vec::new(),
        limits: Limits::default(),
    };
    let mut rest_until = Instant::now();
    loop {
        let work = if queue.is_idle() {
            progress.idle();
            mailbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            // While the governor asks for a rest, it is spent waiting for mail. Without one this only looks.
            let rest = rest_until.saturating_duration_since(Instant::now());
            if !rest.is_zero() {
                progress.idle();
            }
            mailbox.recv_timeout(rest)
        };
        match work {
            Ok(Work::ShutDown) | Err(RecvTimeoutError::Disconnected) => return queue.shut_down(),
            Ok(work) => {
                queue.accept(work);
                continue;
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        progress.begin_step(started);
        let began = Instant::now();
        queue.step();
        rest_until = Instant::now() + rest_after(began.elapsed(), queue.limits.duty);
    }
}

/// How long to sleep after a step so that computing takes the share `duty` of the time.
fn rest_after(step: Duration, duty: f32) -> Duration {
    let duty = if duty.is_finite() { duty } else { 1.0 }.clamp(0.05, 1.0);
    step.mul_f32((1.0 - duty) / duty).min(MAX_REST)
}

struct Queue<'a> {
    encoder: &'a mut dyn Encoder,
    loaded_threads: u32,
    emit: &'a mut dyn FnMut(u64, Event),
    /// In the order of service: by priority, then by arrival.
    jobs: Vec<Job>,
    limits: Limits,
}

impl Queue<'_> {
    /// Whether nothing may be computed now.
    fn is_idle(&self) -> bool {
        self.jobs.first().is_none_or(|job| !self.serves(job))
    }

    fn serves(&self, job: &Job) -> bool {
        self.limits.background || job.task.priority() != Priority::Background
    }

    fn accept(&mut self, work: Work) {
        match work {
            Work::Encode { id, task } => self.add(id, task),
            Work::Generate { id, .. } => {
                let error = invalid("model", "is loaded for vectors or scores, not for chat");
                (self.emit)(id, Event::Failed(error));
            }
            Work::Tokens {
                id,
                task: TokenTask::Tokenize { text, .. },
            } => {
                let tokens = self.encoder.tokenize(&text).map(TokenReply::Tokens);
                (self.emit)(id, tokens.map_or_else(Event::Failed, Event::Tokens));
            }
            Work::Tokens { id, .. } => {
                let error = invalid(
                    "model",
                    "is loaded for vectors or scores, and only tokenises",
                );
                (self.emit)(id, Event::Failed(error));
            }
            Work::Cancel { id } => self.cancel(id),
            Work::Limit { limits } => self.limit(limits),
            Work::ShutDown => {}
        }
    }

    fn limit(&mut self, limits: Limits) {
        let threads = limits.threads_for(self.loaded_threads);
        if threads != self.encoder.info().threads
            && let Err(error) = self.encoder.set_threads(threads)
        {
            tracing::warn!(%error, threads, "the number of threads could not be changed");
        }
        self.limits = limits;
    }

    fn add(&mut self, id: u64, task: Box<Task>) {
        match Job::new(id, task, self.encoder) {
            Ok(job) => {
                let priority = job.task.priority();
                let at = self
                    .jobs
                    .partition_point(|other| other.task.priority() <= priority);
                self.jobs.insert(at, job);
            }
            Err(error) => (self.emit)(id, Event::Failed(error)),
        }
    }

    /// Computes one batch.
    fn step(&mut self) {
        let (ids, batch) = self.fill();
        if batch.is_empty() {
            return;
        }
        let began = Instant::now();
        let result = self.encoder.encode(&batch);
        let ms = began.elapsed().as_secs_f64() * 1000.0;
        let result = result.and_then(|vectors| {
            if vectors.len() == batch.len() {
                Ok(vectors)
            } else {
                let reason = format!("{} vectors for {} texts", vectors.len(), batch.len());
                Err(Error::Backend { reason })
            }
        });
        match result {
            Ok(vectors) => {
                for (id, vector) in ids.iter().zip(&vectors) {
                    self.put(*id, vector, ms / batch.len() as f64);
                }
            }
            Err(error) => ids.iter().for_each(|id| self.fail(*id, &error)),
        }
        self.send();
    }

    /// Takes windows in the order of service, as many as one batch may hold and of one priority: a background job must not make
    /// an interactive one wait for a larger batch. The ids say whose the windows are.
    fn fill(&mut self) -> (Vec<u64>, Vec<Sequence>) {
        let limits = self.encoder.batch_limits();
        let window = self.encoder.encoder_info().window_tokens as usize;
        let (mut ids, mut batch, mut used) = (Vec::new(), Vec::new(), 0);
        let mut failed = Vec::new();
        let first = self.jobs.first().map(|job| job.task.priority());
        for job in &mut self.jobs {
            if Some(job.task.priority()) != first {
                break;
            }
            while batch.len() < limits.sequences {
                let room = if used == 0 {
                    window.max(limits.tokens)
                } else {
                    limits.tokens.saturating_sub(used)
                };
                match job.take(self.encoder, room) {
                    Ok(Some(sequence)) => {
                        used += sequence.tokens.len();
                        ids.push(job.id);
                        batch.push(sequence);
                    }
                    Ok(None) => break,
                    Err(error) => {
                        failed.push((job.id, error));
                        break;
                    }
                }
            }
        }
        for (id, error) in failed {
            self.fail(id, &error);
        }
        (ids, batch)
    }

    fn put(&mut self, id: u64, vector: &[f32], compute_ms: f64) {
        // A job that failed while the batch was filled is gone.
        let Some(job) = self.jobs.iter_mut().find(|job| job.id == id) else {
            return;
        };
        job.add_compute_ms(compute_ms);
        if let Err(error) = job.put(vector) {
            self.fail(id, &error);
        }
    }

    /// Sends what is complete, and ends the jobs that are.
    fn send(&mut self) {
        for job in &mut self.jobs {
            if let Some(vectors) = job.completed() {
                (self.emit)(job.id, Event::Vectors(vectors));
            }
        }
        let emit = &mut self.emit;
        self.jobs.retain(|job| {
            if job.is_done() {
                emit(job.id, Event::Finished(job.summary(FinishReason::Stop)));
            }
            !job.is_done()
        });
    }

    fn fail(&mut self, id: u64, error: &Error) {
        if self.take_job(id).is_some() {
            (self.emit)(id, Event::Failed(error.clone()));
        }
    }

    fn cancel(&mut self, id: u64) {
        if let Some(job) = self.take_job(id) {
            let summary = job.summary(FinishReason::Cancelled);
            (self.emit)(id, Event::Finished(summary));
        }
    }

    fn take_job(&mut self, id: u64) -> Option<Job> {
        let at = self.jobs.iter().position(|job| job.id == id)?;
        Some(self.jobs.remove(at))
    }

    fn shut_down(&mut self) {
        for job in self.jobs.drain(..) {
            (self.emit)(job.id, Event::Failed(Error::ShutDown));
        }
    }
}
