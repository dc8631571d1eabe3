//! What the child process, the protocol and the scheduler cost: the starter model through the engine against a bare loop over
//! llama-cpp-2 with the same file, threads, batch and prompt. And what the server costs, with an engine that computes nothing, and the
//! time line.
//!
//! Both models are loaded at once and take turns, so that whatever else the machine does hits both. Prints a table on standard
//! error and JSON on standard output. Speed is a ratio in one run and never a test.
//! `hearth-benches [ROUNDS] [start|stream|together|prefix|join|cancel|reopen|embed|server|sampler|governor|timeline|fuzz|soak ...]`; without a
//! section all but `fuzz` and `soak`, which take ten minutes each; `fuzz` takes ROUNDS as its seed, `sampler` as its seconds.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)] // A bench may print and stop.

mod bare;
mod child;
mod embed;
mod fuzz;
mod governor;
mod report;
mod sampler;
mod scenarios;
mod server;
mod timeline;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hearth_engine::LoadSpec;
use tokio::runtime::Runtime;

use self::bare::Bare;
use self::child::{Child, greedy};
use self::report::{Must, Report, median};

/// Tokens of an answer.
const DECODE_TOKENS: u32 = 64;
/// Answers of either side in a round: short ones in turns, for what else the machine does comes and goes within seconds.
const ANSWERS: usize = 6;
/// Words of the prompt; about as many tokens.
const PROMPT_WORDS: usize = 480;

fn main() -> ExitCode {
    if let Some(code) = hearth_engine::worker::run_if_asked() {
        return code;
    }
    if let Some(code) = server::process::run_if_asked() {
        return code;
    }
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let rounds = match arguments.first().and_then(|n| n.parse().ok()) {
        Some(rounds) => {
            arguments.remove(0);
            rounds
        }
        None => 7,
    };
    let model = starter();
    let mut report = Report::default();
    let wanted = |name: &str| arguments.is_empty() || arguments.iter().any(|s| s == name);
    // First, for it counts the processor time of the whole process.
    if wanted("sampler") {
        sampler::measure(&mut report, rounds);
    }
    // Loading a model takes a while: not for those that need none.
    let without_models = |section: &String| {
        ["server", "sampler", "governor", "timeline"].contains(&section.as_str())
    };
    if arguments.is_empty() || !arguments.iter().all(without_models) {
        with_models(&mut report, &model, rounds, &arguments);
    }
    if wanted("governor") {
        governor::measure(&mut report, &model);
    }
    if wanted("server") {
        server::measure(&mut report, &model, rounds);
    }
    if wanted("timeline") {
        timeline::measure(&mut report, rounds, 30);
    }
    report.finish();
    ExitCode::SUCCESS
}

/// All sections that need a model.
fn with_models(report: &mut Report, model: &Path, rounds: usize, sections: &[String]) {
    let wanted = |section: &str| sections.is_empty() || sections.iter().any(|s| s == section);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    if wanted("start") {
        let first_token_ms = runtime.block_on(child::first_token_ms(model, threads));
        report.note(
            "load and first token of a short prompt",
            "ms",
            first_token_ms,
        );
    }
    let child = runtime.block_on(Child::start(LoadSpec {
        slots: 8,
        ..child::spec(model, threads)
    }));
    bare::with_model(model, threads, |bare| {
        if wanted("stream") {
            one_stream(report, bare, &child, &runtime, rounds);
        }
        if wanted("together") {
            for streams in [4, 8] {
                runtime.block_on(scenarios::together(report, bare, &child, streams, rounds));
            }
        }
    });
    runtime.block_on(meetings(report, &child, model, threads, rounds, sections));
    drop(child);
    if wanted("embed") {
        embed::vectors(report, &runtime, threads, rounds);
    }
}

