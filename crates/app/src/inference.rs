//! Which model answers, and what it does now. Every door (window, command, HTTP) joins here.

mod admission;
mod cache;
mod encode;
mod engines;
mod fitting;
mod held;
mod kv_cache;
mod meter;
mod registry;
mod room;
mod states;
mod tokens;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hearth_engine::{Cancel, Generation, KvType, LoadSpec, Priority, Purpose, Request, State};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::Instant;

pub use self::admission::AdmissionLimits;
use self::admission::{Admission, Cap, Permit};
pub use self::cache::CacheCounts;
use self::cache::{Answers, Caches};
pub use self::encode::Encoded;
pub use self::engines::{ChildEngines, Engines, FakeEngines};
use self::fitting::Memory;
pub use self::held::Held;
use self::held::Translation;
pub(crate) use self::meter::{Counts, Meters};
pub use self::registry::KeepAlive;
use self::registry::{Model, Registry, Row, Work};
use self::room::Space;
use self::states::States;
use crate::error::{Code, Error, Result};
use crate::events::Events;
use crate::hardware::Machine;
use crate::models::{Models, ValidModel};
use crate::providers::Providers;
use crate::settings::{Settings, SettingsStore};

/// How long the engines may take to end with the program.
const SHUT_DOWN_LIMIT: Duration = Duration::from_secs(4);

/// How many look for a model on the disk at the same time. When many ask at once for one that is not loaded, the first few find it
/// and the others find it loading.
const SEARCHES: usize = 2;

/// What the engine does, for the window's status line.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(
    tag = "type",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum EngineState {
    Unloaded,
    /// `progress` is 0 to 1 when known.
    Loading {
        model: String,
        progress: Option<f32>,
    },
    Ready {
        model: String,
        context_tokens: u32,
        offload: String,
    },
    Generating {
        model: String,
        context_tokens: u32,
        offload: String,
    },
    Failed {
        model: String,
        error: Error,
    },
}

/// A model that is loaded, or about to be.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadedModel {
    pub name: String,
    pub state: EngineState,
    /// Estimated memory, in bytes.
    pub bytes: u64,
    /// When it was asked for, in Unix milliseconds.
    pub since_ms: i64,
    /// When it was used last, in Unix milliseconds.
    pub last_used_ms: i64,
    /// When it is unloaded if nobody uses it, in Unix milliseconds; `None` while it is in use, pinned, or kept for ever.
    pub expires_at_ms: Option<i64>,
    pub active_requests: u32,
    pub pinned: bool,
}

/// The loaded models and the way to load another.
pub struct Inference {
    models: Arc<Models>,
    registry: Registry,
    states: States,
    admission: Admission,
    caches: Arc<Caches>,
    /// Who looks for a model on the disk.
    searches: Semaphore,
    decode_threads: u32,
    memory: Memory,
    /// As the settings say.
    kv_type: Arc<Mutex<KvType>>,
    /// Other programs, whose models answer the user but no program that asks us.
    elsewhere: OnceLock<Arc<Providers>>,
    held: Mutex<(Arc<Held>, Translation)>,
}

/// A generation, the model that does it and a way to see that model load. The model counts as in use until the generation is dropped.
pub struct Started {
    pub model: String,
    pub state: tokio::sync::watch::Receiver<State>,
    pub generation: Generation,
}

impl Inference {
    /// Must be called inside a tokio runtime.
    pub(crate) fn new(
        models: Arc<Models>,
        engines: Arc<dyn Engines>,
        machine: &Machine,
        events: Events,
    ) -> Self {
        let memory = Memory::new(machine.clone());
        let space = Space::with_budget(memory.first_budget());
        Self {
            models,
            registry: Registry::start(engines, space, events),
            memory,
            states: States::default(),
            admission: Admission::default(),
            caches: Arc::default(),
            searches: Semaphore::new(SEARCHES),
            kv_type: Arc::default(),
            decode_threads: machine.decode_threads(),
            elsewhere: OnceLock::new(),
            held: Mutex::default(),
        }
    }

    /// From now on models of other programs answer the user too.
    pub(crate) fn reach(&self, providers: Arc<Providers>) {
        let _ = self.elsewhere.set(providers);
    }

    /// Starts a generation on the named model, loading it when needed: which may unload models that nobody uses.
    pub async fn generate(&self, model: &str, request: Request) -> Result<Started> {
        self.start(model, request, None).await
    }

