//! Requests that only load a model or let it go: those without a prompt.

use std::time::Instant;

use axum::Json;
use axum::response::{IntoResponse, Response};
use hearth_app::Code;
use hearth_app::engine::Request;
use hearth_app::inference::KeepAlive;

use super::DIALECT;
use super::keep_alive::is_zero;
use super::lines::{Form, Heading};
use crate::answer::{Ask, begin};
use crate::refusal::Refusal;
use crate::sse;
use crate::state::ServerState;

/// Who asks for which model, and how the answer is to look.
pub(super) struct Wish<'r> {
    pub(super) form: Form,
    /// As the client wrote it.
    pub(super) shown: &'r str,
    /// As Hearth names it.
    pub(super) model: String,
    pub(super) keep_alive: Option<KeepAlive>,
    pub(super) stream: bool,
}

/// Loads the model and waits for it, or unloads it when it is to be kept for no time.
pub(super) async fn load(state: &ServerState, wish: Wish<'_>) -> Result<Response, Refusal> {
    let asked = Instant::now();
    let reason = if is_zero(wish.keep_alive) {
        unload(state, &wish.model).await?;
        "unload"
    } else {
        touch(state, wish.model, wish.keep_alive).await?;
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

/// Reading a prompt of one blank is the least that shows that a model works, and sets how long it is kept.
async fn touch(
    state: &ServerState,
    model: String,
    keep_alive: Option<KeepAlive>,
) -> Result<(), Refusal> {
    let request = Request {
        read_ahead: true,
        ..Request::text(" ")
    };
    let ask = Ask {
        dialect: DIALECT,
        model,
        request,
        keep_alive,
        // The model itself is wanted, not what it would say.
        caching: false,
    };
    begin(state, ask).await?.whole().await?;
    Ok(())
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
