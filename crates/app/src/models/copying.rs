//! The smaller copy that is being made for the window: one at a time, because each takes the whole machine.
//!
//! Its state lives here, not in a view, so that a window that is closed and opened again finds it. It must not know how a copy is made.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::task::AbortHandle;

use super::Models;
use super::smaller::{CopyMade, CopyPreview, CopyWish, Stage};
use crate::error::{Code, Error, Result};
use crate::events::{AppEvent, Events};

/// What is being done for a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum CopyStage {
    Starting,
    Importance,
    Convert,
    MeasureSource,
    MeasureCopy,
}

impl From<Stage> for CopyStage {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Importance => Self::Importance,
            Stage::Convert => Self::Convert,
            Stage::MeasureSource => Self::MeasureSource,
            Stage::MeasureCopy => Self::MeasureCopy,
        }
    }
}

/// A copy that is being made, or the last one that was.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct Copying {
    /// Name of the original.
    pub model: String,
    pub preview: CopyPreview,
    pub stage: CopyStage,
    /// `done` of `total` pieces of this stage; both 0 before the first.
    pub done: u32,
    pub total: u32,
    /// One of them is there when it is over.
    pub made: Option<CopyMade>,
    pub error: Option<Error>,
}

impl Copying {
    fn is_over(&self) -> bool {
        self.made.is_some() || self.error.is_some()
    }
}

/// What [`Models`] keeps of it.
#[derive(Default)]
pub(super) struct Copies {
    now: Mutex<Option<Copying>>,
    task: Mutex<Option<AbortHandle>>,
}

impl Copies {
    fn now(&self) -> MutexGuard<'_, Option<Copying>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn task(&self) -> MutexGuard<'_, Option<AbortHandle>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Copying)) {
        if let Some(now) = self.now().as_mut() {
            change(now);
        }
    }

    fn running(&self) -> Option<Error> {
        let now = self.now();
        let running = now.as_ref().filter(|copying| !copying.is_over())?;
        let message = format!("A copy of `{}` is being made.", running.model);
        Some(Error::new(Code::Busy, message).hint("Wait until it is done, or cancel it."))
    }
}

impl Models {
    /// The copy that is being made, or the last one until it is dismissed.
    pub fn copying(&self) -> Option<Copying> {
        self.copies.now().clone()
    }

    /// Begins a copy and comes back when it is known that it can be made; `events` hears of the new model.
    ///
    /// # Errors
    /// Those of [`Models::make_copy`] that show at the beginning, and [`Code::Busy`] while another one is being made.
    pub async fn start_copy(self: &Arc<Self>, wish: CopyWish, events: &Events) -> Result<()> {
        if let Some(busy) = self.copies.running() {
            return Err(busy);
        }
        let preview = self.preview_copy(&wish).await?;
        if let Some(busy) = self.copies.running() {
            return Err(busy);
        }
        *self.copies.now() = Some(Copying {
            model: wish.model.clone(),
            preview,
            stage: CopyStage::Starting,
            done: 0,
            total: 0,
            made: None,
            error: None,
        });
        let (models, events) = (Arc::clone(self), events.clone());
        let task = tokio::spawn(async move {
            let made = models.make_copy(&wish, |stage, done, total| {
                models.copies.change(|now| {
                    (now.stage, now.done, now.total) = (stage.into(), done, total);
                });
            });
            let made = made.await;
            models.copies.change(|now| match made {
                Ok(made) => now.made = Some(made),
                Err(error) => now.error = Some(error),
            });
            events.send(AppEvent::ModelsChanged);
        });
        *self.copies.task() = Some(task.abort_handle());
        Ok(())
    }

    /// Gives up the copy that is being made, or forgets the one that is over.
    pub fn end_copy(&self) {
        if let Some(task) = self.copies.task().take() {
            task.abort();
        }
        *self.copies.now() = None;
    }
}
