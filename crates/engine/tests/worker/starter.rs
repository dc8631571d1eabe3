//! llama.cpp and the starter model in the child: what only a real model shows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hearth_engine::supervisor::{Launch, Supervisor};
use hearth_engine::{Engine, Error, Event, FinishReason, LoadSpec, Request, Sampling, State};
use libtest_mimic::Trial;

use super::{ask, collect, starter_path, trial, until};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("the_starter_model_answers", the_starter_model_answers),
        trial(
            "the_same_seed_gives_the_same_text",
            the_same_seed_gives_the_same_text,
        ),
        trial(
            "a_prompt_longer_than_the_context_is_refused",
            a_prompt_longer_than_the_context_is_refused,
        ),
        trial(
            "max_tokens_and_stop_strings_end_an_answer",
            max_tokens_and_stop_strings_end_an_answer,
        ),
        trial(
            "cancel_in_prefill_frees_the_engine",
            cancel_in_prefill_frees_the_engine,
        ),
        trial("a_killed_child_answers_again", a_killed_child_answers_again),
        trial(
            "a_file_that_is_no_model_is_refused",
            a_file_that_is_no_model_is_refused,
        ),
    ]
}

fn starter() -> Arc<Supervisor> {
    start(LoadSpec::new(starter_path()))
}

/// One thread: two models that spin on two cores each would measure the machine.
fn start(mut spec: LoadSpec) -> Arc<Supervisor> {
    spec.threads = Some(1);
    Supervisor::start(Launch::this_executable().unwrap(), spec)
}

fn greedy(text: &str, max_tokens: u32) -> Request {
    let mut request = ask(text);
    request.sampling = Sampling::greedy();
    request.max_tokens = Some(max_tokens);
    request
}

async fn the_starter_model_answers() {
    let engine = starter();
    let (text, end) = collect(engine.generate(greedy("Why is the sky blue?", 40))).await;
    assert!(text.contains("Rayleigh"), "{text}");
    let summary = end.unwrap();
    assert_eq!(summary.reason, FinishReason::Length);
    assert!(!text.contains("<|im"));
    let State::Ready { info, .. } =
        until(&engine, |s| matches!(s, State::Ready { active: 0, .. })).await
    else {
        unreachable!()
    };
    assert_eq!(info.context_tokens, 8192);
    assert!(
        info.offload.contains("CPU") || info.offload.contains("layers"),
        "{}",
        info.offload
    );
}

async fn the_same_seed_gives_the_same_text() {
    let engine = starter();
    let mut request = ask("Tell me a short story about a fox.");
    request.sampling.temperature = 0.9;
    request.sampling.seed = Some(7);
    request.max_tokens = Some(30);
    let (first, _) = collect(engine.generate(request.clone())).await;
    let (second, _) = collect(engine.generate(request.clone())).await;
    assert_eq!(first, second);
    request.sampling.seed = Some(8);
    let (other, _) = collect(engine.generate(request)).await;
    assert_ne!(first, other);
}

async fn a_prompt_longer_than_the_context_is_refused() {
    let mut spec = LoadSpec::new(starter_path());
    spec.context_tokens = Some(256);
    let engine = start(spec);
    let (_, end) = collect(engine.generate(greedy(&"word ".repeat(400), 8))).await;
    assert!(
        matches!(end, Err(Error::ContextOverflow { prompt_tokens, context_tokens: 256 }) if prompt_tokens > 400),
        "{end:?}"
    );
    let mut long = greedy("Count to one thousand.", 1000);
    long.ignore_eos = true;
    let (_, end) = collect(engine.generate(long)).await;
    let summary = end.unwrap();
    assert_eq!(summary.reason, FinishReason::Length);
    assert_eq!(summary.prompt_tokens + summary.tokens, 256);
}

async fn max_tokens_and_stop_strings_end_an_answer() {
    let engine = starter();
    let (_, end) = collect(engine.generate(greedy("Tell me about the sea.", 5))).await;
    let summary = end.unwrap();
    assert_eq!((summary.reason, summary.tokens), (FinishReason::Length, 5));
    let mut request = greedy("Why is the sky blue?", 40);
    request.stop = vec!["scattering".into()];
    let (text, end) = collect(engine.generate(request)).await;
    assert_eq!(end.unwrap().reason, FinishReason::Stop);
    assert!(
        !text.contains("scattering") && text.contains("Rayleigh"),
        "{text}"
    );
}

async fn cancel_in_prefill_frees_the_engine() {
    let engine = starter();
    let mut reading = engine.generate(greedy(
        &"The quick brown fox jumps over the lazy dog. ".repeat(500),
        8,
    ));
    while !matches!(reading.events.recv().await, Some(Event::Prefill { .. })) {}
    let asked = Instant::now();
    reading.cancel.cancel();
    let (text, end) = collect(reading).await;
    assert_eq!(
        (text.as_str(), end.unwrap().reason),
        ("", FinishReason::Cancelled)
    );
    // One chunk of 512 tokens is what a cancel may have to wait for; the bound is wide because the machine may be busy.
    assert!(
        asked.elapsed() < Duration::from_secs(8),
        "{:?}",
        asked.elapsed()
    );
    let (text, _) = collect(engine.generate(greedy("Why is the sky blue?", 40))).await;
    assert!(text.contains("Rayleigh"), "{text}");
}

async fn a_killed_child_answers_again() {
    let engine = starter();
    let mut running = engine.generate(greedy("Write a long poem about rivers.", 400));
    while !matches!(running.events.recv().await, Some(Event::Text { .. })) {}
    let pid = rustix::process::Pid::from_raw(engine.child_id().unwrap() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let (_, end) = collect(running).await;
    assert!(matches!(end, Err(Error::Crashed { .. })), "{end:?}");
    let (text, _) = collect(engine.generate(greedy("Why is the sky blue?", 40))).await;
    assert!(text.contains("Rayleigh"), "{text}");
}

async fn a_file_that_is_no_model_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "this is a text file, not a model").unwrap();
    let engine = start(LoadSpec::new(file.path()));
    let (_, end) = collect(engine.generate(ask("hi"))).await;
    assert!(
        matches!(&end, Err(Error::LoadFailed { reason }) if !reason.is_empty()),
        "{end:?}"
    );
}
