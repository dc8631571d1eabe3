//! Vectors and scores through the child: the fake encoder for crashes, order and cancels, the bundled model for the truth.

mod faults;
mod real;
mod reference;
mod reranker;

use std::path::PathBuf;
use std::sync::Arc;

use hearth_engine::embed::{EncoderInfo, Task};
use hearth_engine::supervisor::{Launch, Supervisor};
use hearth_engine::{
    EmbedRequest, Embeddings, Engine, Error, LoadSpec, LongText, Priority, Purpose, State,
};
use libtest_mimic::Trial;

use super::{starter_path, until};

pub fn trials() -> Vec<Trial> {
    [
        faults::trials(),
        real::trials(),
        reference::trials(),
        reranker::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Where `make` puts the embedding model.
fn embedder_path() -> PathBuf {
    let path = starter_path().with_file_name("all-MiniLM-L6-v2.F16.gguf");
    assert!(
        path.exists(),
        "{} is missing; `make model` makes it",
        path.display()
    );
    path
}

fn load(path: impl Into<PathBuf>, purpose: Purpose) -> Arc<Supervisor> {
    let mut spec = LoadSpec::new(path);
    spec.purpose = purpose;
    spec.threads = Some(1);
    Supervisor::start(Launch::this_executable().unwrap(), spec)
}

fn embedder() -> Arc<Supervisor> {
    load(embedder_path(), Purpose::Embed)
}

async fn info(engine: &Supervisor) -> EncoderInfo {
    match until(engine, |s| matches!(s, State::Ready { .. })).await {
        State::Ready { info, .. } => info.encoder.unwrap(),
        _ => unreachable!(),
    }
}

fn texts<const N: usize>(texts: [&str; N]) -> EmbedRequest {
    EmbedRequest::new(texts.map(str::to_owned).to_vec())
}

async fn one(engine: &Supervisor, text: &str) -> Vec<f32> {
    engine.embed(texts([text])).await.unwrap().vectors.remove(0)
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}
