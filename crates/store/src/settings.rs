//! The settings file: a TOML document that people edit too.
//!
//! It is here because it is a file that must never be lost or half-written, and apart from the database because a person must be
//! able to read it. It knows sections, keys and the four plain kinds of value; it must not know which settings exist or what
//! they mean. Comments, order and keys it does not know are kept.

mod atomic;
mod salvage;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

use crate::error::{Error, Result};

/// A settings file larger than this in bytes is not one a person wrote; it is set aside unread.
const MAX_BYTES: u64 = 1 << 20;

/// A plain value of a setting.
#[derive(Debug, Clone, PartialEq)]
pub enum SettingValue {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Text(String),
}

/// Something in the settings file that was put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// What was wrong and what was done, as a plain sentence.
    pub what: String,
    /// Where the file is kept as it was; `None` when no copy could be made.
    pub backup: Option<PathBuf>,
}

/// An open settings file. Changes are on disk when the call that makes them returns.
#[derive(Debug)]
pub struct SettingsFile {
    /// Where the file really lies: behind a symbolic link, if there is one.
    path: PathBuf,
    document: DocumentMut,
    /// What the file held when it was last read or written; `None`: there was no file.
    on_disk: Option<Vec<u8>>,
    /// The copy made by [`SettingsFile::reset_with_backup`], at most one per opening.
    backup: Option<PathBuf>,
}

impl SettingsFile {
    /// Reads the file at `path`; a missing one is an empty one. A file that does not parse is copied to
    /// `<name>.damaged-<time>` and everything in it that parses on its own is kept; that is told in the list.
    ///
    /// Fails only when the file exists and cannot be read.
    pub fn open(path: &Path) -> Result<(Self, Vec<Repair>)> {
        let path = atomic::real_path(path)?;
        let mut file = Self {
            path,
            document: DocumentMut::new(),
            on_disk: None,
            backup: None,
        };
        let repairs = file.load()?;
        Ok((file, repairs))
    }

    /// Where the file lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The value of a key; `None` when it is not there or is no plain value (see [`SettingsFile::has`]). `section` may be
    /// nested with dots, and is empty for keys at the top.
    pub fn get(&self, section: &str, key: &str) -> Option<SettingValue> {
        plain(self.item(section, key)?.as_value()?)
    }

    /// Whether there is anything under this key, of whatever kind.
    pub fn has(&self, section: &str, key: &str) -> bool {
        self.item(section, key).is_some()
    }

    /// Sets a key and writes the file. What someone else changed in the file meanwhile is kept.
    pub fn set(&mut self, section: &str, key: &str, value: SettingValue) -> Result<()> {
        check_name("setting", key)?;
        self.change(section, |table| {
            let mut value = match value {
                SettingValue::Bool(value) => Value::from(value),
                SettingValue::Integer(value) => Value::from(value),
                SettingValue::Float(value) => Value::from(value),
                SettingValue::Text(value) => Value::from(value),
            };
            // A comment behind the old value stays behind the new one.
            if let Some(old) = table.get(key).and_then(Item::as_value) {
                *value.decor_mut() = old.decor().clone();
            }
            match table.get_mut(key) {
                Some(item) => *item = Item::Value(value),
                None => {
                    table.insert(key, Item::Value(value));
                }
            }
        })
    }

    /// Removes a key and writes the file; fine when it is not there.
    pub fn remove(&mut self, section: &str, key: &str) -> Result<()> {
        self.refresh()?;
        if !self.has(section, key) {
            return Ok(());
        }
        self.change(section, |table| {
            table.remove(key);
        })
    }

    /// Removes a key whose value the caller cannot use, after a copy of the file was made (once per opening).
    pub fn reset_with_backup(&mut self, section: &str, key: &str, reason: &str) -> Result<Repair> {
        if self.backup.is_none() {
            self.backup = self
                .on_disk
                .as_deref()
                .map(|bytes| atomic::keep_copy(&self.path, bytes))
                .transpose()?;
        }
        self.remove(section, key)?;
        let name = if section.is_empty() {
            key.to_owned()
        } else {
            format!("{section}.{key}")
        };
        let what = format!("The setting `{name}` was reset: {reason}.");
        Ok(Repair {
            what,
            backup: self.backup.clone(),
        })
    }

