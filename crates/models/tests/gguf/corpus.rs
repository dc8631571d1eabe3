//! The files that the flood starts from, as they lie in `tests/corpus`, and what must hold for each of them.
//!
//! Only heads are kept: the data of a tensor is zeros. `refused` holds files that llama.cpp dies of.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use hearth_models::{Error, starter, validate_prefix};

use super::reader;
use hearth_gguf_writer::Model;

/// Room that the corpus may take in the repository, in bytes.
const MAX_CORPUS_BYTES: usize = 200_000;

/// More than the head of the starter model has.
const STARTER_HEAD_BYTES: u64 = 8 << 20;

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// Names and heads of the files in a folder of the corpus, in the order of their names.
fn heads(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "gguf")
        })
        .collect();
    paths.sort();
    let name = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    paths
        .iter()
        .map(|path| (name(path), std::fs::read(path).unwrap()))
        .collect()
}

/// The sound models of the corpus.
pub fn models() -> Vec<(String, Model)> {
    heads(&folder())
        .into_iter()
        .map(|(name, head)| (name, reader::read(&head)))
        .collect()
}

/// The starter model, where a build put it.
pub fn starter() -> Option<Model> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/debug/resources/models");
    let mut head = Vec::new();
    let file = File::open(folder.join(starter::FILE_NAME)).ok()?;
    file.take(STARTER_HEAD_BYTES).read_to_end(&mut head).ok()?;
    Some(reader::read(&head))
}

#[test]
fn every_seed_is_sound_and_read_back_byte_for_byte() {
    let heads = heads(&folder());
    assert!(heads.len() >= 20, "only {} seeds", heads.len());
    for (name, head) in &heads {
        let model = reader::read(head);
        assert!(model.head() == *head, "{name} is not what was read");
        if let Err(error) = validate_prefix(head, model.build().len() as u64) {
            panic!("{name}: {error}");
        }
    }
    let bytes: usize = heads.iter().map(|(_, head)| head.len()).sum();
    assert!(bytes <= MAX_CORPUS_BYTES, "the corpus has {bytes} bytes");
}

#[test]
fn what_once_killed_llama_cpp_is_refused() {
    for (name, head) in heads(&folder().join("refused")) {
        // As long as its tensors may wish, so that nothing but the rule can refuse it.
        let result = validate_prefix(&head, u64::MAX);
        assert!(
            matches!(
                result,
                Err(Error::Invalid { .. } | Error::Unsupported { .. })
            ),
            "{name}: {result:?}"
        );
    }
}
