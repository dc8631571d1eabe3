//! Fetching models: which downloads there are, what each does, and what the user wants of it.
//!
//! Every download is owned by one task (`drive`), which holds its job on the disk from the first byte to the last; everybody else
//! gives it orders and looks at it. It must not know HTTP, part files or how a network breaks: that is `hearth_models::download`.

mod drive;
mod error;
mod prospect;
mod speed;
mod turns;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use hearth_models::download::{Cap, Job, JobSummary, Order, STALL, Tools, installed, list};
use hearth_models::hub::{self, Endpoint, Hub, Listing, Wanted, choose};
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) use self::prospect::Found;
pub use self::prospect::Prospect;
use self::turns::Turns;
use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::events::{AppEvent, Events};
use crate::keys::{Keys, Sensitive};
use crate::models::{Models, on_disk};
use crate::paths::Paths;
use crate::settings::{Settings, SettingsStore};

/// Longest token that is kept, in bytes; those of Hugging Face have 37.
const MAX_TOKEN_BYTES: usize = 512;
/// How long the end of the program waits for downloads to put down what they hold.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// What a download does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(
    tag = "type",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum DownloadState {
    /// It waits for its turn.
    Queued,
    /// Reading what an earlier run left.
    Checking,
    Fetching,
    /// Trying again after a while, and why.
    Retrying {
        reason: Error,
        #[cfg_attr(feature = "specta", specta(type = u32))]
        wait_s: u64,
    },
    /// Everything is here; the last checks.
    Verifying,
    /// By order, or because of something that passes. What is here stays.
    Paused {
        reason: Option<Error>,
    },
    /// It cannot go on by itself. What is here stays.
    Failed {
        error: Error,
    },
    Cancelled,
    /// The model is among the others.
    Done {
        model: String,
    },
}

impl DownloadState {
    /// Whether nothing more happens unless somebody wants it.
    pub fn rests(&self) -> bool {
        matches!(
            self,
            Self::Paused { .. } | Self::Failed { .. } | Self::Cancelled | Self::Done { .. }
        )
    }
}

/// A download as views show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct Download {
    pub id: String,
    /// As it was asked for, such as `owner/name:Q4_K_M`.
    pub wanted: String,
    /// Name of the model's files.
    pub title: String,
    /// Hexadecimal sha256 of the first file; absent when it is not known yet.
    pub digest: Option<String>,
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub done_bytes: u64,
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub total_bytes: u64,
    /// Over the last seconds, while it runs.
    #[cfg_attr(feature = "specta", specta(type = Option<u32>))]
    pub bytes_per_second: Option<u64>,
    pub state: DownloadState,
}

impl Download {
    fn of(job: &Job) -> Self {
        Self {
            id: job.id().to_owned(),
            wanted: job.wanted().to_string(),
            title: job.stem().to_owned(),
            digest: job.files().first().map(|file| file.sha256.clone()),
            done_bytes: 0,
            total_bytes: job.total_bytes(),
            bytes_per_second: None,
            state: DownloadState::Queued,
        }
    }
}

/// One that an earlier run left, and nobody took up.
impl From<JobSummary> for Download {
    fn from(job: JobSummary) -> Self {
        Self {
            id: job.id,
            wanted: job.wanted,
            title: job.stem,
            digest: None,
            done_bytes: job.done_bytes,
            total_bytes: job.total_bytes,
            bytes_per_second: None,
            state: DownloadState::Paused { reason: None },
        }
    }
}

/// Which hub is asked, as the environment says.
#[derive(Debug, Clone, Default)]
pub struct HubConfig {
    /// A mirror.
    pub endpoint: Option<String>,
    /// Goes before the one in the key store.
    pub token: Option<Sensitive<String>>,
    /// What is left free on the disk, in bytes, unless it is the usual.
    pub disk_reserve_bytes: Option<u64>,
}

impl HubConfig {
    pub fn from_env(env: &Env) -> Self {
        Self {
            endpoint: env.hub_endpoint.clone(),
            token: env.hub_token.clone(),
            disk_reserve_bytes: env.disk_reserve_bytes,
        }
    }
}

/// What became of a wish.
#[derive(Debug)]
pub enum Pull {
    /// The model is here, under this name.
    Here(String),
    /// It is being fetched.
    Running(Follow),
}

