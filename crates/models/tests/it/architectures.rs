//! Rules that hold for some architectures only: a sound file of each, and the same with one thing wrong.

use hearth_models::{Error, validate_prefix};

use hearth_gguf_writer::*;

fn check(bytes: &[u8]) -> Result<hearth_models::Header, Error> {
    validate_prefix(bytes, bytes.len() as u64)
}

/// [`Model::bpe`] as if it were of another architecture.
fn of(architecture: &str) -> Model {
    Model::bpe().change(|model| {
        for (key, _) in &mut model.entries {
            if let Some(rest) = key.strip_prefix(b"llama.") {
                *key = [architecture.as_bytes(), b".", rest].concat();
            }
        }
        *model = model
            .clone()
            .with("general.architecture", text(architecture));
    })
}

#[test]
fn rules_of_single_architectures() {
    let experts = [
        ("expert_count", u32(4)),
        ("expert_used_count", u32(2)),
        ("expert_feed_forward_length", u32(32)),
    ];
    let inner = [
        ("ssm.inner_size", u32(128)),
        ("ssm.time_step_rank", u32(8)),
        ("ssm.group_count", u32(2)),
    ];
    let latent = [
        ("attention.key_length_mla", u32(32)),
        ("rope.dimension_count", u32(16)),
        ("attention.value_length_mla", u32(16)),
    ];
    let gate = [
        ("kda.safe_gate", bool(true)),
        ("kda.gate_lower_bound", f32(-1.0)),
    ];
    let cycles = [
        ("block_count", u32(4)),
        ("hrm.layers_per_stack", u32(1)),
        ("hrm.h_cycles", u32(2)),
        ("hrm.l_cycles", u32(1)),
    ];
    let pools = [
        ("attention.indexer.kpool", u32(4)),
        ("attention.indexer.top_k", u32(8)),
        ("hyper_connection.count", u32(4)),
    ];
    let loops = [("num_loops", u32(2)), ("block_count", u32(256))];
    let dense = [("dense_2_feat_in", u32(64)), ("dense_3_feat_out", u32(0))];
    let head = [("wkv.head_size", u32(32))];
    let whole = [("attention.head_count_kv", u32(4))];
    let window = [
        ("attention.sliding_window", u32(16)),
        ("attention.sliding_window_pattern", array(7, 1, &[1])),
    ];
    let none: [(&str, Value); 0] = [];
    for (architecture, sound, key, wrong) in [
        ("qwen3", &none[..], "attention.head_count", Some(u32(0))),
        ("olmo2", &none[..], "attention.head_count", None),
        ("glm4moe", &experts[..], "expert_used_count", None),
        (
            "smallthinker",
            &experts[..],
            "expert_used_count",
            Some(u32s(&[0])),
        ),
        (
            "qwen3moe",
            &experts[..2],
            "expert_used_count",
            Some(u32s(&[0])),
        ),
        ("mamba2", &inner[..], "ssm.group_count", Some(u32(0))),
        ("falcon-h1", &inner[..], "ssm.inner_size", Some(u32(127))),
        ("falcon-h1", &inner[..], "ssm.time_step_rank", Some(u32(7))),
        ("jamba", &inner[..], "ssm.inner_size", Some(u32(64))),
        (
            "granitehybrid",
            &inner[..],
            "ssm.inner_size",
            Some(u32(130)),
        ),
        (
            "qwen3next",
            &experts[..],
            "full_attention_interval",
            Some(u32(0)),
        ),
        ("rwkv7", &none[..], "wkv.head_size", Some(u32(0))),
        ("rwkv7", &head[..], "wkv.head_size", Some(u32(48))),
        (
            "modern-bert",
            &whole[..],
            "attention.head_count_kv",
            Some(u32s(&[0])),
        ),
        (
            "gemma4",
            &window[..],
            "attention.sliding_window_pattern",
            Some(array(7, 1, &[0])),
        ),
        (
            "gemma3n",
            &window[..],
            "attention.sliding_window",
            Some(u32(1 << 30)),
        ),
        (
            "minicpm3",
            &whole[..],
            "attention.head_count_kv",
            Some(u32(2)),
        ),
        (
            "minimax-m3",
            &none[..],
            "attention.indexer.block_size",
            Some(u32(0)),
        ),
        (
            "deepseek2",
            &latent[..],
            "attention.key_length_mla",
            Some(u32(16)),
        ),
        ("hy_v4", &latent[..], "attention.value_length_mla", None),
        ("bailingmoe3", &gate[..], "kda.safe_gate", Some(bool(false))),
        (
            "bailingmoe3",
            &gate[..],
            "kda.gate_lower_bound",
            Some(f32(0.0)),
        ),
        ("hrm_text", &cycles[..], "block_count", Some(u32(5))),
        ("nanbeige", &loops[..], "block_count", Some(u32(257))),
        (
            "glm5-next",
            &pools[..],
            "attention.indexer.top_k",
            Some(u32(9)),
        ),
        (
            "glm5-next",
            &pools[..],
            "attention.indexer.kpool",
            Some(u32(1)),
        ),
        (
            "glm5-next",
            &pools[..],
            "hyper_connection.count",
            Some(u32(2)),
        ),
        (
            "gemma-embedding",
            &dense[..],
            "dense_2_feat_in",
            Some(u32(65)),
        ),
        ("lfm2", &none[..], "attention.value_length", Some(u32(8))),
    ] {
        let name = |key: &str| format!("{architecture}.{key}");
        let model = sound.iter().fold(of(architecture), |model, (key, value)| {
            model.with(&name(key), value.clone())
        });
        assert!(
            check(&model.build()).is_ok(),
            "{architecture}: {:?}",
            check(&model.build())
        );
        let model = match wrong {
            Some(value) => model.with(&name(key), value),
            None => model.without(&name(key)),
        };
        match check(&model.build()) {
            Err(Error::Invalid { field, .. }) => {
                assert_eq!(field, format!("`{}`", name(key)), "{architecture}")
            }
            other => panic!("{architecture} {key}: {other:?}"),
        }
    }
    for architecture in ["eagle3", "gemma4-assistant", "wavtokenizer-dec"] {
        assert!(
            matches!(
                check(&of(architecture).build()),
                Err(Error::Unsupported { .. })
            ),
            "{architecture}"
        );
    }
    // Without experts at all.
    assert!(matches!(
        check(&of("glm4moe").build()),
        Err(Error::Invalid { field, .. }) if field == "`glm4moe.expert_count`"
    ));
}

