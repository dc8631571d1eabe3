//! The HTTP door: routes behind one gate. A handler parses, calls the app and maps; it must not know how an answer is made.
//!
//! What the dialects share is in [`body`], [`answer`], [`refusal`] and [`sse`]; each has a folder of its own beside them.

mod answer;
mod anthropic;
mod body;
mod caching;
mod gate;
mod insight;
mod lenient;
mod lm_studio;
mod metrics;
mod ollama;
mod openai;
mod picture;
mod refusal;
mod routes;
mod sse;
mod state;
#[cfg(test)]
mod testing;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use hearth_app::App;

pub use self::state::ServerState;

/// All routes behind the gate. `port` is where the caller listens; the gate accepts no other.
pub fn router(app: Arc<App>, port: u16) -> Router {
    routes::routes(ServerState::new(app)).layer(middleware::from_fn_with_state(
        gate::Gate::new(port),
        gate::check,
    ))
}