/// The way of one download.
#[derive(Debug)]
pub struct Follow {
    view: watch::Receiver<Download>,
    /// This wish began it.
    pub begun: bool,
}

impl Follow {
    /// What it does now.
    pub fn now(&self) -> Download {
        self.view.borrow().clone()
    }

    /// Waits for the next change; `None` after the last one.
    pub async fn next(&mut self) -> Option<Download> {
        self.view.changed().await.ok()?;
        Some(self.view.borrow_and_update().clone())
    }
}

/// A download that a task drives.
struct Driven {
    orders: watch::Sender<Order>,
    view: watch::Receiver<Download>,
    task: JoinHandle<()>,
}

/// All downloads of one installation.
pub struct Downloads {
    folder: PathBuf,
    models_folder: PathBuf,
    models: Arc<Models>,
    events: Events,
    keys: Arc<OnceLock<Arc<Keys>>>,
    endpoint: Option<String>,
    /// From the environment, or from the key store once the hub wanted one.
    token: Mutex<Option<Sensitive<String>>>,
    /// The token is that of the environment, which goes before every other.
    token_is_given: bool,
    tools: Tools,
    /// What the environment says of it, which goes before the settings.
    reserve_is_given: bool,
    cap: Arc<Cap>,
    turns: Arc<Turns>,
    headers: prospect::Headers,
    driven: Mutex<BTreeMap<String, Driven>>,
    /// The program ends, which is no pause that the user wanted.
    closing: AtomicBool,
}

impl Downloads {
    pub(crate) fn new(
        paths: &Paths,
        models: Arc<Models>,
        events: Events,
        keys: Arc<OnceLock<Arc<Keys>>>,
        config: HubConfig,
    ) -> Self {
        let cap = Arc::new(Cap::default());
        if let Some(bytes) = config.disk_reserve_bytes {
            models.leave_free(bytes);
        }
        let tools = Tools::new(models.room(), Arc::clone(&cap));
        Self {
            folder: paths.downloads(),
            models_folder: paths.models.clone(),
            models,
            events,
            keys,
            endpoint: config.endpoint,
            token_is_given: config.token.is_some(),
            token: Mutex::new(config.token),
            tools,
            reserve_is_given: config.disk_reserve_bytes.is_some(),
            cap,
            turns: Turns::new(1),
            headers: prospect::Headers::default(),
            driven: Mutex::default(),
            closing: AtomicBool::new(false),
        }
    }

    /// Does as the settings say, now and after every change; downloads that run do so too.
    pub(crate) fn obey(self: &Arc<Self>, settings: &SettingsStore) {
        let mut changes = settings.subscribe();
        self.apply(&changes.borrow_and_update());
        let weak = Arc::downgrade(self);
        tokio::spawn(async move {
            while changes.changed().await.is_ok() {
                let Some(downloads) = weak.upgrade() else {
                    return;
                };
                downloads.apply(&changes.borrow_and_update());
            }
        });
    }

    fn apply(&self, settings: &Settings) {
        let megabytes = u64::from(settings.download_limit_mb);
        self.limit((megabytes > 0).then(|| megabytes * 1_000_000));
        self.turns.limit(settings.download_parallel as usize);
        if !self.reserve_is_given {
            let bytes = u64::from(settings.disk_reserve_gb) << 30;
            self.models.leave_free(bytes);
        }
    }

    /// Goes on with what an earlier run left, except what the user paused.
    pub async fn resume_all(self: &Arc<Self>) {
        for job in self.left().await {
            if !job.paused
                && let Err(error) = self.resume(&job.id).await
            {
                tracing::warn!(%error, wanted = %job.wanted, "a download could not be taken up");
            }
        }
    }

    /// Every download that is not done, the running ones first.
    pub async fn list(&self) -> Vec<Download> {
        let mut all: Vec<Download> = {
            let driven = self.driven();
            driven
                .values()
                .map(|one| one.view.borrow().clone())
                .collect()
        };
        let left = self.left().await.into_iter().map(Download::from);
        let others: Vec<_> = left
            .filter(|one| !all.iter().any(|known| known.id == one.id))
            .collect();
        all.extend(others);
        all
    }