    fn load(&mut self) -> Result<Vec<Repair>> {
        let bytes = match fs::metadata(&self.path) {
            Ok(metadata) if metadata.is_dir() => {
                return Err(Error::Invalid {
                    what: "settings file".into(),
                    reason: "it is a folder".into(),
                });
            }
            Ok(metadata) if metadata.len() > MAX_BYTES => return self.set_aside(metadata.len()),
            Ok(_) => fs::read(&self.path),
            Err(error) => Err(error),
        };
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.document = DocumentMut::new();
                self.on_disk = None;
                return Ok(Vec::new());
            }
            Err(source) => return Err(Error::io(&self.path, source)),
        };
        let parsed = std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| text.parse::<DocumentMut>().ok());
        let repairs = if let Some(document) = parsed {
            self.document = document;
            Vec::new()
        } else {
            let (document, dropped) = salvage::salvage(&bytes);
            self.document = document;
            vec![self.keep_damaged(&bytes, &dropped)]
        };
        self.on_disk = Some(bytes);
        Ok(repairs)
    }

    /// Copies the damaged file and replaces it by what was kept. A disk that does not allow it changes only the sentence.
    fn keep_damaged(&mut self, bytes: &[u8], dropped: &[usize]) -> Repair {
        let lines = dropped
            .iter()
            .take(5)
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        let more = if dropped.len() > 5 { " and others" } else { "" };
        let what = format!(
            "The settings file was damaged: line {lines}{more} could not be read and was reset."
        );
        let saved = atomic::keep_copy(&self.path, bytes).and_then(|backup| {
            atomic::write(&self.path, self.document.to_string().as_bytes()).map(|()| backup)
        });
        match saved {
            Ok(backup) => Repair {
                what,
                backup: Some(backup),
            },
            Err(error) => Repair {
                what: format!("{what} The file could not be put right: {error}."),
                backup: None,
            },
        }
    }

    /// Renames a file that is far too large and starts with an empty one.
    fn set_aside(&mut self, found_bytes: u64) -> Result<Vec<Repair>> {
        let backup = atomic::damaged_name(&self.path);
        fs::rename(&self.path, &backup).map_err(|source| Error::io(&self.path, source))?;
        self.document = DocumentMut::new();
        self.on_disk = None;
        let what = format!(
            "The settings file had {found_bytes} bytes, more than {MAX_BYTES}; all settings were reset."
        );
        Ok(vec![Repair {
            what,
            backup: Some(backup),
        }])
    }

    /// Takes over what someone else wrote since the last look.
    fn refresh(&mut self) -> Result<()> {
        let now = match fs::read(&self.path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(source) => return Err(Error::io(&self.path, source)),
        };
        if now.is_some() && now != self.on_disk {
            for repair in self.load()? {
                tracing::warn!(what = %repair.what, "settings file repaired");
            }
        }
        Ok(())
    }

    fn change(&mut self, section: &str, edit: impl FnOnce(&mut dyn TableLike)) -> Result<()> {
        self.refresh()?;
        let before = self.document.clone();
        edit(section_mut(self.document.as_table_mut(), section)?);
        let bytes = self.document.to_string().into_bytes();
        if let Err(error) = atomic::write(&self.path, &bytes) {
            // What is not on disk is not in force either.
            self.document = before;
            return Err(error);
        }
        self.on_disk = Some(bytes);
        Ok(())
    }

    fn item(&self, section: &str, key: &str) -> Option<&Item> {
        let mut table: &dyn TableLike = self.document.as_table();
        for part in parts(section) {
            table = table.get(part)?.as_table_like()?;
        }
        table.get(key).filter(|item| !item.is_none())
    }
}

fn parts(section: &str) -> impl Iterator<Item = &str> {
    section.split('.').filter(|part| !part.is_empty())
}

/// The table of a section, made if need be. A plain value that stands where a section belongs is in the way.
fn section_mut<'a>(root: &'a mut Table, section: &str) -> Result<&'a mut dyn TableLike> {
    let mut table: &mut dyn TableLike = root;
    for part in parts(section) {
        check_name("section", part)?;
        let item = table
            .entry(part)
            .or_insert_with(|| Item::Table(Table::new()));
        table = item.as_table_like_mut().ok_or_else(|| Error::Invalid {
            what: format!("settings section `{section}`"),
            reason: format!("`{part}` is a plain value in the file"),
        })?;
    }
    Ok(table)
}

fn check_name(what: &str, name: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !name.is_empty() && name.bytes().all(plain) {
        return Ok(());
    }
    Err(Error::Invalid {
        what: format!("{what} name `{name}`"),
        reason: "only letters, digits, _ and - are allowed".into(),
    })
}

fn plain(value: &Value) -> Option<SettingValue> {
    match value {
        Value::Boolean(value) => Some(SettingValue::Bool(*value.value())),
        Value::Integer(value) => Some(SettingValue::Integer(*value.value())),
        Value::Float(value) => Some(SettingValue::Float(*value.value())),
        Value::String(value) => Some(SettingValue::Text(value.value().clone())),
        Value::Datetime(_) | Value::Array(_) | Value::InlineTable(_) => None,
    }
}
