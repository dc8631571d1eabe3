//! Small secrets, kept where the system keeps passwords. A secret in memory prints as nothing.
//!
//! Here because this crate decides where things lie. It must not know what a secret opens.

mod keychain;
mod memory;

use std::fmt;

pub use self::keychain::Keychain;
pub use self::memory::MemorySecrets;
use crate::Result;

/// A value that must not be seen in a log, an error or an export.
#[derive(Clone, PartialEq, Eq)]
pub struct Sensitive<T>(T);

impl<T> Sensitive<T> {
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for the one place that needs it.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl<T> fmt::Display for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// Where secrets are kept, by name. Every call may block for as long as the user takes to unlock the key store.
pub trait Secrets: Send + Sync + 'static {
    /// `None` when there is no such secret.
    ///
    /// # Errors
    /// [`crate::Error::KeyStore`] when the key store cannot be reached or refuses.
    fn get(&self, name: &str) -> Result<Option<Sensitive<String>>>;

    /// Keeps a secret in place of an older one of that name.
    ///
    /// # Errors
    /// As [`Secrets::get`].
    fn set(&self, name: &str, value: &Sensitive<String>) -> Result<()>;

    /// Forgets a secret; one that is not there is not an error.
    ///
    /// # Errors
    /// As [`Secrets::get`].
    fn remove(&self, name: &str) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_as_nothing() {
        let secret = Some(Sensitive::new("hearth-0123".to_owned()));
        for text in [
            format!("{secret:?}"),
            format!("{secret:#?}"),
            secret.iter().map(ToString::to_string).collect(),
        ] {
            assert!(!text.contains("0123"), "{text}");
        }
    }
}
