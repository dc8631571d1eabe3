//! The bundled model against sentence-transformers, whose vectors `tests/data/embeddings/make_reference.py` wrote.

use hearth_engine::embed::pooling::cosine;
use libtest_mimic::Trial;

use super::super::trial;
use super::{EmbedRequest, Engine, LongText, embedder};

const DIMENSIONS: usize = 384;
/// SPEC row E11.
const LEAST_COSINE: f64 = 0.999;

pub fn trials() -> Vec<Trial> {
    vec![trial(
        "vectors_are_those_of_the_reference",
        vectors_are_those_of_the_reference,
    )]
}

fn data(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/embeddings/");
    std::fs::read(format!("{folder}{name}")).unwrap()
}

/// IEEE 754 binary16. Sound for what a normalised vector holds: neither infinity nor NaN.
fn half(bytes: [u8; 2]) -> f32 {
    let bits = u16::from_le_bytes(bytes);
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023) / 1024.0);
    let size = if exponent == 0 {
        fraction * 2.0_f32.powi(-14)
    } else {
        (1.0 + fraction) * 2.0_f32.powi(exponent - 15)
    };
    if bits >> 15 == 1 { -size } else { size }
}

async fn vectors_are_those_of_the_reference() {
    let inputs: Vec<String> = serde_json::from_slice(&data("texts.json")).unwrap();
    let tokens: Vec<u32> = serde_json::from_slice(&data("tokens.json")).unwrap();
    let halves = data("vectors.f16");
    let expected: Vec<f32> = halves.as_chunks().0.iter().map(|h| half(*h)).collect();
    assert_eq!((inputs.len(), expected.len()), (200, 200 * DIMENSIONS));
    let mut request = EmbedRequest::new(inputs.clone());
    request.long = LongText::Truncate;
    let found = embedder().embed(request).await.unwrap();
    let mut wrong = Vec::new();
    for (i, (vector, expected)) in found
        .vectors
        .iter()
        .zip(expected.chunks_exact(DIMENSIONS))
        .enumerate()
    {
        let cosine = cosine(vector, expected);
        let start: String = inputs[i].chars().take(40).collect();
        if cosine < LEAST_COSINE || found.tokens[i] != tokens[i].min(256) {
            let (ours, theirs) = (found.tokens[i], tokens[i].min(256));
            wrong.push(format!(
                "{i}: {cosine:.5}, {ours} of {theirs} tokens, {start:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
