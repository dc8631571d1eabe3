//! Tiny models with random weights: they see nothing that makes sense, but each picture in its own way. Names and shapes are those
//! that llama.cpp's loader asks for.

use std::io::Write;

use hearth_gguf_writer::{Model, Value, bool, f32, f32s, i32s, tensor, text, texts, u32};
use tempfile::NamedTempFile;

/// A file in the making, and the data of its tensors.
struct Tiny {
    file: Model,
    data: Vec<u8>,
    random: u64,
}

impl Tiny {
    fn new(architecture: &str) -> Self {
        Self {
            file: Model::new(architecture),
            data: Vec::new(),
            random: 0,
        }
    }

    fn add(&mut self, entries: impl IntoIterator<Item = (&'static str, Value)>) {
        for (key, value) in entries {
            self.file.add(key, value);
        }
    }

    /// A tensor of random numbers around `middle`, the first dimension being the innermost.
    fn tensor(&mut self, name: &str, shape: &[u64], middle: f32, spread: f32) {
        let count = shape.iter().product();
        self.file.tensors.push(tensor(name, shape, F32, 4 * count));
        for _ in 0..count {
            self.random = self
                .random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let unit = (self.random >> 40) as f32 / (1_u64 << 23) as f32 - 1.0;
            self.data.extend((middle + spread * unit).to_le_bytes());
        }
        self.data.resize(self.data.len().next_multiple_of(32), 0);
    }

    /// A matrix whose products stay about as large as what goes in.
    fn matrix(&mut self, name: &str, from: u64, to: u64) {
        self.tensor(name, &[from, to], 0.0, (3.0 / from as f32).sqrt());
    }

    fn norm(&mut self, name: &str, size: u64) {
        self.tensor(name, &[size], 1.0, 0.1);
    }

    fn bias(&mut self, name: &str, size: u64) {
        self.tensor(name, &[size], 0.0, 0.1);
    }

    fn write(self) -> NamedTempFile {
        let mut file = NamedTempFile::with_suffix(".gguf").unwrap();
        file.write_all(&self.file.head()).unwrap();
        file.write_all(&self.data).unwrap();
        file
    }
}

/// Number of the type of all tensors here.
const F32: u32 = 0;
const WIDTH: u64 = 32;
const PATCH: u64 = 14;
/// Pixels of a side of what the first model sees, and patches along it.
const SIDE: u64 = 112;

/// What both projectors have in common.
fn projector(kind: &str, output: u64) -> Tiny {
    let mut file = Tiny::new("clip");
    file.add([
        ("general.type", text("mmproj")),
        ("clip.has_vision_encoder", bool(true)),
        ("clip.use_gelu", bool(true)),
        ("clip.projector_type", text(kind)),
        ("clip.vision.embedding_length", u32(WIDTH as u32)),
        ("clip.vision.attention.head_count", u32(2)),
        ("clip.vision.feed_forward_length", u32(2 * WIDTH as u32)),
        ("clip.vision.block_count", u32(2)),
        ("clip.vision.projection_dim", u32(output as u32)),
        ("clip.vision.attention.layer_norm_epsilon", f32(1e-5)),
        ("clip.vision.image_size", u32(SIDE as u32)),
        ("clip.vision.patch_size", u32(PATCH as u32)),
        ("clip.vision.image_mean", f32s(&[0.5; 3])),
        ("clip.vision.image_std", f32s(&[0.25; 3])),
    ]);
    file.tensor("v.patch_embd.weight", &[PATCH, PATCH, 3, WIDTH], 0.0, 0.05);
    for layer in 0..2 {
        let name = |part: &str| format!("v.blk.{layer}.{part}");
        for part in ["attn_q", "attn_k", "attn_v", "attn_out"] {
            file.matrix(&name(&format!("{part}.weight")), WIDTH, WIDTH);
            file.bias(&name(&format!("{part}.bias")), WIDTH);
        }
        for part in ["ln1", "ln2"] {
            file.norm(&name(&format!("{part}.weight")), WIDTH);
            file.bias(&name(&format!("{part}.bias")), WIDTH);
        }
        file.matrix(&name("ffn_up.weight"), WIDTH, 2 * WIDTH);
        file.bias(&name("ffn_up.bias"), 2 * WIDTH);
        file.matrix(&name("ffn_down.weight"), 2 * WIDTH, WIDTH);
        file.bias(&name("ffn_down.bias"), WIDTH);
    }
    file
}

/// Of the LLaVA kind: a square of fixed size becomes 64 places.
pub fn llava_projector(output: u64) -> NamedTempFile {
    let mut file = projector("mlp", output);
    let patches = (SIDE / PATCH).pow(2);
    file.tensor("v.class_embd", &[WIDTH], 0.0, 0.1);
    file.tensor("v.position_embd.weight", &[WIDTH, patches + 1], 0.0, 0.1);
    file.norm("v.pre_ln.weight", WIDTH);
    file.bias("v.pre_ln.bias", WIDTH);
    file.matrix("mm.0.weight", WIDTH, output);
    file.bias("mm.0.bias", output);
    // Larger than the embeddings of words, so that a model which never learnt to look cannot look away.
    file.tensor("mm.2.weight", &[output, output], 0.0, 0.05);
    file.bias("mm.2.bias", output);
    file.write()
}

/// Of the Qwen2-VL kind: any size, and rows and columns are counted.
pub fn qwen_projector() -> NamedTempFile {
    let mut file = projector("qwen2vl_merger", QWEN_WIDTH);
    file.tensor(
        "v.patch_embd.weight.1",
        &[PATCH, PATCH, 3, WIDTH],
        0.0,
        0.05,
    );
    file.norm("v.post_ln.weight", WIDTH);
    file.bias("v.post_ln.bias", WIDTH);
    file.matrix("mm.0.weight", 4 * WIDTH, 4 * WIDTH);
    file.bias("mm.0.bias", 4 * WIDTH);
    file.matrix("mm.2.weight", 4 * WIDTH, QWEN_WIDTH);
    file.bias("mm.2.bias", QWEN_WIDTH);
    file.write()
}

const QWEN_WIDTH: u64 = 64;

/// The characters that stand for bytes in GPT-2's vocabulary: printable ones for themselves, the rest from U+0100 on.
fn byte_characters() -> Vec<String> {
    let plain = |byte: u32| matches!(byte, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut next = 0x100;
    let character = |byte: u32| {
        let code = if plain(byte) {
            byte
        } else {
            next += 1;
            next - 1
        };
        char::from_u32(code).unwrap().to_string()
    };
    (0..256).map(character).collect()
}

/// A Qwen2-VL with a token for each byte.
pub fn qwen() -> NamedTempFile {
    let mut file = Tiny::new("qwen2vl");
    file.add([
        ("qwen2vl.block_count", u32(2)),
        ("qwen2vl.context_length", u32(2048)),
        ("qwen2vl.embedding_length", u32(QWEN_WIDTH as u32)),
        ("qwen2vl.feed_forward_length", u32(2 * QWEN_WIDTH as u32)),
        ("qwen2vl.attention.head_count", u32(2)),
        ("qwen2vl.attention.head_count_kv", u32(2)),
        ("qwen2vl.attention.layer_norm_rms_epsilon", f32(1e-5)),
        ("qwen2vl.rope.freq_base", f32(10_000.0)),
        ("qwen2vl.rope.dimension_sections", i32s(&[4, 6, 6, 0])),
    ]);
    let mut vocabulary = byte_characters();
    let control = [
        "<|endoftext|>",
        "<|im_start|>",
        "<|im_end|>",
        "<|vision_start|>",
        "<|vision_end|>",
    ];
    vocabulary.extend(control.map(str::to_owned));
    let count = vocabulary.len();
    file.add([
        ("tokenizer.ggml.model", text("gpt2")),
        ("tokenizer.ggml.pre", text("qwen2")),
        ("tokenizer.ggml.tokens", texts(&vocabulary)),
    ]);
    let kinds: Vec<i32> = (0..count).map(|n| if n < 256 { 1 } else { 3 }).collect();
    file.add([
        ("tokenizer.ggml.token_type", i32s(&kinds)),
        ("tokenizer.ggml.merges", texts(&["a b".to_owned()])),
        ("tokenizer.ggml.eos_token_id", u32(258)),
    ]);
    file.tensor("token_embd.weight", &[QWEN_WIDTH, count as u64], 0.0, 1.0);
    file.matrix("output.weight", QWEN_WIDTH, count as u64);
    file.norm("output_norm.weight", QWEN_WIDTH);
    for layer in 0..2 {
        let name = |part: &str| format!("blk.{layer}.{part}");
        for part in ["attn_q", "attn_k", "attn_v", "attn_output"] {
            file.matrix(&name(&format!("{part}.weight")), QWEN_WIDTH, QWEN_WIDTH);
        }
        for part in ["attn_q", "attn_k", "attn_v"] {
            file.bias(&name(&format!("{part}.bias")), QWEN_WIDTH);
        }
        file.norm(&name("attn_norm.weight"), QWEN_WIDTH);
        file.norm(&name("ffn_norm.weight"), QWEN_WIDTH);
        file.matrix(&name("ffn_gate.weight"), QWEN_WIDTH, 2 * QWEN_WIDTH);
        file.matrix(&name("ffn_up.weight"), QWEN_WIDTH, 2 * QWEN_WIDTH);
        file.matrix(&name("ffn_down.weight"), 2 * QWEN_WIDTH, QWEN_WIDTH);
    }
    file.write()
}