/// What happens when requests meet.
async fn meetings(
    report: &mut Report,
    child: &Child,
    model: &Path,
    threads: u32,
    rounds: usize,
    sections: &[String],
) {
    let named = |section: &str| sections.iter().any(|s| s == section);
    let wanted = |section: &str| sections.is_empty() || named(section);
    if wanted("prefix") {
        scenarios::shared_prefix(report, child, rounds).await;
    }
    if wanted("join") {
        scenarios::joiner(report, child, rounds).await;
    }
    if wanted("cancel") {
        scenarios::cancel(report, child, rounds).await;
    }
    if wanted("reopen") {
        scenarios::reopen(report, model, threads, rounds).await;
    }
    // Ten minutes each: only when asked for.
    if named("fuzz") {
        let seed = rounds as u64;
        let encoder = embed::start(threads).await;
        fuzz::fuzz(report, child, &encoder, 600, seed).await;
    }
    if named("soak") {
        scenarios::soak(report, child, 20_000).await;
    }
}

/// A prompt of fixed length that begins differently for each number, so that no prefix is in the cache.
pub(crate) fn words(number: usize, count: usize) -> String {
    let words = [
        "river", "stone", "light", "garden", "window", "letter", "winter", "music", "forest",
        "market",
    ];
    let mut text = format!("{number}:");
    for i in 0..count {
        text.push(' ');
        text.push_str(words[(i * (number + 3) + i / 7 + number) % words.len()]);
    }
    text
}

fn starter() -> PathBuf {
    let cache = std::env::var_os("HEARTH_CACHE").map_or_else(
        || Path::new(&std::env::var_os("HOME").expect("HOME is set")).join(".cache/hearth"),
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

/// One stream against the bare loop: a prompt is read once by either side, then answered again and again, which of them first in
/// turns.
fn one_stream(
    report: &mut Report,
    bare: &mut Bare<'_>,
    child: &Child,
    runtime: &Runtime,
    rounds: usize,
) {
    // Milliseconds of the bare loop and of the child; what one does right after the other is a pair.
    let (mut prefill, mut decode) = (Vec::new(), Vec::new());
    let mut prompt_tokens = 0;
    for round in 0..=rounds {
        let prompt = words(round, PROMPT_WORDS);
        let ask = |count| runtime.block_on(child.ask(greedy(&prompt, count))).summary;
        let child_first = (round % 2 == 1).then(|| ask(1));
        let (tokens, bare_ms) = bare.read(&prompt);
        let summary = child_first.unwrap_or_else(|| ask(1));
        assert_eq!(
            tokens.len(),
            summary.prompt_tokens as usize,
            "both sides must read the same tokens"
        );
        assert!(summary.cached_tokens < 8, "the prompt must be a new one");
        prompt_tokens = summary.prompt_tokens - summary.cached_tokens;
        // The first round warms both up.
        if round > 0 {
            prefill.push((bare_ms, summary.prefill_ms));
        }
        for answer in 0..ANSWERS {
            let child_first = (answer % 2 == 1).then(|| ask(DECODE_TOKENS));
            let bare_ms = bare.answer(&tokens, DECODE_TOKENS);
            let child_ms = child_first.unwrap_or_else(|| ask(DECODE_TOKENS)).decode_ms;
            if round > 0 {
                decode.push((bare_ms, child_ms));
            }
        }
    }
    for (name, pairs, tokens, must) in [
        ("prefill", prefill, prompt_tokens, 0.97),
        ("decode", decode, DECODE_TOKENS - 1, 0.98),
    ] {
        let ratio = median(pairs.iter().map(|(bare, child)| bare / child));
        let speed = |ms: f64| f64::from(tokens) * 1000.0 / ms;
        let (bare, child) = (
            median(pairs.iter().map(|p| speed(p.0))),
            median(pairs.iter().map(|p| speed(p.1))),
        );
        let how = format!("{child:.1} to {bare:.1} tokens per second");
        report.row(
            &format!("{name} of one stream, to the bare loop"),
            "×",
            ratio,
            &Must::AtLeast(must),
            &how,
        );
    }
}
