//! What Hearth can do: one module a noun, the same for the window, the command and the server.
//!
//! It joins engine, models, store and hardware, which know nothing of each other, and it must not know Tauri, HTTP, SQL or
//! llama.cpp. A door opens an [`App`], calls it, and maps what comes back.

pub mod chats;
pub mod doctor;
pub mod downloads;
pub mod env;
pub mod error;
pub mod events;
pub mod fit;
pub mod hardware;
pub mod inference;
pub mod keys;
pub mod log;
pub mod models;
pub mod monitor;
pub mod paths;
pub mod providers;
pub mod server;
pub mod settings;
pub mod throttle;
pub mod timeline;

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

pub use hearth_engine as engine;

pub use crate::error::{Code, Error, Result};

use crate::chats::Chats;
use crate::downloads::{Downloads, Found, HubConfig, Prospect};
use crate::env::Env;
use crate::events::Events;
use crate::inference::{ChildEngines, Engines, FakeEngines, Inference};
use crate::keys::{Keys, Secrets, Sensitive};
use crate::models::Models;
use crate::monitor::{Monitor, Sensors};
use crate::paths::Paths;
use crate::providers::Providers;
use crate::server::ServerView;
use crate::settings::{SettingChange, SettingsStore};

/// Must be the first call of every executable: runs the engine when this process was started as its child.
pub fn run_worker_if_asked() -> Option<ExitCode> {
    engine::worker::run_if_asked()
}

/// How an [`App`] is opened.
pub struct Options {
    pub paths: Paths,
    pub engines: Arc<dyn Engines>,
}

impl Options {
    /// The real thing, as the environment says.
    pub fn from_env(env: &Env) -> Result<Self> {
        let engines: Arc<dyn Engines> = if env.fake_engine {
            Arc::new(FakeEngines { in_child: true })
        } else {
            Arc::new(ChildEngines)
        };
        Ok(Self {
            paths: Paths::find(env)?,
            engines,
        })
    }
}

/// The program without its doors.
pub struct App {
    paths: Paths,
    events: Events,
    settings: Arc<SettingsStore>,
    models: Arc<Models>,
    inference: Arc<Inference>,
    chats: OnceLock<Result<Arc<Chats>>>,
    keys: Arc<OnceLock<Arc<Keys>>>,
    downloads: OnceLock<Arc<Downloads>>,
    monitor: OnceLock<Arc<Monitor>>,
    server: Arc<ServerView>,
    providers: Arc<Providers>,
}

impl App {
    /// Opens settings and models; chats are opened by [`App::open_chats`], because a command that only asks a question must
    /// not touch the database of a running app. Never fails: the window must open whatever is on the disk. Must be called inside a
    /// tokio runtime.
    pub fn open(options: Options) -> Arc<Self> {
        let events = Events::default();
        let settings = Arc::new(SettingsStore::open(&options.paths, events.clone()));
        let models = Arc::new(Models::new(&options.paths));
        let inference = Arc::new(Inference::new(
            models.clone(),
            options.engines,
            &hardware::read(),
            events.clone(),
        ));
        inference.follow(&settings);
        let (keys, server) = (Arc::default(), Arc::new(ServerView::new(events.clone())));
        let providers = Providers::new(settings.clone(), Arc::clone(&keys), Arc::clone(&server));
        let providers = Arc::new(providers);
        inference.reach(Arc::clone(&providers));
        Arc::new(Self {
            server,
            providers,
            paths: options.paths,
            events,
            settings,
            models,
            inference,
            chats: OnceLock::new(),
            keys,
            downloads: OnceLock::new(),
            monitor: OnceLock::new(),
        })
    }

    /// Opens the chats; the result is what [`App::chats`] gives from then on. Blocks on the disk.
    pub fn open_chats(&self) -> Result<Arc<Chats>> {
        self.chats
            .get_or_init(|| {
                let opened = Chats::open(
                    &self.paths,
                    self.settings.clone(),
                    self.inference.clone(),
                    self.events.clone(),
                );
                opened.inspect_err(|error| tracing::error!(%error, "chats could not be opened"))
            })
            .clone()
    }

    /// The chats, or why they could not be opened.
    pub fn chats(&self) -> Result<Arc<Chats>> {
        self.chats
            .get()
            .cloned()
            .unwrap_or_else(|| Err(Error::internal("chats were not opened")))
    }

    /// Says where API keys are kept; the first call counts. Reaches for nothing yet.
    pub fn open_keys(&self, secrets: Arc<dyn Secrets>) -> Arc<Keys> {
        let keys = self.keys.get_or_init(|| {
            // Two installations of one user must not share their keys.
            let place = format!("API keys of {}", self.paths.data.display());
            Arc::new(Keys::new(secrets, place, self.settings.clone()))
        });
        keys.clone()
    }

    /// The API keys, or that nobody opened them.
    pub fn keys(&self) -> Result<Arc<Keys>> {
        let keys = self.keys.get().cloned();
        keys.ok_or_else(|| Error::internal("API keys were not opened"))
    }

    /// Says which hub models are fetched from; the first call counts. Fetches nothing yet. Must be called inside a tokio runtime.
    pub fn open_downloads(&self, config: HubConfig) -> Arc<Downloads> {
        let open = || {
            let (models, events) = (Arc::clone(&self.models), self.events.clone());
            let keys = Arc::clone(&self.keys);
            let downloads = Downloads::new(&self.paths, models, events, keys, config);
            let downloads = Arc::new(downloads);
            downloads.obey(&self.settings);
            downloads
        };
        Arc::clone(self.downloads.get_or_init(open))
    }

