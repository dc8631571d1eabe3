//! One file for each rule, broken in just that rule: the error must name the field.

use hearth_models::{Error, validate_prefix};

use hearth_gguf_writer::*;

/// Checks a file as if all of it were at hand.
fn check(bytes: &[u8]) -> Result<hearth_models::Header, Error> {
    validate_prefix(bytes, bytes.len() as u64)
}

/// Asserts that each case fails with `Invalid` in the field that it names, and that the offset lies in the file.
fn all_invalid(cases: Vec<(&str, Model)>) {
    assert!(
        check(&Model::sound().build()).is_ok(),
        "the base of all cases is sound"
    );
    for (field, model) in cases {
        let bytes = model.build();
        match check(&bytes) {
            Err(Error::Invalid {
                field: found,
                offset,
                reason,
            }) => {
                assert_eq!(found, field, "{reason}");
                assert!(offset < bytes.len() as u64, "{field}: offset {offset}");
                assert!(!reason.is_empty());
            }
            other => panic!("{field}: {other:?}"),
        }
    }
}

fn sound() -> Model {
    Model::sound()
}

fn key(key: &[u8], value: Value) -> Model {
    sound().change(|model| model.entries.push((key.to_vec(), value)))
}

#[test]
fn start_of_the_file() {
    let with_version = |version| sound().change(|model| model.version = version).build();
    assert!(matches!(
        check(&with_version(1)),
        Err(Error::TooOld { version: 1 })
    ));
    assert!(matches!(
        check(&with_version(4)),
        Err(Error::TooNew {
            version: 4,
            supported: 3
        })
    ));
    assert!(matches!(
        check(&with_version(0x0300_0000)),
        Err(Error::BigEndian { version: 3 })
    ));
    assert!(matches!(
        check(&with_version(0x0200_0000)),
        Err(Error::BigEndian { version: 2 })
    ));
    assert!(check(&with_version(2)).is_ok());
    for (bytes, start) in [
        (&b"<!DOCTYPE html>"[..], "`<!DO`"),
        (b"PK\x03\x04rest", r"`PK\x03\x04`"),
        (b"FUGG....", "`FUGG`"),
    ] {
        match check(bytes) {
            Err(Error::NotGguf { found }) => assert_eq!(found, start),
            other => panic!("{start}: {other:?}"),
        }
    }
    for bytes in [&b""[..], b"GGU", b"GGUF", b"GGUF\x03\0\0"] {
        assert!(
            matches!(check(bytes), Err(Error::Truncated { .. })),
            "{bytes:?}"
        );
    }
    all_invalid(vec![
        ("version", sound().change(|model| model.version = 0)),
        (
            "tensor count",
            sound().change(|model| model.tensor_count = Some(0)),
        ),
        (
            "tensor count",
            sound().change(|model| model.tensor_count = Some(65_537)),
        ),
        (
            "tensor count",
            sound().change(|model| model.tensor_count = Some(u64::MAX)),
        ),
        (
            "metadata count",
            sound().change(|model| model.entry_count = Some(65_537)),
        ),
        (
            "metadata count",
            sound().change(|model| model.entry_count = Some(u64::MAX)),
        ),
    ]);
}

