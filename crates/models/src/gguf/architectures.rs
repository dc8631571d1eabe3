//! The rules that hold for some architectures only: numbers that llama.cpp divides by or asserts on while it loads such a model.
//!
//! Apart from the sizes because these are many and each is one line of a table. Read from `load_arch_hparams` and `load_arch_tensors`
//! in `models/*.cpp` of the llama.cpp that llama-cpp-sys-2 0.1.161 carries: every `GGML_ASSERT` and division there has its line here.
//! It must not know the tensors, but for the few names that a rule needs.

use super::metadata::{Metadata, Value};
use super::reader::invalid;
use super::tensors::Names;
use super::types::{MAX_LAYERS, MAX_WIDTH};
use crate::error::{Error, Result};

/// A key that must lie within these bounds where it stands in a file of one of these architectures.
struct Range {
    architectures: &'static [&'static str],
    key: &'static str,
    least: u64,
    most: u64,
}

const fn at_least_one(architectures: &'static [&'static str], key: &'static str) -> Range {
    Range {
        architectures,
        key,
        least: 1,
        most: MAX_WIDTH,
    }
}

const RANGES: &[Range] = &[
    at_least_one(
        &["mamba2", "nemotron_h", "nemotron_h_moe", "granitehybrid"],
        "ssm.group_count",
    ),
    at_least_one(
        &["qwen3next", "qwen35", "qwen35moe", "qwen4exp", "minimax-01"],
        "full_attention_interval",
    ),
    at_least_one(&["rwkv6", "rwkv7", "rwkv6qwen2", "arwkv7"], "wkv.head_size"),
    at_least_one(&["minimax-m3"], "attention.indexer.block_size"),
    at_least_one(&["hrm_text"], "hrm.layers_per_stack"),
    at_least_one(&["hrm_text"], "hrm.h_cycles"),
    at_least_one(&["hrm_text"], "hrm.l_cycles"),
    at_least_one(&["nanbeige"], "num_loops"),
    Range {
        architectures: &["glm5-next"],
        key: "hyper_connection.count",
        least: 4,
        most: 4,
    },
    Range {
        architectures: &["glm5-next"],
        key: "attention.indexer.kpool",
        least: 2,
        most: MAX_WIDTH,
    },
];

/// Longest window of attention in tokens: the longest context trained so far is 10 Mi.
const MAX_WINDOW_TOKENS: u64 = 1 << 24;

/// Architectures without a layer that is not recurrent, or whose first layer may be: these may have no attention heads.
const WITHOUT_HEADS: &[&str] = &[
    "arwkv7",
    "deci",
    "falcon-h1",
    "granitehybrid",
    "jamba",
    "kimi-k3",
    "kimi-linear",
    "lfm2",
    "lfm2moe",
    "mamba",
    "mamba2",
    "nemotron_h",
    "nemotron_h_moe",
    "plamo2",
    "rwkv6",
    "rwkv6qwen2",
    "rwkv7",
];
/// Architectures that are made of experts in any case.
const EXPERTS: &[&str] = &[
    "bailingmoe2",
    "glm4moe",
    "grovemoe",
    "lfm2moe",
    "llada-moe",
    "smallthinker",
];
/// Architectures that divide by the number of experts in use where the size of one is not said.
const DIVIDED_BY_EXPERTS: &[&str] = &[
    "glm4moe",
    "grovemoe",
    "llada-moe",
    "mellum",
    "nemotron_h_moe",
    "qwen2moe",
    "qwen35moe",
    "qwen3moe",
    "qwen3next",
    "qwen3vlmoe",
    "qwen4exp",
    "rnd1",
];
/// Architectures whose recurrent layers are exactly twice as wide as the model.
const TWICE_AS_WIDE: &[&str] = &["granitehybrid", "jamba"];
/// Architectures whose heads, where attention is latent, must be longer than the part of them that is rotated.
const LATENT: &[&str] = &["deepseek2", "hy_v4", "mistral4"];
/// Architectures that compress keys and values but keep them whole for every head.
const KEPT_WHOLE: &[&str] = &["minicpm3", "plm"];
/// Architectures that divide by the number of keys in every layer.
const KEYS_EVERYWHERE: &[&str] = &["modern-bert"];
/// Architectures that add a bias behind the convolution of a state space layer without looking whether there is one.
const BIASED_CONVOLUTION: &[&str] = &[
    "falcon-h1",
    "granitehybrid",
    "mamba2",
    "nemotron_h",
    "nemotron_h_moe",
];
/// Architectures that want a layer with a window where a window is given.
const WINDOW_SOMEWHERE: &[&str] = &["gemma4"];
/// Architectures whose recurrent heads share the whole width.
const SHARED_WIDTH: &[&str] = &["arwkv7", "rwkv6", "rwkv6qwen2", "rwkv7"];
/// Files that are a part of something else.
const NO_MODELS: &[(&str, &str)] = &[
    ("dflash", "it drafts for another model"),
    ("eagle3", "it drafts for another model"),
    ("gemma4-assistant", "it drafts for another model"),
    ("pockettts", "it makes sound"),
    ("qwen3tts", "it makes sound"),
    ("wavtokenizer-dec", "it makes sound"),
];

