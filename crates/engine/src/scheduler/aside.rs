//! A long prompt that comes while streams run is read aside, where the backend can do that: the streams' steps stay short, and the
//! time between two of them is the reader's.

use std::time::{Duration, Instant};

use super::Scheduler;
use crate::backend::{Computed, Reading};
use crate::{Limits, Priority};

/// The part of a step's time that is planned for: beside the reader the streams' own part takes longer at times, and its threads wake
/// up late. With all of it 1 wait in 100 was of 111 ms, not of 100 (`hearth-benches join`).
const PLANNED: f32 = 0.85;

/// The prompt that is being read aside.
pub(super) struct Aside {
    /// Its stream, which may be gone.
    stream: u64,
    /// Tokens read so far, as was told.
    told: usize,
    /// It was told to give back what it has.
    stopped: bool,
    /// No step before this, so that the reader can compute.
    until: Instant,
}

impl Aside {
    /// How much longer the reader has the processor.
    pub(super) fn rest(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Lets the next step come at once.
    pub(super) fn interrupt(&mut self) {
        self.until = Instant::now();
    }
}

impl Scheduler<'_> {
    /// Has the most urgent of the long prompts read aside. One that is more urgent than what is being read takes its place.
    pub(super) fn begin_aside(&mut self, reading: &[usize]) {
        let Some(at) = reading.iter().copied().find(|i| self.is_for_aside(*i)) else {
            return;
        };
        if let Some(aside) = &self.aside {
            let id = aside.stream;
            let other = self.streams.iter().find(|s| s.id == id);
            if other.is_none_or(|other| other.priority() > self.streams[at].priority()) {
                self.stop_aside();
            }
            return;
        }
        if self.limits.duty >= 1.0 {
            self.start_aside(at);
        }
    }

    /// Whether a stream's prompt can be read aside, and is long enough.
    fn is_for_aside(&mut self, at: usize) -> bool {
        let Some(aside) = self.backend.aside() else {
            return false;
        };
        let (least, most) = (aside.worth_tokens(), aside.most_tokens());
        let s = &self.streams[at];
        // What is cached is copied there and back, so it must be the smaller part.
        let (left, cached) = (self.left_to_read(at), self.cache.length(s.sequence));
        let room = s.tokens.len() <= most.min(self.cache.available());
        s.may_be_aside && s.images.is_empty() && left >= least && cached <= left && room
    }

    fn start_aside(&mut self, at: usize) {
        let stream = &mut self.streams[at];
        let cached = self.cache.length(stream.sequence);
        let begin = match cached {
            0 => None,
            length => match self.backend.export(stream.sequence) {
                Some(state) => Some(Computed { length, state }),
                None => return stream.may_be_aside = false,
            },
        };
        let tokens = stream.to_read().to_vec();
        let started = self.backend.aside().is_some_and(|a| a.start(tokens, begin));
        if !started {
            return stream.may_be_aside = false;
        }
        stream.aside = true;
        let event = stream.begin(cached, self.backend.now());
        if let Some(event) = event {
            self.outbox.push(stream.id, event);
        }
        self.aside = Some(Aside {
            stream: stream.id,
            told: cached,
            stopped: false,
            until: Instant::now(),
        });
    }

    /// Has the reader give back what it has.
    pub(super) fn stop_aside(&mut self) {
        if let (Some(aside), Some(reader)) = (&mut self.aside, self.backend.aside()) {
            aside.stopped = true;
            reader.stop();
        }
    }

    /// Whether what is being read aside has to stop under these limits: a reader knows neither rests nor another number of threads.
    pub(super) fn forbids_aside(&self, limits: &Limits) -> bool {
        let Some(id) = self.aside.as_ref().map(|aside| aside.stream) else {
            return false;
        };
        let mut background = self.streams.iter().filter(|s| s.id == id);
        let background = background.any(|s| s.priority() == Priority::Background);
        limits.duty < 1.0
            || (background && !limits.background)
            || limits.threads_for(self.loaded_threads)
                != self.limits.threads_for(self.loaded_threads)
    }

    /// Whether a stream's prompt is read aside, or is to be once it is its turn.
    pub(super) fn waits_for_aside(&mut self, at: usize) -> bool {
        let Some(id) = self.aside.as_ref().map(|aside| aside.stream) else {
            return false;
        };
        // A reader whose stream is gone is about to end.
        let reads = self.streams.iter().any(|s| s.id == id);
        self.streams[at].aside || (reads && self.is_for_aside(at))
    }

    /// Leaves the reader the part of a step that the one which has just ended did not take, and no less than that took.
    pub(super) fn rest_for_aside(&mut self, took: Duration) {
        if let Some(aside) = &mut self.aside {
            let step = Duration::from_millis(u64::from(self.limits.step_ms)).mul_f32(PLANNED);
            aside.until = Instant::now() + step.saturating_sub(took).max(took);
        }
    }

    /// Tells how far the reader is, and takes what it has computed.
    pub(super) fn take_aside(&mut self) {
        let (Some(aside), Some(reader)) = (&mut self.aside, self.backend.aside()) else {
            return;
        };
        let id = aside.stream;
        let stream = self.streams.iter_mut().find(|s| s.id == id);
        match (reader.poll(), stream) {
            (Reading::On(done), Some(stream)) if done > aside.told => {
                aside.told = done;
                self.outbox.push(id, stream.progress(done));
            }
            (Reading::On(_), _) => {}
            (Reading::Ended(_), None) => self.aside = None,
            (Reading::Ended(computed), Some(stream)) => {
                stream.aside = false;
                let stopped = aside.stopped;
                self.aside = None;
                let taken = computed.is_some_and(|computed| self.take_computed(id, &computed));
                // What fails once is not tried again and again.
                let streams = self.streams.iter_mut().filter(|s| s.id == id);
                streams.for_each(|s| s.may_be_aside = taken || stopped);
            }
        }
    }

    /// Puts what was read aside into the stream's sequence; whether it holds that now.
    fn take_computed(&mut self, id: u64, computed: &Computed) -> bool {
        let Some(stream) = self.streams.iter().find(|s| s.id == id) else {
            return false;
        };
        let (sequence, length) = (stream.sequence, computed.length);
        if self.cache.length(sequence) >= length {
            return true;
        }
        let (tokens, event) = (&stream.tokens[..length], stream.progress(length));
        self.cache.truncate(self.backend, sequence, 0);
        let taken = self
            .cache
            .import(self.backend, sequence, tokens, &computed.state);
        if taken {
            self.outbox.push(id, event);
        }
        taken
    }

    fn left_to_read(&self, at: usize) -> usize {
        let s = &self.streams[at];
        let cached = self.cache.length(s.sequence);
        s.to_read().len().saturating_sub(cached)
    }
}
