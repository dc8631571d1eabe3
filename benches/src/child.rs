//! The same work through the supervisor, the pipe, the scheduler and back.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use hearth_engine::supervisor::{Launch, Supervisor};
use hearth_engine::{Engine, Event, LoadSpec, Message, Request, Role, Sampling, State, Summary};

use super::Round;

pub(crate) struct Child(Arc<Supervisor>);

fn start(model: &Path, threads: u32) -> Arc<Supervisor> {
    let mut spec = LoadSpec::new(model);
    spec.threads = Some(threads);
    Supervisor::start(Launch::this_executable().unwrap(), spec)
}

/// From the start of the child process to the first token of a short chat; the page cache is warm.
pub(crate) async fn first_token_ms(model: &Path, threads: u32) -> f64 {
    let mut times = Vec::new();
    for _ in 0..6 {
        let started = Instant::now();
        let engine = start(model, threads);
        let mut request = Request::chat(vec![Message::new(Role::User, "Why is the sky blue?")]);
        request.max_tokens = Some(1);
        let mut generation = engine.generate(request);
        while !matches!(
            generation.events.recv().await,
            Some(Event::Text { .. }) | None
        ) {}
        times.push(started.elapsed().as_secs_f64() * 1000.0);
        engine.shut_down();
        let _ = engine
            .state()
            .wait_for(|s| matches!(s, State::ShutDown))
            .await;
    }
    // The first one reads the file from the disk.
    super::median(times.into_iter().skip(1))
}

impl Child {
    pub(crate) async fn start(model: &Path, threads: u32) -> Self {
        let engine = start(model, threads);
        let _ = engine
            .state()
            .wait_for(|s| matches!(s, State::Ready { .. }))
            .await
            .unwrap();
        Self(engine)
    }

    pub(crate) async fn round(&self, prompt: &str, decode_tokens: u32) -> Round {
        let request = Request {
            sampling: Sampling::greedy(),
            max_tokens: Some(decode_tokens),
            ignore_eos: true,
            ..Request::text(prompt)
        };
        let summary = finish(self.0.generate(request)).await;
        Round {
            prompt_tokens: summary.prompt_tokens,
            prefill_ms: summary.prefill_ms,
            decode_ms: summary.decode_ms,
            tokens: summary.tokens,
        }
    }
}

async fn finish(mut generation: hearth_engine::Generation) -> Summary {
    loop {
        match generation.events.recv().await.expect("the engine goes on") {
            Event::Finished(summary) => return summary,
            Event::Failed(error) => panic!("{error}"),
            _ => {}
        }
    }
}
