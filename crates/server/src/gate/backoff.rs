//! After a few wrong keys an address has to wait, longer each time.
//!
//! A key cannot be guessed anyway; this keeps guessing from costing work and from filling the log.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong keys that cost nothing: a client with an old key tries again a few times.
const FREE_TRIES: u32 = 5;
const LONGEST_WAIT_S: u64 = 60;
/// An address that was quiet for this long begins anew.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(15 * 60);
/// Addresses that are remembered; beyond it the one that was quiet longest is forgotten.
const MAX_REMEMBERED: usize = 4096;

/// All programs of this machine share one address, so there each wrong key waits for itself: one client with an old key must not
/// shut out the others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Who(IpAddr, Option<u64>);

#[derive(Debug, Clone, Copy)]
struct Tries {
    failed: u32,
    last: Instant,
}

/// The failed tries of each address.
#[derive(Debug, Default)]
pub(crate) struct Backoff(Mutex<HashMap<Who, Tries>>);

impl Backoff {
    /// How many seconds are left to wait, if any.
    pub(crate) fn wait_s(&self, peer: IpAddr, key: &str, now: Instant) -> Option<u64> {
        let tries = self.lock().get(&who(peer, key)).copied()?;
        let wait = Duration::from_secs(wait_after(tries.failed)?);
        let left = wait.checked_sub(now.saturating_duration_since(tries.last))?;
        (!left.is_zero()).then(|| left.as_secs().max(1))
    }

    pub(crate) fn failed(&self, peer: IpAddr, key: &str, now: Instant) {
        let mut remembered = self.lock();
        remembered.retain(|_, t| now.saturating_duration_since(t.last) < FORGOTTEN_AFTER);
        let who = who(peer, key);
        if remembered.len() >= MAX_REMEMBERED && !remembered.contains_key(&who) {
            let oldest = remembered.iter().min_by_key(|(_, t)| t.last);
            if let Some(oldest) = oldest.map(|(who, _)| who.clone()) {
                remembered.remove(&oldest);
            }
        }
        let tries = remembered.entry(who).or_insert(Tries {
            failed: 0,
            last: now,
        });
        tries.failed = tries.failed.saturating_add(1);
        tries.last = now;
    }

    pub(crate) fn succeeded(&self, peer: IpAddr, key: &str) {
        self.lock().remove(&who(peer, key));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Who, Tries>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 1, 2, 4 … seconds from the first try that is not free.
fn wait_after(failed: u32) -> Option<u64> {
    let beyond = failed.checked_sub(FREE_TRIES)?;
    Some((1_u64 << beyond.min(16)).min(LONGEST_WAIT_S))
}

fn who(peer: IpAddr, key: &str) -> Who {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let peer = peer.to_canonical();
    let hash = || {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        hasher.finish()
    };
    Who(peer, peer.is_loopback().then(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end_with_a_right_key() {
        let (backoff, now) = (Backoff::default(), Instant::now());
        let peer = IpAddr::from([192, 168, 1, 9]);
        let waits: Vec<_> = (0..13)
            .map(|_| {
                backoff.failed(peer, "wrong", now);
                backoff.wait_s(peer, "another", now).unwrap_or(0)
            })
            .collect();
        assert_eq!(waits, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(
            backoff.wait_s(IpAddr::from([10, 0, 0, 1]), "wrong", now),
            None
        );
        let later = now + Duration::from_secs(61);
        assert_eq!(backoff.wait_s(peer, "wrong", later), None);
        backoff.succeeded(peer, "right");
        assert_eq!(backoff.wait_s(peer, "wrong", now), None);
    }

    #[test]
    fn on_this_machine_a_wrong_key_shuts_out_only_itself() {
        let (backoff, now) = (Backoff::default(), Instant::now());
        let peer = IpAddr::from([127, 0, 0, 1]);
        for _ in 0..10 {
            backoff.failed(peer, "wrong", now);
        }
        assert!(backoff.wait_s(peer, "wrong", now).is_some());
        assert_eq!(backoff.wait_s(peer, "right", now), None);
    }

    #[test]
    fn memory_is_bounded() {
        let (backoff, now) = (Backoff::default(), Instant::now());
        for n in 0..10_000_u32 {
            backoff.failed(IpAddr::from((0x0a00_0000 + n).to_be_bytes()), "x", now);
        }
        assert_eq!(backoff.lock().len(), MAX_REMEMBERED);
    }
}
