//! The system's key store: the login keychain on macOS, the Secret Service (GNOME Keyring, KWallet) on Linux.
//!
//! It is reached anew for every call: a key store that was not there, or that was started again, is found by the next one.

#[cfg(target_os = "macos")]
use apple_native_keyring_store::keychain::Store;
use keyring_core::api::CredentialStoreApi;
use keyring_core::{Entry, Error as Leaf};
#[cfg(not(target_os = "macos"))]
use zbus_secret_service_keyring_store::Store;

use super::{Secrets, Sensitive};
use crate::{Error, Result};

/// Secrets in the user's key store, under one service name.
#[derive(Debug, Clone)]
pub struct Keychain {
    service: String,
}

impl Keychain {
    /// Reaches for nothing yet, so that a user without secrets is not asked to unlock anything.
    pub fn new(service: impl Into<String>) -> Self {
        Self {
            service: service.into(),
        }
    }

    fn entry(&self, name: &str) -> Result<Entry> {
        let store = Store::new().map_err(|e| failed(&e))?;
        let entry = store.build(&self.service, name, None);
        entry.map_err(|e| failed(&e))
    }
}

impl Secrets for Keychain {
    fn get(&self, name: &str) -> Result<Option<Sensitive<String>>> {
        match self.entry(name)?.get_password() {
            Ok(value) => Ok(Some(Sensitive::new(value))),
            Err(Leaf::NoEntry) => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    fn set(&self, name: &str, value: &Sensitive<String>) -> Result<()> {
        let entry = self.entry(name)?;
        entry.set_password(value.expose()).map_err(|e| failed(&e))
    }

    fn remove(&self, name: &str) -> Result<()> {
        match self.entry(name)?.delete_credential() {
            Ok(()) | Err(Leaf::NoEntry) => Ok(()),
            Err(error) => Err(failed(&error)),
        }
    }
}

/// What the key store said, without what was in it.
fn failed(error: &Leaf) -> Error {
    let reason = match error {
        Leaf::NoStorageAccess(source) => format!("it is locked or cannot be reached ({source})"),
        Leaf::PlatformFailure(source) => source.to_string(),
        Leaf::NoDefaultStore => "there is none".to_owned(),
        Leaf::BadEncoding(_) => "what is kept there is not text".to_owned(),
        // Its words name the attribute, never the value.
        other => other.to_string(),
    };
    Error::KeyStore { reason }
}