    /// Fetches a model by its name at the hub, such as `hf.co/owner/name:Q4_K_M`; a name without a slash is one of a model that is
    /// here, or of none.
    pub async fn pull(self: &Arc<Self>, name: &str) -> Result<Pull> {
        if !is_hub_name(name) {
            return self.models.pulled(name).await.map(Pull::Here);
        }
        let wanted = Wanted::parse(name)?;
        let listing = match self.listing(&wanted).await {
            Ok(listing) => listing,
            Err(error) => {
                // What is here needs no hub.
                let here = self.here(&wanted).await?;
                return here.map(Pull::Here).ok_or(error);
            }
        };
        let model = choose(&listing, &wanted.choice)?;
        if let Some(follow) = self.follow(&Job::id_for(&wanted.repo, &model.stem)) {
            return Ok(Pull::Running(follow));
        }
        let (folder, models_folder) = (self.folder.clone(), self.models_folder.clone());
        let job = on_disk(move || {
            let job = Job::create(&folder, &wanted, &listing.commit, model)?;
            Ok((job.is_done(&models_folder), job))
        });
        let (done, job) = job.await?;
        if let Some(folder) = done {
            drop(job);
            return self.models.name_in(folder).await.map(Pull::Here);
        }
        self.drive(job)
    }

    /// Goes on with a download that rests.
    pub async fn resume(self: &Arc<Self>, id: &str) -> Result<()> {
        if self.order(id, Order::Go) {
            return Ok(());
        }
        let (folder, wanted) = (self.folder.clone(), id.to_owned());
        let job = on_disk(move || Ok(Job::open(&folder, &wanted)?)).await?;
        self.drive(job.ok_or_else(|| none(id))?).map(|_| ())
    }

    /// Stops a download and keeps what is here.
    pub fn pause(&self, id: &str) -> Result<()> {
        if self.order(id, Order::Pause) {
            return Ok(());
        }
        Err(none(id))
    }

    /// Stops a download and removes what is here.
    pub async fn cancel(&self, id: &str) -> Result<()> {
        if self.order(id, Order::Cancel) {
            return Ok(());
        }
        let (folder, id) = (self.folder.clone(), id.to_owned());
        on_disk(move || Ok(Job::remove(&folder, &id)?)).await?;
        self.events.send(AppEvent::DownloadsChanged);
        Ok(())
    }

    /// Bounds what all downloads together fetch in a second, in bytes; `None` is no bound.
    pub fn limit(&self, bytes_per_second: Option<u64>) {
        self.cap.set(bytes_per_second);
    }

    /// Lets every download put down what it holds.
    pub(crate) async fn shut_down(&self) {
        self.closing.store(true, Ordering::SeqCst);
        let driven = std::mem::take(&mut *self.driven());
        for one in driven.values() {
            one.orders.send_replace(Order::Pause);
        }
        let ended = async {
            for one in driven.into_values() {
                let mut view = one.view;
                // A task that ended took its end of the view along.
                let _ = view.wait_for(|download| download.state.rests()).await;
                one.task.abort();
                // What it held is free for the next who opens it.
                let _ = one.task.await;
            }
        };
        if tokio::time::timeout(CLOSE_LIMIT, ended).await.is_err() {
            tracing::warn!("a download did not end in time; it goes on from what is on the disk");
        }
    }

    /// The way of a download that is driven; one that rests goes on.
    fn follow(&self, id: &str) -> Option<Follow> {
        let driven = self.driven();
        let one = driven.get(id)?;
        if one.view.borrow().state.rests() {
            one.orders.send_replace(Order::Go);
        }
        let mut view = one.view.clone();
        view.mark_changed();
        Some(Follow { view, begun: false })
    }

    fn drive(self: &Arc<Self>, job: Job) -> Result<Pull> {
        if self.closing.load(Ordering::SeqCst) {
            return Err(Error::new(Code::Busy, "Hearth is ending."));
        }
        let (orders, ordered) = watch::channel(Order::Go);
        let (told, mut view) = watch::channel(Download::of(&job));
        let id = job.id().to_owned();
        let mut driven = self.driven();
        let task = tokio::spawn(drive::drive(Arc::clone(self), job, ordered, told));
        let one = Driven {
            orders,
            view: view.clone(),
            task,
        };
        driven.insert(id, one);
        drop(driven);
        view.mark_changed();
        Ok(Pull::Running(Follow { view, begun: true }))
    }

