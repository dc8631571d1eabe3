//! Writes tiny model files for the tests: sound by default, each part of it changeable.
//!
//! It must not use the crate under test, or both could share a mistake.

/// A metadata value as bytes with its kind.
#[derive(Clone)]
pub struct Value {
    pub kind: u32,
    pub bytes: Vec<u8>,
}

pub fn u8(value: u8) -> Value {
    Value {
        kind: 0,
        bytes: vec![value],
    }
}
pub fn u16(value: u16) -> Value {
    Value {
        kind: 2,
        bytes: value.to_le_bytes().to_vec(),
    }
}
pub fn u32(value: u32) -> Value {
    Value {
        kind: 4,
        bytes: value.to_le_bytes().to_vec(),
    }
}
pub fn i32(value: i32) -> Value {
    Value {
        kind: 5,
        bytes: value.to_le_bytes().to_vec(),
    }
}
pub fn f32(value: f32) -> Value {
    Value {
        kind: 6,
        bytes: value.to_le_bytes().to_vec(),
    }
}
pub fn bool(value: bool) -> Value {
    Value {
        kind: 7,
        bytes: vec![value.into()],
    }
}
pub fn u64(value: u64) -> Value {
    Value {
        kind: 10,
        bytes: value.to_le_bytes().to_vec(),
    }
}
pub fn text(value: &str) -> Value {
    Value {
        kind: 8,
        bytes: string(value.as_bytes()),
    }
}
pub fn array(kind: u32, count: u64, elements: &[u8]) -> Value {
    let mut bytes = kind.to_le_bytes().to_vec();
    bytes.extend(count.to_le_bytes());
    bytes.extend(elements);
    Value { kind: 9, bytes }
}
pub fn texts<T: AsRef<[u8]>>(values: &[T]) -> Value {
    array(
        8,
        values.len() as u64,
        &values
            .iter()
            .flat_map(|value| string(value.as_ref()))
            .collect::<Vec<_>>(),
    )
}
pub fn i32s(values: &[i32]) -> Value {
    array(
        5,
        values.len() as u64,
        &values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect::<Vec<_>>(),
    )
}
pub fn u32s(values: &[u32]) -> Value {
    array(
        4,
        values.len() as u64,
        &values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect::<Vec<_>>(),
    )
}
pub fn f32s(values: &[f32]) -> Value {
    array(
        6,
        values.len() as u64,
        &values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect::<Vec<_>>(),
    )
}

pub fn string(value: &[u8]) -> Vec<u8> {
    let mut bytes = (value.len() as u64).to_le_bytes().to_vec();
    bytes.extend(value);
    bytes
}

#[derive(Clone)]
pub struct Tensor {
    pub name: Vec<u8>,
    pub shape: Vec<u64>,
    pub kind: u32,
    /// `None`: where it belongs.
    pub offset: Option<u64>,
    /// Bytes that the data takes.
    pub bytes: u64,
}

pub fn tensor(name: &str, shape: &[u64], kind: u32, bytes: u64) -> Tensor {
    Tensor {
        name: name.into(),
        shape: shape.to_vec(),
        kind,
        offset: None,
        bytes,
    }
}

#[derive(Clone)]
pub struct Model {
    pub magic: [u8; 4],
    pub version: u32,
    pub tensor_count: Option<u64>,
    pub entry_count: Option<u64>,
    pub entries: Vec<(Vec<u8>, Value)>,
    pub tensors: Vec<Tensor>,
    pub alignment: u64,
}

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
        let mut model = Self {
            magic: *b"GGUF",
            version: 3,
            tensor_count: None,
            entry_count: None,
            entries: Vec::new(),
            tensors: vec![
                tensor(
                    "token_embd.weight",
                    &[64, u64::from(TOKENS)],
                    1,
                    64 * u64::from(TOKENS) * 2,
                ),
                tensor("output_norm.weight", &[64], 0, 256),
                tensor("blk.0.attn_q.weight", &[64, 64], 3, 64 * 64 / 32 * 20),
            ],
            alignment: 32,
        };
        for (key, value) in [
            ("general.architecture", text("llama")),
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
            model.entries.push((key.into(), value));
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

    /// Sets or replaces an entry.
    pub fn with(mut self, key: &str, value: Value) -> Self {
        match self
            .entries
            .iter_mut()
            .find(|(found, _)| found == key.as_bytes())
        {
            Some((_, old)) => *old = value,
            None => self.entries.push((key.into(), value)),
        }
        self
    }

    pub fn without(mut self, key: &str) -> Self {
        self.entries.retain(|(found, _)| found != key.as_bytes());
        self
    }

    pub fn tensor(mut self, tensor: Tensor) -> Self {
        self.tensors.push(tensor);
        self
    }

    pub fn change(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Everything before the tensor data, padded.
    pub fn head(&self) -> Vec<u8> {
        let mut bytes = self.magic.to_vec();
        bytes.extend(self.version.to_le_bytes());
        bytes.extend(
            self.tensor_count
                .unwrap_or(self.tensors.len() as u64)
                .to_le_bytes(),
        );
        bytes.extend(
            self.entry_count
                .unwrap_or(self.entries.len() as u64)
                .to_le_bytes(),
        );
        for (key, value) in &self.entries {
            bytes.extend(string(key));
            bytes.extend(value.kind.to_le_bytes());
            bytes.extend(&value.bytes);
        }
        let mut next = 0;
        for tensor in &self.tensors {
            bytes.extend(string(&tensor.name));
            bytes.extend((tensor.shape.len() as u32).to_le_bytes());
            bytes.extend(tensor.shape.iter().flat_map(|length| length.to_le_bytes()));
            bytes.extend(tensor.kind.to_le_bytes());
            bytes.extend(tensor.offset.unwrap_or(next).to_le_bytes());
            next = (next + tensor.bytes).next_multiple_of(self.alignment);
        }
        bytes.resize(bytes.len().next_multiple_of(self.alignment as usize), 0);
        bytes
    }

    /// The whole file.
    pub fn build(&self) -> Vec<u8> {
        let mut bytes = self.head();
        for tensor in &self.tensors {
            let end = bytes.len() + tensor.bytes as usize;
            bytes.resize(end.next_multiple_of(self.alignment as usize), 0);
        }
        bytes
    }
}