    /// Like [`Inference::generate`], and says how long the model stays loaded from now on.
    pub async fn generate_keeping(
        &self,
        model: &str,
        request: Request,
        keep_alive: KeepAlive,
    ) -> Result<Started> {
        self.start(model, request, Some(keep_alive)).await
    }

    async fn start(
        &self,
        model: &str,
        request: Request,
        keep_alive: Option<KeepAlive>,
    ) -> Result<Started> {
        if request.priority == Priority::Interactive
            && let Some(providers) = self.elsewhere.get()
            && providers.owns(model)
        {
            // Counted like our own, so that its speed stands on the same time line.
            let watch = self.meters().watch_elsewhere(model, &request);
            let mut started = providers.start(model, &request).await?;
            if let Some(watch) = watch {
                started.generation.events = watch.over(started.generation.events);
            }
            return Ok(started);
        }
        // Before the queue, so that a name that does not exist is said at once.
        let model = self.find_to_answer(model, &request).await?;
        let priority = request.priority;
        let work = Work::Generate(Box::new(request));
        self.start_admitted(model, work, priority, keep_alive).await
    }

    /// Starts work once it may: programs wait for each other, the window for nobody.
    async fn start_admitted(
        &self,
        model: Arc<Model>,
        work: Work,
        priority: Priority,
        keep_alive: Option<KeepAlive>,
    ) -> Result<Started> {
        if priority != Priority::Api {
            return self.registry.start_work(model, work, keep_alive).await;
        }
        let permit = self.admission.enter().await?;
        let mut started = self.registry.start_work(model, work, keep_alive).await?;
        started.generation = limited(started.generation, permit, self.admission.limits().timeout);
        Ok(started)
    }

    /// Lets in as many requests of programs, keeps of their results, lets models read and looks for models where the settings say, now
    /// and after each change. Must be called inside a tokio runtime.
    pub(crate) fn follow(&self, settings: &SettingsStore) {
        let mut changes = settings.subscribe();
        let (admission, caches) = (self.admission.clone(), Arc::clone(&self.caches));
        let (models, kv_type) = (Arc::clone(&self.models), Arc::clone(&self.kv_type));
        let unload_idle = self.registry.unloader();
        let apply = move |settings: &Settings| {
            let other_window = models.limit_context(settings.context_tokens);
            if kv_cache::change(&kv_type, settings.kv_cache) || other_window {
                unload_idle();
            }
            models.look_into(&settings.model_folders);
            admission.limit(admission_limits(settings));
            caches.keep(settings.server_keep_answers, settings.server_keep_vectors);
        };
        apply(&changes.borrow_and_update());
        tokio::spawn(async move {
            while changes.changed().await.is_ok() {
                apply(&changes.borrow_and_update());
            }
        });
    }

    /// How many requests of programs run, and how many wait for that.
    pub fn admitted(&self) -> (u32, u32) {
        self.admission.counts()
    }

    /// Like [`Inference::generate`], and an answer that is not left to chance (temperature 0, or a seed) and was given before is given
    /// again without computing it.
    pub async fn generate_once(
        &self,
        model: &str,
        request: Request,
        keep_alive: Option<KeepAlive>,
    ) -> Result<Started> {
        let model = self.find_to_answer(model, &request).await?;
        let key = Answers::key(model.fingerprint.as_deref(), &request);
        let priority = request.priority;
        let Some(key) = key.filter(|_| self.caches.keeps_answers()) else {
            let work = Work::Generate(Box::new(request));
            return self.start_admitted(model, work, priority, keep_alive).await;
        };
        if let Some(generation) = self.caches.answers.play(&key) {
            let loaded = self.row(&model.name).and_then(|row| row.state);
            let unloaded = || tokio::sync::watch::channel(State::ShutDown).1;
            return Ok(Started {
                model: model.name.clone(),
                state: loaded.unwrap_or_else(unloaded),
                generation,
            });
        }
        let work = Work::Generate(Box::new(request));
        let mut started = self
            .start_admitted(model, work, priority, keep_alive)
            .await?;
        started.generation = self.caches.answers.record(key, started.generation);
        Ok(started)
    }

    /// How often answers and vectors (in this order) were found instead of computed.
    pub fn cache_counts(&self) -> (CacheCounts, CacheCounts) {
        (self.caches.answers.counts(), self.caches.vectors.counts())
    }