/// The rules over metadata and the tensors that came with it. `layers` and `width` are the model's.
pub(super) fn check(
    metadata: &Metadata,
    architecture: &str,
    layers: u64,
    width: u64,
    names: &Names,
) -> Result<()> {
    if let Some((_, reason)) = NO_MODELS.iter().find(|(name, _)| *name == architecture) {
        return Err(Error::Unsupported {
            what: architecture.to_owned(),
            reason: (*reason).to_owned(),
        });
    }
    let key = |name: &str| format!("{architecture}.{name}");
    for range in RANGES {
        if range.architectures.contains(&architecture) {
            metadata.size_within(&key(range.key), range.least, range.most)?;
        }
    }
    check_heads(metadata, architecture, layers)?;
    check_experts(metadata, architecture, layers)?;
    check_recurrence(metadata, architecture, width)?;
    check_latent(metadata, architecture)?;
    check_loops(metadata, architecture, layers)?;
    check_window(metadata, architecture)?;
    check_shapes(metadata, architecture, layers, width, names)?;
    match architecture {
        "gemma-embedding" => {
            for name in ["dense_2_feat_in", "dense_3_feat_out"] {
                must_be(metadata, &key(name), &[0, width])?;
            }
        }
        "bailingmoe3" => check_gate(
            metadata,
            &key("kda.safe_gate"),
            &key("kda.gate_lower_bound"),
        )?,
        "glm5-next" => {
            let pool = metadata
                .size(&key("attention.indexer.kpool"))?
                .unwrap_or(1)
                .max(1);
            let top = key("attention.indexer.top_k");
            if metadata
                .size(&top)?
                .is_some_and(|top| !top.is_multiple_of(pool))
            {
                return Err(metadata.wrong(&top, format!("is no multiple of {pool}")));
            }
        }
        _ => {}
    }
    Ok(())
}

fn must_be(metadata: &Metadata, key: &str, allowed: &[u64]) -> Result<()> {
    match metadata.size(key)? {
        Some(value) if !allowed.contains(&value) => {
            Err(metadata.wrong(key, format!("is {value}, one of {allowed:?} is needed")))
        }
        _ => Ok(()),
    }
}

/// Where there is attention, the first layer has heads: sizes are derived from it by division.
fn check_heads(metadata: &Metadata, architecture: &str, layers: u64) -> Result<()> {
    let key = format!("{architecture}.attention.head_count");
    let heads = metadata.per_layer(&key, layers, u64::MAX)?;
    let kv_key = format!("{architecture}.attention.head_count_kv");
    let kv_heads = metadata.per_layer(&kv_key, layers, u64::MAX)?;
    if KEPT_WHOLE.contains(&architecture) && !kv_heads.is_empty() && kv_heads != heads {
        return Err(metadata.wrong(&kv_key, "must be as many as there are heads"));
    }
    if KEYS_EVERYWHERE.contains(&architecture) && kv_heads.contains(&0) {
        return Err(metadata.wrong(&kv_key, "gives a layer no keys"));
    }
    if WITHOUT_HEADS.contains(&architecture) || heads.first().is_some_and(|heads| *heads > 0) {
        return Ok(());
    }
    Err(metadata.wrong(&key, "gives the first layer no heads"))
}

