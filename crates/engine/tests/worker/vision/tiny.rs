//! Tiny models with random weights: they see nothing that makes sense, but each picture in its own way. Names and shapes are those
//! that llama.cpp's loader asks for.

use std::io::Write;

use tempfile::NamedTempFile;

/// A GGUF file in the making: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.
#[derive(Default)]
struct Gguf {
    keys: Vec<u8>,
    key_count: u64,
    entries: Vec<u8>,
    tensor_count: u64,
    data: Vec<u8>,
    random: u64,
}

const UINT32: u32 = 4;
const INT32: u32 = 5;
const FLOAT32: u32 = 6;
const BOOL: u32 = 7;
const STRING: u32 = 8;
const ARRAY: u32 = 9;

fn text(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes
}

impl Gguf {
    fn key(&mut self, name: &str, kind: u32, value: &[u8]) {
        self.keys.extend(text(name));
        self.keys.extend(kind.to_le_bytes());
        self.keys.extend(value);
        self.key_count += 1;
    }

    fn string(&mut self, name: &str, value: &str) {
        self.key(name, STRING, &text(value));
    }

    fn number(&mut self, name: &str, value: u32) {
        self.key(name, UINT32, &value.to_le_bytes());
    }

    fn float(&mut self, name: &str, value: f32) {
        self.key(name, FLOAT32, &value.to_le_bytes());
    }

    fn yes(&mut self, name: &str) {
        self.key(name, BOOL, &[1]);
    }

    fn list(&mut self, name: &str, kind: u32, count: usize, items: Vec<u8>) {
        let mut value = kind.to_le_bytes().to_vec();
        value.extend((count as u64).to_le_bytes());
        value.extend(items);
        self.key(name, ARRAY, &value);
    }

    fn strings(&mut self, name: &str, items: &[String]) {
        let bytes = items.iter().flat_map(|item| text(item)).collect();
        self.list(name, STRING, items.len(), bytes);
    }

    fn floats(&mut self, name: &str, items: &[f32]) {
        let bytes = items.iter().flat_map(|item| item.to_le_bytes()).collect();
        self.list(name, FLOAT32, items.len(), bytes);
    }

    fn integers(&mut self, name: &str, items: &[i32]) {
        let bytes = items.iter().flat_map(|item| item.to_le_bytes()).collect();
        self.list(name, INT32, items.len(), bytes);
    }

    /// A tensor of random numbers around `middle`, the first dimension being the innermost.
    fn tensor(&mut self, name: &str, shape: &[u64], middle: f32, spread: f32) {
        self.entries.extend(text(name));
        self.entries.extend((shape.len() as u32).to_le_bytes());
        self.entries
            .extend(shape.iter().flat_map(|side| side.to_le_bytes()));
        self.entries.extend(0_u32.to_le_bytes());
        self.entries.extend((self.data.len() as u64).to_le_bytes());
        self.tensor_count += 1;
        for _ in 0..shape.iter().product() {
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
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend(self.tensor_count.to_le_bytes());
        bytes.extend(self.key_count.to_le_bytes());
        bytes.extend(self.keys);
        bytes.extend(self.entries);
        bytes.resize(bytes.len().next_multiple_of(32), 0);
        bytes.extend(self.data);
        let mut file = NamedTempFile::with_suffix(".gguf").unwrap();
        file.write_all(&bytes).unwrap();
        file
    }
}

const WIDTH: u64 = 32;
const PATCH: u64 = 14;
/// Pixels of a side of what the first model sees, and patches along it.
const SIDE: u64 = 112;

/// What both projectors have in common.
fn projector(kind: &str, output: u64) -> Gguf {
    let mut file = Gguf::default();
    file.string("general.architecture", "clip");
    file.string("general.type", "mmproj");
    file.yes("clip.has_vision_encoder");
    file.yes("clip.use_gelu");
    file.string("clip.projector_type", kind);
    file.number("clip.vision.embedding_length", WIDTH as u32);
    file.number("clip.vision.attention.head_count", 2);
    file.number("clip.vision.feed_forward_length", 2 * WIDTH as u32);
    file.number("clip.vision.block_count", 2);
    file.number("clip.vision.projection_dim", output as u32);
    file.float("clip.vision.attention.layer_norm_epsilon", 1e-5);
    file.number("clip.vision.image_size", SIDE as u32);
    file.number("clip.vision.patch_size", PATCH as u32);
    file.floats("clip.vision.image_mean", &[0.5; 3]);
    file.floats("clip.vision.image_std", &[0.25; 3]);
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
    let mut file = Gguf::default();
    file.string("general.architecture", "qwen2vl");
    file.number("qwen2vl.block_count", 2);
    file.number("qwen2vl.context_length", 2048);
    file.number("qwen2vl.embedding_length", QWEN_WIDTH as u32);
    file.number("qwen2vl.feed_forward_length", 2 * QWEN_WIDTH as u32);
    file.number("qwen2vl.attention.head_count", 2);
    file.number("qwen2vl.attention.head_count_kv", 2);
    file.float("qwen2vl.attention.layer_norm_rms_epsilon", 1e-5);
    file.float("qwen2vl.rope.freq_base", 10_000.0);
    file.integers("qwen2vl.rope.dimension_sections", &[4, 6, 6, 0]);
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
    file.string("tokenizer.ggml.model", "gpt2");
    file.string("tokenizer.ggml.pre", "qwen2");
    file.strings("tokenizer.ggml.tokens", &vocabulary);
    let kinds: Vec<i32> = (0..count).map(|n| if n < 256 { 1 } else { 3 }).collect();
    file.integers("tokenizer.ggml.token_type", &kinds);
    file.strings("tokenizer.ggml.merges", &["a b".to_owned()]);
    file.number("tokenizer.ggml.eos_token_id", 258);
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
