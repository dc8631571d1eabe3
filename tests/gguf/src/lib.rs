//! Writes GGUF files for the tests, sound ones and others: each part of a file can be changed.
//!
//! It must not use the crate that reads such files, or both could share a mistake.

mod sound;
mod value;

pub use sound::TOKENS;
pub use value::*;

/// An entry of the list of tensors.
#[derive(Debug, Clone)]
pub struct Tensor {
    pub name: Vec<u8>,
    pub shape: Vec<u64>,
    pub kind: u32,
    /// `None`: where it belongs.
    pub offset: Option<u64>,
    /// Bytes that the data takes.
    pub bytes: u64,
}

/// A tensor of `bytes` bytes. `kind` is the number of its type; the first dimension is the innermost.
pub fn tensor(name: &str, shape: &[u64], kind: u32, bytes: u64) -> Tensor {
    Tensor {
        name: name.into(),
        shape: shape.to_vec(),
        kind,
        offset: None,
        bytes,
    }
}

/// A file in the making: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.
#[derive(Debug, Clone)]
pub struct Model {
    pub magic: [u8; 4],
    pub version: u32,
    /// `None`: what is true. So is the next.
    pub tensor_count: Option<u64>,
    pub entry_count: Option<u64>,
    pub entries: Vec<(Vec<u8>, Value)>,
    pub tensors: Vec<Tensor>,
    pub alignment: u64,
}

impl Model {
    /// Nothing yet but the name of its architecture.
    pub fn new(architecture: &str) -> Self {
        Self {
            magic: *b"GGUF",
            version: 3,
            tensor_count: None,
            entry_count: None,
            entries: Vec::new(),
            tensors: Vec::new(),
            alignment: 32,
        }
        .with("general.architecture", text(architecture))
    }

    /// Sets or replaces an entry.
    #[must_use]
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

    /// Takes an entry away.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.entries.retain(|(found, _)| found != key.as_bytes());
        self
    }

    /// Adds an entry that is not there yet.
    pub fn add(&mut self, key: &str, value: Value) {
        self.entries.push((key.into(), value));
    }

    /// Adds a tensor.
    #[must_use]
    pub fn tensor(mut self, tensor: Tensor) -> Self {
        self.tensors.push(tensor);
        self
    }

    /// Changes anything.
    #[must_use]
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

    /// The whole file, its data zeros.
    pub fn build(&self) -> Vec<u8> {
        let mut bytes = self.head();
        bytes.resize(bytes.len() + self.data_bytes() as usize, 0);
        bytes
    }

    /// What the data of all tensors take, each padded.
    pub fn data_bytes(&self) -> u64 {
        let padded = |tensor: &Tensor| tensor.bytes.next_multiple_of(self.alignment);
        self.tensors.iter().map(padded).sum()
    }
}