#[test]
fn form_of_the_metadata() {
    let long_key = vec![b'k'; 65_536];
    all_invalid(vec![
        ("metadata key 17", key(b"", u32(1))),
        ("metadata key 17", key(&long_key, u32(1))),
        ("metadata key 17", key(b"a\0b", u32(1))),
        ("metadata key 17", key(b"a\xffb", u32(1))),
        (
            "metadata key 17 `general.name`",
            key(b"general.name", text("again")),
        ),
        (
            "`x`",
            key(
                b"x",
                Value {
                    kind: 13,
                    bytes: vec![],
                },
            ),
        ),
        (
            "`x`",
            key(
                b"x",
                Value {
                    kind: u32::MAX,
                    bytes: vec![],
                },
            ),
        ),
        ("`x`", key(b"x", array(9, 1, &[]))),
        ("`x`", key(b"x", array(13, 1, &[0; 16]))),
        ("`x`", key(b"x", array(0, (64 << 20) + 1, &[]))),
        ("`x`", key(b"x", array(8, u64::MAX, &[]))),
        (
            "`x`",
            key(
                b"x",
                Value {
                    kind: 8,
                    bytes: ((16_u64 << 20) + 1).to_le_bytes().to_vec(),
                },
            ),
        ),
        (
            "`general.name`",
            sound().with("general.name", text(&"n".repeat(4097))),
        ),
        ("`general.name`", sound().with("general.name", text("a\0b"))),
        (
            "`tokenizer.chat_template`",
            sound().with("tokenizer.chat_template", text(&"t".repeat((1 << 20) + 1))),
        ),
        (
            "`tokenizer.chat_template`",
            sound().with("tokenizer.chat_template", u32(1)),
        ),
    ]);
}

#[test]
fn declared_lengths_beyond_the_file() {
    for (field, model) in [
        (
            "`x`",
            key(
                b"x",
                Value {
                    kind: 8,
                    bytes: 1_000_000_u64.to_le_bytes().to_vec(),
                },
            ),
        ),
        ("`x`", key(b"x", array(10, 1 << 20, &[]))),
        ("`x`", key(b"x", array(8, 1 << 20, &[]))),
        (
            "`tokenizer.ggml.tokens`",
            sound().with("tokenizer.ggml.tokens", array(8, 4 << 20, &[])),
        ),
    ] {
        match check(&model.build()) {
            Err(Error::Truncated {
                field: found,
                needed_bytes,
                actual_bytes,
            }) => {
                assert_eq!(found, field);
                assert!(needed_bytes > actual_bytes, "{field}");
            }
            other => panic!("{field}: {other:?}"),
        }
    }
    // Data missing at the end, and a tensor that claims more than the file has.
    let bytes = sound().build();
    for bytes in [&bytes[..bytes.len() - 1], &sound().head()] {
        match check(bytes) {
            Err(Error::Truncated { field, .. }) => assert_eq!(field, "tensor data"),
            other => panic!("{other:?}"),
        }
    }
    let greedy = sound().tensor(tensor("big.weight", &[1 << 20, 1 << 12], 0, 0));
    assert!(
        matches!(check(&greedy.build()), Err(Error::Truncated { field, .. }) if field == "tensor data")
    );
}

#[test]
fn identity() {
    all_invalid(vec![
        (
            "`general.architecture`",
            sound().without("general.architecture"),
        ),
        (
            "`general.architecture`",
            sound().with("general.architecture", u32(1)),
        ),
        (
            "`general.architecture`",
            sound().with("general.architecture", text("")),
        ),
        (
            "`general.architecture`",
            sound().with("general.architecture", text("../llama")),
        ),
        (
            "`general.architecture`",
            sound().with("general.architecture", text(&"a".repeat(65))),
        ),
        (
            "`general.alignment`",
            sound().with("general.alignment", u32(0)),
        ),
        (
            "`general.alignment`",
            sound().with("general.alignment", u32(24)),
        ),
        (
            "`general.alignment`",
            sound().with("general.alignment", u32(1 << 21)),
        ),
        (
            "`general.alignment`",
            sound()
                .with("general.alignment", u32(16))
                .change(|model| model.alignment = 16),
        ),
        (
            "`general.alignment`",
            sound().with("general.alignment", u64(32)),
        ),
        ("`split.count`", sound().with("split.count", u32(2))),
        ("`split.count`", sound().with("split.count", u16(2000))),
    ]);
    for (what, model) in [
        ("clip", sound().with("general.architecture", text("clip"))),
        ("llama", sound().with("general.type", text("adapter"))),
        ("llama", sound().with("general.type", text("mmproj"))),
        (
            "no_vocab",
            sound().with("tokenizer.ggml.model", text("no_vocab")),
        ),
        ("none", sound().with("tokenizer.ggml.model", text("none"))),
    ] {
        assert!(
            matches!(check(&model.build()), Err(Error::Unsupported { what: found, .. }) if found == what),
            "{what}"
        );
    }
}

