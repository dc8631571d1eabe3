//! The models on this machine, by name. Paths stay inside the program.

mod aliases;
mod copying;
mod details;
mod importing;
mod smaller;
mod space;
mod suggested;
mod watching;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hearth_engine::{self as engine, LoadSpec};
use hearth_models::space::Room;
use hearth_models::watch::Watch;
use hearth_models::{Header, Library, ModelFile, Projector, Purpose, Source};
use serde::Serialize;

pub use self::aliases::ModelAlias;
pub use self::copying::{CopyStage, Copying};
use self::details::Digests;
pub use self::details::ModelDetails;
pub use self::importing::{ImportState, Imported, Importing};
pub use self::smaller::{CopyMade, CopyPreview, CopyWish, Quantisation, Stage};
pub(crate) use self::space::NO_ROOM;
pub use self::suggested::Suggested;
pub(crate) use self::suggested::suggested;
use crate::error::{Code, Error, Result, sentence};
use crate::fit::Brief;
use crate::paths::Paths;

/// Where a model came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum ModelSource {
    /// It is part of Hearth.
    Bundled,
    /// It lies in Hearth's own models folder.
    Own,
    /// It lies in the cache of Hugging Face's clients.
    HuggingFace,
    /// It is a model of LM Studio.
    LmStudio,
    /// It is a model of Ollama.
    Ollama,
    /// It lies in a folder that the user named.
    Added,
}

impl From<Source> for ModelSource {
    fn from(source: Source) -> Self {
        match source {
            Source::Bundled => Self::Bundled,
            Source::Own => Self::Own,
            Source::HuggingFace => Self::HuggingFace,
            Source::LmStudio => Self::LmStudio,
            Source::Ollama => Self::Ollama,
            Source::Added => Self::Added,
        }
    }
}

/// What a model can be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum ModelPurpose {
    /// It answers.
    Chat,
    /// It turns texts into vectors.
    Embed,
    /// It scores documents against a query.
    Rerank,
}

/// A model as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct ModelSummary {
    pub name: String,
    pub title: String,
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub size_bytes: u64,
    pub quantisation: Option<String>,
    /// Context length the model was trained with, in tokens.
    pub context_tokens: Option<u32>,
    pub source: ModelSource,
    /// Everywhere the same weights lie, the place from which they are used first.
    pub places: Vec<ModelSource>,
    /// Short names of the user's for it.
    pub aliases: Vec<String>,
    /// Absent when the file could not be read.
    pub purpose: Option<ModelPurpose>,
    /// Why it cannot be used.
    pub problem: Option<Error>,
    /// Whether it fits into the memory of this machine; absent where nobody asked ([`crate::inference::Inference::list_models`]).
    pub fit: Option<Brief>,
}

/// All models, and the folders that could not be read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelList {
    pub models: Vec<ModelSummary>,
    pub problems: Vec<Error>,
}

/// A model file that passed the validator.
pub(crate) struct ValidModel {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// The context window that it is loaded with.
    pub(crate) context_tokens: u32,
    stamp: details::Stamp,
    pub(crate) header: Arc<Header>,
    /// What it sees with.
    pub(crate) projector: Option<Projector>,
}

/// The model library.
pub struct Models {
    library: Arc<Library>,
    digests: Arc<Digests>,
    copies: copying::Copies,
    imports: importing::Imports,
    /// Whether files are being compared; see [`Models::list`].
    comparing: Arc<AtomicBool>,
    /// See [`Models::limit_context`].
    most_context_tokens: AtomicU32,
    room: Arc<Room>,
    watch: Mutex<Option<Watch>>,
    /// What the last list showed that was given to anybody.
    given: Arc<Mutex<Option<Vec<watching::Shown>>>>,
}

impl Models {
    pub(crate) fn new(paths: &Paths) -> Self {
        Self {
            library: Arc::new(
                Library::new(paths.bundled.clone(), paths.models.clone())
                    .with_stores(paths.stores.clone(), paths.model_hashes())
                    .with_aliases(paths.aliases()),
            ),
            comparing: Arc::default(),
            digests: Arc::default(),
            copies: copying::Copies::default(),
            imports: importing::Imports::default(),
            most_context_tokens: LoadSpec::DEFAULT_CONTEXT.into(),
            room: Arc::new(Room::new(Arc::new(space::of_disk))),
            watch: Mutex::default(),
            given: Arc::default(),
        }
    }

    /// From now on leaves so many bytes of every disk free that models are written to.
    pub fn leave_free(&self, bytes: u64) {
        self.room.leave(bytes);
    }