    /// Starts a generation only if the named model is loaded and ready; `None` when it is not.
    pub async fn generate_if_ready(&self, model: &str, request: Request) -> Option<Started> {
        let row = self.row(model)?;
        self.registry.try_generate(&row.model.name, request).await
    }

    /// Begins to load a model, so that the first answer need not wait for it.
    pub async fn prepare(&self, model: &str) -> Result<()> {
        // Another program's model is loaded by that program, when it is asked.
        if self
            .elsewhere
            .get()
            .is_some_and(|providers| providers.owns(model))
        {
            return Ok(());
        }
        let model = self.find(model).await?;
        self.registry.load(model).await
    }

    /// Unloads a model; refused while it is in use.
    pub async fn unload(&self, model: &str) -> Result<()> {
        self.registry.unload(&self.loaded_name(model)).await
    }

    /// Keeps a loaded model until it is unloaded by name, or lets it go like any other.
    pub async fn pin(&self, model: &str, pinned: bool) -> Result<()> {
        self.registry.pin(&self.loaded_name(model), pinned).await
    }

    /// Keeps to what the governor decided, from now on: engines that run and those that are started later, doors, caches.
    pub(crate) fn hold(&self, held: Held) {
        let mut now = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, translation) = &mut *now;
        self.registry.restrain(translation.of(&held));
        let limits = &held.decision.limits;
        self.admission.cap(Cap {
            parallel: limits.parallel,
            queue: limits.queue,
        });
        if last.decision.limits.keep_idle && !limits.keep_idle {
            self.caches.forget();
        }
        *last = Arc::new(held);
    }

    /// What the governor decided last.
    pub fn held(&self) -> Arc<Held> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&held.0)
    }

    /// What all models that have answered did.
    /// Processor time of each engine that has a process of its own, in milliseconds.
    pub(crate) fn cpu_clocks(&self) -> BTreeMap<u64, u64> {
        let rows = self.registry.rows().into_iter();
        rows.filter_map(|row| Some((row.entry, row.cpu?.load(Ordering::Relaxed))))
            .collect()
    }

    pub(crate) fn meters(&self) -> &Meters {
        self.registry.meters()
    }

    /// Threads with which models are loaded.
    pub(crate) fn decode_threads(&self) -> u32 {
        self.decode_threads
    }

    /// Every model that is loaded, loading or waiting for that, in the order of being asked for.
    pub fn loaded(&self) -> Vec<LoadedModel> {
        let now = (Instant::now(), unix_ms());
        let rows = self.registry.rows();
        rows.iter().map(|row| loaded_model(row, now)).collect()
    }

    /// What the named model does now.
    pub fn state_of(&self, model: &str) -> EngineState {
        self.row(model)
            .map_or(EngineState::Unloaded, |row| engine_state(&row))
    }

    /// What goes on over all models, in one: an answer, a load or a failure if there is any, else the model that was used last.
    pub fn state(&self) -> EngineState {
        let rows = self.registry.rows();
        let states = rows.iter().map(|row| (engine_state(row), row.last_used));
        let importance = |state: &EngineState| match state {
            EngineState::Unloaded => 0,
            EngineState::Ready { .. } => 1,
            EngineState::Failed { .. } => 2,
            EngineState::Loading { .. } => 3,
            EngineState::Generating { .. } => 4,
        };
        states
            .max_by_key(|(state, last_used)| (importance(state), *last_used))
            .map_or(EngineState::Unloaded, |(state, _)| state)
    }

    /// Models are loaded so that they keep what they read of conversations in this folder. For the start, before any is loaded.
    pub(crate) fn begin_keeping_in(&self, folder: PathBuf) {
        self.states.keep_in(Some(folder));
    }

    /// From now on models are loaded so that they keep what they read of conversations in this folder, or nowhere. Models that are
    /// loaded and not in use are unloaded, so that it holds for them too.
    pub(crate) async fn keep_states_in(&self, folder: Option<PathBuf>) {
        if self.states.folder() != folder {
            self.states.keep_in(folder);
            self.registry.unload_all(false).await;
        }
    }

    /// Removes what is kept of all conversations, and returns how many bytes that were. Engines write what they hold when they end, so
    /// they are ended first; those in use only when `also_busy`.
    pub(crate) async fn clear_states(&self, folder: PathBuf, also_busy: bool) -> Result<u64> {
        self.registry.unload_all(also_busy).await;
        on_disk(folder, states::clear).await
    }

    /// Removes what is kept of these conversations.
    pub(crate) async fn forget(&self, folder: PathBuf, conversations: Vec<String>) -> Result<()> {
        let models = self.models.fingerprints().await?;
        on_disk(folder, move |folder| {
            states::forget(folder, &models, &conversations)
        })
        .await
    }

    /// Ends the engines and waits until their processes are gone.
    pub(crate) async fn shut_down(&self) {
        let ended = self.registry.shut_down();
        if tokio::time::timeout(SHUT_DOWN_LIMIT, ended).await.is_err() {
            tracing::warn!("an engine did not end in time");
        }
    }

    /// The row of a model by its name or, as [`Models`] allows, by the beginning of it.
    fn row(&self, model: &str) -> Option<Row> {
        let rows = self.registry.rows();
        let exact = rows.iter().find(|row| row.model.name == model);
        let found = exact.or_else(|| rows.iter().find(|row| row.model.name.starts_with(model)));
        found.filter(|_| !model.is_empty()).cloned()
    }

    fn loaded_name(&self, model: &str) -> String {
        self.row(model)
            .map_or_else(|| model.to_owned(), |row| row.model.name.clone())
    }

    /// A model that can read everything in a request.
    async fn find_to_answer(&self, name: &str, request: &Request) -> Result<Arc<Model>> {
        let model = self.find(name).await?;
        if model.spec.projector.is_none() && request.images().next().is_some() {
            let message = format!("The model `{}` cannot see pictures.", model.name);
            return Err(Error::new(Code::InvalidInput, message)
                .hint("Leave the pictures out, or put the model's vision part (`mmproj-….gguf`) into its folder."));
        }
        Ok(model)
    }

    /// A model that may be given to the engine for chat.
    async fn find(&self, name: &str) -> Result<Arc<Model>> {
        self.find_as(name, Purpose::Generate).await
    }

    fn find_loaded(&self, name: &str, purpose: Purpose) -> Option<Arc<Model>> {
        let rows = self.registry.rows().into_iter();
        let mut fit = rows.filter(|row| {
            row.model.name == name && row.model.spec.purpose == purpose && is_usable(row)
        });
        fit.next().map(|row| row.model)
    }

    /// A model that may be given to the engine. One that is loaded is not looked for on the disk again.
    async fn find_as(&self, name: &str, purpose: Purpose) -> Result<Arc<Model>> {
        if let Some(model) = self.find_loaded(name, purpose) {
            return Ok(model);
        }
        let turn = self.searches.acquire().await;
        let _turn = turn.map_err(Error::internal)?;
        if let Some(model) = self.find_loaded(name, purpose) {
            return Ok(model);
        }
        // Nothing reaches the engine that has not been validated.
        let file = match purpose {
            Purpose::Generate => self.models.find_for_chat(name).await?,
            other => self.models.find_for_encoding(name, other).await?,
        };
        let mut spec = self.spec_of(&file, purpose);
        let fit = self.check_fit(name, &file, &spec).await?;
        let fingerprint = self.models.fingerprint(&file).await?;
        if let Some(folder) = self
            .states
            .folder()
            .filter(|_| purpose == Purpose::Generate)
        {
            spec.state = Some(states::spec(folder, fingerprint.clone()));
        }
        let eyes_bytes = fit.sum.projector;
        Ok(Arc::new(Model {
            bytes: fit.total_bytes,
            // Answers to pictures depend on both files.
            fingerprint: Some(format!("{fingerprint}+{eyes_bytes}")),
            name: file.name,
            spec,
        }))
    }

    /// How a model is loaded; without where its states are kept.
    fn spec_of(&self, file: &ValidModel, purpose: Purpose) -> LoadSpec {
        let mut spec = LoadSpec::new(&file.path);
        spec.purpose = purpose;
        spec.threads = Some(self.decode_threads);
        if purpose == Purpose::Generate {
            spec.context_tokens = Some(file.context_tokens);
            spec.kv_type = self.kv_type_of(&file.header);
            let eyes = file.projector.as_ref();
            spec.projector = eyes.map(|projector| projector.path.clone());
        }
        spec
    }
}