#[test]
fn tensors_that_an_architecture_wants() {
    let convolution = tensor("blk.0.ssm_conv1d.weight", &[4, 160], 0, 2560);
    for (model, missing) in [
        // It mixes with one tensor or another, and there is neither.
        (of("rwkv6"), "blk.0.time_mix_lerp_w.weight"),
        (of("falcon-h1").tensor(convolution), "blk.0.ssm_conv1d.bias"),
    ] {
        let bytes = model.build();
        match check(&bytes) {
            Err(Error::Invalid { field, offset, .. }) => {
                assert_eq!(field, format!("tensor `{missing}`"));
                assert!(offset <= bytes.len() as u64);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn rows_that_an_architecture_wants() {
    let ffn = |rows| {
        of("jina-bert-v2")
            .tensor(tensor("blk.0.ffn_up.weight", &[64, rows], 0, 64 * rows * 4))
            .build()
    };
    for (rows, sound) in [(128, true), (256, true), (129, false), (384, false)] {
        match check(&ffn(rows)) {
            Ok(_) => assert!(sound, "{rows}"),
            Err(Error::Invalid { field, offset, .. }) => {
                assert!(!sound, "{rows}");
                assert_eq!(field, "tensor `blk.0.ffn_up.weight` dimensions");
                assert!(offset > 0);
            }
            Err(other) => panic!("{other}"),
        }
    }
}
