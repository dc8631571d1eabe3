//! A reranker, made from the bundled model by giving its file a classification head whose result is known beforehand.

use std::io::Write;

use hearth_engine::embed::pooling::cosine;
use hearth_engine::{Pooling, RerankRequest};
use libtest_mimic::Trial;

use super::super::trial;
use super::{EmbedRequest, Engine, Purpose, embedder, embedder_path, load};

const DIMENSIONS: usize = 384;
const BIAS: f32 = 0.25;

pub fn trials() -> Vec<Trial> {
    vec![trial("a_head_gives_its_scores", a_head_gives_its_scores)]
}

/// The weight of each element of the first token's vector in the score.
fn weight(i: usize) -> f32 {
    ((i * 7 % 13) as f32 - 6.0) / 10.0
}

fn number(bytes: &[u8], at: usize) -> usize {
    usize::try_from(u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())).unwrap()
}

fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|w| w == what).unwrap()
}

/// Entry of a tensor of 32-bit numbers in the list of a GGUF.
fn entry(name: &str, dimensions: &[u64], offset: usize) -> Vec<u8> {
    let mut bytes = (name.len() as u64).to_le_bytes().to_vec();
    bytes.extend(name.as_bytes());
    bytes.extend((dimensions.len() as u32).to_le_bytes());
    bytes.extend(dimensions.iter().flat_map(|d| d.to_le_bytes()));
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend((offset as u64).to_le_bytes());
    bytes
}

/// The bundled model with two more tensors: `cls.output.weight` and its bias. The key that says how vectors are pooled stays.
fn reranker() -> tempfile::NamedTempFile {
    let model = std::fs::read(embedder_path()).unwrap();
    // The last tensor's entry ends the list; its name is the only thing that ends so late.
    let last = b"blk.5.layer_output_norm.bias";
    let list_end = find(&model, last) + last.len() + 4 + 8 + 4 + 8;
    let data = list_end.next_multiple_of(32);
    let size = (model.len() - data).next_multiple_of(32);
    let mut out = model[..list_end].to_vec();
    let tensors = number(&model, 8) as u64 + 2;
    out[8..16].copy_from_slice(&tensors.to_le_bytes());
    out.extend(entry("cls.output.weight", &[DIMENSIONS as u64, 1], size));
    out.extend(entry("cls.output.bias", &[1], size + DIMENSIONS * 4));
    out.resize(out.len().next_multiple_of(32), 0);
    let start = out.len();
    out.extend(&model[data..]);
    out.resize(start + size, 0);
    out.extend((0..DIMENSIONS).flat_map(|i| weight(i).to_le_bytes()));
    out.extend(BIAS.to_le_bytes());
    out.resize(out.len().next_multiple_of(32), 0);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&out).unwrap();
    file
}

async fn a_head_gives_its_scores() {
    let query = "how do cats sleep";
    let documents = [
        "Cats sleep most of the day.",
        "The market fell.",
        &"A very long document about nothing in particular. ".repeat(60),
    ];
    let file = reranker();
    let engine = load(file.path(), Purpose::Rerank);
    let request = RerankRequest::new(query, documents.map(str::to_owned).to_vec());
    let ranking = engine.rerank(request).await.unwrap();
    assert_eq!(ranking.scores.len(), 3);
    assert!(ranking.tokens[2] > 512, "{:?}", ranking.tokens);
    // The same pairs as vectors of the first token: a text may name the special token between the two.
    let pairs = [0, 1].map(|i| format!("{query}[SEP]{}", documents[i]));
    let mut request = EmbedRequest::new(pairs.to_vec());
    (request.normalize, request.pooling) = (false, Some(Pooling::Cls));
    let vectors = embedder().embed(request).await.unwrap();
    assert_eq!(vectors.tokens, ranking.tokens[..2]);
    for (vector, score) in vectors.vectors.iter().zip(&ranking.scores) {
        let expected: f32 = (0..DIMENSIONS).map(|i| vector[i] * weight(i)).sum::<f32>() + BIAS;
        assert!((expected - score).abs() < 0.02, "{expected} {score}");
    }
    assert!(cosine(&vectors.vectors[0], &vectors.vectors[1]) < 0.999);
    assert!((ranking.scores[0] - ranking.scores[1]).abs() > 0.05);
}
