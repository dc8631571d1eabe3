//! Tells views when a model comes or goes on the disk, whoever put it there.
//!
//! It must not know how a system watches folders: that is `hearth_models::watch`.

use std::sync::{Arc, PoisonError};
use std::time::SystemTime;

use hearth_models::watch::{Told, Watch};
use hearth_models::{ModelFile, Source};

use super::Models;
use crate::error::{Code, Error};
use crate::events::{AppEvent, Events};

/// What a list shows of a model; while it is the same, nobody is told anything.
#[derive(Debug, PartialEq)]
pub(super) struct Shown {
    name: String,
    size_bytes: u64,
    modified: Option<SystemTime>,
    is_sound: bool,
    places: Vec<Source>,
}

impl Models {
    /// Watches every folder of models until the program ends; `events` hears when their list is another, and `on_trouble`, at most once,
    /// why some changes are only seen when a list is read.
    pub(crate) fn watch(
        &self,
        events: &Events,
        mut on_trouble: impl FnMut(Error) + Send + Clone + 'static,
    ) {
        let (library, events) = (Arc::clone(&self.library), events.clone());
        let mut say = on_trouble.clone();
        let mut last: Option<Vec<Shown>> = None;
        let given = Arc::clone(&self.given);
        let tell = move |told| match told {
            Told::Changed => {
                let now = Some(shown(&library.list().models));
                // A view may have read the list in the middle of a burst: it holds what was neither before nor is now.
                let is_other =
                    now != last || now != *given.lock().unwrap_or_else(PoisonError::into_inner);
                if is_other {
                    last = now;
                    events.send(AppEvent::ModelsChanged);
                }
            }
            Told::Limit => say(limit()),
        };
        match Watch::start(self.library.stores(), tell) {
            Ok(watch) => {
                *self.watch.lock().unwrap_or_else(PoisonError::into_inner) = Some(watch);
            }
            Err(error) => {
                tracing::warn!(%error, "folders of models are not watched");
                on_trouble(limit());
            }
        }
    }

    /// The folders to look into are others than before.
    pub(super) fn watch_others(&self) {
        let watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watch) = &*watch {
            watch.set(self.library.stores());
        }
    }
}

pub(super) fn shown(models: &[ModelFile]) -> Vec<Shown> {
    let shown = models.iter().map(|model| Shown {
        is_sound: model.header.is_ok(),
        name: model.name.clone(),
        size_bytes: model.size_bytes,
        modified: model.modified,
        places: model.places.clone(),
    });
    shown.collect()
}

fn limit() -> Error {
    Error::new(
        Code::Unsupported,
        "This system watches no more folders for Hearth, so a model that another program adds may not show at once.",
    )
    .hint("Open the Models screen to look again; on Linux, fs.inotify.max_user_watches sets the limit.")
}