    /// What may be written to a disk.
    pub(crate) fn room(&self) -> Arc<Room> {
        Arc::clone(&self.room)
    }

    /// From now on models are loaded with a context window of at most so many tokens; whether that is another limit than before.
    pub(crate) fn limit_context(&self, tokens: u32) -> bool {
        self.most_context_tokens.swap(tokens, Ordering::Relaxed) != tokens
    }

    fn most_context_tokens(&self) -> u32 {
        self.most_context_tokens.load(Ordering::Relaxed)
    }

    /// From now on also looks for models in these folders of the user: absolute paths, separated by colons.
    pub(crate) fn look_into(&self, folders: &str) {
        self.library
            .set_added(words(folders).map(PathBuf::from).collect());
        self.watch_others();
    }

    /// Every model, also the damaged ones with their problem. Where the same weights may lie in two places that do not say so, the
    /// files are read afterwards, and a later list shows them once.
    pub async fn list(&self) -> Result<ModelList> {
        Ok(self.list_usable().await?.0)
    }

    /// The same, and what is known of those that can be used, by name.
    pub(crate) async fn list_usable(&self) -> Result<(ModelList, HashMap<String, ValidModel>)> {
        let library = Arc::clone(&self.library);
        let report = tokio::task::spawn_blocking(move || library.list())
            .await
            .map_err(Error::internal)?;
        *self.given.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(watching::shown(&report.models));
        if report.twins > 0 {
            self.compare_twins();
        }
        let most = self.most_context_tokens();
        let usable = report.models.iter().cloned();
        let usable = usable.filter_map(|file| Some((file.name.clone(), valid(file, most).ok()?)));
        let usable = usable.collect();
        let list = ModelList {
            models: report.models.into_iter().map(summary).collect(),
            problems: report.problems.into_iter().map(Error::from).collect(),
        };
        Ok((list, usable))
    }

    /// The context window that a model of this header would be loaded with, in tokens.
    pub(crate) fn window_of(&self, header: &Header) -> u32 {
        details::window(header, self.most_context_tokens())
    }

    /// Reads the files that may be the same as another, unless that is going on. Nobody waits for it: a command that ends does not
    /// finish it, and what was read until then is kept.
    fn compare_twins(&self) {
        if self.comparing.swap(true, Ordering::AcqRel) {
            return;
        }
        let (library, comparing) = (Arc::clone(&self.library), Arc::clone(&self.comparing));
        let work = move || {
            library.compare_twins();
            comparing.store(false, Ordering::Release);
        };
        // A thread of its own and not one of the runtime's, which waits for those before it ends.
        if let Err(error) = std::thread::Builder::new()
            .name("compare-models".into())
            .spawn(work)
        {
            self.comparing.store(false, Ordering::Release);
            tracing::warn!(%error, "models in two places cannot be compared");
        }
    }

    /// The name of a model as programs write it that speak Ollama's API: with the tag `:latest`, or with capitals.
    pub async fn resolve(&self, name: &str) -> Result<String> {
        let (library, name) = (Arc::clone(&self.library), name.to_owned());
        on_disk(move || Ok(details::resolve(&library, &name)?.name)).await
    }

    /// The name of the first model in a folder.
    pub(crate) async fn name_in(&self, folder: PathBuf) -> Result<String> {
        let library = Arc::clone(&self.library);
        on_disk(move || {
            let models = library.list().models;
            let found = models.iter().find(|model| model.path.starts_with(&folder));
            found.map(|model| model.name.clone()).ok_or_else(|| {
                Error::new(Code::ModelMissing, "The model is not where it was put.")
                    .hint("Fetch it again.")
            })
        })
        .await
    }

    /// The name of a model that somebody wants to fetch and that is here already.
    pub(crate) async fn pulled(&self, name: &str) -> Result<String> {
        self.resolve(name).await.map_err(|error| {
            if error.code == Code::ModelMissing {
                error.hint("To fetch one, name it as the hub does: `hf.co/owner/name:Q4_K_M`.")
            } else {
                error
            }
        })
    }

    /// What every model that can be used says about itself.
    pub async fn all_details(&self) -> Result<Vec<ModelDetails>> {
        let (library, digests) = (Arc::clone(&self.library), Arc::clone(&self.digests));
        let most = self.most_context_tokens();
        on_disk(move || {
            let files = library.list().models.into_iter();
            // One that cannot be read now is left out, as in a list of what can be used.
            Ok(files
                .filter_map(|file| digests.details(file, most).ok())
                .collect())
        })
        .await
    }