/// The generation keeps its place until nobody holds it any more, or until it ran too long and was stopped.
fn limited(generation: Generation, permit: Permit, timeout: Duration) -> Generation {
    let Generation { events, cancel } = generation;
    let held = Arc::new((cancel, Mutex::new(Some(permit))));
    let weak = Arc::downgrade(&held);
    let late = tokio::spawn(async move {
        tokio::time::sleep(timeout).await;
        if let Some(held) = weak.upgrade() {
            tracing::warn!("a request ran longer than the limit and was stopped");
            held.0.cancel();
            // Whoever does not take the rest must not keep others waiting.
            drop(held.1.lock().map(|mut permit| permit.take()));
        }
    });
    let late = AbortOnDrop(late.abort_handle());
    Generation {
        events,
        cancel: Cancel::new(move || {
            // Named, so that the closure owns it.
            let _ = &late;
            held.0.cancel();
        }),
    }
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn admission_limits(settings: &Settings) -> AdmissionLimits {
    AdmissionLimits {
        parallel: settings.server_parallel,
        queue: settings.server_queue,
        timeout: Duration::from_secs(60 * u64::from(settings.server_timeout_minutes)),
    }
}

async fn on_disk<T: Send + 'static>(
    folder: PathBuf,
    work: impl FnOnce(&Path) -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(move || {
        work(&folder).map_err(|error| {
            let what = folder.display();
            Error::new(
                Code::Storage,
                format!("What is kept of chats in {what} could not be removed: {error}."),
            )
            .hint("Remove the files in that folder yourself.")
        })
    });
    done.await.map_err(Error::internal)?
}