fn check_experts(metadata: &Metadata, architecture: &str, layers: u64) -> Result<()> {
    let count_key = format!("{architecture}.expert_count");
    if EXPERTS.contains(&architecture) {
        metadata.required_size(&count_key, 1, u64::MAX)?;
    }
    let key = format!("{architecture}.expert_used_count");
    let used = metadata.per_layer(&key, layers, u64::MAX)?;
    let said = metadata
        .entries
        .contains_key(&format!("{architecture}.expert_feed_forward_length"));
    let divided = DIVIDED_BY_EXPERTS.contains(&architecture) && !said;
    let needed = EXPERTS.contains(&architecture) || divided;
    if needed && (used.is_empty() || used.contains(&0)) {
        return Err(metadata.wrong(&key, "must be at least 1 in every layer"));
    }
    Ok(())
}

fn check_recurrence(metadata: &Metadata, architecture: &str, width: u64) -> Result<()> {
    let key = |name: &str| format!("{architecture}.{name}");
    let head_key = key("wkv.head_size");
    let head = metadata.size(&head_key)?.unwrap_or(0);
    if SHARED_WIDTH.contains(&architecture) && head > 0 && !width.is_multiple_of(head) {
        let reason = format!("{head} does not divide the embedding length {width}");
        return Err(metadata.wrong(&head_key, reason));
    }
    let inner_key = key("ssm.inner_size");
    if TWICE_AS_WIDE.contains(&architecture) {
        must_be(metadata, &inner_key, &[2 * width])?;
    }
    let groups = metadata.size(&key("ssm.group_count"))?.unwrap_or(0);
    if groups == 0 {
        return Ok(());
    }
    for name in [inner_key, key("ssm.time_step_rank")] {
        if metadata
            .size(&name)?
            .is_some_and(|size| !size.is_multiple_of(groups))
        {
            return Err(metadata.wrong(&name, format!("does not divide into {groups} groups")));
        }
    }
    Ok(())
}

fn check_latent(metadata: &Metadata, architecture: &str) -> Result<()> {
    if !LATENT.contains(&architecture) {
        return Ok(());
    }
    let key = |name: &str| format!("{architecture}.{name}");
    let (mla, plain, rotated) = (
        key("attention.key_length_mla"),
        key("attention.key_length"),
        key("rope.dimension_count"),
    );
    let latent = metadata.size(&mla)?.filter(|length| *length > 0);
    let length = latent.or(metadata.size(&plain)?);
    let turned = metadata.size(&rotated)?.or(metadata.size(&plain)?);
    if length
        .zip(turned)
        .is_some_and(|(length, turned)| length <= turned)
    {
        return Err(metadata.wrong(&mla, "leaves nothing of a head that is not rotated"));
    }
    if architecture == "hy_v4" {
        metadata.required_size(&mla, 1, MAX_WIDTH)?;
        metadata.required_size(&key("attention.value_length_mla"), 1, MAX_WIDTH)?;
    }
    Ok(())
}

/// Layers that are gone through more than once count as often.
fn check_loops(metadata: &Metadata, architecture: &str, layers: u64) -> Result<()> {
    let number = |name: &str| {
        Ok::<u64, Error>(
            metadata
                .size(&format!("{architecture}.{name}"))?
                .unwrap_or(1),
        )
    };
    let key = format!("{architecture}.block_count");
    match architecture {
        "nanbeige" if layers.saturating_mul(number("num_loops")?) > MAX_LAYERS => Err(metadata
            .wrong(
                &key,
                format!("with all loops these are more than {MAX_LAYERS} layers"),
            )),
        "hrm_text" => {
            let cycles =
                number("hrm.h_cycles")?.saturating_mul(number("hrm.l_cycles")?.saturating_add(1));
            let slots = number("hrm.layers_per_stack")?.saturating_mul(cycles);
            if slots == layers {
                return Ok(());
            }
            Err(metadata.wrong(&key, format!("is {layers}, its cycles need {slots}")))
        }
        _ => Ok(()),
    }
}

