//! What the child process, the protocol and the scheduler cost: the starter model through the engine against a bare loop over
//! llama-cpp-2 with the same file, threads, batch and prompt.
//!
//! `hearth-benches embed` does the same for vectors.
//!
//! Both models are loaded at once and take turns, so that whatever else the machine does hits both. Prints a table on standard
//! error and JSON on standard output. Speed is a ratio in one run and never a test.
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

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Tokens decoded in a round.
const DECODE_TOKENS: u32 = 128;
/// Words of the prompt; about as many tokens.
const PROMPT_WORDS: usize = 480;

/// One round of either side, in milliseconds.
pub(crate) struct Round {
    pub(crate) prompt_tokens: u32,
    pub(crate) prefill_ms: f64,
    pub(crate) decode_ms: f64,
    pub(crate) tokens: u32,
}

impl Round {
    fn prefill_speed(&self) -> f64 {
        f64::from(self.prompt_tokens) * 1000.0 / self.prefill_ms
    }

    fn decode_speed(&self) -> f64 {
        f64::from(self.tokens - 1) * 1000.0 / self.decode_ms
    }
}

fn main() -> ExitCode {
    if let Some(code) = hearth_engine::worker::run_if_asked() {
        return code;
    }
    let mut arguments = std::env::args().skip(1).peekable();
    let embed = arguments.next_if_eq("embed").is_some();
    let rounds = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(7);
    if embed {
        embed::run(rounds);
        return ExitCode::SUCCESS;
    }
    let model = starter();
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let first_token = runtime.block_on(child::first_token_ms(&model, threads));
    let (mut bare_rounds, mut child_rounds) = (Vec::new(), Vec::new());
    let child = runtime.block_on(child::Child::start(&model, threads));
    bare::with_model(&model, threads, |bare| {
        for round in 0..=rounds {
            let prompt = prompt(round);
            let one = bare.round(&prompt, DECODE_TOKENS);
            let other = runtime.block_on(child.round(&prompt, DECODE_TOKENS));
            assert_eq!(
                one.prompt_tokens, other.prompt_tokens,
                "both sides must read the same tokens"
            );
            // The first round warms both up.
            if round > 0 {
                bare_rounds.push(one);
                child_rounds.push(other);
            }
        }
    });
    report(&bare_rounds, &child_rounds, first_token);
    ExitCode::SUCCESS
}

/// A prompt of fixed length that begins differently each time, so that no prefix is in the cache.
fn prompt(round: usize) -> String {
    let words = [
        "river", "stone", "light", "garden", "window", "letter", "winter", "music", "forest",
        "market",
    ];
    (0..PROMPT_WORDS)
        .map(|i| words[(i * (round + 3) + i / 7 + round) % words.len()])
        .collect::<Vec<_>>()
        .join(" ")
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

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn report(bare: &[Round], child: &[Round], first_token_ms: f64) {
    let row = |name: &str, speed: fn(&Round) -> f64, must: f64| {
        let (one, other) = (
            median(bare.iter().map(speed)),
            median(child.iter().map(speed)),
        );
        // Paired: each round's two halves ran next to each other.
        let ratio = median(bare.iter().zip(child).map(|(b, c)| speed(c) / speed(b)));
        eprintln!(
            "{name:<10} {one:>12.1} {other:>12.1} {ratio:>8.3} {must:>8.2}  {}",
            if ratio >= must { "ok" } else { "MISSED" }
        );
        serde_json::json!({ "bare_tokens_per_second": one, "child_tokens_per_second": other, "ratio": ratio, "must": must })
    };
    eprintln!(
        "{:<10} {:>12} {:>12} {:>8} {:>8}",
        "", "bare tok/s", "child tok/s", "ratio", "must"
    );
    let prefill = row("prefill", Round::prefill_speed, 0.97);
    let decode = row("decode", Round::decode_speed, 0.97);
    eprintln!("load and first token of a short prompt: {first_token_ms:.0} ms");
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!(
        "{:#}",
        serde_json::json!({
            "rounds": bare.len(),
            "prompt_tokens": bare[0].prompt_tokens,
            "decode_tokens": DECODE_TOKENS,
            "prefill": prefill,
            "decode": decode,
            "load_and_first_token_ms": first_token_ms,
            "load_average": load.split_whitespace().next(),
        })
    );
}
