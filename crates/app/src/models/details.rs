//! What a model says about itself, for programs that ask before they use it: sizes, template, what it can do, and a digest.
//!
//! Apart from the list because it reads more of a file than a list needs. It must not know any API's words for these things.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use hearth_engine::output::{Family, Syntax};
use hearth_models::{Error as Leaf, Header, Library, ModelFile};

use super::{ModelPurpose, ModelSource, summary};

/// A model that can be used, in detail.
#[derive(Debug, Clone)]
pub struct ModelDetails {
    pub name: String,
    /// Short names of the user's, which it answers to as well.
    pub aliases: Vec<String>,
    pub title: String,
    pub source: ModelSource,
    pub purpose: ModelPurpose,
    /// Over all parts.
    pub size_bytes: u64,
    /// When the file was written last, in Unix milliseconds.
    pub modified_ms: Option<i64>,
    /// 64 hexadecimal digits that change when the file does; see [`hearth_models::fingerprint`].
    pub digest: String,
    /// What the file itself says.
    pub header: Arc<Header>,
    /// Tokens that fit into the context window when the model is loaded as Hearth loads it.
    pub context_tokens: u32,
    /// Calls of tools are told apart from text. True for every model that answers: one whose template knows no tools is told about
    /// them in its system prompt.
    pub calls_tools: bool,
    /// Pictures can be shown to it.
    pub sees: bool,
    /// It can think before it answers, and its thoughts are told apart from the answer.
    pub thinks: bool,
}

impl ModelDetails {
    /// All that it answers to: its name, then the short ones.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        [&self.name]
            .into_iter()
            .chain(&self.aliases)
            .map(String::as_str)
    }

    /// The short name that was `asked` for, or else its name.
    pub fn name_as_asked(&self, asked: &str) -> &str {
        self.names()
            .find(|name| *name == asked)
            .unwrap_or(&self.name)
    }
}

/// What is known of a file that has not changed: path, size and time of the last change.
pub(super) type Stamp = (PathBuf, u64, Option<SystemTime>);

/// Digests of files that were looked at: each takes a few MiB of reading.
#[derive(Debug, Default)]
pub(super) struct Digests(Mutex<HashMap<Stamp, Digest>>);

/// Made by the first who needs it.
type Digest = Arc<OnceLock<hearth_models::Result<String>>>;

impl Digests {
    /// `most` is what a context window may have at most, in tokens. Blocks on the disk.
    pub(super) fn details(
        &self,
        file: ModelFile,
        most: u32,
    ) -> hearth_models::Result<ModelDetails> {
        let header = file.header.clone()?;
        let digest = self.digest(stamp(&file), &header)?;
        let modified_ms = file
            .modified
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .map(|time| time.as_millis() as i64);
        let sees = file.projector.is_some();
        let summary = summary(file);
        let purpose = summary.purpose.unwrap_or(ModelPurpose::Chat);
        let answers = purpose == ModelPurpose::Chat;
        let template = header.chat_template.as_deref().unwrap_or_default();
        Ok(ModelDetails {
            name: summary.name,
            aliases: summary.aliases,
            title: summary.title,
            source: summary.source,
            purpose,
            size_bytes: summary.size_bytes,
            modified_ms,
            digest,
            context_tokens: window(&header, most),
            calls_tools: answers,
            sees,
            thinks: answers && thinks(&Syntax::detect(template)),
            header,
        })
    }

    /// [`hearth_models::fingerprint`] of a file, read once however many ask at the same time. Blocks on the disk.
    pub(super) fn digest(&self, stamp: Stamp, header: &Header) -> hearth_models::Result<String> {
        let cell = {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Files that were replaced leave nothing behind.
            known.retain(|other, _| other.0 != stamp.0 || *other == stamp);
            Arc::clone(known.entry(stamp.clone()).or_default())
        };
        // Without the lock: another model need not wait for the reading of this one.
        let digest = cell.get_or_init(|| hearth_models::fingerprint(&stamp.0, header));
        if digest.is_err() {
            // It may be readable the next time.
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.remove(&stamp);
        }
        digest.clone()
    }
}

/// The context window that a model is loaded with, in tokens: what it was trained for, at most `most`.
pub(super) fn window(header: &Header, most: u32) -> u32 {
    u32::try_from(header.context_length).map_or(most, |trained| trained.min(most))
}

/// What a digest depends on.
pub(super) fn stamp(file: &ModelFile) -> Stamp {
    (file.path.clone(), file.size_bytes, file.modified)
}

fn thinks(syntax: &Syntax) -> bool {
    syntax.thoughts.is_some() || syntax.family == Family::Harmony
}

/// The model that is meant: by the library's own rule, or the same without the tag `:latest`, or in small letters.
pub(super) fn resolve(library: &Library, name: &str) -> hearth_models::Result<ModelFile> {
    let first = match library.find(name) {
        Err(not_found @ Leaf::NotFound { .. }) => not_found,
        found => return found,
    };
    let bare = name.trim();
    let bare = bare.strip_suffix(":latest").unwrap_or(bare);
    match library.find(&bare.to_ascii_lowercase()) {
        // In the words of whoever asked.
        Err(Leaf::NotFound { .. }) => Err(first),
        found => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            data_offset: 8,
            part_count: 1,
            ..Header::default()
        }
    }

    #[test]
    fn a_digest_is_made_once_and_again_when_the_file_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        let digests = Digests::default();
        let digest = |size| digests.digest((path.clone(), size, None), &header());
        assert!(digest(3).is_err(), "there is no file");
        std::fs::write(&path, "one").unwrap();
        let first = digest(3).unwrap();
        // The stamp is the same, so the file is not looked at.
        std::fs::write(&path, "two").unwrap();
        assert_eq!(digest(3).unwrap(), first);
        assert_ne!(digest(4).unwrap(), first);
        assert_eq!(digests.0.lock().unwrap().len(), 1);
    }
}
