//! The rules for a model's sizes: layers, heads, experts, positions.
//!
//! Apart from the other rules because these guard arithmetic: llama.cpp asserts on them (and so aborts) when it reads the file or
//! builds the graph. Read from `llama-model.cpp`, `llama-hparams.h`, `models/*.cpp` and `ggml.c` of the llama.cpp that
//! llama-cpp-sys-2 0.1.161 carries. It must not know the tensors.

use super::metadata::{Metadata, Value};
use super::types::{MAX_EXPERTS, MAX_LAYERS, MAX_WIDTH};
use crate::error::Result;

/// Longest context in tokens. The longest trained so far is 10 Mi; beyond 2^30 positions do not fit their signed 32 bits.
const MAX_CONTEXT_TOKENS: u64 = 1 << 30;
/// Most attention heads of a layer. The most known are 128.
const MAX_HEADS: u64 = 4096;

/// Functions that choose experts, counted from 1 (`llama_expert_gating_func_type`).
const GATING_FUNCTIONS: u64 = 4;

/// Architectures whose graph asserts that keys and values have the same head size.
const EQUAL_HEADS: &[&str] = &[
    "arcee",
    "baichuan",
    "bert",
    "bitnet",
    "bloom",
    "chatglm",
    "codeshell",
    "cohere2",
    "command-r",
    "dbrx",
    "deci",
    "deepseek",
    "dots1",
    "dream",
    "ernie4_5",
    "exaone",
    "falcon",
    "glm4",
    "gpt2",
    "gptneox",
    "granite",
    "granitemoe",
    "grok",
    "internlm2",
    "jais",
    "lfm2",
    "lfm2moe",
    "llada",
    "llama",
    "llama4",
    "mistral3",
    "mpt",
    "nemotron",
    "olmo",
    "olmo2",
    "olmoe",
    "openelm",
    "orion",
    "phi2",
    "phi3",
    "plamo",
    "qwen",
    "qwen2",
    "qwen2moe",
    "qwen2vl",
    "qwen3",
    "qwen3moe",
    "qwen3vl",
    "qwen3vlmoe",
    "refact",
    "seed_oss",
    "smollm3",
    "stablelm",
    "starcoder",
    "starcoder2",
    "xverse",
];
/// Architectures whose graph asserts that the whole head is rotated.
const WHOLE_HEAD_ROTATED: &[&str] = &[
    "arcee",
    "baichuan",
    "codeshell",
    "dbrx",
    "deci",
    "deepseek",
    "dots1",
    "dream",
    "ernie4_5",
    "exaone",
    "falcon",
    "granite",
    "granitemoe",
    "grok",
    "internlm2",
    "llada",
    "llama",
    "llama4",
    "mistral3",
    "nemotron",
    "olmo",
    "olmo2",
    "olmoe",
    "orion",
    "plamo",
    "qwen2",
    "qwen2moe",
    "qwen2vl",
    "qwen3",
    "qwen3moe",
    "qwen3vl",
    "qwen3vlmoe",
    "seed_oss",
    "smollm3",
    "starcoder2",
    "xverse",
];

/// The sizes that a header shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    pub context_length: u64,
    pub block_count: u64,
    pub embedding_length: u64,
    /// The most of any layer; `None` for models without attention.
    pub head_count: Option<u64>,
    pub head_count_kv: Option<u64>,
    pub key_length: Option<u64>,
    pub value_length: Option<u64>,
}

pub(super) fn check(metadata: &Metadata, architecture: &str) -> Result<Sizes> {
    let key = |name: &str| format!("{architecture}.{name}");
    let block_count = metadata.required_size(&key("block_count"), 1, MAX_LAYERS)?;
    let context_length = metadata.required_size(&key("context_length"), 1, MAX_CONTEXT_TOKENS)?;
    let embedding_length = metadata.required_size(&key("embedding_length"), 1, MAX_WIDTH)?;
    metadata.per_layer(&key("feed_forward_length"), block_count, MAX_WIDTH * 4)?;
    metadata.size_within(&key("nextn_predict_layers"), 0, block_count)?;
    let heads = metadata.per_layer(&key("attention.head_count"), block_count, MAX_HEADS)?;
    let kv_key = key("attention.head_count_kv");
    let kv_heads = metadata.per_layer(&kv_key, block_count, MAX_HEADS)?;
    for (layer, (heads, kv_heads)) in heads.iter().zip(&kv_heads).enumerate() {
        if *kv_heads > *heads && *heads > 0 {
            return Err(metadata.wrong(
                &kv_key,
                format!("layer {layer} has {kv_heads}, more than its {heads} heads"),
            ));
        }
        if *kv_heads > 0 && !heads.is_multiple_of(*kv_heads) {
            return Err(metadata.wrong(
                &kv_key,
                format!("{kv_heads} do not divide the {heads} heads of layer {layer}"),
            ));
        }
    }
    let (key_length, value_length) = check_heads(
        metadata,
        architecture,
        embedding_length,
        heads.first().copied(),
    )?;
    check_experts(metadata, architecture, block_count)?;
    check_positions(metadata, architecture)?;
    check_epsilons(metadata, architecture)?;
    let head_count = heads.iter().copied().max().filter(|heads| *heads > 0);
    let head_count_kv = kv_heads
        .iter()
        .copied()
        .max()
        .filter(|heads| *heads > 0)
        .or(head_count);
    Ok(Sizes {
        context_length,
        block_count,
        embedding_length,
        head_count,
        head_count_kv,
        key_length,
        value_length,
    })
}

