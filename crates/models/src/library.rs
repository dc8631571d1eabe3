//! The models at hand: what lies in the bundle and in the user's own folder, each under a short name.
//!
//! It is the only place where a model's name becomes a path, and a name is only ever compared with the names of files found, never
//! joined to a folder: a name from a request cannot leave the folders. It must not load, fetch or delete anything.

mod names;
mod scan;
mod vision;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use self::scan::FoundFile;
pub use self::vision::Projector;
use crate::error::{Error, Result};
use crate::gguf::{self, Contents, Header, Purpose, look_into};
use crate::{embedder, starter};

/// Where a model comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Inside the app.
    Bundled,
    /// In the user's models folder.
    Own,
}

/// One model file, sound or not.
#[derive(Debug, Clone)]
pub struct ModelFile {
    /// Unique short name: lower-case letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// Title for people.
    pub title: String,
    /// Where it lies; for a split model the first part. For the program only: never shown over an API.
    pub path: PathBuf,
    /// Size in bytes, over all parts.
    pub size_bytes: u64,
    /// When it was written last, the latest of all parts; `None` when the file system does not say.
    pub modified: Option<SystemTime>,
    /// Where it comes from.
    pub source: Source,
    /// What the file says about itself, or what is wrong with it.
    pub header: Result<Arc<Header>>,
    /// What it sees with.
    pub projector: Option<Projector>,
}

/// The models inside the app: name, title and file name.
const BUNDLED: [(&str, &str, &str); 2] = [
    (starter::NAME, starter::TITLE, starter::FILE_NAME),
    (embedder::NAME, embedder::TITLE, embedder::FILE_NAME),
];

/// The models found, and what could not be looked into.
#[derive(Debug, Clone, Default)]
pub struct ListReport {
    /// The models inside the app first, the others by name.
    pub models: Vec<ModelFile>,
    /// Folders that could not be read. A missing folder is none of them.
    pub problems: Vec<Error>,
}

/// What the contents of a file depend on: when none of it changed, the file is not read again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Stamp {
    path: PathBuf,
    size_bytes: u64,
    modified: Option<SystemTime>,
}

/// What was read before.
type Known = HashMap<Stamp, Result<Contents>>;

/// The models of this machine. Shared between threads; a list blocks on the disk.
#[derive(Debug)]
pub struct Library {
    bundled_dirs: Vec<PathBuf>,
    own_dir: PathBuf,
    known: Mutex<Known>,
}

impl Library {
    /// `bundled_dirs` are searched for each bundled model in this order and the first that has it wins; `own_dir` is the user's.
    pub fn new(bundled_dirs: Vec<PathBuf>, own_dir: PathBuf) -> Self {
        Self {
            bundled_dirs,
            own_dir,
            known: Mutex::default(),
        }
    }

    /// Looks into the folders. Never fails: a damaged file is listed with its problem, an unreadable folder is a problem.
    pub fn list(&self) -> ListReport {
        let mut report = ListReport::default();
        let mut fresh = HashMap::new();
        for (name, title, file_name) in BUNDLED {
            let Some(found) = self.bundled_file(file_name) else {
                continue;
            };
            let contents = self.contents(&found, &mut fresh);
            report.models.push(ModelFile {
                name: name.to_owned(),
                title: title.to_owned(),
                path: found.path,
                size_bytes: found.size_bytes,
                modified: found.modified,
                source: Source::Bundled,
                header: contents.and_then(into_model),
                projector: None,
            });
        }
        let mut own = self.own_models(&mut fresh, &mut report.problems);
        own.sort_by(|one, other| one.name.cmp(&other.name));
        report.models.extend(own);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        report
    }

