//! States of conversations between the KV cache and the disk: when one is asked for, taken in and written.

use std::time::Duration;

use super::Scheduler;
use super::stream::Stream;
use crate::kvstore::{KvStore, Saved, WORTH_TOKENS};

/// How long nothing must happen before conversations are written to disk.
pub(super) const QUIET: Duration = Duration::from_secs(2);

impl Scheduler<'_> {
    /// Asks for the saved state of a stream's conversation, when the KV cache does not hold most of it anyway.
    pub(super) fn look_on_disk(&mut self, stream: &mut Stream) {
        let (Some(store), Some(conversation)) = (&self.store, &stream.request.conversation) else {
            return;
        };
        let cached = self.cache.length(stream.sequence);
        if stream.tokens.len() >= cached + WORTH_TOKENS {
            stream.restoring = true;
            store.load(
                stream.id,
                conversation.clone(),
                stream.tokens.clone(),
                cached,
            );
        }
    }

    pub(super) fn take_restored(&mut self) {
        while let Some((id, saved)) = self.store.as_ref().and_then(KvStore::loaded) {
            if let Some(at) = self.streams.iter().position(|s| s.id == id) {
                self.streams[at].restoring = false;
                if let Some(saved) = saved {
                    self.restore(at, &saved);
                }
            }
        }
    }

    fn restore(&mut self, at: usize, saved: &Saved) {
        let Ok(spare) = self.cache.take(self.backend).ok_or(()) else {
            return;
        };
        let imported = self
            .cache
            .import(self.backend, spare, &saved.tokens, &saved.state);
        // An idle sequence like any other: the stream takes from it what it needs.
        self.cache.release(self.backend, spare, None);
        if imported {
            let stream = &self.streams[at];
            self.cache
                .adopt(self.backend, stream.sequence, stream.to_read());
        }
    }

    pub(super) fn save_when_quiet(&mut self) {
        let quiet = self.backend.now().duration_since(self.quiet_since) >= QUIET;
        if quiet && self.queue.is_empty() {
            self.save_one(u64::MAX);
        }
    }

    /// Writes one conversation; whether there was one.
    pub(super) fn save_one(&mut self, most_bytes: u64) -> bool {
        let Some(store) = &self.store else {
            return false;
        };
        let Some((conversation, saved)) = self.cache.next_unsaved(self.backend) else {
            return false;
        };
        let most = store.cap_bytes().min(most_bytes);
        if let Some(saved) = saved.filter(|saved| saved.state.len() as u64 <= most) {
            store.save(conversation, saved);
        }
        true
    }
}
