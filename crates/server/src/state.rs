//! What every handler can reach.

use std::sync::Arc;

use hearth_app::App;

use crate::limits::Limits;
use crate::metrics::Metrics;

/// What every handler can reach. A clone refers to the same.
#[derive(Clone)]
pub struct ServerState {
    pub(crate) app: Arc<App>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) limits: Limits,
}

impl ServerState {
    /// With the limits that hold for strangers.
    pub fn new(app: Arc<App>) -> Self {
        Self::with(app, Limits::default())
    }

    pub(crate) fn with(app: Arc<App>, limits: Limits) -> Self {
        Self {
            app,
            metrics: Arc::default(),
            limits,
        }
    }
}
