//! The HTTP door: routes behind one gate. It parses, calls the app and maps; it must not know how an answer is made.
//!
//! So far it has health and the model list; no program listens with it yet.

mod gate;
mod routes;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use hearth_app::App;

/// All routes behind the gate. `port` is where the caller listens; the gate accepts no other.
pub fn router(app: Arc<App>, port: u16) -> Router {
    routes::routes(app).layer(middleware::from_fn_with_state(
        gate::Gate::new(port),
        gate::check,
    ))
}
