//! The same work through the supervisor, the pipe, the scheduler and back.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hearth_engine::embed::Task;
use hearth_engine::supervisor::{Launch, Supervisor};
use hearth_engine::{
    Engine, Event, Generation, Limits, LoadSpec, Message, Priority, Request, Role, Sampling, State,
    Summary,
};

/// An engine in a child process.
#[derive(Clone)]
pub(crate) struct Child(Arc<Supervisor>);

/// What a client saw of one answer.
pub(crate) struct Answer {
    pub(crate) asked: Instant,
    /// When each piece of text came.
    pub(crate) times: Vec<Instant>,
    pub(crate) text: String,
    pub(crate) ended: Instant,
    pub(crate) summary: Summary,
}

impl Answer {
    /// From the question to the first text, in milliseconds.
    pub(crate) fn ttft_ms(&self) -> f64 {
        self.times
            .first()
            .map_or(f64::NAN, |first| ms(*first - self.asked))
    }

    /// The waits between two pieces of text, in milliseconds.
    pub(crate) fn gaps_ms(&self) -> Vec<f64> {
        let pairs = self.times.windows(2);
        pairs.map(|pair| ms(pair[1] - pair[0])).collect()
    }

    /// From the question to the end, in milliseconds.
    pub(crate) fn total_ms(&self) -> f64 {
        ms(self.ended - self.asked)
    }
}

pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

pub(crate) fn spec(model: &Path, threads: u32) -> LoadSpec {
    let mut spec = LoadSpec::new(model);
    spec.threads = Some(threads);
    spec
}

/// A greedy request that makes exactly `tokens` tokens.
pub(crate) fn greedy(prompt: &str, tokens: u32) -> Request {
    Request {
        sampling: Sampling::greedy(),
        max_tokens: Some(tokens),
        ignore_eos: true,
        priority: Priority::Api,
        ..Request::text(prompt)
    }
}

/// From the start of the child process to the first token of a short chat; the page cache is warm.
pub(crate) async fn first_token_ms(model: &Path, threads: u32) -> f64 {
    let mut times = Vec::new();
    for _ in 0..6 {
        let started = Instant::now();
        let child = Child(Supervisor::start(
            Launch::this_executable().unwrap(),
            spec(model, threads),
        ));
        let mut request = Request::chat(vec![Message::new(Role::User, "Why is the sky blue?")]);
        request.max_tokens = Some(1);
        let mut generation = child.0.generate(request);
        while !matches!(
            generation.events.recv().await,
            Some(Event::Text { .. }) | None
        ) {}
        times.push(ms(started.elapsed()));
        child.stop().await;
    }
    // The first one reads the file from the disk.
    super::report::median(times.into_iter().skip(1))
}

impl Child {
    pub(crate) async fn start(spec: LoadSpec) -> Self {
        let engine = Supervisor::start(Launch::this_executable().unwrap(), spec);
        let _ = engine
            .state()
            .wait_for(|s| matches!(s, State::Ready { .. }))
            .await
            .unwrap();
        Self(engine)
    }

    pub(crate) async fn stop(&self) {
        self.0.shut_down();
        let _ = self
            .0
            .state()
            .wait_for(|s| matches!(s, State::ShutDown))
            .await;
    }

    pub(crate) fn generate(&self, request: Request) -> Generation {
        self.0.generate(request)
    }

    pub(crate) fn encode(&self, task: Task) -> Generation {
        self.0.encode(task)
    }

    /// Sends a request and waits for all of the answer.
    pub(crate) async fn ask(&self, request: Request) -> Answer {
        let asked = Instant::now();
        listen(asked, self.generate(request)).await
    }

    pub(crate) fn limit(&self, limits: Limits) {
        self.0.limit(limits);
    }

    /// Process id, for reading its memory.
    pub(crate) fn process(&self) -> Option<u32> {
        self.0.child_id()
    }
}

/// Follows an answer to its end.
pub(crate) async fn listen(asked: Instant, mut generation: Generation) -> Answer {
    let (mut times, mut text) = (Vec::new(), String::new());
    loop {
        match generation.events.recv().await.expect("the engine goes on") {
            Event::Text { text: more, .. } => {
                times.push(Instant::now());
                text.push_str(&more);
            }
            Event::Finished(summary) => {
                let ended = Instant::now();
                return Answer {
                    asked,
                    times,
                    text,
                    ended,
                    summary,
                };
            }
            Event::Failed(error) => panic!("{error}"),
            _ => {}
        }
    }
}
