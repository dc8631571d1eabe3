//! Metadata of tiny models of many architectures: two layers, a few tokens, sizes that divide each other.
//!
//! Each gets the same long list of sizes and takes of it what it reads; what an architecture wants otherwise stands in `SPECIAL`.
//! The tensors are asked of llama.cpp, so that every file is complete.

use std::collections::HashSet;

use super::mutation::measure;
use hearth_gguf_writer::{
    Model, Tensor, Value, array, bool, f32, f32s, i32s, text, texts, u32, u32s,
};

pub struct Seed {
    pub name: String,
    /// Without tensors.
    pub metadata: Model,
}

/// Architectures of the corpus.
const ARCHITECTURES: &[&str] = &[
    "llama",
    "falcon",
    "gpt2",
    "gptneox",
    "mpt",
    "bert",
    "modern-bert",
    "jina-bert-v2",
    "stablelm",
    "qwen2",
    "qwen2moe",
    "qwen3",
    "qwen3moe",
    "phi2",
    "phi3",
    "minicpm3",
    "gemma",
    "gemma2",
    "gemma3",
    "gemma3n",
    "gemma4",
    "starcoder2",
    "mamba",
    "mamba2",
    "jamba",
    "falcon-h1",
    "cohere2",
    "dbrx",
    "openelm",
    "deepseek",
    "glm4moe",
    "bitnet",
    "t5",
    "nemotron",
    "nemotron_h",
    "exaone4",
    "rwkv7",
    "granitemoe",
    "granitehybrid",
    "bailingmoe2",
];
/// Those of them that are made of experts in any case.
const EXPERTS: &[&str] = &[
    "qwen2moe",
    "qwen3moe",
    "dbrx",
    "deepseek",
    "glm4moe",
    "granitemoe",
    "granitehybrid",
    "bailingmoe2",
    "jamba",
];
/// Layers.
const LAYERS: u32 = 2;

/// Sizes that fit together: 64 wide, 4 heads of 16, twice as wide in a recurrent layer.
fn sizes() -> Vec<(&'static str, Value)> {
    vec![
        ("context_length", u32(64)),
        ("embedding_length", u32(64)),
        ("block_count", u32(LAYERS)),
        ("feed_forward_length", u32(96)),
        ("attention.head_count", u32(4)),
        ("attention.head_count_kv", u32(2)),
        ("attention.key_length", u32(16)),
        ("attention.value_length", u32(16)),
        ("attention.layer_norm_rms_epsilon", f32(1e-5)),
        ("attention.layer_norm_epsilon", f32(1e-5)),
        ("rope.dimension_count", u32(16)),
        ("rope.freq_base", f32(10_000.0)),
        ("attention.sliding_window", u32(16)),
        ("logit_scale", f32(1.0)),
        ("ssm.conv_kernel", u32(4)),
        ("ssm.inner_size", u32(128)),
        ("ssm.state_size", u32(16)),
        ("ssm.time_step_rank", u32(8)),
        ("ssm.group_count", u32(2)),
        ("wkv.head_size", u32(16)),
        ("time_mix_extra_dim", u32(8)),
        ("time_decay_extra_dim", u32(8)),
        ("attention.decay_lora_rank", u32(8)),
        ("attention.iclr_lora_rank", u32(8)),
        ("attention.value_residual_mix_lora_rank", u32(8)),
        ("attention.gate_lora_rank", u32(8)),
        ("attention.q_lora_rank", u32(32)),
        ("attention.kv_lora_rank", u32(32)),
        ("attention.relative_buckets_count", u32(8)),
        ("attention.clamp_kqv", f32(8.0)),
        ("rope.dimension_sections", i32s(&[2, 3, 3, 0])),
        ("shortconv.l_cache", u32(3)),
        ("kda.head_dim", u32(16)),
        ("embedding_length_per_layer_input", u32(16)),
        ("interleave_moe_layer_step", u32(1)),
        ("use_parallel_residual", bool(true)),
        ("attention.key_length_swa", u32(16)),
        ("attention.value_length_swa", u32(16)),
        ("rope.dimension_count_swa", u32(16)),
        ("attention.causal", bool(true)),
    ]
}

fn experts() -> Vec<(&'static str, Value)> {
    vec![
        ("expert_count", u32(4)),
        ("expert_used_count", u32(2)),
        ("expert_feed_forward_length", u32(32)),
        ("expert_shared_feed_forward_length", u32(32)),
        ("expert_chunk_feed_forward_length", u32(32)),
        ("expert_shared_count", u32(1)),
        ("leading_dense_block_count", u32(1)),
        ("expert_gating_func", u32(1)),
        ("expert_weights_scale", f32(1.0)),
        ("expert_weights_norm", bool(true)),
        ("expert_group_scale", f32(1.0)),
        ("experts_per_group", u32(2)),
        ("moe_every_n_layers", u32(1)),
    ]
}

