//! The scratch space of one step, as llama.cpp reserves it for the largest batch.
//!
//! Apart from the other sums because this one is a model of a model: ggml lays the tensors of the graph over each other as soon as they
//! are no longer needed (`ggml-alloc.c`), so what counts is the moment at which most is alive. Found by comparing with what
//! llama.cpp reserves: some tensors of the model's width and the masks are always there, and with them either the logits, or the inside
//! of one layer. Flash attention is taken for granted; without it a layer needs the scores of all heads as well.

use hearth_models::{Header, PerLayer};

use super::layers::Layers;

/// What a step looks like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// Tokens of the batch that are read, and of those that are answered with logits.
    pub(super) tokens: u64,
    pub(super) outputs: u64,
    /// Positions that attention looks at: those of the cache, or where there is none those of the batch.
    pub(super) cells: u64,
}

/// Bytes of a number while it is computed with.
const FLOAT: u64 = 4;
/// Bytes of a number of a mask (`GGML_TYPE_F16`).
const MASK: u64 = 2;
/// Tensors of the model's width that are alive at the fullest moment.
const ALWAYS: u64 = 5;
/// Tensors of the inner width of a network: gate, up, and their product.
const NETWORK: u64 = 3;
/// The same of networks without a gate, in which everything is done in place.
const UNGATED_NETWORK: u64 = 1;
/// Architectures with such networks.
const UNGATED: &[&str] = &[
    "bert",
    "bloom",
    "codeshell",
    "falcon",
    "gpt2",
    "gptneox",
    "mpt",
    "nemotron",
    "phi2",
    "starcoder",
    "starcoder2",
];
/// Queries before and after rotation, and what attention makes of them.
const ATTENTION: u64 = 3;
/// What goes through a state space layer: both halves of the input, the convolution before and after, step sizes, the result.
const STATE_SPACE: u64 = 6;

/// In bytes.
pub(super) fn bytes(header: &Header, layers: &Layers, step: &Step) -> u64 {
    let floats = |rows: u64, columns: u64| rows.saturating_mul(columns).saturating_mul(FLOAT);
    let masks = match (layers.attends(), layers.has_windows) {
        (false, _) => 0,
        (true, false) => 1,
        (true, true) => 2,
    };
    let mask = step.tokens.saturating_mul(step.cells) * MASK;
    let logits = if layers.remembers {
        floats(step.outputs, header.token_count)
    } else {
        0
    };
    let inside = floats(step.tokens, inner_width(header));
    floats(step.tokens, header.embedding_length)
        .saturating_mul(ALWAYS)
        .saturating_add(mask.saturating_mul(masks))
        .saturating_add(logits.max(inside))
}

/// Elements that one token has in the widest layer.
fn inner_width(header: &Header) -> u64 {
    let shape = &header.shape;
    let network = shape.feed_forward_length.as_ref().map_or(0, PerLayer::most);
    let gated = if UNGATED.contains(&header.architecture.as_str()) {
        UNGATED_NETWORK
    } else {
        NETWORK
    };
    let used = shape.expert_used_count.as_ref().map_or(0, PerLayer::most);
    let expert = shape
        .expert_feed_forward_length
        .as_ref()
        .map_or(network, PerLayer::most);
    // What each expert says lies beside what it made it of until all is added up.
    let answers = header
        .embedding_length
        .saturating_mul(2)
        .saturating_add(expert);
    let experts = used.saturating_mul(expert.saturating_mul(NETWORK).max(answers));
    let latent = shape
        .latent
        .kv_rank
        .filter(|_| shape.latent.key_length.is_some());
    let key = latent.or(header.key_length).unwrap_or(0);
    let queries = header.head_count.unwrap_or(0).saturating_mul(key);
    let state_space = shape.state.inner_size.unwrap_or(0);
    [
        network.saturating_mul(gated),
        experts,
        queries.saturating_mul(ATTENTION),
        state_space.saturating_mul(STATE_SPACE),
    ]
    .into_iter()
    .max()
    .unwrap_or(0)
}
