//! Runs a backend on a thread of this process: for tests around the engine and for measurements, not for llama.cpp in the app.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc as std_mpsc};
use std::time::Instant;

use tokio::sync::{mpsc, watch};

use crate::backend::Backend;
use crate::embed::{self, Encoder, schedule};
use crate::scheduler::{self, Progress, Work};
use crate::{
    Cancel, Engine, Error, Event, Generation, Limits, LoadSpec, ModelInfo, Request, State,
    TokenTask,
};

type Listeners = Arc<Mutex<HashMap<u64, mpsc::UnboundedSender<Event>>>>;

/// An engine without a child process.
pub struct Local {
    work: std_mpsc::Sender<Work>,
    listeners: Listeners,
    state: watch::Sender<State>,
    next_id: AtomicU64,
}

impl Local {
    /// `load` runs on the new thread, which owns the backend from then on.
    pub fn start<B: Backend + 'static>(
        load: impl FnOnce() -> Result<B, Error> + Send + 'static,
    ) -> Arc<Self> {
        Self::spawn(move |thread| {
            let mut backend = load()?;
            thread.ready(backend.info());
            let progress = Progress::default();
            let mailbox = &thread.mailbox;
            scheduler::run(
                &mut backend,
                LoadSpec::DEFAULT_SLOTS,
                None,
                mailbox,
                &progress,
                Instant::now(),
                &mut |events| {
                    events
                        .into_iter()
                        .for_each(|(id, event)| thread.emit(id, event))
                },
            );
            Ok(())
        })
    }

    /// As [`Local::start`], for a model that makes vectors or scores.
    pub fn start_encoder<E: Encoder + 'static>(
        load: impl FnOnce() -> Result<E, Error> + Send + 'static,
    ) -> Arc<Self> {
        Self::spawn(move |thread| {
            let mut encoder = load()?;
            thread.ready(encoder.info());
            let progress = Progress::default();
            let mailbox = &thread.mailbox;
            schedule::run(
                &mut encoder,
                mailbox,
                &progress,
                Instant::now(),
                &mut |id, event| thread.emit(id, event),
            );
            Ok(())
        })
    }

    fn spawn(serve: impl FnOnce(&Thread) -> Result<(), Error> + Send + 'static) -> Arc<Self> {
        let (work, mailbox) = std_mpsc::channel();
        let listeners = Listeners::default();
        let (state, _) = watch::channel(State::Loading { progress: None });
        let thread = Thread {
            mailbox,
            listeners: listeners.clone(),
            state: state.clone(),
        };
        std::thread::spawn(move || match serve(&thread) {
            Ok(()) => {
                thread.state.send_replace(State::ShutDown);
            }
            Err(error) => {
                thread.state.send_replace(State::Failed(error.clone()));
                for listener in lock(&thread.listeners).drain() {
                    let _ = listener.1.send(Event::Failed(error.clone()));
                }
            }
        });
        Arc::new(Self {
            work,
            listeners,
            state,
            next_id: AtomicU64::new(1),
        })
    }

    fn ask(&self, work: impl FnOnce(u64) -> Work) -> Generation {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, events) = mpsc::unbounded_channel();
        let count = {
            let mut listeners = lock(&self.listeners);
            listeners.insert(id, sender);
            listeners.len()
        };
        publish_active(&self.state, count);
        if self.work.send(work(id)).is_err()
            && let Some(listener) = lock(&self.listeners).remove(&id)
        {
            let error = match &*self.state.borrow() {
                State::Failed(error) => error.clone(),
                _ => Error::ShutDown,
            };
            let _ = listener.send(Event::Failed(error));
        }
        let work = self.work.clone();
        Generation {
            events: events.into(),
            cancel: Cancel::new(move || {
                let _ = work.send(Work::Cancel { id });
            }),
        }
    }
}

/// What the thread that owns the model has of the engine.
struct Thread {
    mailbox: std_mpsc::Receiver<Work>,
    listeners: Listeners,
    state: watch::Sender<State>,
}

impl Thread {
    fn ready(&self, info: &ModelInfo) {
        self.state.send_replace(State::Ready {
            info: info.clone(),
            active: 0,
        });
    }

    fn emit(&self, id: u64, event: Event) {
        let last = event.is_last();
        let mut map = lock(&self.listeners);
        // A receiver that is gone has already asked for the cancel.
        let _ = map.get(&id).map(|listener| listener.send(event));
        if last {
            map.remove(&id);
            publish_active(&self.state, map.len());
        }
    }
}

fn publish_active(state: &watch::Sender<State>, count: usize) {
    state.send_if_modified(|state| match state {
        State::Ready { active, .. } => std::mem::replace(active, count as u32) != count as u32,
        _ => false,
    });
}

/// A lock whose data stays sound when a holder panicked: the map is changed in single steps only.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine for Local {
    fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    fn generate(&self, request: Request) -> Generation {
        let request = Box::new(request);
        self.ask(|id| Work::Generate { id, request })
    }

    fn encode(&self, task: embed::Task) -> Generation {
        let task = Box::new(task);
        self.ask(|id| Work::Encode { id, task })
    }

    fn ask_tokens(&self, task: TokenTask) -> Generation {
        self.ask(|id| Work::Tokens { id, task })
    }

    fn limit(&self, limits: Limits) {
        let _ = self.work.send(Work::Limit { limits });
    }

    fn shut_down(&self) {
        let _ = self.work.send(Work::ShutDown);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::fake::Fake;
    use crate::{Message, Role};

    /// When the events of an answer of greedy steps of `step_ms` came, after the first of its text.
    async fn paced(duty: f32, step_ms: u32, text: &str) -> Vec<Duration> {
        let engine = Local::start(|| Ok(Fake::new(4096)));
        engine.limit(Limits {
            duty,
            ..Limits::default()
        });
        let slow = Message::new(Role::User, format!("!slow {step_ms} {text}"));
        // Greedy, so that nothing is guessed ahead: each token is a step.
        let mut request = Request::chat(vec![slow]);
        request.sampling.temperature = 0.0;
        let mut answer = engine.generate(request);
        while !matches!(answer.events.recv().await, Some(Event::Text { .. })) {}
        let began = Instant::now();
        let mut times = Vec::new();
        while answer.events.recv().await.is_some() {
            times.push(began.elapsed());
        }
        times
    }

    #[tokio::test]
    async fn a_paced_engine_rests_for_as_long_as_its_steps_ask_for() {
        let times = paced(0.25, 40, "abcdefg").await;
        // Seven more steps of 40 ms, with 120 ms between them.
        assert!(*times.last().unwrap() >= Duration::from_millis(7 * 160 - 40));
    }

    #[tokio::test]
    async fn short_rests_are_taken_together() {
        let times = paced(0.5, 4, "abcdefghijklmnopqrstuvwxyzabcdefghijklmn").await;
        // Forty more steps of 4 ms ask for 160 ms of rest; less than one rest may be left at the end.
        assert!(*times.last().unwrap() >= Duration::from_millis(40 * 8 - 44));
        let rests = times
            .windows(2)
            .filter(|pair| pair[1].saturating_sub(pair[0]) >= Duration::from_millis(40));
        assert!(rests.count() >= 3, "{times:?}");
    }
}
