//! Writes model files that have everything but weights: a whole header, and data that is a hole in the file.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use hearth_gguf_writer::{self as gguf, bool, f32, i32s, text, texts, u32};

/// Types of tensors: number, elements and bytes of a block.
#[derive(Clone, Copy)]
pub(super) struct Type(u32, u64, u64);

pub(super) const F32: Type = Type(0, 1, 4);
pub(super) const F16: Type = Type(1, 1, 2);
const Q8_0: Type = Type(8, 32, 34);
const MXFP4: Type = Type(39, 32, 17);
const Q4_K: Type = Type(12, 256, 144);
pub(super) const Q6_K: Type = Type(14, 256, 210);

/// A model in the making.
pub(super) struct Model {
    architecture: &'static str,
    file: gguf::Model,
}

impl Model {
    pub(super) fn new(architecture: &'static str) -> Self {
        Self {
            architecture,
            file: gguf::Model::new(architecture),
        }
    }

    fn own(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    /// Numbers under the architecture's name.
    pub(super) fn numbers(mut self, numbers: &[(&str, u64)]) -> Self {
        for (name, value) in numbers {
            self.file.add(&self.own(name), u32(*value as u32));
        }
        self
    }

    /// The same for numbers with a fraction.
    pub(super) fn float(mut self, name: &str, value: f32) -> Self {
        self.file.add(&self.own(name), f32(value));
        self
    }

    pub(super) fn flag(mut self, name: &str, value: bool) -> Self {
        self.file.add(&self.own(name), bool(value));
        self
    }

    /// A number for each layer.
    pub(super) fn list(mut self, name: &str, values: impl Iterator<Item = u64>) -> Self {
        let values: Vec<i32> = values.map(|value| value as i32).collect();
        self.file.add(&self.own(name), i32s(&values));
        self
    }

    /// A vocabulary of `count` made-up words: of the kind `gpt2`, or `bert`.
    pub(super) fn vocabulary(mut self, kind: &str, count: u64) -> Self {
        let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
        let word = |id: u64| match special.get(id as usize) {
            Some(name) => (*name).to_owned(),
            None => format!("w{id}"),
        };
        let words: Vec<String> = (0..count).map(word).collect();
        let kinds: Vec<i32> = (0..count).map(|id| if id < 5 { 3 } else { 1 }).collect();
        self.file.add("tokenizer.ggml.model", text(kind));
        self.file.add("tokenizer.ggml.tokens", texts(&words));
        self.file.add("tokenizer.ggml.token_type", i32s(&kinds));
        let ids: &[(&str, u32)] = if kind == "gpt2" {
            self.file.add("tokenizer.ggml.pre", text("gpt-2"));
            self.file.add("tokenizer.ggml.merges", texts(&["w 1"]));
            &[("bos", 2), ("eos", 2)]
        } else {
            self.file.add("tokenizer.ggml.token_type_count", u32(2));
            &[
                ("padding", 0),
                ("unknown", 1),
                ("bos", 2),
                ("seperator", 3),
                ("mask", 4),
            ]
        };
        for (name, id) in ids {
            let key = format!("tokenizer.ggml.{name}_token_id");
            self.file.add(&key, u32(*id));
        }
        self
    }

    /// A tensor, the first dimension being the innermost.
    pub(super) fn tensor(&mut self, name: &str, kind: Type, shape: &[u64]) {
        let Type(number, block, bytes) = kind;
        assert!(shape[0].is_multiple_of(block), "{name}");
        let blocks = shape.iter().product::<u64>() / block;
        let tensor = gguf::tensor(name, shape, number, blocks * bytes);
        self.file.tensors.push(tensor);
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

    /// No data is written, so a model of any size takes no room.
    pub(super) fn write(self, path: &Path) {
        let head = self.file.head();
        let mut file = File::create(path).unwrap();
        file.write_all(&head).unwrap();
        let bytes = head.len() as u64 + self.file.data_bytes();
        file.set_len(bytes).unwrap();
    }
}