/// llama.cpp keeps a table as long as the window.
fn check_window(metadata: &Metadata, architecture: &str) -> Result<()> {
    let key = |name: &str| format!("{architecture}.attention.{name}");
    metadata.size_within(&key("sliding_window"), 0, MAX_WINDOW_TOKENS)?;
    let pattern = key("sliding_window_pattern");
    match metadata.entries.get(&pattern).map(|entry| &entry.value) {
        Some(Value::Integers(layers))
            if WINDOW_SOMEWHERE.contains(&architecture) && layers.iter().all(|has| *has == 0) =>
        {
            Err(metadata.wrong(&pattern, "gives no layer a window"))
        }
        _ => Ok(()),
    }
}

fn check_gate(metadata: &Metadata, safe: &str, bound: &str) -> Result<()> {
    if metadata.flag(safe)? != Some(true) {
        return Err(metadata.wrong(safe, "must be true"));
    }
    match metadata.entries.get(bound).map(|entry| &entry.value) {
        Some(Value::Float(bound)) if *bound < 0.0 => Ok(()),
        _ => Err(metadata.wrong(bound, "must be a number below 0")),
    }
}

/// The rules over shapes of tensors that are read together with the metadata.
fn check_shapes(
    metadata: &Metadata,
    architecture: &str,
    layers: u64,
    width: u64,
    names: &Names,
) -> Result<()> {
    let key = |name: &str| format!("{architecture}.{name}");
    let (end, sizes, factor) = match architecture {
        "jina-bert-v2" => (".ffn_up.weight", key("feed_forward_length"), 2),
        "laguna" => {
            let heads = metadata.per_layer(&key("attention.head_count"), layers, u64::MAX)?;
            let derived = width / heads.first().copied().unwrap_or(1).max(1);
            let length = metadata.size(&key("attention.key_length"))?;
            (
                ".attn_gate.weight",
                key("attention.head_count"),
                length.unwrap_or(derived),
            )
        }
        _ => return Ok(()),
    };
    let sizes = metadata.per_layer(&sizes, layers, u64::MAX)?;
    for matrix in names
        .matrices
        .iter()
        .filter(|matrix| matrix.name.ends_with(end))
    {
        let layer = matrix
            .name
            .split('.')
            .nth(1)
            .and_then(|layer| layer.parse::<usize>().ok());
        let size = layer
            .and_then(|layer| sizes.get(layer))
            .copied()
            .unwrap_or(0);
        if matrix.rows != size && matrix.rows != size.saturating_mul(factor) {
            let field = format!("tensor `{}` dimensions", matrix.name);
            let reason = format!(
                "{} rows, {size} or {factor} times as many are needed",
                matrix.rows
            );
            return Err(invalid(&field, matrix.offset, reason));
        }
    }
    Ok(())
}

/// The rules over names of tensors, which are known when all parts were read. `end` is where the table of tensors ends.
pub(super) fn check_names(architecture: &str, layers: u64, names: &Names, end: u64) -> Result<()> {
    let missing = |name: String, why: String| Err(invalid(&format!("tensor `{name}`"), end, why));
    for layer in 0..layers {
        let name = |tail: &str| format!("blk.{layer}.{tail}");
        let (fused, first) = (
            name("time_mix_lerp_fused.weight"),
            name("time_mix_lerp_w.weight"),
        );
        if architecture == "rwkv6" && !names.contains(&fused) && !names.contains(&first) {
            return missing(first, format!("is missing, and `{fused}` too"));
        }
        let (weight, bias) = (name("ssm_conv1d.weight"), name("ssm_conv1d.bias"));
        let has_bias = names.contains(&bias) || !names.contains(&weight);
        if BIASED_CONVOLUTION.contains(&architecture) && !has_bias {
            return missing(bias, "is missing".to_owned());
        }
    }
    Ok(())
}
