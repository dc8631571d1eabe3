//! Sound files are accepted and read right: made-up ones, split ones and the real starter model.

use std::path::{Path, PathBuf};
use std::time::Instant;

use hearth_models::{Error, Pooling, Purpose, embedder, starter, validate_file, validate_prefix};

use hearth_gguf_writer::*;

#[test]
fn header_of_a_tiny_model() {
    let bytes = Model::sound().build();
    let header = validate_prefix(&bytes, bytes.len() as u64).unwrap();
    assert_eq!((header.version, header.architecture.as_str()), (3, "llama"));
    assert_eq!(
        (header.name.as_deref(), header.quantisation),
        (Some("Tiny"), Some("Q4_1"))
    );
    assert_eq!(
        (
            header.context_length,
            header.block_count,
            header.embedding_length
        ),
        (512, 1, 64)
    );
    assert_eq!(
        (header.head_count, header.head_count_kv),
        (Some(4), Some(2))
    );
    assert_eq!(
        (header.key_length, header.value_length),
        (Some(16), Some(16))
    );
    assert_eq!(header.token_count, u64::from(TOKENS));
    assert_eq!(header.chat_template.as_deref(), Some("{{ messages }}"));
    assert_eq!((header.causal, header.pooling), (true, None));
    assert_eq!(header.tensor_count, 3);
    assert_eq!(header.parameters, 64 * u64::from(TOKENS) + 64 + 64 * 64);
    assert_eq!(header.tensor_bytes, 64 * u64::from(TOKENS) * 2 + 256 + 2560);
    assert_eq!(header.data_offset, Model::sound().head().len() as u64);
}

#[test]
fn a_prefix_is_enough() {
    let model = Model::sound();
    let (head, whole) = (model.head(), model.build());
    assert!(validate_prefix(&head, whole.len() as u64).is_ok());
    let cut = validate_prefix(&head[..head.len() / 2], whole.len() as u64);
    assert!(
        matches!(cut, Err(Error::Truncated { actual_bytes, .. }) if actual_bytes == (head.len() / 2) as u64)
    );
}

#[test]
fn unusual_but_sound() {
    let layers = Model::sound().with("llama.block_count", u32(2));
    for (what, model) in [
        ("byte-pair tokenizer", Model::bpe()),
        (
            "other alignment",
            Model::sound()
                .with("general.alignment", u32(64))
                .change(|model| model.alignment = 64),
        ),
        (
            "smallest alignment",
            Model::sound()
                .with("general.alignment", u32(32))
                .change(|model| model.alignment = 32),
        ),
        (
            "heads per layer",
            layers
                .clone()
                .with("llama.attention.head_count_kv", i32s(&[2, 4])),
        ),
        (
            "layers without attention",
            layers.with("llama.attention.head_count_kv", u32s(&[2, 0])),
        ),
        (
            "experts",
            Model::sound()
                .with("llama.expert_count", u32(8))
                .with("llama.expert_used_count", u32(2)),
        ),
        ("no scores", Model::sound().without("tokenizer.ggml.scores")),
        (
            "unknown entries of all kinds",
            Model::sound()
                .with("x.a", u8(1))
                .with("x.b", f32s(&[1.0]))
                .with("x.c", texts(&["a"])),
        ),
        (
            "empty tokens",
            Model::bpe().with("tokenizer.ggml.tokens", texts(&["a", "", "b"])),
        ),
        (
            "older version",
            Model::sound().change(|model| model.version = 2),
        ),
        (
            "no template",
            Model::sound().without("tokenizer.chat_template"),
        ),
    ] {
        let bytes = model.build();
        let result = validate_prefix(&bytes, bytes.len() as u64);
        assert!(result.is_ok(), "{what}: {result:?}");
    }
    let encoder = Model::bpe()
        .with("llama.attention.causal", bool(false))
        .with("llama.pooling_type", u32(2))
        .build();
    let header = validate_prefix(&encoder, encoder.len() as u64).unwrap();
    assert_eq!((header.causal, header.pooling), (false, Some(Pooling::Cls)));
}

fn part(number: u16, count: u16) -> Model {
    let name = format!("part{number}.weight");
    let mut model = if number == 0 {
        Model::sound()
    } else {
        Model::sound().change(|model| {
            model.entries.clear();
            model.tensors = vec![tensor(&name, &[32, 2], 0, 256)];
        })
    };
    model = model
        .with("split.no", u16(number))
        .with("split.count", u16(count));
    model
}

/// A model in two parts.
pub fn two_parts() -> (Vec<u8>, Vec<u8>) {
    (part(0, 2).build(), part(1, 2).build())
}