#[test]
fn tensors() {
    let add = |name: &str, shape: &[u64], kind: u32| sound().tensor(tensor(name, shape, kind, 32));
    let long = "n".repeat(64);
    all_invalid(vec![
        ("tensor 3 name", add(&long, &[8], 0)),
        ("tensor 3 name", add("a\0b", &[8], 0)),
        (
            "tensor 3 name",
            sound().change(|model| {
                model.tensors.push(Tensor {
                    name: vec![0xff],
                    ..model.tensors[1].clone()
                })
            }),
        ),
        ("tensor 3 ``", add("", &[8], 0)),
        (
            "tensor 3 `token_embd.weight`",
            add("token_embd.weight", &[8], 0),
        ),
        (
            "tensor 3 `blk.0.ffn_up.scale` type",
            add("blk.0.ffn_up.scale", &[16], 30),
        ),
        (
            "tensor 3 `blk.0.ssm_norm.weight` type",
            add("blk.0.ssm_norm.weight", &[32, 1], 8),
        ),
        (
            "tensor 3 `blk.0.ssm_d` type",
            add("blk.0.ssm_d", &[1, 16], 1),
        ),
        (
            "tensor 3 `token_types.weight` type",
            add("token_types.weight", &[16, 1], 1),
        ),
        ("tensor 3 `t` dimensions", add("t", &[], 0)),
        ("tensor 3 `t` dimensions", add("t", &[1, 1, 1, 1, 1], 0)),
        ("tensor 3 `t` dimensions", add("t", &[0], 0)),
        ("tensor 3 `t` dimensions", add("t", &[8, 0], 0)),
        ("tensor 3 `t` dimensions", add("t", &[1 << 32, 1 << 31], 0)),
        ("tensor 3 `t` dimensions", add("t", &[u64::MAX], 0)),
        ("tensor 3 `t` dimensions", add("t", &[1 << 62, 2, 2, 2], 0)),
        ("tensor 3 `t` type", add("t", &[1 << 62], 0)),
        ("tensor 3 `t` type", add("t", &[32, 2], 4)),
        ("tensor 3 `t` type", add("t", &[32, 2], 36)),
        ("tensor 3 `t` type", add("t", &[32, 2], 43)),
        ("tensor 3 `t` type", add("t", &[32, 2], u32::MAX)),
        ("tensor 3 `t` type", add("t", &[31, 2], 2)),
        ("tensor 3 `t` type", add("t", &[128, 2], 12)),
        // Kernels that do not exist.
        ("tensor 3 `t` type", add("t", &[32, 2], 9)),
        ("tensor 3 `t` type", add("t", &[256, 2], 15)),
        ("tensor 3 `t` type", add("t", &[32, 2], 24)),
        ("tensor 3 `t` type", add("t", &[32, 2], 26)),
        ("tensor 3 `t` type", add("t", &[32, 2], 28)),
        (
            "tensor 3 `blk.0.attn_norm.weight` type",
            add("blk.0.attn_norm.weight", &[32], 8),
        ),
        (
            "tensor 3 `blk.0.attn_norm.weight` type",
            add("blk.0.attn_norm.weight", &[32], 1),
        ),
        (
            "tensor 3 `rope_freqs.weight` type",
            add("rope_freqs.weight", &[8], 1),
        ),
        (
            "tensor 3 `blk.0.attn_q.bias` type",
            add("blk.0.attn_q.bias", &[32], 30),
        ),
        (
            "tensor 1 `output_norm.weight` offset",
            sound().change(|model| model.tensors[1].offset = Some(0)),
        ),
        (
            "tensor 1 `output_norm.weight` offset",
            sound().change(|model| model.tensors[1].offset = Some(33_409)),
        ),
        (
            "tensor 2 `blk.0.attn_q.weight` offset",
            sound().change(|model| model.tensors[2].offset = Some(u64::MAX)),
        ),
        (
            "tensor 0 `token_embd.weight` offset",
            sound().change(|model| model.tensors[0].offset = Some(32)),
        ),
    ]);
    assert!(
        check(
            &sound()
                .tensor(tensor("blk.0.ffn_gate_tid2eid.weight", &[8, 2], 26, 64))
                .build()
        )
        .is_ok()
    );
}

