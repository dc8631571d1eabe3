//! Requests that only load a model or let it go: those without a prompt.

use std::time::Instant;

use axum::Json;
use axum::response::{IntoResponse, Response};
use hearth_app::Code;
use hearth_app::engine::{self, Event, Priority, Request};
use hearth_app::inference::KeepAlive;

use super::keep_alive::is_zero;
use super::lines::{Form, Heading};
use crate::refusal::Refusal;
use crate::sse;
use crate::state::ServerState;

/// What both ways of asking have beside the request itself.
pub(super) struct Wish<'r> {
    pub(super) form: Form,
    /// As the client wrote it.
    pub(super) shown: &'r str,
    pub(super) keep_alive: Option<KeepAlive>,
    pub(super) stream: bool,
}

/// Loads the model and waits for it, or unloads it when it is to be kept for no time.
/// `model` is its name here.
pub(super) async fn load(
    state: &ServerState,
    wish: Wish<'_>,
    model: String,
) -> Result<Response, Refusal> {
    let asked = Instant::now();
    let reason = if is_zero(wish.keep_alive) {
        unload(state, &model).await?;
        "unload"
    } else {
        touch(state, model, wish.keep_alive).await?;
        "load"
    };
    let answer = Heading::new(wish.form, wish.shown, asked).bare(reason);
    Ok(if wish.stream {
        let line = sse::line(&answer);
        sse::lines(futures_util::stream::iter([line]))
    } else {
        Json(answer).into_response()
    })
}

/// Reading a prompt of one blank is the least that shows that a model works, and sets how long it is kept. It is no answer, so it is
/// not counted as one.
async fn touch(
    state: &ServerState,
    model: String,
    keep_alive: Option<KeepAlive>,
) -> Result<(), Refusal> {
    let request = Request {
        read_ahead: true,
        priority: Priority::Api,
        ..Request::text(" ")
    };
    let inference = state.app.inference();
    let started = match keep_alive {
        Some(time) => inference.generate_keeping(&model, request, time).await,
        None => inference.generate(&model, request).await,
    }?;
    let mut events = started.generation.events;
    while let Some(event) = events.recv().await {
        match event {
            Event::Finished(_) => return Ok(()),
            Event::Failed(error) => return Err(error.into()),
            _ => {}
        }
    }
    Err(engine::Error::ShutDown.into())
}

/// A model in use goes when its answer has ended; one that is not loaded is gone already.
async fn unload(state: &ServerState, model: &str) -> Result<(), Refusal> {
    match state.app.inference().unload(model).await {
        Err(error) if error.code == Code::NotFound => Ok(()),
        Err(error) if error.code == Code::Busy => {
            let zero = Some(KeepAlive::For(std::time::Duration::ZERO));
            touch(state, model.to_owned(), zero).await
        }
        done => Ok(done?),
    }
}
