//! Whether a model file has a classification head for reranking.
//!
//! llama.cpp does not tell, and without a head it would return the first number of a vector as a score. The list of tensors at
//! the start of the file has their names; nothing else is read.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use memchr::memmem;

/// Where the search ends, in bytes: vocabularies come before the list and take a few megabytes.
const MAX_HEAD_BYTES: u64 = 64 * 1024 * 1024;
/// What llama.cpp names the two layers of a head; a model may have either.
const NAMES: [&str; 2] = ["cls.weight", "cls.output.weight"];

/// `false` too when the file cannot be read; loading it will say why.
pub(super) fn found(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_HEAD_BYTES).read_to_end(&mut head));
    read.is_ok() && NAMES.iter().any(|name| lists(&head, name))
}

/// Whether the head of a GGUF lists a matrix of this name: length, name, number of dimensions (at most 2 here).
fn lists(head: &[u8], name: &str) -> bool {
    let entry = |dimensions: u32| {
        let length = (name.len() as u64).to_le_bytes();
        [&length[..], name.as_bytes(), &dimensions.to_le_bytes()].concat()
    };
    [1, 2]
        .map(entry)
        .iter()
        .any(|entry| memmem::find(head, entry).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_tensor_of_that_name_counts() {
        let entry = |name: &str, dimensions: u32| {
            let mut bytes = b"GGUF and more".to_vec();
            bytes.extend((name.len() as u64).to_le_bytes());
            bytes.extend(name.as_bytes());
            bytes.extend(dimensions.to_le_bytes());
            bytes
        };
        assert!(lists(&entry("cls.weight", 2), "cls.weight"));
        assert!(!lists(&entry("blk.0.cls.weight", 2), "cls.weight"));
        assert!(!lists(&entry("cls.weight", 9), "cls.weight"));
        assert!(!lists(b"", "cls.weight"));
    }
}
