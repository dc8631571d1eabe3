//! What every handler can reach.

use std::sync::Arc;

use hearth_app::App;

use crate::metrics::Metrics;

/// Largest body of a request in bytes, unless the settings say otherwise: pictures come inside the JSON.
const BODY_LIMIT_BYTES: usize = 32 << 20;

/// What every handler can reach. A clone refers to the same.
#[derive(Clone)]
pub struct ServerState {
    pub(crate) app: Arc<App>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) body_limit_bytes: usize,
}

impl ServerState {
    pub fn new(app: Arc<App>) -> Self {
        Self {
            app,
            metrics: Arc::default(),
            body_limit_bytes: BODY_LIMIT_BYTES,
        }
    }
}
