//! Where everything lies. No other module builds a path to Hearth's own files.

use std::path::{Path, PathBuf};

use hearth_models::{Source, Store};

use crate::env::Env;
use crate::error::{Code, Error, Result};

/// Folders and files of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// `config.toml`, kept apart so that people can keep it with their dotfiles.
    pub settings: PathBuf,
    /// Folder of the chat database and the lock.
    pub data: PathBuf,
    /// Folder of the user's own models.
    pub models: PathBuf,
    /// Folder of what can be made again.
    pub cache: PathBuf,
    /// Folder of the log files.
    pub logs: PathBuf,
    /// Folders in which models lie that came with the program.
    pub bundled: Vec<PathBuf>,
    /// Where other programs keep models, the preferred first. Nothing is ever written there.
    pub stores: Vec<Store>,
}

impl Paths {
    /// `HEARTH_HOME` when set, else where the platform keeps such files. With `HEARTH_HOME` only those stores are looked at that the
    /// environment names, so that an installation in a folder of its own sees nothing by chance.
    pub fn find(env: &Env) -> Result<Self> {
        if let Some(home) = &env.home {
            let home = std::path::absolute(home).unwrap_or_else(|_| home.clone());
            return Ok(Self {
                stores: stores(env, None),
                ..Self::under(&home)
            });
        }
        let base = directories::BaseDirs::new().ok_or_else(|| {
            Error::new(Code::Storage, "Your home folder could not be found.")
                .hint("Set HEARTH_HOME to a folder.")
        })?;
        Ok(Self {
            stores: stores(env, Some(&base)),
            ..Self::of_platform(&base)
        })
    }

    /// Everything under one folder, and no stores.
    pub fn under(home: &Path) -> Self {
        Self {
            settings: home.join("config.toml"),
            data: home.join("data"),
            models: home.join("models"),
            cache: home.join("cache"),
            logs: home.join("logs"),
            bundled: bundled(),
            stores: Vec::new(),
        }
    }

    fn of_platform(base: &directories::BaseDirs) -> Self {
        if cfg!(target_os = "macos") {
            let support = base.data_dir().join("Hearth");
            Self {
                settings: support.join("config.toml"),
                models: support.join("models"),
                cache: base.cache_dir().join("app.hearth.desktop"),
                logs: base.home_dir().join("Library/Logs/Hearth"),
                data: support,
                bundled: bundled(),
                stores: Vec::new(),
            }
        } else {
            let data = base.data_dir().join("hearth");
            Self {
                settings: base.config_dir().join("hearth/config.toml"),
                models: data.join("models"),
                cache: base.cache_dir().join("hearth"),
                logs: base
                    .state_dir()
                    .unwrap_or(base.data_local_dir())
                    .join("hearth/logs"),
                data,
                bundled: bundled(),
                stores: Vec::new(),
            }
        }
    }

    /// A list of models that takes the place of the one inside the program when it is newer.
    pub fn catalog(&self) -> PathBuf {
        self.data.join("catalog.json")
    }

    pub fn database(&self) -> PathBuf {
        self.data.join("chats.db")
    }

    pub(crate) fn timeline(&self) -> PathBuf {
        self.data.join("timeline.db")
    }

    /// Held by the process that writes the time line.
    pub(crate) fn timeline_lock(&self) -> PathBuf {
        self.data.join("timeline.lock")
    }

    /// Where the windows were.
    pub fn window_state(&self) -> PathBuf {
        self.data.join("windows.json")
    }

    /// How fast each model is on the cool machine.
    pub(crate) fn cool_speeds(&self) -> PathBuf {
        self.data.join("speeds.json")
    }

    /// Where the running server is found: [`crate::server::ServerFile`].
    pub fn server_file(&self) -> PathBuf {
        self.data.join("server.json")
    }

    /// Folder of what the web views keep, such as which chat was open last.
    pub fn web_data(&self) -> PathBuf {
        self.data.join("views")
    }

    /// Folder of what models have read of chats. It holds the text of chats in another form, and nothing but that.
    pub(crate) fn states(&self) -> PathBuf {
        self.cache.join("kv")
    }

    /// The user's short names of models.
    pub(crate) fn aliases(&self) -> PathBuf {
        self.data.join("aliases.json")
    }

    /// Hashes of model files, which take long to make.
    pub(crate) fn model_hashes(&self) -> PathBuf {
        self.cache.join("model-hashes.json")
    }

    /// Folder of models that are being fetched. It lies among the models, so that one rename brings one there, and is hidden from
    /// whoever lists them.
    pub(crate) fn downloads(&self) -> PathBuf {
        self.models.join(".downloads")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.data.join("hearth.lock")
    }

    pub(crate) fn exports(&self) -> PathBuf {
        self.data.join("exports")
    }
}

/// Where the environment says that other programs keep models, else where they do so by themselves. The places are from their
/// documentation: "Manage huggingface_hub cache-system", Ollama's FAQ, and for LM Studio what [`hearth_models::lm_studio_folders`] says.
fn stores(env: &Env, base: Option<&directories::BaseDirs>) -> Vec<Store> {
    let home = |rest: &str| base.map(|base| base.home_dir().join(rest));
    let cache = |rest: &str| {
        let folder = base.map(|base| base.home_dir().join(".cache"));
        // On Linux the cache may be elsewhere; on macOS these programs use `.cache` all the same.
        let linux = base
            .filter(|_| !cfg!(target_os = "macos"))
            .map(|base| base.cache_dir().to_owned());
        linux.or(folder).map(|folder| folder.join(rest))
    };
    let service = base.map(|_| PathBuf::from("/usr/share/ollama/.ollama/models"));
    let lm_studio =
        base.map(|base| hearth_models::lm_studio_folders(base.home_dir(), base.config_dir()));
    let lm_studio = lm_studio.into_iter().flatten();
    let hugging_face = env.hugging_face.clone();
    let ollama = env.ollama.clone().or_else(|| home(".ollama/models"));
    let first = [(
        Source::HuggingFace,
        hugging_face.or_else(|| cache("huggingface/hub")),
    )];
    let last = [
        (Source::Ollama, ollama),
        (
            Source::Ollama,
            service.filter(|_| cfg!(target_os = "linux")),
        ),
    ];
    let store = |(source, root): (Source, Option<PathBuf>)| {
        Some(Store {
            source,
            root: root?,
        })
    };
    let lm_studio = lm_studio.map(|root| (Source::LmStudio, Some(root)));
    let found = first.into_iter().chain(lm_studio).chain(last);
    found.filter_map(store).collect()
}

/// Beside the executable: in the bundle (`Contents/MacOS` and `Contents/Resources`) and in a build folder.
fn bundled() -> Vec<PathBuf> {
    let executable = std::env::current_exe().and_then(std::fs::canonicalize);
    let Some(folder) = executable.ok().and_then(|e| e.parent().map(Path::to_owned)) else {
        return Vec::new();
    };
    vec![
        folder.join("../Resources/models"),
        folder.join("resources/models"),
    ]
}
