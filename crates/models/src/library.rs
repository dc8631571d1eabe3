//! The models at hand: what lies in the bundle, in the user's own folder and in the stores of other programs, each under a short
//! name. The same weights in two places are one model.
//!
//! It is the only place where a model's name becomes a path, and a name is only ever compared with the names of files found, never
//! joined to a folder: a name from a request cannot leave the folders. It must not load, fetch or delete anything.

mod aliases;
mod hashes;
mod merge;
mod names;
mod scan;
mod stores;
mod vision;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use self::aliases::Aliases;
use self::hashes::Hashes;
pub(crate) use self::hashes::sha256 as hash_file;
use self::merge::Candidate;
use self::scan::FoundFile;
pub use self::stores::{Store, lm_studio_folders};
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
    /// In the cache of Hugging Face's clients.
    HuggingFace,
    /// Among the models of LM Studio.
    LmStudio,
    /// Among the models of Ollama.
    Ollama,
    /// In a folder that the user named.
    Added,
}

impl Source {
    /// Whose a file is that lies there, for people.
    pub fn owner(self) -> &'static str {
        match self {
            Self::Bundled | Self::Own => "Hearth",
            Self::HuggingFace => "the Hugging Face cache",
            Self::LmStudio => "LM Studio",
            Self::Ollama => "Ollama",
            Self::Added => "a folder of yours",
        }
    }
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
    /// Where it comes from: the first of its places.
    pub source: Source,
    /// Everywhere the same weights lie, in the order in which places are looked at.
    pub places: Vec<Source>,
    /// What the file says about itself, or what is wrong with it.
    pub header: Result<Arc<Header>>,
    /// What it sees with.
    pub projector: Option<Projector>,
    /// Short names of the user's for it, sorted. One that is also the name of a model is none.
    pub aliases: Vec<String>,
}

/// A short name of the user's for a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    pub alias: String,
    /// Name of the model that it stands for.
    pub model: String,
    /// There is no such model now.
    pub is_missing: bool,
    /// A model has this name itself and is what the name means.
    pub is_hidden: bool,
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
    /// Files that may hold the same weights as another and have not been compared; see [`Library::compare_twins`].
    pub twins: usize,
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
    stores: Vec<Store>,
    /// See [`Library::set_added`].
    added: Mutex<Vec<PathBuf>>,
    hashes: Hashes,
    aliases: Aliases,
    known: Mutex<Known>,
}

impl Library {
    /// `bundled_dirs` are searched for each bundled model in this order and the first that has it wins; `own_dir` is the user's.
    pub fn new(bundled_dirs: Vec<PathBuf>, own_dir: PathBuf) -> Self {
        Self {
            bundled_dirs,
            own_dir,
            stores: Vec::new(),
            added: Mutex::default(),
            hashes: Hashes::default(),
            aliases: Aliases::default(),
            known: Mutex::default(),
        }
    }

    /// Looks into these stores too; `hashes` is the file in which hashes of models are kept.
    #[must_use]
    pub fn with_stores(mut self, stores: Vec<Store>, hashes: PathBuf) -> Self {
        self.stores = stores;
        self.hashes = Hashes::open(hashes);
        self
    }

    /// Keeps the user's short names of models in this file.
    #[must_use]
    pub fn with_aliases(mut self, file: PathBuf) -> Self {
        self.aliases = Aliases::open(file);
        self
    }

    /// From now on looks into these folders of the user too, after all stores.
    pub fn set_added(&self, folders: Vec<PathBuf>) {
        *self.added.lock().unwrap_or_else(PoisonError::into_inner) = folders;
    }

