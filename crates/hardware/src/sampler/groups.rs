//! This machine as a source: each group of sensors on a thread of its own, so that one which hangs or panics costs its own values
//! and nothing else.
//!
//! It must not know what a group measures or what a value means.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Source;
use crate::reading::Reading;

/// A group that has not answered for so long is reported as failed. A little less than a second, so that the next reading knows.
const DEADLINE: Duration = Duration::from_millis(900);
/// How long a reading waits for quick groups. Slow ones, which measure over a time, are taken from the reading before.
const GATHER: Duration = Duration::from_millis(100);
/// How old an answer may be.
const KEEP: Duration = Duration::from_millis(1500);

/// Reads one group of sensors: a reading in which only the group's own values are set, and in `failed` what is there but broken.
pub(crate) type Probe = Box<dyn FnMut() -> Reading>;

/// Sensors that are read together, by one thread that belongs to them.
pub(crate) struct Group {
    /// Stands in [`Reading::failed`] when the group does not answer.
    pub(crate) name: &'static str,
    /// Opens the sensors, on the thread that will read them; again after a panic.
    pub(crate) open: Box<dyn FnMut() -> Probe + Send>,
}

impl Group {
    pub(crate) fn new(name: &'static str, open: impl FnMut() -> Probe + Send + 'static) -> Self {
        Self {
            name,
            open: Box::new(open),
        }
    }
}

/// What a group answered; `None` when it panicked.
type Answer = (Instant, Option<Reading>);

/// Where the threads put their answers, one place each.
struct Board {
    answers: Mutex<Vec<Option<Answer>>>,
    changed: Condvar,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Vec<Option<Answer>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Worker {
    name: &'static str,
    /// `None` when the system gave no thread. Dropping it ends the thread, as soon as it answers.
    ask: Option<SyncSender<()>>,
    /// Since when it owes an answer. While it does, it is asked nothing more.
    asked: Option<Instant>,
    last: Option<Answer>,
}

/// All groups of this machine.
pub(crate) struct Groups {
    workers: Vec<Worker>,
    board: Arc<Board>,
}

impl Groups {
    pub(crate) fn start(groups: Vec<Group>) -> Self {
        let board = Arc::new(Board {
            answers: Mutex::new(groups.iter().map(|_| None).collect()),
            changed: Condvar::new(),
        });
        let workers = groups
            .into_iter()
            .enumerate()
            .map(|(place, group)| Worker::start(group, place, &board))
            .collect();
        Self { workers, board }
    }

    /// Asks every group that owes nothing, waits a moment, and takes what came.
    fn ask_and_gather(&mut self) {
        let board = Arc::clone(&self.board);
        let mut answers = board.lock();
        self.take(&mut answers);
        let mut waited_for = Vec::new();
        for (place, worker) in self.workers.iter_mut().enumerate() {
            if worker.ask() {
                waited_for.push(place);
            }
        }
        let waiting =
            |answers: &mut Vec<Option<Answer>>| waited_for.iter().any(|p| answers[*p].is_none());
        let (mut answers, _) = board
            .changed
            .wait_timeout_while(answers, GATHER, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        self.take(&mut answers);
    }

    fn take(&mut self, answers: &mut [Option<Answer>]) {
        for (worker, answer) in self.workers.iter_mut().zip(answers) {
            if let Some(answer) = answer.take() {
                worker.asked = None;
                worker.last = Some(answer);
            }
        }
    }
}

impl Source for Groups {
    fn read(&mut self) -> Option<Reading> {
        self.ask_and_gather();
        let mut reading = Reading {
            at_ms: crate::clock::wall_ms(),
            ..Reading::default()
        };
        for worker in &self.workers {
            match worker.state() {
                State::Answered(part) => reading.join(part.clone()),
                State::Failed => reading.failed.push(worker.name.to_owned()),
                State::Pending => {}
            }
        }
        if reading.system_watts.is_none() {
            let parts = [reading.cpu_watts, reading.gpu_watts, reading.ane_watts];
            reading.system_watts = parts.into_iter().flatten().reduce(|a, b| a + b);
        }
        Some(reading)
    }
}

enum State<'a> {
    Answered(&'a Reading),
    /// It owes an answer for too long, it panicked, or it has no thread.
    Failed,
    /// It is measuring for the first time.
    Pending,
}

impl Worker {
    fn start(group: Group, place: usize, board: &Arc<Board>) -> Self {
        let (ask, asked) = sync_channel(1);
        let name = group.name;
        let board = Arc::clone(board);
        let thread = std::thread::Builder::new()
            .name(format!("sensors-{name}"))
            .spawn(move || work(group, &asked, place, &board));
        if let Err(error) = &thread {
            tracing::warn!(name, %error, "no thread for a group of sensors");
        }
        Self {
            name,
            ask: thread.is_ok().then_some(ask),
            asked: None,
            last: None,
        }
    }

    /// Asks for an answer unless one is owed; whether it did.
    fn ask(&mut self) -> bool {
        let free = self.asked.is_none();
        let asked = free
            && self
                .ask
                .as_ref()
                .is_some_and(|ask| ask.try_send(()).is_ok());
        if asked {
            self.asked = Some(Instant::now());
        }
        asked
    }

    fn state(&self) -> State<'_> {
        if self.ask.is_none() || self.asked.is_some_and(|since| since.elapsed() >= DEADLINE) {
            return State::Failed;
        }
        match &self.last {
            Some((_, None)) => State::Failed,
            Some((at, Some(part))) if at.elapsed() <= KEEP => State::Answered(part),
            _ => State::Pending,
        }
    }
}

/// The life of a group's thread: it ends when nobody can ask any more.
fn work(mut group: Group, asked: &Receiver<()>, place: usize, board: &Board) {
    let mut probe = None;
    while asked.recv().is_ok() {
        let part = catch_unwind(AssertUnwindSafe(|| {
            probe.get_or_insert_with(|| (group.open)())()
        }));
        let part = part.ok();
        if part.is_none() {
            // What panicked may be in any state.
            probe = None;
        }
        board.lock()[place] = Some((Instant::now(), part));
        board.changed.notify_one();
    }
}

#[cfg(test)]
mod tests;
