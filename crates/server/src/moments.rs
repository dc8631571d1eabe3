//! What the machine and the engines do, second by second: what `hearth monitor` shows.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use futures_util::{StreamExt, stream};
use hearth_app::timeline::Moment;
use hearth_app::{App, Code, Error};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use utoipa::{OpenApi, ToSchema};

use crate::listen::Closing;
use crate::loaded::ErrorBody;
use crate::sse;

/// The description of these routes.
#[derive(OpenApi)]
#[openapi(paths(now, follow))]
pub(crate) struct Description;

pub(crate) fn routes(app: Arc<App>) -> Router {
    Router::new()
        .route("/hearth/v1/moment", get(now))
        .route("/hearth/v1/moments", get(follow))
        .with_state(app)
}

/// A moment, as the app writes it. Only described here.
#[derive(ToSchema)]
#[schema(as = hearth::Moment, rename_all = "camelCase")]
#[allow(dead_code)] // Never made: it says what the app's own type looks like, which must not know HTTP.
struct Described {
    /// What the sensors said; null is what could not be read.
    #[schema(value_type = Object)]
    reading: Value,
    /// What the engines did in the second before.
    #[schema(value_type = Object)]
    work: Value,
    /// Which limits hold, and why.
    #[schema(value_type = Object)]
    decision: Value,
}

/// The newest moment; there is one a second.
#[utoipa::path(get, path = "/hearth/v1/moment", tag = "hearth", operation_id = "moment",
    responses((status = 200, description = "The newest moment", body = Described), (status = "4XX", description = "Why not", body = ErrorBody), (status = "5XX", description = "Why not", body = ErrorBody)))]
async fn now(State(app): State<Arc<App>>) -> Response {
    match app.monitor() {
        Ok(monitor) => Json(Moment::clone(&monitor.now())).into_response(),
        Err(_) => refused(),
    }
}

/// Every moment from now on, as server-sent events; has no end.
#[utoipa::path(get, path = "/hearth/v1/moments", tag = "hearth", operation_id = "moments",
    responses((status = 200, description = "A moment a second", body = String, content_type = "text/event-stream"), (status = "4XX", description = "Why not", body = ErrorBody), (status = "5XX", description = "Why not", body = ErrorBody)))]
async fn follow(State(app): State<Arc<App>>, closing: Option<Extension<Closing>>) -> Response {
    let Ok(monitor) = app.monitor() else {
        return refused();
    };
    let moments = monitor.subscribe();
    // The app must not be kept alive by whoever watches it, so only the channel goes along; it ends with the app. A server that stops does
    // not wait for whoever watches.
    let closing = closing.map_or_else(CancellationToken::new, |Extension(closing)| closing.0);
    let frames = stream::unfold(moments, |mut moments| async move {
        moments.changed().await.ok()?;
        let moment = Arc::clone(&moments.borrow_and_update());
        Some((Bytes::from(sse::data(&*moment)), moments))
    });
    sse::events(frames.take_until(closing.cancelled_owned()))
}

fn refused() -> Response {
    let error = Error::new(Code::Unsupported, "This Hearth does not watch the machine.")
        .hint("Its log file says why the sensors could not be started.");
    (StatusCode::SERVICE_UNAVAILABLE, Json(ErrorBody { error })).into_response()
}