    /// What the named model says about itself; the name as in [`Models::resolve`].
    pub async fn details(&self, name: &str) -> Result<ModelDetails> {
        let (library, digests) = (Arc::clone(&self.library), Arc::clone(&self.digests));
        let (name, most) = (name.to_owned(), self.most_context_tokens());
        on_disk(move || Ok(digests.details(details::resolve(&library, &name)?, most)?)).await
    }

    /// Removes a model from the user's folder; returns its name and the bytes freed. The caller unloads it first.
    pub async fn remove(&self, name: &str) -> Result<(String, u64)> {
        let (library, name) = (Arc::clone(&self.library), name.to_owned());
        on_disk(move || Ok(hearth_models::own::remove(&library, &name)?)).await
    }

    /// Gives a model in the user's folder a second name, which takes no room, and returns it.
    pub async fn copy(&self, name: &str, new_name: &str) -> Result<String> {
        let library = Arc::clone(&self.library);
        let (name, new_name) = (name.to_owned(), new_name.to_owned());
        on_disk(move || Ok(hearth_models::own::copy(&library, &name, &new_name)?)).await
    }

    /// [`hearth_models::fingerprint`] of a model that was found.
    pub(crate) async fn fingerprint(&self, model: &ValidModel) -> Result<String> {
        let digests = Arc::clone(&self.digests);
        let (stamp, header) = (model.stamp.clone(), Arc::clone(&model.header));
        tokio::task::spawn_blocking(move || digests.digest(stamp, &header))
            .await
            .map_err(Error::internal)?
            .map_err(Error::from)
    }

    /// The fingerprints of all models that can be used.
    pub(crate) async fn fingerprints(&self) -> Result<Vec<String>> {
        let (library, digests) = (Arc::clone(&self.library), Arc::clone(&self.digests));
        let all = move || {
            let found = library.list().models.into_iter();
            found
                .filter_map(|file| {
                    let header = file.header.as_ref().ok()?;
                    digests.digest(details::stamp(&file), header).ok()
                })
                .collect()
        };
        tokio::task::spawn_blocking(all)
            .await
            .map_err(Error::internal)
    }

    /// A model that may be given to the engine for chat.
    pub(crate) async fn find_for_chat(&self, name: &str) -> Result<ValidModel> {
        self.find_for(name, Purpose::Chat).await
    }

    /// A model that may be given to the engine for vectors or for scores.
    pub(crate) async fn find_for_encoding(
        &self,
        name: &str,
        purpose: engine::Purpose,
    ) -> Result<ValidModel> {
        let wanted = match purpose {
            engine::Purpose::Generate => Purpose::Chat,
            engine::Purpose::Embed => Purpose::Embed,
            engine::Purpose::Rerank => Purpose::Rerank,
        };
        self.find_for(name, wanted).await
    }

    async fn find_for(&self, name: &str, wanted: Purpose) -> Result<ValidModel> {
        let file = self.find_any(name).await?;
        let does = file.header.purpose();
        if does != wanted {
            let (does, cannot) = (third_person(does), infinitive(wanted));
            let message = format!("The model `{}` {does} and cannot {cannot}.", file.name);
            return Err(Error::new(Code::ModelUnsupported, message)
                .hint("Choose another model; `hearth list` shows what each one is for."));
        }
        Ok(file)
    }

    /// A model that may be given to the engine, whatever it is for.
    pub(crate) async fn find_any(&self, name: &str) -> Result<ValidModel> {
        let (library, name) = (Arc::clone(&self.library), name.to_owned());
        let file = on_disk(move || Ok(details::resolve(&library, &name)?)).await?;
        valid(file, self.most_context_tokens())
    }
}

/// A file that was found, if it passed the validator; `most` is what a context window may have at most, in tokens.
fn valid(file: ModelFile, most: u32) -> Result<ValidModel> {
    let stamp = details::stamp(&file);
    let header = file.header?;
    Ok(ValidModel {
        stamp,
        context_tokens: details::window(&header, most),
        header,
        projector: file.projector,
        name: file.name,
        path: file.path,
    })
}

/// The folders of a setting.
fn words(folders: &str) -> impl Iterator<Item = &str> {
    folders
        .split(':')
        .map(str::trim)
        .filter(|folder| !folder.is_empty())
}

/// Whether a text is a list of folders as [`Models::look_into`] takes it.
pub(crate) fn check_folders(text: &str) -> std::result::Result<(), String> {
    let relative = words(text).find(|folder| !std::path::Path::new(folder).is_absolute());
    relative.map_or(Ok(()), |folder| {
        Err(format!("`{folder}` is not a whole path from `/`"))
    })
}