    /// The user's models, each with its vision part; a vision part without a model is listed with that problem.
    fn own_models(&self, fresh: &mut Known, problems: &mut Vec<Error>) -> Vec<ModelFile> {
        let found = scan::scan(&self.own_dir, problems);
        let mut read: Vec<(FoundFile, Result<Contents>)> = Vec::with_capacity(found.len());
        for file in found {
            let contents = self.contents(&file, fresh);
            read.push((file, contents));
        }
        let projectors: Vec<FoundFile> = read
            .iter()
            .filter(|(_, contents)| matches!(contents, Ok(Contents::Projector)))
            .map(|(file, _)| file.clone())
            .collect();
        let pairs: HashMap<PathBuf, Projector> = read
            .iter()
            .filter(|(_, contents)| matches!(contents, Ok(Contents::Model(h)) if h.purpose() == Purpose::Chat))
            .filter_map(|(file, _)| {
                let projector = vision::projector_for(file, &projectors, &self.own_dir)?;
                Some((file.path.clone(), projector))
            })
            .collect();
        let used: HashSet<&Path> = pairs.values().map(|p| p.path.as_path()).collect();
        let mut taken = names::Taken::with(BUNDLED.map(|(name, ..)| name));
        read.into_iter()
            .filter(|(file, _)| !used.contains(file.path.as_path()))
            .map(|(file, contents)| {
                let projector = pairs.get(&file.path).cloned();
                let name = taken.take(&names::slug(&file.stem));
                own_model(file, name, contents.and_then(into_model), projector)
            })
            .collect()
    }

    /// The model of this name, or the only one whose name starts with it.
    pub fn find(&self, name: &str) -> Result<ModelFile> {
        let models = self.list().models;
        if let Some(exact) = models.iter().find(|model| model.name == name) {
            return Ok(exact.clone());
        }
        let mut matching: Vec<ModelFile> = models
            .into_iter()
            .filter(|model| !name.is_empty() && model.name.starts_with(name))
            .collect();
        match matching.len() {
            1 => Ok(matching.remove(0)),
            0 => Err(Error::NotFound {
                name: name.to_owned(),
            }),
            _ => {
                let mut candidates: Vec<String> =
                    matching.into_iter().map(|model| model.name).collect();
                candidates.sort();
                Err(Error::Ambiguous {
                    name: name.to_owned(),
                    candidates,
                })
            }
        }
    }

    /// The name that a model would have if it were called so; `None` when nothing in it can be part of a name.
    pub(crate) fn name_for(wanted: &str) -> Option<String> {
        wanted
            .chars()
            .any(|c| c.is_ascii_alphanumeric())
            .then(|| names::slug(wanted))
    }

    /// The user's folder.
    pub(crate) fn own_dir(&self) -> &Path {
        &self.own_dir
    }

    fn bundled_file(&self, file_name: &str) -> Option<FoundFile> {
        self.bundled_dirs
            .iter()
            .find_map(|folder| scan::look_at(&folder.join(file_name)))
    }

    fn contents(&self, file: &FoundFile, fresh: &mut Known) -> Result<Contents> {
        let stamp = Stamp {
            path: file.path.clone(),
            size_bytes: file.size_bytes,
            modified: file.modified,
        };
        let known = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&stamp)
            .cloned();
        let contents = known.unwrap_or_else(|| look_into(&file.path));
        // A failure to read may pass (an unplugged disk, a permission); what the bytes say does not.
        if !matches!(
            contents,
            Err(Error::Unreadable { .. } | Error::Missing { .. } | Error::NotAFile { .. })
        ) {
            fresh.insert(stamp, contents.clone());
        }
        contents
    }
}

fn own_model(
    file: FoundFile,
    name: String,
    header: Result<Arc<Header>>,
    projector: Option<Projector>,
) -> ModelFile {
    let title = header
        .as_ref()
        .ok()
        .and_then(|header| header.name.clone())
        .filter(|name| !name.trim().is_empty());
    ModelFile {
        name,
        title: title.unwrap_or(file.stem),
        path: file.path,
        size_bytes: file.size_bytes,
        modified: file.modified,
        source: Source::Own,
        header,
        projector,
    }
}

/// The model in a file that should hold one.
fn into_model(contents: Contents) -> Result<Arc<Header>> {
    match contents {
        Contents::Model(header) => Ok(header),
        Contents::Projector => Err(gguf::lone_projector()),
    }
}