/// Head sizes, given or derived, and how much of a head is rotated.
fn check_heads(
    metadata: &Metadata,
    architecture: &str,
    embedding_length: u64,
    first_heads: Option<u64>,
) -> Result<(Option<u64>, Option<u64>)> {
    let key = |name: &str| format!("{architecture}.{name}");
    let length = |name: &str| metadata.size_within(&key(name), 1, MAX_WIDTH);
    let (given_key, given_value) = (
        length("attention.key_length")?,
        length("attention.value_length")?,
    );
    let rotated = metadata.size_within(&key("rope.dimension_count"), 0, MAX_WIDTH)?;
    let Some(heads) = first_heads.filter(|heads| *heads > 0) else {
        return Ok((given_key, given_value));
    };
    let derived = embedding_length / heads;
    if (given_key.is_none() || given_value.is_none()) && !embedding_length.is_multiple_of(heads) {
        let reason = format!("{heads} do not divide the embedding length {embedding_length}");
        return Err(metadata.wrong(&key("attention.head_count"), reason));
    }
    let (key_length, value_length) = (given_key.unwrap_or(derived), given_value.unwrap_or(derived));
    if EQUAL_HEADS.contains(&architecture) && key_length != value_length {
        let reason = format!("is {value_length}, keys have {key_length}");
        return Err(metadata.wrong(&key("attention.value_length"), reason));
    }
    let whole = WHOLE_HEAD_ROTATED.contains(&architecture);
    let rope_key = key("rope.dimension_count");
    let turned = rotated.unwrap_or(key_length);
    if turned > key_length {
        return Err(metadata.wrong(
            &rope_key,
            format!("is {turned}, a head has only {key_length}"),
        ));
    }
    if whole && turned != value_length {
        return Err(metadata.wrong(
            &rope_key,
            format!("is {turned}, this architecture rotates the whole {value_length}"),
        ));
    }
    // Rotation works on pairs. Where nothing is said, only the architectures above are known to rotate.
    if (rotated.is_some() || whole) && !turned.is_multiple_of(2) {
        return Err(metadata.wrong(&rope_key, format!("is {turned}, which is odd")));
    }
    Ok((Some(key_length), Some(value_length)))
}

/// The assertions of `llama_model_base::load_hparams` on experts.
fn check_experts(metadata: &Metadata, architecture: &str, layers: u64) -> Result<()> {
    let key = |name: &str| format!("{architecture}.{name}");
    let experts = metadata
        .size_within(&key("expert_count"), 0, MAX_EXPERTS)?
        .unwrap_or(0);
    let used_key = key("expert_used_count");
    let used = metadata
        .per_layer(&used_key, layers, MAX_EXPERTS)?
        .into_iter()
        .max()
        .unwrap_or(0);
    // One "expert" is how two dense architectures say that they have none; llama.cpp resets both there.
    let dense = experts <= 1 && matches!(architecture, "hunyuan-dense" | "hunyuan_vl");
    if !dense && (used > experts || (experts > 0 && used == 0)) {
        return Err(metadata.wrong(&used_key, format!("is {used} of {experts} experts")));
    }
    metadata.size_within(&key("expert_gating_func"), 1, GATING_FUNCTIONS)?;
    let groups_key = key("expert_group_count");
    let groups = metadata.size(&groups_key)?.unwrap_or(0);
    if groups > 0 && groups >= experts.max(1) {
        return Err(metadata.wrong(&groups_key, format!("is {groups} for {experts} experts")));
    }
    if groups > 1 {
        if !experts.is_multiple_of(groups) {
            return Err(metadata.wrong(
                &groups_key,
                format!("{groups} do not divide {experts} experts"),
            ));
        }
        metadata.required_size(&key("expert_group_used_count"), 1, groups - 1)?;
    }
    Ok(())
}

fn check_positions(metadata: &Metadata, architecture: &str) -> Result<()> {
    let key = format!("{architecture}.rope.scaling.type");
    match metadata.text(&key)? {
        None | Some("none" | "linear" | "yarn" | "longrope") => Ok(()),
        Some(other) => Err(metadata.wrong(&key, format!("`{other}` is not known"))),
    }
}

/// What keeps a norm from dividing by zero: ggml asserts that it is not negative, which NaN fails too.
fn check_epsilons(metadata: &Metadata, architecture: &str) -> Result<()> {
    for name in [
        "attention.layer_norm_epsilon",
        "attention.layer_norm_rms_epsilon",
        "attention.group_norm_epsilon",
    ] {
        let key = format!("{architecture}.{name}");
        match metadata.entries.get(&key).map(|entry| &entry.value) {
            Some(Value::Float(epsilon)) if !(0.0..=1.0).contains(epsilon) => {
                let reason = format!("is {epsilon}, 0 to 1 are allowed");
                return Err(metadata.wrong(&key, reason));
            }
            _ => {}
        }
    }
    Ok(())
}
