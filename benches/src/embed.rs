//! What the child process, the protocol and the packing cost when texts become vectors: the bundled embedding model through the
//! engine against a bare batched loop with the same file, threads, batch size and texts.
//!
//! The bare loop is the one that is usually written: texts in the order in which they come, as many as a batch holds, pooled by
//! llama.cpp. Both sides tokenise and normalise within the measured time.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use hearth_engine::embed::pooling::{cosine, normalize};
use hearth_engine::supervisor::{Launch, Supervisor};
use hearth_engine::{EmbedRequest, Engine, LoadSpec, Purpose, State};
use llama_cpp_2::LogOptions;
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::{LlamaContextParams, LlamaPoolingType};
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use tokio::runtime::Runtime;

use super::report::{Must, Report, median};

/// Tokens and texts of a batch; the engine's numbers.
const BATCH_TOKENS: u32 = 512;
const BATCH_TEXTS: usize = 64;
/// Texts of a turn.
const TEXTS: usize = 64;
/// Turns of each side in a round: this host is not as fast in one second as in the next.
const TURNS: usize = 6;
/// Single short texts for the latency.
const SINGLES: usize = 100;

/// Texts per second to those of the bare loop, and how long a single short text takes.
pub(crate) fn vectors(report: &mut Report, runtime: &Runtime, threads: u32, rounds: usize) {
    let model = model();
    let child = runtime.block_on(start(threads));
    let embed = |request| timed(|| runtime.block_on(child.embed(request)).unwrap());
    let mut pairs = Vec::new();
    with_model(&model, threads, |bare| {
        // The first turn warms both up.
        for turn in 0..=rounds * TURNS {
            let texts = texts(turn);
            let asked = EmbedRequest::new(texts.clone());
            // Each goes first in every other turn.
            let (ours, theirs) = if turn % 2 == 0 {
                let theirs = timed(|| bare.embed(&texts));
                (embed(asked), theirs)
            } else {
                (embed(asked), timed(|| bare.embed(&texts)))
            };
            let (found, child_ms) = ours;
            let (vectors, bare_ms) = theirs;
            for (one, other) in vectors.iter().zip(&found.vectors) {
                assert!(
                    cosine(one, other) > 0.999,
                    "both sides must compute the same"
                );
            }
            if turn > 0 {
                pairs.push((bare_ms, child_ms));
            }
        }
    });
    // Paired: a turn's two halves ran next to each other.
    let ratio = median(pairs.iter().map(|(bare, child)| bare / child));
    let speed = |ms: f64| TEXTS as f64 * 1000.0 / ms;
    let how = format!(
        "{:.1} to {:.1} texts per second",
        speed(median(pairs.iter().map(|p| p.1))),
        speed(median(pairs.iter().map(|p| p.0)))
    );
    report.row(
        "texts to vectors, to a bare loop",
        "×",
        ratio,
        &Must::AtLeast(1.0),
        &how,
    );
    let single_ms = (0..SINGLES).map(|i| {
        embed(EmbedRequest::new(vec![format!(
            "A short question, number {i}?"
        )]))
        .1
    });
    report.note("one short text to a vector", "ms", median(single_ms));
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let started = Instant::now();
    let result = work();
    (result, started.elapsed().as_secs_f64() * 1000.0)
}

/// Texts of 4 to 120 words, other ones in each round.
fn texts(round: usize) -> Vec<String> {
    (0..TEXTS)
        .map(|i| {
            let words = 4 + (i * 37 + round) % 117;
            let all = super::words(round + i, 480);
            let start = i % 100;
            let words: Vec<&str> = all.split(' ').skip(start).take(words).collect();
            words.join(" ")
        })
        .collect()
}

fn model() -> PathBuf {
    let model = super::starter().with_file_name("all-MiniLM-L6-v2.F16.gguf");
    assert!(
        model.exists(),
        "{} is missing; `make model` makes it",
        model.display()
    );
    model
}

/// The embedding model in a child process.
pub(crate) async fn start(threads: u32) -> Arc<Supervisor> {
    let mut spec = LoadSpec::new(model());
    (spec.purpose, spec.threads) = (Purpose::Embed, Some(threads));
    let engine = Supervisor::start(Launch::this_executable().unwrap(), spec);
    let _ = engine
        .state()
        .wait_for(|s| matches!(s, State::Ready { .. }))
        .await
        .unwrap();
    engine
}

struct Bare<'m> {
    model: &'m LlamaModel,
    context: LlamaContext<'m>,
}

fn with_model(path: &Path, threads: u32, work: impl FnOnce(&mut Bare<'_>)) {
    llama_cpp_2::send_logs_to_tracing(LogOptions::default().with_logs_enabled(false));
    let backend = LlamaBackend::init().unwrap();
    let model = LlamaModel::load_from_file(&backend, path, &LlamaModelParams::default()).unwrap();
    let params = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(BATCH_TOKENS))
        .with_n_batch(BATCH_TOKENS)
        .with_n_ubatch(BATCH_TOKENS)
        .with_n_seq_max(BATCH_TEXTS as u32)
        .with_kv_unified(true)
        .with_embeddings(true)
        .with_pooling_type(LlamaPoolingType::Mean)
        .with_n_threads(threads as i32)
        .with_n_threads_batch(threads as i32)
        .with_no_perf(true);
    let context = model.new_context(&backend, params).unwrap();
    work(&mut Bare {
        model: &model,
        context,
    });
}

impl Bare<'_> {
    fn embed(&mut self, texts: &[String]) -> Vec<Vec<f32>> {
        let mut batch = LlamaBatch::new(BATCH_TOKENS as usize, 1);
        let (mut vectors, mut waiting) = (Vec::with_capacity(texts.len()), 0);
        for text in texts {
            let tokens = self.model.vocab().tokenize(text.as_bytes(), true, true);
            let full = batch.n_tokens() as usize + tokens.len() > BATCH_TOKENS as usize;
            if full || waiting == BATCH_TEXTS {
                self.compute(&mut batch, waiting, &mut vectors);
                waiting = 0;
            }
            batch.add_sequence(&tokens, waiting as i32, true).unwrap();
            waiting += 1;
        }
        self.compute(&mut batch, waiting, &mut vectors);
        vectors
    }

    fn compute(&mut self, batch: &mut LlamaBatch, count: usize, vectors: &mut Vec<Vec<f32>>) {
        self.context.decode(batch).unwrap();
        for id in 0..count {
            let mut vector = self.context.embeddings_seq_ith(id as i32).unwrap().to_vec();
            normalize(&mut vector);
            vectors.push(vector);
        }
        batch.clear();
    }
}