#[test]
fn sizes() {
    let with = |name: &str, value: Value| (name.to_owned(), sound().with(name, value));
    let mut cases = Vec::new();
    for name in ["context_length", "embedding_length", "block_count"] {
        let name = format!("llama.{name}");
        cases.push((name.clone(), sound().without(&name)));
        cases.push(with(&name, u32(0)));
        cases.push(with(&name, u32(u32::MAX)));
        cases.push(with(&name, u64(4)));
        cases.push(with(&name, text("4")));
    }
    for (name, value) in [
        ("block_count", u32(513)),
        ("feed_forward_length", u32(u32::MAX)),
        ("feed_forward_length", f32(1.0)),
        ("feed_forward_length", u32s(&[1, 2])),
        ("attention.head_count", u32(6)),
        ("attention.head_count", u32(5000)),
        ("attention.head_count", i32s(&[-4])),
        ("attention.head_count", u32s(&[4, 4])),
        ("attention.head_count_kv", u32(8)),
        ("attention.head_count_kv", u32(3)),
        ("attention.head_count_kv", i32(2)),
        ("attention.key_length", u32(0)),
        ("attention.value_length", u32(8)),
        ("rope.dimension_count", u32(32)),
        ("rope.dimension_count", u32(8)),
        ("rope.scaling.type", text("spiral")),
        ("rope.scaling.type", u32(1)),
        ("nextn_predict_layers", u32(2)),
        ("expert_count", u32(1025)),
        ("expert_used_count", u32(1)),
        ("expert_group_count", u32(1)),
        ("expert_gating_func", u32(9)),
        ("attention.layer_norm_rms_epsilon", f32(f32::NAN)),
        ("attention.layer_norm_epsilon", f32(-1e-5)),
        ("attention.group_norm_epsilon", f32(f32::INFINITY)),
        ("pooling_type", u32(9)),
        ("attention.causal", u32(1)),
    ] {
        cases.push(with(&format!("llama.{name}"), value));
    }
    let experts = |count, used| {
        sound()
            .with("llama.expert_count", u32(count))
            .with("llama.expert_used_count", u32(used))
    };
    cases.push(("llama.expert_used_count".into(), experts(8, 9)));
    cases.push(("llama.expert_used_count".into(), experts(8, 0)));
    cases.push((
        "llama.expert_group_count".into(),
        experts(8, 2).with("llama.expert_group_count", u32(8)),
    ));
    cases.push((
        "llama.expert_group_count".into(),
        experts(8, 2).with("llama.expert_group_count", u32(3)),
    ));
    cases.push((
        "llama.expert_group_used_count".into(),
        experts(8, 2).with("llama.expert_group_count", u32(4)),
    ));
    let odd = sound()
        .with("llama.embedding_length", u32(60))
        .with("llama.rope.dimension_count", u32(15));
    cases.push(("llama.rope.dimension_count".into(), odd));
    // An architecture that rotates only a part of each head.
    let partly = sound().change(|model| {
        model.entries[0].1 = text("phi2");
        for (key, _) in &mut model.entries {
            if let Some(rest) = key.strip_prefix(b"llama.") {
                *key = [b"phi2.", rest].concat();
            }
        }
    });
    assert!(
        check(
            &partly
                .clone()
                .with("phi2.rope.dimension_count", u32(8))
                .build()
        )
        .is_ok()
    );
    for turned in [18, 7] {
        let wrong = partly
            .clone()
            .with("phi2.rope.dimension_count", u32(turned));
        cases.push(("phi2.rope.dimension_count".into(), wrong));
    }
    let cases: Vec<(String, Model)> = cases
        .into_iter()
        .map(|(name, model)| (format!("`{name}`"), model))
        .collect();
    all_invalid(
        cases
            .iter()
            .map(|(name, model)| (name.as_str(), model.clone()))
            .collect(),
    );
}

