//! Engines whose answers the test gives, one event at a time: for what happens while a request waits, reads or streams.
//!
//! The fake engine computes at its own pace; here nothing moves until the test says so, so that no test depends on time.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hearth_app::engine::embed::Task;
use hearth_app::engine::{
    Cancel, Engine, Event, FinishReason, Generation, Limits, LoadSpec, ModelInfo, Prompt, Request,
    State, Summary, TokenTask,
};
use hearth_app::inference::Engines;
use tokio::sync::{mpsc, watch};

/// What reached the engine, in that order. A clone refers to the same.
#[derive(Clone, Default)]
pub(crate) struct HeldEngines(Arc<Mutex<Vec<Held>>>);

/// A request that the engine has.
#[derive(Clone)]
pub(crate) struct Held {
    /// The text of the last message.
    pub(crate) asked: String,
    events: mpsc::UnboundedSender<Event>,
    cancelled: Arc<AtomicBool>,
}

impl HeldEngines {
    /// The request that reached the engine as number `at`; waits for it.
    pub(crate) async fn number(&self, at: usize) -> Held {
        for _ in 0..1_000 {
            let held = self.0.lock().unwrap().get(at).cloned();
            if let Some(held) = held {
                return held;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("request {at} never reached the engine");
    }

    /// How many have reached the engine.
    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl Held {
    /// It has its slot.
    pub(crate) fn start(&self) {
        self.send(Event::Started {
            prompt_tokens: 3,
            cached_tokens: 0,
            cut_messages: 0,
            notice: None,
        });
    }

    pub(crate) fn say(&self, text: &str) {
        self.send(Event::Text {
            text: text.to_owned(),
            logprobs: Vec::new(),
        });
    }

    pub(crate) fn finish(&self) {
        self.send(Event::Finished(Summary {
            reason: FinishReason::Stop,
            stop: None,
            prompt_tokens: 3,
            cached_tokens: 0,
            tokens: 1,
            ttft_ms: 1.0,
            prefill_ms: 1.0,
            decode_ms: 1.0,
        }));
    }

    fn send(&self, event: Event) {
        // Whoever hung up does not hear it.
        let _ = self.events.send(event);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Until the work is no longer wanted.
    pub(crate) async fn cancelled(&self) {
        for _ in 0..1_000 {
            if self.is_cancelled() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the work for {:?} went on", self.asked);
    }
}

impl Engines for HeldEngines {
    fn start(&self, _: LoadSpec) -> io::Result<Arc<dyn Engine>> {
        let info = ModelInfo::without_weights(4096);
        Ok(Arc::new(HeldEngine {
            all: self.clone(),
            state: watch::channel(State::Ready { info, active: 0 }).0,
        }))
    }
}

struct HeldEngine {
    all: HeldEngines,
    state: watch::Sender<State>,
}

impl HeldEngine {
    fn accept(&self, asked: String) -> Generation {
        let (events, passed) = mpsc::unbounded_channel();
        let cancelled: Arc<AtomicBool> = Arc::default();
        let flag = cancelled.clone();
        self.all.0.lock().unwrap().push(Held {
            asked,
            events,
            cancelled,
        });
        Generation {
            events: passed.into(),
            cancel: Cancel::new(move || flag.store(true, Ordering::Relaxed)),
        }
    }
}

impl Engine for HeldEngine {
    fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    fn generate(&self, request: Request) -> Generation {
        let asked = match request.prompt {
            Prompt::Text(text) => text,
            Prompt::Tokens(tokens) => format!("{} tokens", tokens.len()),
            Prompt::Chat(mut messages) => messages.pop().unwrap().content,
        };
        self.accept(asked)
    }

    fn encode(&self, _: Task) -> Generation {
        self.accept("texts".into())
    }

    fn ask_tokens(&self, _: TokenTask) -> Generation {
        self.accept("tokens".into())
    }

    fn limit(&self, _: Limits) {}

    fn shut_down(&self) {
        self.state.send_replace(State::ShutDown);
    }
}
