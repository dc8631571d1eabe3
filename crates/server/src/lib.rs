//! The HTTP door: routes behind one gate. A handler parses, calls the app and maps; it must not know how an answer is made.
//!
//! What the dialects share is in [`body`], [`answer`], [`refusal`], [`failure`] and [`sse`]; each has a folder of its own beside them.

mod answer;
mod anthropic;
mod body;
mod caching;
mod description;
mod failure;
mod gate;
mod insight;
mod lenient;
mod limits;
mod listen;
mod lm_studio;
mod loaded;
mod metrics;
mod moments;
mod ollama;
mod openai;
mod picture;
#[cfg(test)]
mod recorded;
mod refusal;
mod routes;
mod sse;
mod state;
#[cfg(test)]
mod testing;
mod tokens;
mod traffic;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use hearth_app::App;
use tower_http::timeout::RequestBodyTimeoutLayer;

use self::limits::Limits;
pub use self::listen::{Follow, Running, Server, port_taken};
pub use self::state::ServerState;

/// All routes behind the gate for programs on this machine, without keys. `port` is where the caller listens; the gate accepts no
/// other.
pub fn router(app: Arc<App>, port: u16) -> Router {
    router_behind(app, gate::Gate::new(port), Limits::default())
}

/// All routes behind this gate, and the log before it.
fn router_behind(app: Arc<App>, gate: gate::Gate, limits: Limits) -> Router {
    routes::routes(ServerState::with(Arc::clone(&app), limits))
        .merge(loaded::routes(Arc::clone(&app)))
        .merge(moments::routes(Arc::clone(&app)))
        .layer(RequestBodyTimeoutLayer::new(limits.body_piece))
        .layer(middleware::from_fn_with_state(gate, gate::check))
        .layer(middleware::from_fn_with_state(app, traffic::log))
}
