//! Damaged files of every kind: never a panic, never slow, never greedy.

use std::time::{Duration, Instant};

use hearth_models::{Error, validate_prefix};
use proptest::prelude::*;

use hearth_gguf_writer::*;

/// Far above what a check of a few kilobytes takes on a busy machine; a runaway loop takes longer.
const LIMIT: Duration = Duration::from_secs(30);

fn check(bytes: &[u8], file_bytes: u64) -> Result<hearth_models::Header, Error> {
    let start = Instant::now();
    let result = validate_prefix(bytes, file_bytes);
    assert!(start.elapsed() < LIMIT, "took {:?}", start.elapsed());
    result
}

#[test]
fn every_truncation_is_noticed() {
    for model in [Model::sound(), Model::bpe()] {
        let bytes = model.build();
        for length in 0..model.head().len() {
            let result = check(&bytes[..length], length as u64);
            assert!(
                matches!(result, Err(Error::Truncated { .. })),
                "{length}: {result:?}"
            );
        }
    }
}

#[test]
fn every_byte_can_be_damaged() {
    let bytes = Model::bpe().build();
    let head = Model::bpe().head().len();
    for at in 0..head {
        for mask in [0x01, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= mask;
            // Many flips (in a name, a template) leave a sound file; what counts is that there is an answer.
            let _ = check(&damaged, damaged.len() as u64);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_damage(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12), cut in any::<prop::sample::Index>()) {
        let mut bytes = Model::sound().build();
        for (at, value) in &flips {
            let at = at.index(bytes.len());
            bytes[at] = *value;
        }
        let _ = check(&bytes, bytes.len() as u64);
        let cut = cut.index(bytes.len());
        let _ = check(&bytes[..cut], bytes.len() as u64);
    }

    #[test]
    fn extreme_numbers(at in any::<prop::sample::Index>(), value in prop::sample::select(vec![
        0_u64, 1, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 32, 1 << 40, i64::MAX as u64, u64::MAX - 7, u64::MAX,
    ])) {
        let mut bytes = Model::bpe().build();
        let at = at.index(bytes.len() - 8);
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        let _ = check(&bytes, bytes.len() as u64);
        // A liar about the length of the whole file.
        let _ = check(&bytes, u64::MAX);
    }

    #[test]
    fn anything_at_all(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        let mut with_magic = b"GGUF\x03\0\0\0".to_vec();
        with_magic.extend(&bytes);
        let _ = check(&bytes, bytes.len() as u64);
        let _ = check(&with_magic, with_magic.len() as u64);
    }
}

/// The checks again with little address space: a length that is believed would end the process.
#[test]
fn memory_stays_bounded() {
    const CHILD: &str = "HEARTH_MEMORY_TEST_CHILD";
    if std::env::var_os(CHILD).is_some() {
        for count in [1_u64 << 20, 1 << 25, 64 << 20, 1 << 40, u64::MAX] {
            for kind in 0..13 {
                let model =
                    Model::sound().with("tokenizer.ggml.tokens", array(kind, count, &[0; 64]));
                assert!(validate_prefix(&model.build(), u64::MAX).is_err());
            }
            let long = Model::sound().with(
                "general.name",
                Value {
                    kind: 8,
                    bytes: count.to_le_bytes().to_vec(),
                },
            );
            assert!(validate_prefix(&long.build(), u64::MAX).is_err());
        }
        return;
    }
    let this = std::env::current_exe().unwrap();
    // 512 MiB of address space for the whole process, in KiB.
    let script =
        "ulimit -v 524288 && exec \"$0\" --exact it::fuzz::memory_stays_bounded --test-threads=1";
    let status = std::process::Command::new("sh")
        .arg("-c")
        .arg(script)
        .arg(this)
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&status.stdout);
    assert!(
        status.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&status.stderr)
    );
}