/// Work that waits for the disk, on a thread that may.
pub(crate) async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(Error::internal)?
}

fn third_person(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Chat => "chats",
        Purpose::Embed => "turns texts into vectors",
        Purpose::Rerank => "scores documents",
    }
}

fn infinitive(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Chat => "chat",
        Purpose::Embed => "turn texts into vectors",
        Purpose::Rerank => "score documents",
    }
}

fn summary(file: ModelFile) -> ModelSummary {
    let (header, problem) = match file.header {
        Ok(header) => (Some(header), None),
        Err(error) => (None, Some(Error::from(error))),
    };
    ModelSummary {
        name: file.name,
        title: file.title,
        size_bytes: file.size_bytes,
        quantisation: header
            .as_ref()
            .and_then(|h| h.quantisation)
            .map(str::to_owned),
        purpose: header.as_ref().map(|h| match h.purpose() {
            Purpose::Chat => ModelPurpose::Chat,
            Purpose::Embed => ModelPurpose::Embed,
            Purpose::Rerank => ModelPurpose::Rerank,
        }),
        context_tokens: header.and_then(|h| u32::try_from(h.context_length).ok()),
        source: file.source.into(),
        aliases: file.aliases,
        places: file.places.into_iter().map(ModelSource::from).collect(),
        problem,
        fit: None,
    }
}

impl From<hearth_models::Error> for Error {
    fn from(error: hearth_models::Error) -> Self {
        use hearth_models::Error as Leaf;
        let message = sentence(&error.to_string());
        match error {
            Leaf::NoRoom(no_room) => no_room.into(),
            Leaf::Invalid { .. } | Leaf::Truncated { .. } | Leaf::WrongHash { .. } => {
                Self::new(Code::ModelInvalid, message)
                    .hint("The file is damaged or incomplete: fetch it again.")
            }
            Leaf::NotGguf { .. } => Self::new(Code::ModelInvalid, message)
                .hint("Hearth runs models in the GGUF format."),
            Leaf::TooOld { .. } | Leaf::BigEndian { .. } => {
                Self::new(Code::ModelUnsupported, message).hint("Fetch a newer file of this model.")
            }
            Leaf::TooNew { .. } => {
                Self::new(Code::ModelUnsupported, message).hint("This file needs a newer Hearth.")
            }
            Leaf::Unsupported { .. } => {
                Self::new(Code::ModelUnsupported, message).hint("Choose another model.")
            }
            Leaf::Missing { .. } => Self::new(Code::ModelMissing, message)
                .hint("Put the file back, or choose another model."),
            Leaf::Unreadable { .. } | Leaf::NotAFile { .. } => {
                Self::new(Code::ModelUnreadable, message)
                    .hint("Check the permissions of the file and its folder.")
            }
            Leaf::NotFound { .. } => Self::new(Code::ModelMissing, message)
                .hint("`hearth list` shows the models on this machine."),
            Leaf::Ambiguous { .. } => {
                Self::new(Code::InvalidInput, message).hint("Give the whole name.")
            }
            Leaf::Bundled { .. } => Self::new(Code::InvalidInput, message)
                .hint("Only models in your own models folder can be changed."),
            Leaf::Foreign { .. } => Self::new(Code::InvalidInput, message)
                .hint("Remove it in the program that keeps it."),
            Leaf::Exists { .. } => {
                Self::new(Code::InvalidInput, message).hint("Choose another name.")
            }
            Leaf::BadAlias { .. } => Self::new(Code::InvalidInput, message).hint(
                "An alias has up to 64 small letters, digits, `.`, `_` and `-`, and no dot or dash at its ends.",
            ),
            Leaf::NoAlias { .. } => Self::new(Code::NotFound, message)
                .hint("`hearth alias` shows those that there are."),
            Leaf::AliasOfNothing { .. } => Self::new(Code::ModelMissing, message)
                .hint("Put the model back, or give the alias to another one: `hearth alias`."),
            Leaf::IsAlias { .. } => Self::new(Code::InvalidInput, message).hint(
                "Use the name of the model itself; `hearth alias --remove` takes an alias away.",
            ),
            Leaf::Importing => Self::new(Code::Busy, message).hint("Wait for it."),
            Leaf::BadName { .. } => Self::new(Code::InvalidInput, message)
                .hint("A name has letters, digits, `.`, `_` and `-`."),
            Leaf::NotWritten { .. } => Self::new(Code::Storage, message)
                .hint("Check the permissions of your models folder and the free space."),
        }
    }
}