/// What single architectures want otherwise.
fn special(architecture: &str) -> Vec<(&'static str, Value)> {
    match architecture {
        "deepseek2" | "kimi-linear" => vec![
            ("attention.key_length", u32(48)),
            ("attention.value_length", u32(32)),
            ("attention.key_length_mla", u32(32)),
            ("attention.value_length_mla", u32(16)),
            ("attention.head_count_kv", u32s(&[0, 1])),
        ],
        "minicpm3" | "plm" => vec![
            ("attention.key_length", u32(32)),
            ("attention.head_count_kv", u32(4)),
        ],
        "mpt" | "gpt2" | "bloom" | "gptneox" | "baichuan" | "starcoder" | "refact" | "qwen"
        | "phi2" | "t5" | "t5encoder" | "gemma3n" => {
            vec![("attention.head_count_kv", u32(4))]
        }
        "bert" | "modern-bert" | "nomic-bert" | "jina-bert-v2" | "gemma-embedding" => vec![
            ("attention.head_count_kv", u32(4)),
            ("attention.causal", bool(false)),
            ("pooling_type", u32(1)),
        ],
        "mamba" | "mamba2" | "rwkv6" | "rwkv7" => vec![
            ("attention.head_count", u32(0)),
            ("attention.head_count_kv", u32(0)),
        ],
        "jamba" | "granitehybrid" | "lfm2" | "lfm2moe" => {
            vec![("attention.head_count_kv", u32s(&[0, 2]))]
        }
        "nemotron_h" => vec![
            ("attention.head_count_kv", u32s(&[0, 2])),
            ("feed_forward_length", u32s(&[0, 0])),
        ],
        "plamo2" => vec![
            ("attention.head_count_kv", u32s(&[0, 2])),
            ("attention.head_count", u32s(&[0, 4])),
        ],
        "openelm" => vec![
            ("attention.head_count", u32s(&[4, 4])),
            ("attention.head_count_kv", u32s(&[2, 2])),
            ("feed_forward_length", u32s(&[96, 96])),
        ],
        "apertus" => ["xielu.alpha_n", "xielu.alpha_p", "xielu.beta", "xielu.eps"]
            .map(|key| (key, f32s(&[0.5, 0.5])))
            .to_vec(),
        "gemma4" | "mimo2" => vec![("attention.sliding_window_pattern", array(7, 2, &[1, 0]))],
        "chameleon" => vec![("swin_norm", bool(false))],
        _ => Vec::new(),
    }
}

/// A vocabulary of the kind that the architecture is seen with.
fn vocabulary(architecture: &str) -> Model {
    let tokens = [
        "<|end|>",
        "<s>",
        "</s>",
        "<unk>",
        "a",
        "b",
        "c",
        "\u{120}",
        "ab",
        "\u{10a}",
        "\u{120}a",
        "<|im_end|>",
    ];
    let bpe = Model::bpe()
        .with("tokenizer.ggml.tokens", texts(&tokens))
        .with(
            "tokenizer.ggml.token_type",
            i32s(&[3, 3, 3, 2, 1, 1, 1, 1, 1, 1, 1, 4]),
        )
        .with("tokenizer.ggml.merges", texts(&["a b", "\u{120} a"]));
    // 256 nodes that lead nowhere, and a text.
    let charsmap = [vec![0, 4, 0, 0], vec![0; 1028]].concat();
    // As the real one: a token for every byte.
    let mut bytes: Vec<String> = (0..=255_u8).map(|byte| format!("\\x{byte:02x}")).collect();
    bytes.extend(["ab", "abc", "he"].map(str::to_owned));
    match architecture {
        "llama" => Model::sound(),
        "bert" | "nomic-bert" | "jina-bert-v2" => bpe
            .with("tokenizer.ggml.model", text("bert"))
            .with("tokenizer.ggml.token_type_count", u32(2))
            .with("tokenizer.ggml.bos_token_id", u32(1))
            .with("tokenizer.ggml.seperator_token_id", u32(2))
            .with("tokenizer.ggml.unknown_token_id", u32(3))
            .without("tokenizer.ggml.merges"),
        "t5" | "t5encoder" => bpe
            .with("tokenizer.ggml.model", text("t5"))
            .with("tokenizer.ggml.scores", f32s(&[0.0; 12]))
            .with("tokenizer.ggml.unknown_token_id", u32(3))
            .with("tokenizer.ggml.eos_token_id", u32(2))
            .with(
                "tokenizer.ggml.precompiled_charsmap",
                array(0, 1032, &charsmap),
            )
            .without("tokenizer.ggml.merges"),
        "rwkv6" | "rwkv7" => bpe
            .with("tokenizer.ggml.model", text("rwkv"))
            .with("tokenizer.ggml.tokens", texts(&bytes))
            .without("tokenizer.ggml.token_type")
            .without("tokenizer.ggml.merges"),
        _ => bpe,
    }
}

fn metadata(architecture: &str, with_experts: bool) -> Model {
    let mut model = vocabulary(architecture).with("general.architecture", text(architecture));
    model.entries.retain(|(key, _)| !key.starts_with(b"llama."));
    let mut sizes = sizes();
    if with_experts {
        sizes.extend(experts());
    }
    sizes.extend(special(architecture));
    for (key, value) in sizes {
        model = model.with(&format!("{architecture}.{key}"), value);
    }
    model
}

pub fn all() -> Vec<Seed> {
    let seed = |name: &str, architecture: &str, experts: bool| Seed {
        name: name.to_owned(),
        metadata: metadata(architecture, experts),
    };
    let mut seeds: Vec<Seed> = ARCHITECTURES
        .iter()
        .map(|name| seed(name, name, EXPERTS.contains(name)))
        .collect();
    seeds.push(seed("llama-experts", "llama", true));
    seeds
}

/// Every size that a seed may have, for mutants of those that have it not.
pub fn words() -> Vec<(String, Value)> {
    let all = sizes().into_iter().chain(experts());
    all.map(|(key, value)| (format!(".{key}"), value)).collect()
}

/// The model with the tensors of this table, all of them 32 bits wide.
pub fn with_tensors(mut metadata: Model, table: &[(String, Vec<u64>)]) -> Model {
    let mut seen = HashSet::new();
    metadata.tensors = table
        .iter()
        // One that several layers share is named once for each.
        .filter(|(name, _)| seen.insert(name))
        .map(|(name, shape)| {
            let mut tensor = Tensor {
                name: name.as_bytes().to_vec(),
                shape: shape.clone(),
                kind: 0,
                offset: None,
                bytes: 0,
            };
            measure(&mut tensor);
            tensor
        })
        .collect();
    metadata
}
