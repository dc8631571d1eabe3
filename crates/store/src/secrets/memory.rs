//! Secrets that last as long as the program, for tests.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{Secrets, Sensitive};
use crate::{Error, Result};

/// Secrets in memory; can be made to fail like a key store that is not there.
#[derive(Debug, Default)]
pub struct MemorySecrets {
    kept: Mutex<HashMap<String, Sensitive<String>>>,
    missing: AtomicBool,
}

impl MemorySecrets {
    /// A key store that cannot be reached.
    pub fn missing() -> Self {
        Self {
            missing: AtomicBool::new(true),
            ..Self::default()
        }
    }

    /// From now on it can be reached, or not.
    pub fn set_missing(&self, missing: bool) {
        self.missing.store(missing, Ordering::Relaxed);
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&mut HashMap<String, Sensitive<String>>) -> T,
    ) -> Result<T> {
        if self.missing.load(Ordering::Relaxed) {
            return Err(Error::KeyStore {
                reason: "there is none".to_owned(),
            });
        }
        Ok(work(
            &mut self.kept.lock().unwrap_or_else(PoisonError::into_inner),
        ))
    }
}

impl Secrets for MemorySecrets {
    fn get(&self, name: &str) -> Result<Option<Sensitive<String>>> {
        self.with(|kept| kept.get(name).cloned())
    }

    fn set(&self, name: &str, value: &Sensitive<String>) -> Result<()> {
        self.with(|kept| drop(kept.insert(name.to_owned(), value.clone())))
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.with(|kept| drop(kept.remove(name)))
    }
}
