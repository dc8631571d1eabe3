//! Vectors of texts: the same text has the same vector, whatever stands beside it.

use std::sync::Arc;

use hearth_engine::EmbedRequest;
use moka::sync::Cache;

use super::{CacheCounts, Key, Tally, key};

/// Most that all vectors may take, in bytes.
const CAPACITY_BYTES: u64 = 64 << 20;
/// What an entry takes beside its numbers, in bytes.
const ENTRY_BYTES: usize = 128;

/// A vector and the tokens of its text.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::inference) struct Vector {
    pub(in crate::inference) values: Arc<[f32]>,
    pub(in crate::inference) tokens: u32,
}

/// The vectors that are kept.
#[derive(Debug)]
pub(in crate::inference) struct Vectors {
    held: Cache<Key, Vector>,
    tally: Tally,
}

impl Default for Vectors {
    fn default() -> Self {
        Self {
            held: Cache::builder()
                .max_capacity(CAPACITY_BYTES)
                .weigher(|_, vector: &Vector| (vector.values.len() * 4 + ENTRY_BYTES) as u32)
                .build(),
            tally: Tally::default(),
        }
    }
}

impl Vectors {
    /// The name of the vector of each input; `None` when it is not to be kept.
    pub(in crate::inference) fn keys(
        fingerprint: Option<&str>,
        request: &EmbedRequest,
    ) -> Vec<Option<Key>> {
        let (pooling, long) = (request.pooling, request.long);
        let name = |text| key(&(fingerprint?, pooling, long, request.normalize, text));
        request.inputs.iter().map(name).collect()
    }

    pub(in crate::inference) fn get(&self, key: &Key) -> Option<Vector> {
        let found = self.held.get(key);
        self.tally.count(found.is_some());
        found
    }

    pub(in crate::inference) fn keep(&self, key: Key, vector: Vector) {
        self.held.insert(key, vector);
    }

    pub(super) fn clear(&self) {
        self.held.invalidate_all();
    }

    pub(in crate::inference) fn counts(&self) -> CacheCounts {
        self.held.run_pending_tasks();
        self.tally.counts(self.held.weighted_size())
    }
}
