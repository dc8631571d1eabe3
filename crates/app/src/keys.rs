//! API keys: made, listed, revoked and checked. Only their digests are kept, and those in the system's key store; beside them the keys
//! of other programs' servers.
//!
//! A key is 256 random bits, so a plain SHA-256 of it cannot be guessed back; all digests are compared in constant time. It must not
//! know HTTP: where a key stood in a request, and what a refusal looks like, is the server's.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

pub use hearth_store::{Keychain, MemorySecrets, Secrets, Sensitive};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::settings::{SettingChange, SettingsStore};

/// Name of Hearth in the system's key store.
const SERVICE: &str = "app.hearth.desktop";
/// What every key begins with, so that scanners for leaked secrets know it.
const PREFIX: &str = "hearth-";
const KEY_BYTES: usize = 32;
const MAX_KEYS: usize = 100;
const MAX_NAME_BYTES: usize = 200;
/// The time of the last use is written to the key store no more often than this.
const USE_GRAIN_MS: i64 = 60 * 60 * 1000;

/// Where secrets are kept: in the user's key store, but in memory when the model is a fake, which is for tests of the window.
pub fn secrets(env: &Env) -> Arc<dyn Secrets> {
    if env.fake_engine {
        Arc::<MemorySecrets>::default()
    } else {
        Arc::new(Keychain::new(SERVICE))
    }
}

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Ask models, and see which there are.
    Inference,
    /// Fetch, delete, load and unload models.
    Models,
    /// All of that, and figures about the server.
    Admin,
}

/// A key as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    pub id: String,
    pub name: String,
    pub scopes: Vec<Scope>,
    /// Unix milliseconds.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub created_at_ms: i64,
    /// Unix milliseconds, to the hour after a restart.
    #[cfg_attr(feature = "specta", specta(type = Option<u32>))]
    pub last_used_at_ms: Option<i64>,
}

/// A new key, the only time that it can be seen.
#[derive(Clone, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct NewApiKey {
    pub key: ApiKey,
    /// What a client sends.
    pub secret: String,
}

/// What a presented key is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    /// A known key without that scope.
    OutOfScope,
    Unknown,
}

/// As it is kept.
#[derive(Clone, Serialize, Deserialize)]
struct Record {
    id: String,
    name: String,
    scopes: Vec<Scope>,
    digest: [u8; 32],
    created_at_ms: i64,
    last_used_at_ms: Option<i64>,
}

/// Everything of ours in the key store, in one entry: systems ask once for each entry after an update.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    /// Of our own server.
    keys: Vec<Record>,
    /// Of other programs' servers, by the name of the host. Plain, because it is written; the type has no `Debug`.
    providers: BTreeMap<String, String>,
    /// For the hub that models are fetched from.
    #[serde(skip_serializing_if = "Option::is_none")]
    hub: Option<String>,
}

impl Kept {
    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.providers.is_empty() && self.hub.is_none()
    }

    /// Older versions kept the list of keys alone.
    fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text)
            .or_else(|_| {
                let keys = serde_json::from_str(text)?;
                Ok(Self {
                    keys,
                    ..Self::default()
                })
            })
            .map_err(|_: serde_json::Error| damaged())
    }
}

/// The keys of one installation.
pub struct Keys {
    secrets: Arc<dyn Secrets>,
    /// Name in the key store: one for each data folder.
    place: String,
    settings: Arc<SettingsStore>,
    /// `None` until they are needed, so that users without keys are never asked to unlock anything.
    kept: Mutex<Option<Kept>>,
    /// Changes come one after the other: held while the key store is asked, and by changes only.
    changes: tokio::sync::Mutex<()>,
    /// Of the key in [`crate::server::ServerFile`].
    token: Mutex<Option<[u8; 32]>>,
}

impl Keys {
    pub(crate) fn new(
        secrets: Arc<dyn Secrets>,
        place: String,
        settings: Arc<SettingsStore>,
    ) -> Self {
        Self {
            secrets,
            place,
            settings,
            kept: Mutex::default(),
            changes: tokio::sync::Mutex::default(),
            token: Mutex::default(),
        }
    }