    /// Looks into the folders. Never fails: a damaged file is listed with its problem, an unreadable folder is a problem.
    pub fn list(&self) -> ListReport {
        let mut report = ListReport::default();
        let mut fresh = HashMap::new();
        let mut taken = names::Taken::with(BUNDLED.map(|(name, ..)| name));
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
                places: vec![Source::Bundled],
                header: contents.and_then(into_model),
                projector: None,
                aliases: Vec::new(),
            });
        }
        let candidates = self.candidates(&mut fresh, &mut report.problems);
        report.twins = merge::unknown_twins(&candidates, &self.hashes).len();
        let mut models: Vec<ModelFile> = merge::merge(candidates, &self.hashes)
            .into_iter()
            .map(|(candidate, places)| listed(candidate, places, &mut taken))
            .collect();
        models.sort_by(|one, other| one.name.cmp(&other.name));
        report.models.extend(models);
        for Alias { alias, model, .. } in aliases_among(self.aliases.all(), &report.models)
            .into_iter()
            .filter(|alias| !alias.is_hidden)
        {
            let named = report.models.iter_mut().find(|file| file.name == model);
            if let Some(file) = named {
                file.aliases.push(alias);
            }
        }
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        report
    }

    /// Reads the files that may hold the same weights as another, so that the next list shows them once; returns how many. Each is
    /// read whole, once for as long as it does not change, so this takes minutes where there are many large ones.
    pub fn compare_twins(&self) -> usize {
        let candidates = self.candidates(&mut HashMap::new(), &mut Vec::new());
        let twins = merge::unknown_twins(&candidates, &self.hashes);
        for path in &twins {
            if let Err(error) = self.hashes.make(path) {
                tracing::warn!(path = %path.display(), %error, "a model could not be compared with others");
            }
        }
        twins.len()
    }

    /// What lies in the user's folder, in the stores and in the folders that the user named, in this order.
    fn candidates(&self, fresh: &mut Known, problems: &mut Vec<Error>) -> Vec<Candidate> {
        self.stores()
            .iter()
            .flat_map(|store| self.models_in(store, fresh, problems))
            .collect()
    }

    /// The user's folder, the stores and the folders that the user named, in this order.
    pub fn stores(&self) -> Vec<Store> {
        let own = Store {
            source: Source::Own,
            root: self.own_dir.clone(),
        };
        let added = self
            .added
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let added = added.into_iter().map(|root| Store {
            source: Source::Added,
            root,
        });
        std::iter::once(own)
            .chain(self.stores.iter().cloned())
            .chain(added)
            .collect()
    }

    /// The models of one store, each with its vision part. A vision part without a model is listed in the user's own folder only, with
    /// that problem.
    fn models_in(
        &self,
        store: &Store,
        fresh: &mut Known,
        problems: &mut Vec<Error>,
    ) -> Vec<Candidate> {
        let mut read = Vec::new();
        for found in store.files(problems) {
            let contents = self.contents(&found.file, fresh);
            read.push((found, contents));
        }
        let projectors: Vec<FoundFile> = read
            .iter()
            .filter(|(_, contents)| matches!(contents, Ok(Contents::Projector)))
            .map(|(found, _)| found.file.clone())
            .collect();
        let mut used: HashSet<PathBuf> = HashSet::new();
        let mut candidates = Vec::new();
        for (found, contents) in read {
            let chats = matches!(&contents, Ok(Contents::Model(h)) if h.purpose() == Purpose::Chat);
            let beside = || vision::projector_for(&found.file, &projectors, &store.root);
            let projector = found.projector.or_else(|| chats.then(beside).flatten());
            used.extend(projector.iter().map(|projector| projector.path.clone()));
            candidates.push(Candidate {
                file: found.file,
                contents,
                projector,
                source: store.source,
            });
        }
        let is_own = store.source == Source::Own;
        candidates.retain(|candidate| {
            let is_projector = matches!(candidate.contents, Ok(Contents::Projector));
            !is_projector || is_own && !used.contains(&candidate.file.path)
        });
        candidates
    }

    /// The model of this name, the one that the user calls so, or the only one whose name starts with it.
    pub fn find(&self, name: &str) -> Result<ModelFile> {
        let models = self.list().models;
        let called = |model: &&ModelFile| model.aliases.iter().any(|alias| alias == name);
        let exact = models.iter().find(|model| model.name == name);
        if let Some(found) = exact.or_else(|| models.iter().find(called)) {
            return Ok(found.clone());
        }
        if let Some(model) = self.aliases.all().remove(name) {
            let alias = name.to_owned();
            return Err(Error::AliasOfNothing { alias, model });
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

    /// The user's short names of models, sorted.
    pub fn aliases(&self) -> Vec<Alias> {
        aliases_among(self.aliases.all(), &self.list().models)
    }

    /// Lets a short name stand for a model, in place of what it stood for, and returns the name of the model.
    ///
    /// # Errors
    /// When it cannot be one, when a model has that name, when there is no such model, and when the disk cannot be written.
    pub fn set_alias(&self, alias: &str, model: &str) -> Result<String> {
        let alias = aliases::checked(alias)?;
        let is_name = |name: &str| name == alias;
        let bundled = BUNDLED.iter().any(|(name, ..)| is_name(name));
        if bundled || self.list().models.iter().any(|model| is_name(&model.name)) {
            let name = alias.to_owned();
            return Err(Error::Exists { name });
        }
        let model = self.find(model)?.name;
        let (key, value) = (alias.to_owned(), model.clone());
        self.aliases.change(|all| {
            all.insert(key, value);
        })?;
        Ok(model)
    }

    /// Takes a short name away and returns the name of the model that it stood for.
    ///
    /// # Errors
    /// When there is none of this name, and when the disk cannot be written.
    pub fn remove_alias(&self, alias: &str) -> Result<String> {
        let mut removed = None;
        self.aliases.change(|all| removed = all.remove(alias))?;
        removed.ok_or_else(|| Error::NoAlias {
            alias: alias.to_owned(),
        })
    }

    /// The name that a model would have if it were called so; `None` when nothing in it can be part of a name.
    pub(crate) fn name_for(wanted: &str) -> Option<String> {
        wanted
            .chars()
            .any(|c| c.is_ascii_alphanumeric())
            .then(|| names::slug(wanted))
    }

    /// The name that a file would have beside these models: its own or, where that is taken, one with a number.
    pub(crate) fn free_name(&self, file: &Path, models: &[ModelFile]) -> String {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let stem = scan::split_name(&stem).map_or(&*stem, |(name, ..)| name);
        let mut taken = names::Taken::with(BUNDLED.map(|(name, ..)| name));
        for model in models {
            taken.take(&model.name);
        }
        // A model of that name would hide what the user calls so.
        for alias in self.aliases.all().keys() {
            taken.take(alias);
        }
        loop {
            let name = taken.take(&names::slug(stem));
            // What is no model may still be in the way.
            let free = |path: PathBuf| path.symlink_metadata().is_err();
            if free(self.own_dir.join(&name)) && free(self.own_dir.join(format!("{name}.gguf"))) {
                return name;
            }
        }
    }

    /// Takes the name of a part of a split model, `name-00002-of-00003`, apart.
    pub(crate) fn split_name(stem: &str) -> Option<(&str, u32, u32)> {
        scan::split_name(stem)
    }

    /// The vision part that lies beside a model and is named after it, wherever both lie.
    pub(crate) fn projector_beside(model: &Path) -> Option<Projector> {
        let folder = model.parent()?;
        let found = scan::scan(folder, 0, &mut Vec::new());
        let own = found.iter().find(|file| file.path == model)?;
        let named = |file: &&FoundFile| file.stem.to_ascii_lowercase().contains("mmproj");
        let projectors: Vec<FoundFile> = found
            .iter()
            .filter(named)
            .filter(|file| matches!(look_into(&file.path), Ok(Contents::Projector)))
            .cloned()
            .collect();
        vision::projector_for(own, &projectors, folder)
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

/// Which alias stands for which of these models. A model's own name always means that model.
fn aliases_among(all: aliases::Map, models: &[ModelFile]) -> Vec<Alias> {
    let names: HashSet<&str> = models.iter().map(|model| model.name.as_str()).collect();
    let alias = |(alias, model): (String, String)| Alias {
        is_hidden: names.contains(alias.as_str()),
        is_missing: !names.contains(model.as_str()),
        alias,
        model,
    };
    all.into_iter().map(alias).collect()
}

fn listed(candidate: Candidate, places: Vec<Source>, taken: &mut names::Taken) -> ModelFile {
    let Candidate {
        file,
        contents,
        projector,
        source,
    } = candidate;
    let header = contents.and_then(into_model);
    let title = header
        .as_ref()
        .ok()
        .and_then(|header| header.name.clone())
        .filter(|name| !name.trim().is_empty());
    ModelFile {
        name: taken.take(&names::slug(&file.stem)),
        title: title.unwrap_or(file.stem),
        path: file.path,
        size_bytes: file.size_bytes,
        modified: file.modified,
        source,
        places,
        header,
        projector,
        aliases: Vec::new(),
    }
}

/// The model in a file that should hold one.
fn into_model(contents: Contents) -> Result<Arc<Header>> {
    match contents {
        Contents::Model(header) => Ok(header),
        Contents::Projector => Err(gguf::lone_projector()),
    }
}
