//! Writes model files that have everything but weights: a whole header, and data that is a hole in the file.
//!
//! It must not use the crate that reads such files, or both could share a mistake.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

const UINT32: u32 = 4;
const INT32: u32 = 5;
const FLOAT32: u32 = 6;
const BOOL: u32 = 7;
const STRING: u32 = 8;
const ARRAY: u32 = 9;

/// Types of tensors: id, elements and bytes of a block.
#[derive(Clone, Copy)]
pub(super) struct Type(u32, u64, u64);

pub(super) const F32: Type = Type(0, 1, 4);
pub(super) const F16: Type = Type(1, 1, 2);
const Q8_0: Type = Type(8, 32, 34);
const MXFP4: Type = Type(39, 32, 17);
const Q4_K: Type = Type(12, 256, 144);
pub(super) const Q6_K: Type = Type(14, 256, 210);

/// A model in the making: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.
pub(super) struct Model {
    architecture: &'static str,
    keys: Vec<u8>,
    key_count: u64,
    tensors: Vec<u8>,
    tensor_count: u64,
    data_bytes: u64,
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes
}

impl Model {
    pub(super) fn new(architecture: &'static str) -> Self {
        let mut model = Self {
            architecture,
            keys: Vec::new(),
            key_count: 0,
            tensors: Vec::new(),
            tensor_count: 0,
            data_bytes: 0,
        };
        model.key("general.architecture", STRING, &text(architecture));
        model
    }

    fn key(&mut self, name: &str, kind: u32, value: &[u8]) {
        self.keys.extend(text(name));
        self.keys.extend(kind.to_le_bytes());
        self.keys.extend(value);
        self.key_count += 1;
    }

    fn own(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    /// Numbers under the architecture's name.
    pub(super) fn numbers(mut self, numbers: &[(&str, u64)]) -> Self {
        for (name, value) in numbers {
            self.key(&self.own(name), UINT32, &(*value as u32).to_le_bytes());
        }
        self
    }

    /// The same for numbers with a fraction.
    pub(super) fn float(mut self, name: &str, value: f32) -> Self {
        self.key(&self.own(name), FLOAT32, &value.to_le_bytes());
        self
    }

    pub(super) fn flag(mut self, name: &str, value: bool) -> Self {
        self.key(&self.own(name), BOOL, &[value.into()]);
        self
    }

    /// A number for each layer.
    pub(super) fn list(mut self, name: &str, values: impl Iterator<Item = u64>) -> Self {
        let bytes: Vec<[u8; 4]> = values.map(|value| (value as i32).to_le_bytes()).collect();
        self.key(
            &self.own(name),
            ARRAY,
            &array(INT32, bytes.len(), bytes.concat()),
        );
        self
    }

    /// A vocabulary of `count` made-up words: of the kind `gpt2`, or `bert`.
    pub(super) fn vocabulary(mut self, kind: &str, count: u64) -> Self {
        let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
        let word = |id: u64| match special.get(id as usize) {
            Some(name) => text(name),
            None => text(&format!("w{id}")),
        };
        let count_ = count as usize;
        let words: Vec<u8> = (0..count).flat_map(word).collect();
        self.key("tokenizer.ggml.model", STRING, &text(kind));
        self.key(
            "tokenizer.ggml.tokens",
            ARRAY,
            &array(STRING, count_, words),
        );
        let kinds: Vec<u8> = (0..count)
            .flat_map(|id| if id < 5 { 3_i32 } else { 1 }.to_le_bytes())
            .collect();
        self.key(
            "tokenizer.ggml.token_type",
            ARRAY,
            &array(INT32, count_, kinds),
        );
        if kind == "gpt2" {
            self.key("tokenizer.ggml.pre", STRING, &text("gpt-2"));
            self.key(
                "tokenizer.ggml.merges",
                ARRAY,
                &array(STRING, 1, text("w 1")),
            );
            for name in ["bos", "eos"] {
                let key = format!("tokenizer.ggml.{name}_token_id");
                self.key(&key, UINT32, &2_u32.to_le_bytes());
            }
        } else {
            let ids: [(&str, u32); 5] = [
                ("padding", 0),
                ("unknown", 1),
                ("bos", 2),
                ("seperator", 3),
                ("mask", 4),
            ];
            for (name, id) in ids {
                let key = format!("tokenizer.ggml.{name}_token_id");
                self.key(&key, UINT32, &id.to_le_bytes());
            }
            self.key(
                "tokenizer.ggml.token_type_count",
                UINT32,
                &2_u32.to_le_bytes(),
            );
        }
        self
    }

    /// A tensor, the first dimension being the innermost.
    pub(super) fn tensor(&mut self, name: &str, kind: Type, shape: &[u64]) {
        let Type(id, block, bytes) = kind;
        assert!(shape[0].is_multiple_of(block), "{name}");
        self.tensors.extend(text(name));
        self.tensors.extend((shape.len() as u32).to_le_bytes());
        self.tensors
            .extend(shape.iter().flat_map(|side| side.to_le_bytes()));
        self.tensors.extend(id.to_le_bytes());
        self.tensors.extend(self.data_bytes.to_le_bytes());
        self.tensor_count += 1;
        let elements: u64 = shape.iter().product();
        self.data_bytes += (elements / block * bytes).next_multiple_of(32);
    }

    /// A weight matrix of the kind that a file of 4 bits has, where its rows allow it.
    pub(super) fn matrix(&mut self, name: &str, shape: &[u64]) {
        let kind = match (shape[0], shape.len()) {
            (row, _) if row.is_multiple_of(256) => Q4_K,
            (row, 3) if row.is_multiple_of(32) => MXFP4,
            (row, _) if row.is_multiple_of(32) => Q8_0,
            _ => F16,
        };
        self.tensor(&format!("{name}.weight"), kind, shape);
    }

    pub(super) fn norm(&mut self, name: &str, size: u64) {
        self.tensor(&format!("{name}.weight"), F32, &[size]);
    }

    pub(super) fn bias(&mut self, name: &str, size: u64) {
        self.tensor(&format!("{name}.bias"), F32, &[size]);
    }

    pub(super) fn write(self, path: &Path) {
        let mut file = BufWriter::new(File::create(path).unwrap());
        let mut head = b"GGUF".to_vec();
        head.extend(3_u32.to_le_bytes());
        head.extend(self.tensor_count.to_le_bytes());
        head.extend(self.key_count.to_le_bytes());
        head.extend(self.keys);
        head.extend(self.tensors);
        let data_offset = (head.len() as u64).next_multiple_of(32);
        file.write_all(&head).unwrap();
        // Nothing is written there, so a model of any size takes no room.
        let file = file.into_inner().unwrap();
        file.set_len(data_offset + self.data_bytes).unwrap();
    }
}

fn array(kind: u32, count: usize, items: Vec<u8>) -> Vec<u8> {
    let mut bytes = kind.to_le_bytes().to_vec();
    bytes.extend((count as u64).to_le_bytes());
    bytes.extend(items);
    bytes
}
