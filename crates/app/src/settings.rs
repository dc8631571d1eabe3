//! The user's settings: typed, ranged, in force at once, and safe from a damaged file.
//!
//! The file belongs to the user too: unknown keys and comments stay. A value that cannot be used is reset alone, after a copy
//! of the file was kept, and the user is told.

mod schema;
mod table;
mod value;

use std::sync::{Arc, Mutex, PoisonError};

use hearth_store::SettingsFile;
use serde::Serialize;
use tokio::sync::watch;

pub use self::schema::{
    HeatSlows, KvCache, Language, OnBattery, Quiet, SendKey, SettingChange, SettingKey, Settings,
    TextSize, Theme, TrayText,
};
#[cfg(test)]
pub(crate) use self::value::ALERTS;
pub(crate) use self::value::parse_hours;
use crate::error::{Code, Error, Result};
use crate::events::{AppEvent, Events};
use crate::paths::Paths;

/// What the settings screen shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct SettingsView {
    pub settings: Settings,
    pub defaults: Settings,
    /// What was damaged in the file and put right, in plain sentences.
    pub repaired: Vec<String>,
}

/// The settings in force and the file behind them.
pub struct SettingsStore {
    /// `None` when the file cannot be read: settings then hold until the program ends.
    file: Mutex<Option<SettingsFile>>,
    current: watch::Sender<Settings>,
    repaired: Mutex<Vec<String>>,
    events: Events,
}

impl SettingsStore {
    /// Never fails: what cannot be read is a default, and a sentence in [`SettingsView::repaired`] says so.
    pub(crate) fn open(paths: &Paths, events: Events) -> Self {
        let mut repaired = Vec::new();
        let mut settings = Settings::default();
        let folder = paths.settings.parent().map(std::fs::create_dir_all);
        let file = match (folder, SettingsFile::open(&paths.settings)) {
            (_, Ok((mut file, repairs))) => {
                repaired.extend(repairs.into_iter().map(sentence));
                for key in SettingKey::ALL {
                    read(&mut file, *key, &mut settings, &mut repaired);
                }
                Some(file)
            }
            (_, Err(error)) => {
                let path = paths.settings.display();
                repaired.push(format!(
                    "The settings in {path} could not be read ({error}), so defaults are in force."
                ));
                None
            }
        };
        for line in &repaired {
            tracing::warn!("{line}");
        }
        Self {
            file: Mutex::new(file),
            current: watch::channel(settings).0,
            repaired: Mutex::new(repaired),
            events,
        }
    }

    /// The settings in force.
    pub fn get(&self) -> Settings {
        self.current.borrow().clone()
    }

    /// Wakes on every change.
    pub fn subscribe(&self) -> watch::Receiver<Settings> {
        self.current.subscribe()
    }

    pub fn view(&self) -> SettingsView {
        let repaired = self
            .repaired
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        SettingsView {
            settings: self.get(),
            defaults: Settings::default(),
            repaired,
        }
    }

    /// Checks a change without making it, so that a door can try its effect (a shortcut, a login item) first.
    pub fn check(&self, change: &SettingChange) -> Result<()> {
        let invalid = |reason: String| Error::new(Code::InvalidInput, reason);
        change.validate().map_err(invalid)?;
        let mut next = self.get();
        next.apply(change);
        if !next.has_a_way_in(cfg!(target_os = "macos")) {
            return Err(
                invalid("Hearth must be shown in the menu bar or in the Dock.".into())
                    .hint("Switch the other one on first."),
            );
        }
        Ok(())
    }

    /// The settings as they would be after a change.
    pub(crate) fn after(&self, change: &SettingChange) -> Result<Settings> {
        self.check(change)?;
        let mut settings = self.get();
        settings.apply(change);
        Ok(settings)
    }

    /// The change that takes a key back to its default.
    pub fn default_of(&self, key: SettingKey) -> SettingChange {
        Settings::default().value_of(key)
    }

    /// Makes a change: on disk, in force and announced when this returns.
    pub async fn set(self: &Arc<Self>, change: SettingChange) -> Result<SettingsView> {
        self.check(&change)?;
        self.write(change.key(), Some(change)).await
    }

    /// Takes a key back to its default.
    pub async fn reset(self: &Arc<Self>, key: SettingKey) -> Result<SettingsView> {
        self.check(&self.default_of(key))?;
        self.write(key, None).await
    }

    async fn write(
        self: &Arc<Self>,
        key: SettingKey,
        change: Option<SettingChange>,
    ) -> Result<SettingsView> {
        let this = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            let mut file = this.file.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(file) = file.as_mut() {
                let (section, name) = key.place();
                match &change {
                    Some(change) => file.set(section, name, change.value())?,
                    None => file.remove(section, name)?,
                }
            }
            let change = change.unwrap_or_else(|| Settings::default().value_of(key));
            this.current.send_modify(|settings| settings.apply(&change));
            this.events.send(AppEvent::SettingsChanged);
            Ok(this.view())
        })
        .await
        .map_err(Error::internal)?
    }
}

fn sentence(repair: hearth_store::Repair) -> String {
    match repair.backup {
        Some(backup) => format!("{} A copy is kept at {}.", repair.what, backup.display()),
        None => repair.what,
    }
}

/// Takes one key out of the file; an unusable value is reset and told.
fn read(
    file: &mut SettingsFile,
    key: SettingKey,
    settings: &mut Settings,
    repaired: &mut Vec<String>,
) {
    let (section, name) = key.place();
    if !file.has(section, name) {
        return;
    }
    let parsed = match file.get(section, name) {
        Some(value) => key.parse(value),
        None => Err("it is not a plain value".to_owned()),
    };
    match parsed.and_then(|change| change.validate().map(|()| change)) {
        Ok(change) => settings.apply(&change),
        Err(reason) => match file.reset_with_backup(section, name, &reason) {
            Ok(repair) => repaired.push(sentence(repair)),
            Err(error) => repaired.push(format!(
                "The setting `{section}.{name}` is not used: {reason} ({error})."
            )),
        },
    }
}