    /// The downloads, or that nobody opened them.
    pub fn downloads(&self) -> Result<Arc<Downloads>> {
        let downloads = self.downloads.get().cloned();
        downloads.ok_or_else(|| Error::internal("downloads were not opened"))
    }

    /// Begins to watch the machine and to hold the engines back when it must; the first call counts. Must be called inside a tokio
    /// runtime.
    pub fn open_monitor(self: &Arc<Self>, sensors: Sensors) -> Arc<Monitor> {
        let open = || {
            let readings = monitor::readings(sensors, &self.paths);
            Monitor::start(self, readings, monitor::timeline(&self.paths))
        };
        Arc::clone(self.monitor.get_or_init(open))
    }

    /// Like [`App::open_monitor`], for whoever only looks: nothing is kept, and the time line is left to a Hearth that runs.
    pub fn watch(self: &Arc<Self>, sensors: Sensors) -> Arc<Monitor> {
        let open = || Monitor::start(self, monitor::readings(sensors, &self.paths), None);
        Arc::clone(self.monitor.get_or_init(open))
    }

    /// Like [`App::open_monitor`], with readings that come from elsewhere.
    pub fn open_monitor_on(
        self: &Arc<Self>,
        readings: hearth_hardware::sampler::Readings,
    ) -> Arc<Monitor> {
        let open = || Monitor::start(self, Some(readings), monitor::timeline(&self.paths));
        Arc::clone(self.monitor.get_or_init(open))
    }

    /// What watches the machine, or that nobody opened it.
    pub fn monitor(&self) -> Result<Arc<Monitor>> {
        let monitor = self.monitor.get().cloned();
        monitor.ok_or_else(|| Error::internal("the monitor was not opened"))
    }

    /// What the HTTP server does.
    pub fn server(&self) -> &ServerView {
        &self.server
    }

    /// Other programs that run models.
    pub fn providers(&self) -> &Providers {
        &self.providers
    }

    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    pub fn events(&self) -> &Events {
        &self.events
    }

    pub fn settings(&self) -> &Arc<SettingsStore> {
        &self.settings
    }

    pub fn models(&self) -> &Arc<Models> {
        &self.models
    }

    /// From now on tells when a model comes or goes on the disk. `on_trouble` hears, at most once, why that may not be told of all.
    pub fn watch_models(&self, on_trouble: impl FnMut(Error) + Send + Clone + 'static) {
        self.models.watch(&self.events, on_trouble);
    }

    /// Well-known models that could be fetched, the best for this machine first.
    pub async fn suggested_models(&self) -> Result<Vec<models::Suggested>> {
        let (place, room) = (
            self.inference.place().await,
            self.inference.room(None).await,
        );
        let most = self.settings.get().context_tokens;
        models::suggested(&self.paths, place, room, most).await
    }

    /// Looks at a model at the hub before it is fetched; `None` when it is here or on its way.
    pub async fn prospect(&self, wanted: &str) -> Result<Option<Prospect>> {
        let Some(found) = self.downloads()?.find(wanted).await? else {
            return Ok(None);
        };
        let Found {
            header,
            projector_bytes,
            ..
        } = &found;
        let fit = self.inference.fit_header(header, *projector_bytes).await;
        Ok(Some(Prospect {
            title: found.title,
            bytes: found.bytes,
            fit,
        }))
    }

    /// Keeps the token for the hub in the system's key store, or forgets it.
    pub async fn keep_hub_token(&self, token: Option<Sensitive<String>>) -> Result<()> {
        let kept = token.is_some();
        self.downloads()?.keep_token(token).await?;
        // So that the settings can say so without asking the key store, which may ask the user.
        self.settings.set(SettingChange::HubTokenKept(kept)).await?;
        Ok(())
    }

    /// Removes a model of the user, unloading it first, and returns how many bytes that frees.
    pub async fn remove_model(&self, name: &str) -> Result<u64> {
        match self.inference.unload(name).await {
            Err(error) if error.code != Code::NotFound => return Err(error),
            _ => {}
        }
        let (_, freed_bytes) = self.models.remove(name).await?;
        self.events.send(events::AppEvent::ModelsChanged);
        Ok(freed_bytes)
    }

    pub fn inference(&self) -> &Arc<Inference> {
        &self.inference
    }

    /// Begins to load the model that will answer, unless the user does not want that.
    pub async fn preload(&self) {
        let settings = self.settings.get();
        if !settings.preload_model {
            return;
        }
        if let Err(error) = self.inference.prepare(&settings.model).await {
            // Said again, with a button, when the user sends a message.
            tracing::warn!(%error, "the model could not be loaded ahead");
        }
    }

    /// Stores what is being written and ends the engine.
    pub async fn shut_down(&self) {
        if let Some(Ok(chats)) = self.chats.get() {
            chats.shut_down().await;
        }
        if let Some(downloads) = self.downloads.get() {
            downloads.shut_down().await;
        }
        self.inference.shut_down().await;
        if let Some(monitor) = self.monitor.get() {
            monitor.shut_down().await;
        }
    }
}