#[test]
fn split_models() {
    let folder = tempfile::tempdir().unwrap();
    let path = |number: u32| folder.path().join(format!("big-{number:05}-of-00003.gguf"));
    let write = |number: u32, model: &Model| std::fs::write(path(number), model.build()).unwrap();
    for number in 0..3 {
        write(number + 1, &part(number as u16, 3));
    }
    let header = validate_file(&path(1)).unwrap();
    assert_eq!((header.part_count, header.tensor_count), (3, 5));

    assert!(
        matches!(validate_file(&path(2)), Err(Error::Invalid { field, .. }) if field == "`split.no`")
    );
    write(3, &part(1, 3));
    assert!(
        matches!(validate_file(&path(1)), Err(Error::Invalid { field, .. }) if field == "tensor 0 `part1.weight`")
    );
    write(3, &part(2, 4));
    assert!(
        matches!(validate_file(&path(1)), Err(Error::Invalid { field, .. }) if field == "`split.no`")
    );
    std::fs::remove_file(path(3)).unwrap();
    assert!(
        matches!(validate_file(&path(1)), Err(Error::Missing { path: missing }) if missing == path(3))
    );
    std::fs::rename(path(1), folder.path().join("renamed.gguf")).unwrap();
    let renamed = validate_file(&folder.path().join("renamed.gguf"));
    assert!(matches!(renamed, Err(Error::Invalid { field, .. }) if field == "`split.count`"));
}

#[test]
fn paths_that_are_no_files() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(
        validate_file(folder.path()),
        Err(Error::NotAFile { .. })
    ));
    assert!(matches!(
        validate_file(&folder.path().join("none.gguf")),
        Err(Error::Missing { .. })
    ));
    let pipe = folder.path().join("pipe.gguf");
    if std::process::Command::new("mkfifo")
        .arg(&pipe)
        .status()
        .is_ok_and(|status| status.success())
    {
        // Would wait for ever if it were opened.
        assert!(matches!(validate_file(&pipe), Err(Error::NotAFile { .. })));
    }
}

/// The real model, where the build has fetched it.
pub fn starter_file() -> Option<PathBuf> {
    let named = std::env::var_os("HEARTH_TEST_MODEL").map(PathBuf::from);
    let cached = || {
        Some(
            PathBuf::from(std::env::var_os("HOME")?)
                .join(".cache/hearth/models")
                .join(starter::FILE_NAME),
        )
    };
    let found = named.or_else(cached).filter(|path| path.is_file());
    if found.is_none() {
        eprintln!("skipped: the starter model is not in the cache (set HEARTH_TEST_MODEL)");
    }
    found
}

#[test]
fn the_starter_model() {
    let Some(path) = starter_file() else { return };
    let start = Instant::now();
    let header = validate_file(&path).unwrap();
    eprintln!(
        "validated in {:.1} ms",
        start.elapsed().as_secs_f64() * 1000.0
    );
    assert_eq!(
        (header.architecture.as_str(), header.quantisation),
        ("llama", Some("Q4_1"))
    );
    assert_eq!(
        (
            header.context_length,
            header.block_count,
            header.embedding_length
        ),
        (8192, 30, 576)
    );
    assert_eq!(
        (header.head_count, header.head_count_kv, header.token_count),
        (Some(9), Some(3), 49_152)
    );
    assert!(header.chat_template.unwrap().contains("im_start"));
    assert_eq!(std::fs::metadata(&path).unwrap().len(), starter::SIZE_BYTES);
    assert!((130_000_000..140_000_000).contains(&header.parameters));
    if !cfg!(debug_assertions) {
        assert!(
            start.elapsed().as_millis() < 30,
            "the header must be checked within 30 ms"
        );
    }
}

#[test]
fn the_starter_model_has_its_hash() {
    let Some(path) = starter_file() else { return };
    if cfg!(debug_assertions) {
        // Hashing 98 MB without optimisation takes several seconds.
        return;
    }
    starter::verify_sha256(&path).unwrap();
}

/// The embedding model as `scripts/make-embedder` writes it. The build needs it, so it is never skipped where that ran.
#[test]
fn the_embedding_model() {
    let Some(starter) = starter_file() else {
        return;
    };
    let path = starter.with_file_name(embedder::FILE_NAME);
    let header = validate_file(&path).unwrap();
    assert_eq!(
        (header.architecture.as_str(), header.quantisation),
        ("bert", Some("F16"))
    );
    assert_eq!(
        (
            header.context_length,
            header.block_count,
            header.embedding_length
        ),
        (512, 6, 384)
    );
    assert_eq!(
        (header.causal, header.pooling),
        (false, Some(Pooling::Mean))
    );
    assert_eq!(header.purpose(), Purpose::Embed);
    assert_eq!(validate_file(&starter).unwrap().purpose(), Purpose::Chat);
    let size = std::fs::metadata(&path).unwrap().len();
    assert_eq!(size, embedder::SIZE_BYTES);
    if !cfg!(debug_assertions) {
        assert_eq!(sha256(&path), embedder::SHA256);
    }
}

fn sha256(path: &Path) -> String {
    use sha2::Digest;
    let hash = sha2::Sha256::digest(std::fs::read(path).unwrap());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
