//! Turns the bytes of a sound model file into a [`Model`] whose parts can be changed.
//!
//! It must not use the crate under test, and need not survive a damaged file: it reads only what lies in the corpus.

use hearth_gguf_writer::{Model, Tensor, Value};

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take(4).try_into().unwrap())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take(8).try_into().unwrap())
    }

    fn string(&mut self) -> &'a [u8] {
        let length = self.u64() as usize;
        self.take(length)
    }

    /// The bytes of one value, however they are made up.
    fn value(&mut self, kind: u32) -> Vec<u8> {
        let before = self.0;
        match kind {
            0 | 1 | 7 => drop(self.take(1)),
            2 | 3 => drop(self.take(2)),
            4..=6 => drop(self.take(4)),
            8 => drop(self.string()),
            9 => {
                let (kind, count) = (self.u32(), self.u64());
                for _ in 0..count {
                    self.value(kind);
                }
            }
            10..=12 => drop(self.take(8)),
            _ => panic!("kind {kind}"),
        }
        before[..before.len() - self.0.len()].to_vec()
    }
}

/// The model of which `bytes` are the head.
pub fn read(bytes: &[u8]) -> Model {
    let mut bytes = Bytes(bytes);
    let magic = bytes.take(4).try_into().unwrap();
    let version = bytes.u32();
    let (tensor_count, entry_count) = (bytes.u64(), bytes.u64());
    let mut entries = Vec::new();
    for _ in 0..entry_count {
        let key = bytes.string().to_vec();
        let kind = bytes.u32();
        let value = Value {
            kind,
            bytes: bytes.value(kind),
        };
        entries.push((key, value));
    }
    let mut tensors = Vec::new();
    for _ in 0..tensor_count {
        let name = bytes.string().to_vec();
        let dimensions = bytes.u32();
        let shape: Vec<u64> = (0..dimensions).map(|_| bytes.u64()).collect();
        let kind = bytes.u32();
        let _ = bytes.u64();
        let mut tensor = Tensor {
            name,
            shape,
            kind,
            offset: None,
            bytes: 0,
        };
        super::mutation::measure(&mut tensor);
        tensors.push(tensor);
    }
    let alignment = entries
        .iter()
        .find(|(key, _)| key == b"general.alignment")
        .map_or(32, |(_, value)| {
            u64::from(u32::from_le_bytes(value.bytes.clone().try_into().unwrap()))
        });
    Model {
        magic,
        version,
        tensor_count: None,
        entry_count: None,
        entries,
        tensors,
        alignment,
    }
}
