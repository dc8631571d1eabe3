//! Models of many architectures in their real sizes, tensor by tensor as llama.cpp asks for them (`load_arch_tensors`).
//!
//! The sizes are those of the `config.json` that each model was published with.

use super::gguf::{F16, F32, Model, Q6_K};

/// Name for the table, and how the model is made.
pub(super) type Recipe = (&'static str, fn() -> Model);

pub(super) const ALL: &[Recipe] = &[
    ("llama: Llama 3.1 8B", llama),
    ("llama: Llama 2 70B", llama2),
    ("llama: Mixtral 8x7B", mixtral),
    ("qwen2: Qwen2.5 7B", qwen2),
    ("qwen3: Qwen3 8B", qwen3),
    ("qwen3moe: Qwen3 30B-A3B", qwen3_moe),
    ("gemma2: Gemma 2 9B", gemma2),
    ("gemma3: Gemma 3 4B", gemma3),
    ("phi3: Phi-3 mini", phi3),
    ("gpt-oss: gpt-oss 20B", gpt_oss),
    ("deepseek2: DeepSeek V2 Lite", deepseek2),
    ("mamba: Mamba 2.8B", mamba),
    ("granitehybrid: Granite 4.0 H Tiny", granite_hybrid),
    ("lfm2: LFM2 1.2B", lfm2),
    ("nomic-bert: Nomic Embed 1.5", nomic_bert),
    ("qwen3: Qwen3 Embedding 0.6B", qwen3_embedding),
];

/// Sizes that every model has.
struct Sizes {
    layers: u64,
    width: u64,
    network: u64,
    heads: u64,
    kv_heads: u64,
    head: u64,
    tokens: u64,
    context: u64,
}

fn begin(architecture: &'static str, sizes: &Sizes) -> Model {
    Model::new(architecture)
        .numbers(&[
            ("block_count", sizes.layers),
            ("context_length", sizes.context),
            ("embedding_length", sizes.width),
        ])
        .float("attention.layer_norm_rms_epsilon", 1e-5)
        .vocabulary("gpt2", sizes.tokens)
}

/// With attention of one kind in all layers.
fn dense(architecture: &'static str, sizes: &Sizes) -> Model {
    begin(architecture, sizes).numbers(&[
        ("feed_forward_length", sizes.network),
        ("attention.head_count", sizes.heads),
        ("attention.head_count_kv", sizes.kv_heads),
        ("attention.key_length", sizes.head),
        ("attention.value_length", sizes.head),
        ("rope.dimension_count", sizes.head),
    ])
}

/// Embeddings, the last norm, and the output matrix unless the embeddings serve for it.
fn ends(model: &mut Model, sizes: &Sizes, output: bool) {
    model.matrix("token_embd", &[sizes.width, sizes.tokens]);
    model.norm("output_norm", sizes.width);
    if output {
        model.tensor("output.weight", Q6_K, &[sizes.width, sizes.tokens]);
    }
}

fn name(layer: u64) -> impl Fn(&str) -> String {
    move |part| format!("blk.{layer}.{part}")
}

fn attention(model: &mut Model, layer: u64, sizes: &Sizes) {
    let name = name(layer);
    let (all, kv) = (sizes.heads * sizes.head, sizes.kv_heads * sizes.head);
    model.norm(&name("attn_norm"), sizes.width);
    model.matrix(&name("attn_q"), &[sizes.width, all]);
    model.matrix(&name("attn_k"), &[sizes.width, kv]);
    model.matrix(&name("attn_v"), &[sizes.width, kv]);
    model.matrix(&name("attn_output"), &[all, sizes.width]);
}

fn network(model: &mut Model, layer: u64, sizes: &Sizes) {
    let name = name(layer);
    model.norm(&name("ffn_norm"), sizes.width);
    model.matrix(&name("ffn_gate"), &[sizes.width, sizes.network]);
    model.matrix(&name("ffn_up"), &[sizes.width, sizes.network]);
    model.matrix(&name("ffn_down"), &[sizes.network, sizes.width]);
}

fn experts(model: &mut Model, layer: u64, width: u64, network: u64, count: u64) {
    let name = name(layer);
    model.tensor(&name("ffn_gate_inp.weight"), F32, &[width, count]);
    model.matrix(&name("ffn_gate_exps"), &[width, network, count]);
    model.matrix(&name("ffn_up_exps"), &[width, network, count]);
    model.matrix(&name("ffn_down_exps"), &[network, width, count]);
}

fn head_norms(model: &mut Model, layer: u64, sizes: &Sizes) {
    let name = name(layer);
    model.norm(&name("attn_q_norm"), sizes.head);
    model.norm(&name("attn_k_norm"), sizes.head);
}

fn llama() -> Model {
    let sizes = Sizes {
        layers: 32,
        width: 4096,
        network: 14_336,
        heads: 32,
        kv_heads: 8,
        head: 128,
        tokens: 128_256,
        context: 131_072,
    };
    let mut model = dense("llama", &sizes);
    ends(&mut model, &sizes, true);
    for layer in 0..sizes.layers {
        attention(&mut model, layer, &sizes);
        network(&mut model, layer, &sizes);
    }
    model
}

fn llama2() -> Model {
    let sizes = Sizes {
        layers: 80,
        width: 8192,
        network: 28_672,
        heads: 64,
        kv_heads: 8,
        head: 128,
        tokens: 32_000,
        context: 4096,
    };
    let mut model = dense("llama", &sizes);
    ends(&mut model, &sizes, true);
    for layer in 0..sizes.layers {
        attention(&mut model, layer, &sizes);
        network(&mut model, layer, &sizes);
    }
    model
}

fn mixtral() -> Model {
    let sizes = Sizes {
        layers: 32,
        width: 4096,
        network: 14_336,
        heads: 32,
        kv_heads: 8,
        head: 128,
        tokens: 32_000,
        context: 32_768,
    };
    let counts = [("expert_count", 8), ("expert_used_count", 2)];
    let mut model = dense("llama", &sizes).numbers(&counts);
    ends(&mut model, &sizes, true);
    for layer in 0..sizes.layers {
        attention(&mut model, layer, &sizes);
        model.norm(&name(layer)("ffn_norm"), sizes.width);
        experts(&mut model, layer, sizes.width, sizes.network, 8);
    }
    model
}

fn qwen2() -> Model {
    let sizes = Sizes {
        layers: 28,
        width: 3584,
        network: 18_944,
        heads: 28,
        kv_heads: 4,
        head: 128,
        tokens: 152_064,
        context: 32_768,
    };
    let mut model = dense("qwen2", &sizes);
    ends(&mut model, &sizes, true);
    for layer in 0..sizes.layers {
        attention(&mut model, layer, &sizes);
        let name = name(layer);
        model.bias(&name("attn_q"), sizes.heads * sizes.head);
        model.bias(&name("attn_k"), sizes.kv_heads * sizes.head);
        model.bias(&name("attn_v"), sizes.kv_heads * sizes.head);
        network(&mut model, layer, &sizes);
    }
    model
}

fn qwen3() -> Model {
    let sizes = Sizes {
        layers: 36,
        width: 4096,
        network: 12_288,
        heads: 32,
        kv_heads: 8,
        head: 128,
        tokens: 151_936,
        context: 40_960,
    };
    let mut model = dense("qwen3", &sizes);
    ends(&mut model, &sizes, true);
    for layer in 0..sizes.layers {
        attention(&mut model, layer, &sizes);
        head_norms(&mut model, layer, &sizes);
        network(&mut model, layer, &sizes);
    }
    model
}

fn qwen3_moe() -> Model {
    let sizes = Sizes {
        layers: 48,
        width: 2048,
        network: 6144,
        heads: 32,
        kv_heads: 4,
        head: 128,
        tokens: 151_936,
        context: 40_960,
    };
    let mut model = dense("qwen3moe", &sizes).numbers(&[
        ("expert_count", 128),
        ("expert_used_count", 8),
        ("expert_feed_forward_length", 768),
    ]);
    ends(&mut model, &sizes, true);
    for layer in 0..sizes.layers {
        attention(&mut model, layer, &sizes);
        head_norms(&mut model, layer, &sizes);
        model.norm(&name(layer)("ffn_norm"), sizes.width);
        experts(&mut model, layer, sizes.width, 768, 128);
    }
    model
}

fn gemma2() -> Model {
    let sizes = Sizes {
        layers: 42,
        width: 3584,
        network: 14_336,
        heads: 16,
        kv_heads: 8,
        head: 256,
        tokens: 256_000,
        context: 8192,
    };
    let mut model = dense("gemma2", &sizes).numbers(&[("attention.sliding_window", 4096)]);
    ends(&mut model, &sizes, false);
    for layer in 0..sizes.layers {
        attention(&mut model, layer, &sizes);
        network(&mut model, layer, &sizes);
        model.norm(&name(layer)("post_attention_norm"), sizes.width);
        model.norm(&name(layer)("post_ffw_norm"), sizes.width);
    }
    model
}

fn gemma3() -> Model {
    let sizes = Sizes {
        layers: 34,
        width: 2560,
        network: 10_240,
        heads: 8,
        kv_heads: 4,
        head: 256,
        tokens: 262_144,
        context: 131_072,
    };
    let mut model = dense("gemma3", &sizes).numbers(&[("attention.sliding_window", 1024)]);
    ends(&mut model, &sizes, false);
    for layer in 0..sizes.layers {
        attention(&mut model, layer, &sizes);
        head_norms(&mut model, layer, &sizes);
        network(&mut model, layer, &sizes);
        model.norm(&name(layer)("post_attention_norm"), sizes.width);
        model.norm(&name(layer)("post_ffw_norm"), sizes.width);
    }
    model
}

fn phi3() -> Model {
    let sizes = Sizes {
        layers: 32,
        width: 3072,
        network: 8192,
        heads: 32,
        kv_heads: 32,
        head: 96,
        tokens: 32_064,
        context: 131_072,
    };
    let mut model = dense("phi3", &sizes);
    ends(&mut model, &sizes, true);
    for layer in 0..sizes.layers {
        let (name, width) = (name(layer), sizes.width);
        model.norm(&name("attn_norm"), width);
        model.matrix(&name("attn_qkv"), &[width, 3 * width]);
        model.matrix(&name("attn_output"), &[width, width]);
        model.norm(&name("ffn_norm"), width);
        model.matrix(&name("ffn_up"), &[width, 2 * sizes.network]);
        model.matrix(&name("ffn_down"), &[sizes.network, width]);
    }
    model
}

fn gpt_oss() -> Model {
    let sizes = Sizes {
        layers: 24,
        width: 2880,
        network: 2880,
        heads: 64,
        kv_heads: 8,
        head: 64,
        tokens: 201_088,
        context: 131_072,
    };
    let mut model = dense("gpt-oss", &sizes).numbers(&[
        ("attention.sliding_window", 128),
        ("expert_count", 32),
        ("expert_used_count", 4),
        ("expert_feed_forward_length", 2880),
    ]);
    model.matrix("token_embd", &[sizes.width, sizes.tokens]);
    model.norm("output_norm", sizes.width);
    model.matrix("output", &[sizes.width, sizes.tokens]);
    for layer in 0..sizes.layers {
        let (name, width) = (name(layer), sizes.width);
        attention(&mut model, layer, &sizes);
        for (part, size) in [
            ("attn_q", sizes.heads * sizes.head),
            ("attn_k", sizes.kv_heads * sizes.head),
            ("attn_v", sizes.kv_heads * sizes.head),
            ("attn_output", width),
        ] {
            model.bias(&name(part), size);
        }
        model.norm(&name("attn_sinks"), sizes.heads);
        model.norm(&name("post_attention_norm"), width);
        experts(&mut model, layer, width, 2880, 32);
        model.bias(&name("ffn_gate_inp"), 32);
        for part in ["ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"] {
            model.tensor(&name(&format!("{part}.bias")), F32, &[2880, 32]);
        }
    }
    model
}

fn deepseek2() -> Model {
    let sizes = Sizes {
        layers: 27,
        width: 2048,
        network: 10_944,
        heads: 16,
        kv_heads: 1,
        head: 192,
        tokens: 102_400,
        context: 163_840,
    };
    let mut model = begin("deepseek2", &sizes).numbers(&[
        ("feed_forward_length", sizes.network),
        ("attention.head_count", sizes.heads),
        ("attention.head_count_kv", sizes.kv_heads),
        ("attention.key_length", 576),
        ("attention.value_length", 512),
        ("attention.key_length_mla", 192),
        ("attention.value_length_mla", 128),
        ("attention.kv_lora_rank", 512),
        ("rope.dimension_count", 64),
        ("leading_dense_block_count", 1),
        ("expert_count", 64),
        ("expert_used_count", 6),
        ("expert_shared_count", 2),
        ("expert_feed_forward_length", 1408),
    ]);
    ends(&mut model, &sizes, true);
    for layer in 0..sizes.layers {
        let (name, width) = (name(layer), sizes.width);
        model.norm(&name("attn_norm"), width);
        model.norm(&name("attn_kv_a_norm"), 512);
        model.matrix(&name("attn_q"), &[width, 16 * 192]);
        model.matrix(&name("attn_kv_a_mqa"), &[width, 576]);
        model.matrix(&name("attn_k_b"), &[128, 512, 16]);
        model.matrix(&name("attn_v_b"), &[512, 128, 16]);
        model.matrix(&name("attn_output"), &[16 * 128, width]);
        if layer == 0 {
            network(&mut model, layer, &sizes);
            continue;
        }
        model.norm(&name("ffn_norm"), width);
        experts(&mut model, layer, width, 1408, 64);
        model.matrix(&name("ffn_gate_shexp"), &[width, 2816]);
        model.matrix(&name("ffn_up_shexp"), &[width, 2816]);
        model.matrix(&name("ffn_down_shexp"), &[2816, width]);
    }
    model
}

fn mamba() -> Model {
    let sizes = Sizes {
        layers: 64,
        width: 2560,
        network: 0,
        heads: 0,
        kv_heads: 0,
        head: 0,
        tokens: 50_280,
        context: 1 << 20,
    };
    let (inner, state, rank) = (5120, 16, 160);
    let mut model = begin("mamba", &sizes).numbers(&[
        ("feed_forward_length", 0),
        ("attention.head_count", 0),
        ("ssm.conv_kernel", 4),
        ("ssm.inner_size", inner),
        ("ssm.state_size", state),
        ("ssm.time_step_rank", rank),
    ]);
    ends(&mut model, &sizes, false);
    for layer in 0..sizes.layers {
        let name = name(layer);
        model.norm(&name("attn_norm"), sizes.width);
        model.matrix(&name("ssm_in"), &[sizes.width, 2 * inner]);
        model.tensor(&name("ssm_conv1d.weight"), F32, &[4, inner]);
        model.bias(&name("ssm_conv1d"), inner);
        model.matrix(&name("ssm_x"), &[inner, rank + 2 * state]);
        model.matrix(&name("ssm_dt"), &[rank, inner]);
        model.bias(&name("ssm_dt"), inner);
        model.tensor(&name("ssm_a"), F32, &[state, inner]);
        model.tensor(&name("ssm_d"), F32, &[inner]);
        model.matrix(&name("ssm_out"), &[inner, sizes.width]);
    }
    model
}

/// Layers with attention of [`granite_hybrid`].
const GRANITE_ATTENTION: [u64; 4] = [5, 15, 25, 35];

fn granite_hybrid() -> Model {
    let sizes = Sizes {
        layers: 40,
        width: 1536,
        network: 512,
        heads: 12,
        kv_heads: 4,
        head: 128,
        tokens: 100_352,
        context: 131_072,
    };
    let (inner, state, heads) = (3072, 128, 48);
    let attends = |layer: &u64| GRANITE_ATTENTION.contains(layer);
    let mut model = begin("granitehybrid", &sizes)
        .numbers(&[
            ("feed_forward_length", sizes.network),
            ("attention.head_count", sizes.heads),
            ("rope.dimension_count", sizes.head),
            ("ssm.conv_kernel", 4),
            ("ssm.inner_size", inner),
            ("ssm.state_size", state),
            ("ssm.time_step_rank", heads),
            ("ssm.group_count", 1),
            ("expert_count", 64),
            ("expert_used_count", 6),
            ("expert_shared_feed_forward_length", 1024),
        ])
        .list(
            "attention.head_count_kv",
            (0..40).map(|layer| if attends(&layer) { 4 } else { 0 }),
        );
    for (key, value) in [
        ("logit_scale", 6.0),
        ("residual_scale", 0.22),
        ("embedding_scale", 12.0),
        ("attention.scale", 0.0078),
    ] {
        model = model.float(key, value);
    }
    ends(&mut model, &sizes, false);
    for layer in 0..sizes.layers {
        let (name, width) = (name(layer), sizes.width);
        if attends(&layer) {
            attention(&mut model, layer, &sizes);
        } else {
            granite_state(&mut model, layer, width, (inner, state, heads));
        }
        model.norm(&name("ffn_norm"), width);
        experts(&mut model, layer, width, sizes.network, 64);
        model.matrix(&name("ffn_gate_shexp"), &[width, 1024]);
        model.matrix(&name("ffn_up_shexp"), &[width, 1024]);
        model.matrix(&name("ffn_down_shexp"), &[1024, width]);
    }
    model
}

fn granite_state(
    model: &mut Model,
    layer: u64,
    width: u64,
    (inner, state, heads): (u64, u64, u64),
) {
    let name = name(layer);
    model.norm(&name("attn_norm"), width);
    let mixed = inner + 2 * state;
    model.matrix(&name("ssm_in"), &[width, inner + mixed + heads]);
    model.tensor(&name("ssm_conv1d.weight"), F32, &[4, mixed]);
    model.bias(&name("ssm_conv1d"), mixed);
    model.bias(&name("ssm_dt"), heads);
    model.tensor(&name("ssm_a"), F32, &[1, heads]);
    model.tensor(&name("ssm_d"), F32, &[1, heads]);
    model.tensor(&name("ssm_norm.weight"), F32, &[inner, 1]);
    model.matrix(&name("ssm_out"), &[inner, width]);
}

/// Layers with attention of [`lfm2`].
const LFM2_ATTENTION: [u64; 6] = [2, 5, 8, 10, 12, 14];

fn lfm2() -> Model {
    let sizes = Sizes {
        layers: 16,
        width: 2048,
        network: 8192,
        heads: 32,
        kv_heads: 8,
        head: 64,
        tokens: 65_536,
        context: 128_000,
    };
    let attends = |layer: &u64| LFM2_ATTENTION.contains(layer);
    let mut model = begin("lfm2", &sizes)
        .numbers(&[
            ("feed_forward_length", sizes.network),
            ("attention.head_count", sizes.heads),
            ("shortconv.l_cache", 3),
        ])
        .list(
            "attention.head_count_kv",
            (0..16).map(|layer| if attends(&layer) { 8 } else { 0 }),
        );
    model.matrix("token_embd", &[sizes.width, sizes.tokens]);
    model.norm("token_embd_norm", sizes.width);
    for layer in 0..sizes.layers {
        let (name, width) = (name(layer), sizes.width);
        network(&mut model, layer, &sizes);
        if attends(&layer) {
            attention(&mut model, layer, &sizes);
            head_norms(&mut model, layer, &sizes);
        } else {
            model.norm(&name("attn_norm"), width);
            model.tensor(&name("shortconv.conv.weight"), F32, &[3, width]);
            model.matrix(&name("shortconv.in_proj"), &[width, 3 * width]);
            model.matrix(&name("shortconv.out_proj"), &[width, width]);
        }
    }
    model
}

fn nomic_bert() -> Model {
    let sizes = Sizes {
        layers: 12,
        width: 768,
        network: 3072,
        heads: 12,
        kv_heads: 12,
        head: 64,
        tokens: 30_522,
        context: 2048,
    };
    let mut model = Model::new("nomic-bert")
        .numbers(&[
            ("block_count", sizes.layers),
            ("context_length", sizes.context),
            ("embedding_length", sizes.width),
            ("feed_forward_length", sizes.network),
            ("attention.head_count", sizes.heads),
            ("pooling_type", 1),
        ])
        .float("attention.layer_norm_epsilon", 1e-12)
        .float("rope.freq_base", 1000.0)
        .flag("attention.causal", false)
        .vocabulary("bert", sizes.tokens);
    let width = sizes.width;
    model.matrix("token_embd", &[width, sizes.tokens]);
    model.tensor("token_types.weight", F32, &[width, 2]);
    model.norm("token_embd_norm", width);
    model.bias("token_embd_norm", width);
    for layer in 0..sizes.layers {
        let name = name(layer);
        model.matrix(&name("attn_qkv"), &[width, 3 * width]);
        model.matrix(&name("attn_output"), &[width, width]);
        model.matrix(&name("ffn_up"), &[width, sizes.network]);
        model.matrix(&name("ffn_gate"), &[width, sizes.network]);
        model.matrix(&name("ffn_down"), &[sizes.network, width]);
        for part in ["attn_output_norm", "layer_output_norm"] {
            model.norm(&name(part), width);
            model.bias(&name(part), width);
        }
    }
    model
}

fn qwen3_embedding() -> Model {
    let sizes = Sizes {
        layers: 28,
        width: 1024,
        network: 3072,
        heads: 16,
        kv_heads: 8,
        head: 128,
        tokens: 151_669,
        context: 32_768,
    };
    let mut model = dense("qwen3", &sizes).numbers(&[("pooling_type", 3)]);
    ends(&mut model, &sizes, false);
    for layer in 0..sizes.layers {
        attention(&mut model, layer, &sizes);
        head_norms(&mut model, layer, &sizes);
        network(&mut model, layer, &sizes);
    }
    model
}

/// 2 TiB of weights, which no machine here has.
pub(super) fn giant() -> Model {
    let sizes = Sizes {
        layers: 1,
        width: 1 << 20,
        network: 1 << 20,
        heads: 1 << 10,
        kv_heads: 1,
        head: 1 << 10,
        tokens: 300,
        context: 4096,
    };
    let mut model = dense("llama", &sizes);
    model.tensor("blk.0.ffn_up.weight", F16, &[1 << 20, 1 << 20]);
    model
}
