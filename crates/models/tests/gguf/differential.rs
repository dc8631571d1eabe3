//! What the validator lets through must not kill llama.cpp.
//!
//! Both tests need the child that `scripts/sanitised-llama` builds; `make test-gguf` runs them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use hearth_models::validate_prefix;

use super::flood::{Flood, accepts};
use super::llama::{Fate, Llama};
use super::mutation::Mutant;
use super::{corpus, seeds};
use hearth_gguf_writer::Model;

/// Mutants that are tried, and the number of the first.
const MUTANTS: &str = "HEARTH_GGUF_MUTANTS";
const FIRST: &str = "HEARTH_GGUF_FIRST";
/// Where files that killed llama.cpp are kept.
const DEATHS: &str = "HEARTH_GGUF_DEATHS";

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Writes a file whose data is a hole.
fn write(path: &Path, head: &[u8], file_bytes: u64) {
    let mut file = File::create(path).unwrap();
    file.write_all(head).unwrap();
    file.set_len(file_bytes).unwrap();
}

/// What a death has in common with others like it: its step and the words without numbers.
fn kind_of(words: &str) -> String {
    let plain: String = words.chars().filter(|c| !c.is_ascii_digit()).collect();
    let start = [
        "GGML_ASSERT",
        "ERROR: AddressSanitizer",
        "runtime error",
        "what()",
        "Assertion",
    ];
    let from = start
        .iter()
        .filter_map(|word| plain.find(word))
        .min()
        .unwrap_or(0);
    let step = plain.split(' ').next().unwrap_or_default();
    format!(
        "{step}: {}",
        plain[from..].chars().take(140).collect::<String>()
    )
}

#[derive(Default)]
struct Tally {
    accepted: u64,
    ran: u64,
    /// Numbers of mutants and their seeds, by what they have in common.
    deaths: BTreeMap<String, Vec<(u64, String)>>,
}

#[test]
#[ignore = "needs llama.cpp under the address sanitiser: make test-gguf"]
fn what_is_accepted_does_not_kill_llama_cpp() {
    let flood = Flood::new();
    let (first, count) = (setting(FIRST, 0), setting(MUTANTS, 100_000));
    let (next, tally) = (AtomicU64::new(first), Mutex::new(Tally::default()));
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for worker in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let (flood, next, tally, path) = (
                &flood,
                &next,
                &tally,
                folder.path().join(format!("{worker}.gguf")),
            );
            scope.spawn(move || {
                let mut llama = Llama::start();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= first + count {
                        return;
                    }
                    let (name, mutant) = flood.mutant(number);
                    if accepts(number, &mutant) {
                        meet(&mut llama, &path, number, name, &mutant, tally);
                    }
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    eprintln!(
        "{count} mutants, {} accepted, {} of these ran",
        tally.accepted, tally.ran
    );
    for (kind, mutants) in &tally.deaths {
        eprintln!(
            "{:6} {kind}\n       {:?}",
            mutants.len(),
            &mutants[..mutants.len().min(6)]
        );
    }
    assert!(tally.deaths.is_empty(), "llama.cpp died");
}

fn meet(
    llama: &mut Llama,
    path: &Path,
    number: u64,
    name: &str,
    mutant: &Mutant,
    tally: &Mutex<Tally>,
) {
    write(path, &mutant.head, mutant.file_bytes);
    let fate = llama.run(path);
    let mut tally = tally.lock().unwrap();
    tally.accepted += 1;
    match fate {
        Fate::Ran => tally.ran += 1,
        Fate::Refused(_) => {}
        Fate::Died(words) => {
            if let Some(folder) = std::env::var_os(DEATHS).map(PathBuf::from) {
                std::fs::write(folder.join(format!("{number}.gguf")), &mutant.head).unwrap();
                std::fs::write(folder.join(format!("{number}.txt")), &words).unwrap();
            }
            tally
                .deaths
                .entry(kind_of(&words))
                .or_default()
                .push((number, name.to_owned()));
        }
    }
}

/// Writes the corpus: for each architecture the metadata of `seeds`, without what makes no difference, and the tensors that llama.cpp
/// wants for it. Says what it could not make.
#[test]
#[ignore = "writes the corpus, with llama.cpp under the address sanitiser: make gguf-corpus"]
fn write_the_corpus() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seed.gguf");
    let mut llama = Llama::start();
    for seed in seeds::all() {
        match smallest(&mut llama, &path, seed.metadata) {
            Ok(model) => std::fs::write(
                corpus::folder().join(format!("{}.gguf", seed.name)),
                model.head(),
            )
            .unwrap(),
            Err(why) => eprintln!(
                "{}: {}",
                seed.name,
                why.chars().take(300).collect::<String>()
            ),
        }
    }
}

/// The model with the fewest entries that has the same tensors and still runs.
fn smallest(llama: &mut Llama, path: &Path, metadata: Model) -> Result<Model, String> {
    let mut best = whole(llama, path, metadata)?;
    let architecture = super::mutation::architecture(&best);
    for (key, _) in seeds::words() {
        let shorter = best.clone().without(&format!("{architecture}{key}"));
        if let Ok(shorter) = whole(llama, path, shorter)
            && shorter.tensors.len() == best.tensors.len()
            && shorter
                .tensors
                .iter()
                .zip(&best.tensors)
                .all(|(one, other)| one.name == other.name && one.shape == other.shape)
            && validate_prefix(&shorter.head(), u64::MAX).is_ok()
        {
            best = shorter;
        }
    }
    Ok(best)
}

/// The model of this metadata, if llama.cpp runs it.
fn whole(llama: &mut Llama, path: &Path, mut metadata: Model) -> Result<Model, String> {
    metadata.tensors.clear();
    std::fs::write(path, metadata.head()).unwrap();
    let table = llama.complete(path)?;
    let model = seeds::with_tensors(metadata, &table);
    write(path, &model.head(), model.build().len() as u64);
    match llama.run(path) {
        Fate::Ran => Ok(model),
        other => Err(format!("{other:?}")),
    }
}
