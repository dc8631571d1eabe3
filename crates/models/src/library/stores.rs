//! Folders of models: the user's own, those of other programs, and those that the user names. Used where they lie, never written.
//!
//! Apart from the library because each program has its own way to name a file; what comes out is the same for all. It must not
//! look into a model file, nor write anything.

mod hugging_face;
mod lm_studio;
mod ollama;

use std::path::PathBuf;

pub use self::lm_studio::lm_studio_folders;
use super::Source;
use super::scan::{self, FoundFile};
use super::vision::Projector;
use crate::error::Error;

/// Folders below the user's own: one for each model.
const OWN_DEPTH: usize = 1;
/// Folders below the root in which the files of LM Studio lie: publisher and repository.
const LM_STUDIO_DEPTH: usize = 2;
/// Repository, `snapshots`, revision, and folders in it.
const HUGGING_FACE_DEPTH: usize = 5;
/// `manifests`, registry, owner and model.
const OLLAMA_DEPTH: usize = 4;
/// Folders below a folder that the user named.
const ADDED_DEPTH: usize = 3;

/// A folder of models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// Whose it is.
    pub source: Source,
    /// Its root: the `hub` folder of Hugging Face, the `models` folders of LM Studio and Ollama.
    pub root: PathBuf,
}

/// A model file of a store, with what the store says about it.
pub(super) struct StoreFile {
    pub file: FoundFile,
    /// The vision part that the store itself names.
    pub projector: Option<Projector>,
}

impl Store {
    /// How many levels of folders below the root a model may lie at most.
    pub(crate) fn depth(&self) -> usize {
        match self.source {
            Source::HuggingFace => HUGGING_FACE_DEPTH,
            Source::Ollama => OLLAMA_DEPTH,
            Source::LmStudio => LM_STUDIO_DEPTH,
            Source::Bundled | Source::Own => OWN_DEPTH,
            Source::Added => ADDED_DEPTH,
        }
    }

    /// What lies in it. A missing folder is an empty one; what cannot be read is a problem.
    pub(super) fn files(&self, problems: &mut Vec<Error>) -> Vec<StoreFile> {
        let alone = |file| StoreFile {
            file,
            projector: None,
        };
        let folder = |depth, problems: &mut Vec<Error>| {
            scan::scan(&self.root, depth, problems)
                .into_iter()
                .map(alone)
                .collect()
        };
        match self.source {
            Source::HuggingFace => hugging_face::files(&self.root, problems)
                .into_iter()
                .map(alone)
                .collect(),
            Source::Ollama => ollama::files(&self.root, problems),
            Source::LmStudio => folder(LM_STUDIO_DEPTH, problems),
            Source::Bundled | Source::Own => folder(OWN_DEPTH, problems),
            Source::Added => folder(ADDED_DEPTH, problems),
        }
    }
}

/// Whether a text is a SHA-256 as these programs write it: 64 small hexadecimal digits. Nothing else becomes part of a path.
fn is_sha256(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
