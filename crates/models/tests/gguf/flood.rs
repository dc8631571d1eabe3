//! Mutants without end: the validator never panics, hangs or takes memory without measure, and says where it saw what.

use std::time::{Duration, Instant};

use hearth_models::{Error, validate_prefix};

use super::corpus;
use super::mutation::{Mutant, Words, mutate};
use super::random::Random;
use hearth_gguf_writer::Model;

/// How long the flood lasts in `make test`.
const FLOOD: Duration = Duration::from_secs(45);
/// And at most this many: a fast machine must not be the first to see one.
const MUTANTS: u64 = 100_000;
/// Far above what a check of a few kilobytes takes on a machine that has other things to do; a loop without end takes longer.
const HANG: Duration = Duration::from_secs(30);
/// Memory that a check may take besides twice the length of the file, in bytes: read-ahead and small tables.
const MEMORY_BYTES: u64 = 1 << 20;

/// One mutant in so many is one of the starter model, whose head alone has almost two megabytes.
const STARTER_SHARE: usize = 200;

pub struct Flood {
    seeds: Vec<(String, Model)>,
    /// Where it lies on this machine.
    starter: Option<Model>,
    words: Words,
}

impl Flood {
    pub fn new() -> Self {
        let seeds = corpus::models();
        let words = Words::of(seeds.iter().map(|(_, model)| model));
        Self {
            seeds,
            starter: corpus::starter(),
            words,
        }
    }

    /// Mutant `number`: the same file on every machine, as long as the corpus and the mutations stay what they are.
    pub fn mutant(&self, number: u64) -> (&str, Mutant) {
        let mut random = Random::new(number);
        if let Some(starter) = self
            .starter
            .as_ref()
            .filter(|_| random.one_in(STARTER_SHARE))
        {
            return ("starter", mutate(starter, &self.words, &mut random));
        }
        // Whether the starter is there or not, the other mutants are the same.
        let mut random = Random::new(!number);
        let (name, seed) = random.pick(&self.seeds).unwrap();
        (name, mutate(seed, &self.words, &mut random))
    }
}

/// Whether the validator lets a mutant through. Fails when it misbehaves.
pub fn accepts(number: u64, mutant: &Mutant) -> bool {
    let start = Instant::now();
    let mut result = None;
    let memory = allocation_counter::measure(|| {
        result = Some(validate_prefix(&mutant.head, mutant.file_bytes))
    });
    let took = start.elapsed();
    assert!(took < HANG, "mutant {number} took {took:?}");
    let (length, took) = (mutant.head.len() as u64, memory.bytes_max);
    assert!(
        took <= 2 * length + MEMORY_BYTES,
        "mutant {number} of {length} bytes took {took} bytes"
    );
    match result.unwrap() {
        Ok(_) => return true,
        Err(Error::Invalid {
            field,
            offset,
            reason,
        }) => {
            let inside = offset <= mutant.head.len() as u64;
            assert!(
                inside && !field.is_empty() && !reason.is_empty(),
                "mutant {number}: {field} at {offset}: {reason}"
            );
        }
        Err(Error::Truncated {
            field,
            needed_bytes,
            actual_bytes,
        }) => {
            assert!(
                !field.is_empty() && needed_bytes > actual_bytes,
                "mutant {number}: {field} {needed_bytes} {actual_bytes}"
            );
        }
        Err(
            Error::NotGguf { .. }
            | Error::TooOld { .. }
            | Error::TooNew { .. }
            | Error::BigEndian { .. }
            | Error::Unsupported { .. },
        ) => {}
        Err(other) => panic!("mutant {number}: {other}"),
    }
    false
}

#[test]
fn a_flood_of_damaged_files() {
    let flood = Flood::new();
    let start = Instant::now();
    let (mut number, mut accepted) = (0, 0);
    while number < MUTANTS && start.elapsed() < FLOOD {
        let (_, mutant) = flood.mutant(number);
        accepted += u64::from(accepts(number, &mutant));
        number += 1;
    }
    eprintln!("{number} mutants, {accepted} of them sound");
}