    /// Reads the keys, so that [`Keys::check`] knows them; returns how many there are.
    ///
    /// # Errors
    /// When the key store cannot be read. Nothing is let in then.
    pub async fn load(self: &Arc<Self>) -> Result<usize> {
        let _alone = self.changes.lock().await;
        Ok(self.read().await?.keys.len())
    }

    /// That there is a key, without which the local network is not answered.
    pub async fn need_one(self: &Arc<Self>) -> Result<()> {
        if self.load().await? > 0 {
            return Ok(());
        }
        let message = "The local network is answered only with an API key, and there is none.";
        Err(Error::new(Code::Settings, message)
            .hint("Make a key first, or switch the local network off."))
    }

    /// All keys, the oldest first.
    pub async fn list(self: &Arc<Self>) -> Result<Vec<ApiKey>> {
        if !self.settings.get().server_needs_key && lock(&self.kept).is_none() {
            return Ok(Vec::new());
        }
        let _alone = self.changes.lock().await;
        Ok(self.read().await?.keys.iter().map(shown).collect())
    }

    /// Makes a key. From the first one on the server asks for keys.
    pub async fn create(self: &Arc<Self>, name: &str, scopes: Vec<Scope>) -> Result<NewApiKey> {
        let name = name.trim();
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            return Err(Error::new(
                Code::InvalidInput,
                format!("A key needs a name of 1 to {MAX_NAME_BYTES} bytes."),
            ));
        }
        if scopes.is_empty() {
            let message = "A key needs at least one scope.";
            return Err(Error::new(Code::InvalidInput, message));
        }
        let _alone = self.changes.lock().await;
        let mut kept = self.read().await?;
        if kept.keys.len() >= MAX_KEYS {
            let message = format!("There are {MAX_KEYS} keys already.");
            return Err(
                Error::new(Code::InvalidInput, message).hint("Revoke one that nobody uses.")
            );
        }
        let secret = format!("{PREFIX}{}", random_hex::<KEY_BYTES>()?);
        let record = Record {
            id: random_hex::<8>()?,
            name: name.to_owned(),
            scopes,
            digest: digest(&secret),
            created_at_ms: unix_ms(),
            last_used_at_ms: None,
        };
        let key = shown(&record);
        kept.keys.push(record);
        self.write(kept).await?;
        self.settings
            .set(SettingChange::ServerNeedsKey(true))
            .await?;
        Ok(NewApiKey { key, secret })
    }

    /// Revokes a key at once. After the last one the server asks for keys no more, and no longer answers the local network.
    pub async fn revoke(self: &Arc<Self>, id: &str) -> Result<()> {
        let _alone = self.changes.lock().await;
        let mut kept = self.read().await?;
        let before = kept.keys.len();
        kept.keys.retain(|record| record.id != id);
        if kept.keys.len() == before {
            let message = format!("There is no API key `{id}`.");
            return Err(Error::new(Code::NotFound, message));
        }
        let was_last = kept.keys.is_empty();
        self.write(kept).await?;
        if was_last {
            // In this order, so that the network is never answered without a key.
            self.settings.set(SettingChange::ServerLan(false)).await?;
            self.settings
                .set(SettingChange::ServerNeedsKey(false))
                .await?;
        }
        Ok(())
    }

    /// What a presented key may do. Unknown while keys were not loaded. Takes the same time for every key.
    pub fn check(self: &Arc<Self>, presented: &str, scope: Option<Scope>) -> Verdict {
        let presented = digest(presented);
        let token = *lock(&self.token);
        if token.is_some_and(|token| token.ct_eq(&presented).into()) {
            return Verdict::Allowed;
        }
        let mut guard = lock(&self.kept);
        let Some(kept) = guard.as_mut() else {
            return Verdict::Unknown;
        };
        let records = &mut kept.keys;
        // No early end: the position of a key must not show in the time.
        let mut found = u32::MAX;
        for (at, record) in (0_u32..).zip(records.iter()) {
            let same: Choice = record.digest.ct_eq(&presented);
            found = u32::conditional_select(&found, &at, same);
        }
        let Some(record) = records.get_mut(found as usize) else {
            return Verdict::Unknown;
        };
        let now = unix_ms();
        let stale = record
            .last_used_at_ms
            .is_none_or(|at| now - at > USE_GRAIN_MS);
        record.last_used_at_ms = Some(now);
        let scopes = &record.scopes;
        let allowed =
            scope.is_none_or(|scope| scopes.contains(&scope) || scopes.contains(&Scope::Admin));
        if stale {
            self.keep_later();
        }
        if allowed {
            Verdict::Allowed
        } else {
            Verdict::OutOfScope
        }
    }

    /// A key that holds until the next one or the end of the process, for programs of the same user.
    pub fn new_token(&self) -> Result<String> {
        let token = format!("{PREFIX}{}", random_hex::<KEY_BYTES>()?);
        *lock(&self.token) = Some(digest(&token));
        Ok(token)
    }

    /// Writes the times of use without holding up the request.
    fn keep_later(self: &Arc<Self>) {
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let _alone = this.changes.lock().await;
            let kept = lock(&this.kept).clone().unwrap_or_default();
            if let Err(error) = this.write(kept).await {
                tracing::warn!(%error, "the last use of an API key could not be kept");
            }
        });
    }

    /// The key of another program's host.
    pub(crate) async fn of_provider(
        self: &Arc<Self>,
        id: &str,
    ) -> Result<Option<Sensitive<String>>> {
        let _alone = self.changes.lock().await;
        let key = self.read().await?.providers.remove(id);
        Ok(key.map(Sensitive::new))
    }

    /// Keeps the key of another program's host, or forgets it.
    pub(crate) async fn keep_for_provider(
        self: &Arc<Self>,
        id: &str,
        key: Option<&str>,
    ) -> Result<()> {
        let _alone = self.changes.lock().await;
        let mut kept = self.read().await?;
        match key {
            Some(key) => kept.providers.insert(id.to_owned(), key.to_owned()),
            None => kept.providers.remove(id),
        };
        self.write(kept).await
    }

    /// The token for the hub that models are fetched from.
    pub(crate) async fn of_hub(self: &Arc<Self>) -> Result<Option<Sensitive<String>>> {
        let _alone = self.changes.lock().await;
        Ok(self.read().await?.hub.map(Sensitive::new))
    }

    /// Keeps the token for the hub, or forgets it.
    pub async fn keep_for_hub(self: &Arc<Self>, token: Option<Sensitive<String>>) -> Result<()> {
        let _alone = self.changes.lock().await;
        let mut kept = self.read().await?;
        kept.hub = token.map(|token| token.expose().trim().to_owned());
        self.write(kept).await
    }

    /// What is kept, from the key store the first time.
    async fn read(self: &Arc<Self>) -> Result<Kept> {
        if let Some(kept) = &*lock(&self.kept) {
            return Ok(kept.clone());
        }
        let this = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || this.secrets.get(&this.place));
        let kept = match read.await.map_err(Error::internal)?? {
            None => Kept::default(),
            Some(text) => Kept::parse(text.expose())?,
        };
        *lock(&self.kept) = Some(kept.clone());
        Ok(kept)
    }

    async fn write(self: &Arc<Self>, kept: Kept) -> Result<()> {
        let text = Sensitive::new(serde_json::to_string(&kept).map_err(Error::internal)?);
        let (this, empty) = (Arc::clone(self), kept.is_empty());
        let written = tokio::task::spawn_blocking(move || {
            if empty {
                this.secrets.remove(&this.place)
            } else {
                this.secrets.set(&this.place, &text)
            }
        });
        written.await.map_err(Error::internal)??;
        *lock(&self.kept) = Some(kept);
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn shown(record: &Record) -> ApiKey {
    ApiKey {
        id: record.id.clone(),
        name: record.name.clone(),
        scopes: record.scopes.clone(),
        created_at_ms: record.created_at_ms,
        last_used_at_ms: record.last_used_at_ms,
    }
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

fn random_hex<const BYTES: usize>() -> Result<String> {
    let mut bytes = [0_u8; BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|e| Error::internal(format!("the system gave no random numbers ({e})")))?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

fn damaged() -> Error {
    Error::new(
        Code::Storage,
        "The API keys in the system's key store cannot be read.",
    )
    .hint("Remove Hearth's entry in the key store and make new keys.")
}

fn unix_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_millis() as i64)
}

#[cfg(test)]
mod tests;
