//! A small model with nothing wrong, for tests that change one part of it.

use crate::{Model, f32s, i32s, tensor, text, texts, u32};

/// Number of tokens of [`Model::sound`]: three special ones, 256 bytes and two words.
pub const TOKENS: u32 = 261;

impl Model {
    /// A complete model of the architecture `llama` with a `llama` tokenizer.
    pub fn sound() -> Self {
        let mut tokens: Vec<String> = ["<unk>", "<s>", "</s>"].map(str::to_owned).to_vec();
        tokens.extend((0..256).map(|byte| format!("<0x{byte:02X}>")));
        tokens.extend(["hello", "world"].map(str::to_owned));
        let types: Vec<i32> = (0..TOKENS as i32)
            .map(|id| match id {
                0..=2 => 3,
                3..=258 => 6,
                _ => 1,
            })
            .collect();
        let mut model = Self::new("llama");
        model.tensors = vec![
            tensor(
                "token_embd.weight",
                &[64, u64::from(TOKENS)],
                1,
                64 * u64::from(TOKENS) * 2,
            ),
            tensor("output_norm.weight", &[64], 0, 256),
            tensor("blk.0.attn_q.weight", &[64, 64], 3, 64 * 64 / 32 * 20),
        ];
        for (key, value) in [
            ("general.name", text("Tiny")),
            ("general.file_type", u32(3)),
            ("llama.context_length", u32(512)),
            ("llama.embedding_length", u32(64)),
            ("llama.block_count", u32(1)),
            ("llama.feed_forward_length", u32(128)),
            ("llama.attention.head_count", u32(4)),
            ("llama.attention.head_count_kv", u32(2)),
            ("llama.rope.dimension_count", u32(16)),
            ("tokenizer.ggml.model", text("llama")),
            ("tokenizer.ggml.tokens", texts(&tokens)),
            ("tokenizer.ggml.token_type", i32s(&types)),
            ("tokenizer.ggml.scores", f32s(&vec![0.0; TOKENS as usize])),
            ("tokenizer.ggml.bos_token_id", u32(1)),
            ("tokenizer.ggml.eos_token_id", u32(2)),
            ("tokenizer.chat_template", text("{{ messages }}")),
        ] {
            model.add(key, value);
        }
        model
    }

    /// [`Model::sound`] with a `gpt2` tokenizer of three tokens.
    pub fn bpe() -> Self {
        Self::sound()
            .with("tokenizer.ggml.model", text("gpt2"))
            .with("tokenizer.ggml.pre", text("default"))
            .with("tokenizer.ggml.tokens", texts(&["<|end|>", "a", "b"]))
            .with("tokenizer.ggml.token_type", i32s(&[3, 1, 1]))
            .with("tokenizer.ggml.merges", texts(&["a b"]))
            .with("tokenizer.ggml.bos_token_id", u32(0))
            .with("tokenizer.ggml.eos_token_id", u32(0))
            .without("tokenizer.ggml.scores")
    }
}
