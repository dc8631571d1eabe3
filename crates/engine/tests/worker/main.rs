//! The child process for real: this test binary re-executes itself as the worker, with the fake model, or with the starter
//! model where only llama.cpp shows the truth.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // A test may stop anywhere and say why.

mod embed;
mod faults;
mod quantise;
mod starter;
mod streams;
mod vision;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use hearth_engine::supervisor::{Launch, Supervisor};
use hearth_engine::{
    Engine, Error, Event, Generation, LoadSpec, Message, Request, Role, State, Summary,
};
use libtest_mimic::{Arguments, Trial};
use llama_cpp_2::llama_backend::LlamaBackend;

fn main() -> ExitCode {
    if let Some(code) = hearth_engine::worker::run_if_asked() {
        return code;
    }
    let mut arguments = Arguments::from_args();
    // Each test runs a process or a model; more at once would measure the machine.
    arguments.test_threads = Some(2);
    let trials = faults::trials()
        .into_iter()
        .chain(starter::trials())
        .chain(streams::trials())
        .chain(embed::trials())
        .chain(vision::trials())
        .chain(quantise::trials())
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A test that may use tokio and panics when it fails.
fn trial<F>(name: &'static str, test: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        runtime.block_on(async { tokio::time::timeout(Duration::from_secs(120), test()).await })?;
        Ok(())
    })
}

fn fake_launch() -> Launch {
    Launch::this_executable().unwrap().fake()
}

fn fake() -> Arc<Supervisor> {
    Supervisor::start(fake_launch(), LoadSpec::new("fake"))
}

fn ask(text: &str) -> Request {
    Request::chat(vec![Message::new(Role::User, text)])
}

/// llama.cpp in this process, for loops to compare with: there is one at a time.
fn llama_backend() -> LlamaBackend {
    loop {
        match LlamaBackend::init() {
            Ok(backend) => return backend,
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// Where `make` puts the starter model.
fn starter_path() -> PathBuf {
    let cache = std::env::var_os("HEARTH_CACHE").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/hearth"),
        PathBuf::from,
    );
    let path = cache.join("models/SmolLM2-135M-Instruct.Q4_1.gguf");
    assert!(
        path.exists(),
        "{} is missing; `make model` fetches it",
        path.display()
    );
    path
}

/// Everything a generation said.
async fn collect(mut generation: Generation) -> (String, Result<Summary, Error>) {
    let mut text = String::new();
    while let Some(event) = generation.events.recv().await {
        match event {
            Event::Text { text: more, .. } => text.push_str(&more),
            Event::Finished(summary) => return (text, Ok(summary)),
            Event::Failed(error) => return (text, Err(error)),
            _ => {}
        }
    }
    panic!("the generation ended without a last event");
}

async fn until(engine: &Supervisor, wanted: impl FnMut(&State) -> bool) -> State {
    engine.state().wait_for(wanted).await.unwrap().clone()
}
