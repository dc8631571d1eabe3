//! An engine that computes nothing and keeps time: what is left to measure is the way from its events to a client.
//!
//! As the real one it says one token of every stream at the same moment, from a thread of its own. Each token carries the time at
//! which it was said. The last message says what is wanted: `TOKENS` at the usual pace, `TOKENS now` all at once.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hearth_app::inference::Engines;
use hearth_engine::embed::Task;
use hearth_engine::{
    Cancel, Engine, Error, Event, FinishReason, Generation, Limits, LoadSpec, ModelInfo, Prompt,
    Request, State, Summary, TokenTask,
};
use tokio::sync::{mpsc, watch};

/// 50 tokens a second.
pub(super) const STEP: Duration = Duration::from_millis(20);
/// Stands before the time in a token, a blank after it.
pub(super) const MARK: u8 = b'@';

/// Nanoseconds by the clock that two processes share.
pub(super) fn clock() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |time| time.as_nanos() as u64)
}

/// Makes paced engines.
pub(super) struct PacedEngines;

impl Engines for PacedEngines {
    fn start(&self, _: LoadSpec) -> io::Result<Arc<dyn Engine>> {
        let info = ModelInfo::without_weights(65_536);
        let streams = Streams::default();
        let kept = streams.clone();
        std::thread::spawn(move || keep_time(&kept));
        Ok(Arc::new(Paced {
            streams,
            state: watch::channel(State::Ready { info, active: 0 }).0,
        }))
    }
}

type Streams = Arc<Mutex<Vec<Stream>>>;

struct Stream {
    events: mpsc::UnboundedSender<Event>,
    left: u32,
    said: u32,
}

impl Stream {
    /// Says one more; whether another follows.
    fn step(&mut self) -> bool {
        let text = format!("{}{} ", char::from(MARK), clock());
        let logprobs = Vec::new();
        let heard = self.events.send(Event::Text { text, logprobs }).is_ok();
        (self.left, self.said) = (self.left - 1, self.said + 1);
        if self.left == 0 {
            let _ = self.events.send(Event::Finished(summary(self.said)));
        }
        heard && self.left > 0
    }
}

/// One token of every stream, then a pause until the next step is due.
fn keep_time(streams: &Streams) {
    let mut due = Instant::now();
    loop {
        due += STEP;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let mut streams = streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain_mut(Stream::step);
    }
}

struct Paced {
    streams: Streams,
    state: watch::Sender<State>,
}

impl Engine for Paced {
    fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    fn generate(&self, request: Request) -> Generation {
        let (events, passed) = mpsc::unbounded_channel();
        let text = match request.prompt {
            Prompt::Text(text) => text,
            Prompt::Tokens(_) => String::new(),
            Prompt::Chat(mut messages) => messages.pop().map_or(String::new(), |m| m.content),
        };
        let mut words = text.split(' ');
        let left = words.next().and_then(|n| n.parse().ok()).unwrap_or(1);
        let _ = events.send(Event::Started {
            prompt_tokens: 9,
            cached_tokens: 0,
            cut_messages: 0,
            notice: None,
        });
        let mut stream = Stream {
            events,
            left,
            said: 0,
        };
        if words.next() == Some("now") {
            while stream.step() {}
        } else {
            let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
            streams.push(stream);
        }
        Generation {
            events: passed.into(),
            cancel: Cancel::new(|| {}),
        }
    }

    fn encode(&self, _: Task) -> Generation {
        refused()
    }

    fn ask_tokens(&self, _: TokenTask) -> Generation {
        refused()
    }

    fn limit(&self, _: Limits) {}

    fn shut_down(&self) {
        self.state.send_replace(State::ShutDown);
    }
}

fn refused() -> Generation {
    let (events, passed) = mpsc::unbounded_channel();
    let _ = events.send(Event::Failed(Error::ShutDown));
    Generation {
        events: passed.into(),
        cancel: Cancel::new(|| {}),
    }
}

fn summary(tokens: u32) -> Summary {
    Summary {
        reason: FinishReason::Stop,
        stop: None,
        prompt_tokens: 9,
        cached_tokens: 0,
        tokens,
        ttft_ms: 1.0,
        prefill_ms: 1.0,
        decode_ms: f64::from(tokens) * STEP.as_secs_f64() * 1000.0,
    }
}