#[test]
fn tokenizer() {
    let with = |name: &str, value: Value| sound().with(&format!("tokenizer.ggml.{name}"), value);
    let without = |name: &str| sound().without(&format!("tokenizer.ggml.{name}"));
    let bpe =
        |name: &str, value: Value| Model::bpe().with(&format!("tokenizer.ggml.{name}"), value);
    let mut without_a_byte: Vec<String> = (0..256).map(|byte| format!("<0x{byte:02X}>")).collect();
    without_a_byte[0x41] = "<0xZZ>".into();
    without_a_byte.extend(["a", "b", "c", "d", "e"].map(|text| text.repeat(5)));
    let charsmap = |bytes: &[u8]| array(0, bytes.len() as u64, bytes);
    all_invalid(vec![
        ("`tokenizer.ggml.model`", without("model")),
        ("`tokenizer.ggml.model`", with("model", u32(1))),
        ("`tokenizer.ggml.model`", with("model", text("abacus"))),
        ("`tokenizer.ggml.tokens`", without("tokens")),
        ("`tokenizer.ggml.tokens`", with("tokens", text("a"))),
        ("`tokenizer.ggml.tokens`", with("tokens", u32s(&[1]))),
        (
            "`tokenizer.ggml.tokens`",
            with("tokens", texts::<&str>(&[])),
        ),
        (
            "`tokenizer.ggml.tokens`",
            with("tokens", texts(&without_a_byte)),
        ),
        (
            "`tokenizer.ggml.tokens`",
            bpe("tokens", texts(&["a", "b", "a"])),
        ),
        (
            "`tokenizer.ggml.tokens`",
            bpe("tokens", texts(&["a", "", "[EMPTY_1]"])),
        ),
        (
            "`tokenizer.ggml.tokens`",
            bpe("tokens", texts(&["a", "b", "b\0c"])),
        ),
        (
            "`tokenizer.ggml.tokens` element 1",
            bpe(
                "tokens",
                texts(&["a".to_owned(), "b".repeat(65_537), "c".into()]),
            ),
        ),
        (
            "`tokenizer.ggml.token_type`",
            with("token_type", i32s(&[1])),
        ),
        (
            "`tokenizer.ggml.token_type`",
            with("token_type", f32s(&[1.0])),
        ),
        ("`tokenizer.ggml.token_type`", with("token_type", u32(1))),
        (
            "`tokenizer.ggml.token_type`",
            bpe("token_type", i32s(&[3, 6, 1])),
        ),
        ("`tokenizer.ggml.scores`", with("scores", f32s(&[1.0]))),
        ("`tokenizer.ggml.scores`", with("scores", u32s(&[1]))),
        (
            "`tokenizer.ggml.scores`",
            with("scores", f32s(&vec![f32::NAN; TOKENS as usize])),
        ),
        (
            "`tokenizer.ggml.bos_token_id`",
            with("bos_token_id", u32(TOKENS)),
        ),
        (
            "`tokenizer.ggml.bos_token_id`",
            with("bos_token_id", i32(1)),
        ),
        (
            "`tokenizer.ggml.eos_token_id`",
            with("eos_token_id", u32(TOKENS + 7)),
        ),
        (
            "`tokenizer.ggml.unknown_token_id`",
            with("unknown_token_id", u32(TOKENS)),
        ),
        (
            "`tokenizer.ggml.padding_token_id`",
            with("padding_token_id", u32(u32::MAX - 1)),
        ),
        (
            "`tokenizer.ggml.fim_pre_token_id`",
            with("fim_pre_token_id", u64(1)),
        ),
        (
            "`tokenizer.ggml.merges`",
            Model::bpe().without("tokenizer.ggml.merges"),
        ),
        ("`tokenizer.ggml.pre`", bpe("pre", text("whitespace"))),
        ("`tokenizer.ggml.merges`", bpe("merges", u32s(&[1]))),
        ("`tokenizer.ggml.merges`", bpe("merges", text("a b"))),
        // Added to every text although there is no such token: llama.cpp asserts at the first text.
        (
            "`tokenizer.ggml.bos_token_id`",
            bpe("add_bos_token", bool(true)).without("tokenizer.ggml.bos_token_id"),
        ),
        (
            "`tokenizer.ggml.bos_token_id`",
            bpe("pre", text("llama-bpe")).without("tokenizer.ggml.bos_token_id"),
        ),
        (
            "`tokenizer.ggml.bos_token_id`",
            bpe("model", text("gemma4")).with("tokenizer.ggml.bos_token_id", u32(u32::MAX)),
        ),
        (
            "`tokenizer.ggml.eos_token_id`",
            bpe("add_eos_token", bool(true)).without("tokenizer.ggml.eos_token_id"),
        ),
        (
            "`tokenizer.ggml.add_bos_token`",
            bpe("add_bos_token", u8(1)),
        ),
        (
            "`tokenizer.ggml.bos_token_id`",
            bpe("model", text("bert")).without("tokenizer.ggml.bos_token_id"),
        ),
        (
            "`tokenizer.ggml.seperator_token_id`",
            bpe("model", text("bert")).with("tokenizer.ggml.unknown_token_id", u32(1)),
        ),
        // What a tokenizer puts for a word it does not know must be a token.
        (
            "`tokenizer.ggml.unknown_token_id`",
            bpe("model", text("bert")).with("tokenizer.ggml.seperator_token_id", u32(1)),
        ),
        (
            "`tokenizer.ggml.unknown_token_id`",
            bpe("model", text("t5"))
                .with("tokenizer.ggml.unknown_token_id", u32(u32::MAX))
                .with("tokenizer.ggml.tokens", texts(&["a", "b"]))
                .without("tokenizer.ggml.token_type"),
        ),
        // RWKV's tokenizer never ends on a text that begins like a word whose first letter is none.
        ("`tokenizer.ggml.tokens`", bpe("model", text("rwkv"))),
        ("`tokenizer.ggml.token_type`", with("model", text("bert"))),
        (
            "`tokenizer.ggml.precompiled_charsmap`",
            with("precompiled_charsmap", charsmap(&[0; 3])),
        ),
        (
            "`tokenizer.ggml.precompiled_charsmap`",
            with("precompiled_charsmap", charsmap(&[4, 0, 0, 0, 1, 2, 3, 4])),
        ),
        (
            "`tokenizer.ggml.precompiled_charsmap`",
            with("precompiled_charsmap", charsmap(&[255; 64])),
        ),
        // A trie of one node: the first letter leads out of it.
        (
            "`tokenizer.ggml.precompiled_charsmap`",
            with(
                "precompiled_charsmap",
                charsmap(&[4, 0, 0, 0, 0, 0, 0, 0, 0]),
            ),
        ),
        (
            "`tokenizer.ggml.precompiled_charsmap`",
            with("precompiled_charsmap", f32s(&[1.0; 9])),
        ),
    ]);
    assert!(
        check(&with("padding_token_id", u32(u32::MAX)).build()).is_ok(),
        "-1 means that there is no such token"
    );
}

#[test]
fn more_kept_entries_than_any_model_has() {
    let mut model = sound();
    for index in 0..1100 {
        model = model.change(|model| {
            model
                .entries
                .push((format!("x{index}.block_count").into_bytes(), u32(1)))
        });
    }
    assert!(matches!(check(&model.build()), Err(Error::Invalid { .. })));
}
