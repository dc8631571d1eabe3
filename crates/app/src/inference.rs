//! Which model answers, and what it does now. Every door (window, command, HTTP) joins here.

mod engines;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use hearth_engine::{Engine, Generation, LoadSpec, Request, State};
use serde::Serialize;

pub use self::engines::{ChildEngines, Engines, FakeEngines};
use crate::error::{Error, Result};
use crate::models::Models;

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

/// The loaded model and the way to load another.
pub struct Inference {
    models: Arc<Models>,
    engines: Arc<dyn Engines>,
    loaded: Mutex<Option<Loaded>>,
    decode_threads: u32,
}

#[derive(Clone)]
struct Loaded {
    model: String,
    engine: Arc<dyn Engine>,
}

/// A generation, the model that does it and a way to see that model load.
pub struct Started {
    pub model: String,
    pub state: tokio::sync::watch::Receiver<State>,
    pub generation: Generation,
}

impl Inference {
    pub(crate) fn new(models: Arc<Models>, engines: Arc<dyn Engines>, decode_threads: u32) -> Self {
        Self {
            models,
            engines,
            loaded: Mutex::new(None),
            decode_threads,
        }
    }

    /// Starts a generation on the named model, loading it when needed.
    pub async fn generate(&self, model: &str, request: Request) -> Result<Started> {
        let loaded = self.load(model).await?;
        Ok(Started {
            state: loaded.engine.state(),
            generation: loaded.engine.generate(request),
            model: loaded.model,
        })
    }

    /// Begins to load a model, so that the first answer need not wait for it.
    pub async fn prepare(&self, model: &str) -> Result<()> {
        self.load(model).await.map(|_| ())
    }

    async fn load(&self, name: &str) -> Result<Loaded> {
        if let Some(loaded) = self
            .current()
            .filter(|l| l.model == name && !is_over(&l.engine))
        {
            return Ok(loaded);
        }
        // Nothing reaches the engine that has not been validated.
        let file = self.models.find_for_chat(name).await?;
        let mut slot = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody else may have loaded it meanwhile.
        if let Some(loaded) = slot
            .as_ref()
            .filter(|l| l.model == file.name && !is_over(&l.engine))
        {
            return Ok(loaded.clone());
        }
        if let Some(old) = slot.take() {
            old.engine.shut_down();
        }
        let engine = self.start(&file.path)?;
        let loaded = Loaded {
            model: file.name,
            engine,
        };
        *slot = Some(loaded.clone());
        Ok(loaded)
    }

    fn start(&self, path: &Path) -> Result<Arc<dyn Engine>> {
        let mut spec = LoadSpec::new(path);
        spec.threads = Some(self.decode_threads);
        self.engines.start(spec).map_err(|e| {
            hearth_engine::Error::Spawn {
                reason: e.to_string(),
            }
            .into()
        })
    }

    /// What the loaded engine reports now.
    pub fn state(&self) -> EngineState {
        let Some(Loaded { model, engine }) = self.current() else {
            return EngineState::Unloaded;
        };
        let state = engine.state().borrow().clone();
        match state {
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

    fn current(&self) -> Option<Loaded> {
        self.loaded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Ends the engine and waits until its process is gone.
    pub(crate) async fn shut_down(&self) {
        let loaded = self
            .loaded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(loaded) = loaded {
            let mut state = loaded.engine.state();
            loaded.engine.shut_down();
            let ended = state.wait_for(|s| matches!(s, State::ShutDown));
            if tokio::time::timeout(std::time::Duration::from_secs(4), ended)
                .await
                .is_err()
            {
                tracing::warn!("the engine did not end in time");
            }
        }
    }
}

fn is_over(engine: &Arc<dyn Engine>) -> bool {
    matches!(&*engine.state().borrow(), State::ShutDown)
}