    fn order(&self, id: &str, order: Order) -> bool {
        let driven = self.driven();
        driven
            .get(id)
            .is_some_and(|one| one.orders.send(order).is_ok())
    }

    /// What the hub has, asked with a token only after it wanted one.
    async fn listing(&self, wanted: &Wanted) -> Result<Listing> {
        let (repo, revision) = (&wanted.repo, &wanted.revision);
        let ask = |hub: Hub| async move { list(&hub, repo, revision, &self.tools).await };
        self.asking(ask).await
    }

    /// Asks the hub, and with a token only after it wanted one.
    async fn asking<T, F>(&self, ask: impl Fn(Hub) -> F) -> Result<T>
    where
        F: Future<Output = hub::Result<T>>,
    {
        match ask(self.hub()?).await {
            Err(error) if wants_token(&error) && self.learn_token().await => {
                Ok(ask(self.hub()?).await?)
            }
            asked => Ok(asked?),
        }
    }

    /// Keeps a token for the hub in the key store, or forgets the one that is there. One of the environment stays in force.
    pub(crate) async fn keep_token(&self, token: Option<Sensitive<String>>) -> Result<()> {
        if let Some(token) = &token {
            check_token(token.expose().trim())?;
        }
        let keys = self.keys.get();
        let keys = keys.ok_or_else(|| Error::internal("API keys were not opened"))?;
        keys.keep_for_hub(token).await?;
        if !self.token_is_given {
            // It is taken out of the key store when the hub wants it the next time.
            *self.known_token() = None;
        }
        Ok(())
    }

    fn hub(&self) -> Result<Hub> {
        let endpoint = Endpoint::new(self.endpoint.as_deref())?;
        let token = self.known_token();
        let token = token.as_ref().map(|token| token.expose().as_str());
        Ok(Hub::new(endpoint, token, STALL)?)
    }

    /// Takes the token out of the key store; whether there is one that was not known. Only now, so that people without one are never
    /// asked to unlock anything. A key store that cannot be read has none: what the hub said is the more useful message then.
    async fn learn_token(&self) -> bool {
        let (None, Some(keys)) = (self.known_token().clone(), self.keys.get()) else {
            return false;
        };
        let token = keys.of_hub().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the token for the hub could not be read");
            None
        });
        let learnt = token.is_some();
        *self.known_token() = token;
        learnt
    }

    fn known_token(&self) -> MutexGuard<'_, Option<Sensitive<String>>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of a model that was fetched before, without asking the hub.
    pub async fn fetched(&self, name: &str) -> Result<Option<String>> {
        self.here(&Wanted::parse(name)?).await
    }

    async fn here(&self, wanted: &Wanted) -> Result<Option<String>> {
        let (models_folder, wanted) = (self.models_folder.clone(), wanted.clone());
        let found = on_disk(move || Ok(installed(&models_folder, &wanted))).await?;
        match found {
            Some(origin) => self.models.name_in(origin.folder).await.map(Some),
            None => Ok(None),
        }
    }

    async fn left(&self) -> Vec<JobSummary> {
        let folder = self.folder.clone();
        let left = tokio::task::spawn_blocking(move || Job::all(&folder));
        left.await.unwrap_or_default()
    }

    fn driven(&self) -> MutexGuard<'_, BTreeMap<String, Driven>> {
        self.driven.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a name is one of the hub rather than of a model that is here: those have no slash.
pub fn is_hub_name(name: &str) -> bool {
    name.contains('/')
}

fn wants_token(error: &hub::Error) -> bool {
    matches!(error, hub::Error::SignIn { .. } | hub::Error::Gated { .. })
}

/// The token itself is in no message.
fn check_token(token: &str) -> Result<()> {
    let printable = token.bytes().all(|byte| byte.is_ascii_graphic());
    if printable && (1..=MAX_TOKEN_BYTES).contains(&token.len()) {
        return Ok(());
    }
    let message = format!("A token has 1 to {MAX_TOKEN_BYTES} printable characters.");
    Err(Error::new(Code::InvalidInput, message).hint("Copy it again from your account."))
}

fn none(id: &str) -> Error {
    Error::new(Code::NotFound, format!("There is no download `{id}`."))
}

#[cfg(test)]
mod tests;
