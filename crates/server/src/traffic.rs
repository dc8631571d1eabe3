//! The log of requests that the user sees: what came, what became of it, how long it took. Nothing of what was asked or answered.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use hearth_app::App;
use hearth_app::server::RequestEntry;
use hyper::body::{Frame, SizeHint};

/// Longest path in the log, in characters.
const MAX_PATH: usize = 200;

/// A handler puts it into the extensions of its response to have the model in the log.
#[derive(Debug, Clone)]
pub(crate) struct AnsweredBy(pub(crate) String);

/// The layer outside of everything, so that refused requests are seen too.
pub(crate) async fn log(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let at_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_millis() as i64);
    let method = request.method().as_str().chars().take(20).collect();
    let path = request.uri().path().chars().take(MAX_PATH).collect();
    let response = next.run(request).await;
    let model = response.extensions().get::<AnsweredBy>();
    let entry = RequestEntry {
        id: 0,
        at_ms,
        method,
        path,
        status: response.status().as_u16(),
        took_ms: 0,
        model: model.map(|model| model.0.clone()),
    };
    let end = OnEnd {
        app,
        start,
        entry: Some(entry),
    };
    response.map(|body| Body::new(Seen { body, _end: end }))
}

/// A body whose end is logged: it is dropped after its last byte, or when the client is gone. Its length stays known, so that a
/// short answer is sent in one piece.
struct Seen {
    body: Body,
    _end: OnEnd,
}

impl HttpBody for Seen {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

struct OnEnd {
    app: Arc<App>,
    start: Instant,
    entry: Option<RequestEntry>,
}

impl Drop for OnEnd {
    fn drop(&mut self) {
        if let Some(mut entry) = self.entry.take() {
            entry.took_ms = self.start.elapsed().as_millis() as u64;
            self.app.server().log(entry);
        }
    }
}
