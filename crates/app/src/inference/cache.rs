//! What was computed before and can only come out the same: answers without chance in them, and vectors of texts.
//!
//! Bounded by bytes, in memory only, gone with the program. A key is a hash over everything the result depends on, the weights of the
//! model first. It must not know who asks; whether a request may be answered from here is decided by the caller.

mod answers;
mod vectors;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::Serialize;
use sha2::{Digest, Sha256};

pub(super) use self::answers::Answers;
pub(super) use self::vectors::{Vector, Vectors};

/// Names a result.
type Key = [u8; 32];

/// How often something was found, for the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct CacheCounts {
    pub hits: u64,
    pub misses: u64,
    /// What is held now, in bytes.
    pub bytes: u64,
}

/// Both caches.
#[derive(Debug)]
pub(super) struct Caches {
    pub(super) answers: Answers,
    pub(super) vectors: Vectors,
    answers_kept: AtomicBool,
    vectors_kept: AtomicBool,
}

impl Default for Caches {
    fn default() -> Self {
        Self {
            answers: Answers::default(),
            vectors: Vectors::default(),
            answers_kept: AtomicBool::new(true),
            vectors_kept: AtomicBool::new(true),
        }
    }
}

impl Caches {
    pub(super) fn keeps_answers(&self) -> bool {
        self.answers_kept.load(Ordering::Relaxed)
    }

    pub(super) fn keeps_vectors(&self) -> bool {
        self.vectors_kept.load(Ordering::Relaxed)
    }

    /// Switching one off also forgets what it holds.
    pub(super) fn keep(&self, answers: bool, vectors: bool) {
        self.answers_kept.store(answers, Ordering::Relaxed);
        self.vectors_kept.store(vectors, Ordering::Relaxed);
        if !answers {
            self.answers.clear();
        }
        if !vectors {
            self.vectors.clear();
        }
    }

    /// Gives the memory of both back.
    pub(super) fn forget(&self) {
        self.answers.clear();
        self.vectors.clear();
    }
}

/// Hits and misses.
#[derive(Debug, Default)]
struct Tally {
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Tally {
    fn count(&self, found: bool) {
        let counter = if found { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn counts(&self, bytes: u64) -> CacheCounts {
        CacheCounts {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            bytes,
        }
    }
}

/// `None` for what cannot be written as JSON, which is then not kept.
fn key(of: &impl Serialize) -> Option<Key> {
    let text = serde_json::to_vec(of).ok()?;
    Some(Sha256::digest(text).into())
}