fn is_usable(row: &Row) -> bool {
    let state = row.state.as_ref().map(|state| state.borrow().clone());
    !matches!(state, Some(State::Failed(_) | State::ShutDown))
}

fn engine_state(row: &Row) -> EngineState {
    let model = row.model.name.clone();
    let state = row.state.as_ref().map(|state| state.borrow().clone());
    match state.unwrap_or(State::Loading { progress: None }) {
        State::Loading { progress } => EngineState::Loading { model, progress },
        State::Ready { info, active: 0 } => EngineState::Ready {
            model,
            context_tokens: info.context_tokens,
            offload: info.offload,
        },
        State::Ready { info, .. } => EngineState::Generating {
            model,
            context_tokens: info.context_tokens,
            offload: info.offload,
        },
        State::Failed(error) => EngineState::Failed {
            model,
            error: error.into(),
        },
        State::ShutDown => EngineState::Unloaded,
    }
}

/// `now` by both clocks: the registry counts with the one that never jumps, people read the other.
fn loaded_model(row: &Row, (now, now_ms): (Instant, i64)) -> LoadedModel {
    let past = |at: Instant| now_ms - now.saturating_duration_since(at).as_millis() as i64;
    let future = |at: Instant| now_ms + at.saturating_duration_since(now).as_millis() as i64;
    LoadedModel {
        name: row.model.name.clone(),
        state: engine_state(row),
        bytes: row.model.bytes,
        since_ms: past(row.since),
        last_used_ms: past(row.last_used),
        expires_at_ms: row.expires_at.map(future),
        active_requests: row.active,
        pinned: row.pinned,
    }
}

fn unix_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_millis() as i64)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A generation of one who counts how often it was asked to stop.
    async fn generation(admission: &Admission, timeout: Duration) -> (Generation, Arc<AtomicU32>) {
        let stops: Arc<AtomicU32> = Arc::default();
        let counted = stops.clone();
        let generation = Generation {
            events: tokio::sync::mpsc::unbounded_channel().1.into(),
            cancel: Cancel::new(move || {
                counted.fetch_add(1, Ordering::Relaxed);
            }),
        };
        let permit = admission.enter().await.unwrap();
        (limited(generation, permit, timeout), stops)
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_kept_until_the_generation_is_dropped() {
        let admission = Admission::default();
        let (generation, stops) = generation(&admission, Duration::from_secs(60)).await;
        let other_hand = generation.cancel.clone();
        drop(generation);
        assert_eq!(admission.counts(), (1, 0));
        drop(other_hand);
        assert_eq!(admission.counts(), (0, 0));
        assert!(stops.load(Ordering::Relaxed) > 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_runs_too_long_is_stopped() {
        let admission = Admission::default();
        let (_generation, stops) = generation(&admission, Duration::from_secs(60)).await;
        tokio::time::sleep(Duration::from_secs(59)).await;
        assert_eq!(stops.load(Ordering::Relaxed), 0);
        assert_eq!(admission.counts(), (1, 0));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(stops.load(Ordering::Relaxed), 1);
        // Although nobody has let go of it.
        assert_eq!(admission.counts(), (0, 0));
    }
}
