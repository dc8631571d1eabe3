//! The log of requests that the user sees: who asked which route, what became of it, how long it took, how many tokens it was.
//! Nothing of what was asked or answered.
//!
//! The record of a request is at hand wherever its handler runs ([`Trace::current`]), so that no handler has to pass it on.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use hearth_app::App;
use hearth_app::engine::Summary;
use hearth_app::server::RequestEntry;
use hyper::body::{Frame, SizeHint};

use crate::gate::Connection;

/// Longest path in the log, in characters.
const MAX_PATH: usize = 200;
/// Longest name of a client in the log, in characters.
const MAX_CLIENT: usize = 60;
/// Why an answer has no end: its client did not wait for it.
const GONE: &str = "cancelled";

/// Why a request was refused, in the extensions of its response. Words of ours only.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reason(pub(crate) &'static str);

tokio::task_local! {
    static CURRENT: Trace;
}

/// The record of one request. Clones write to the same one.
#[derive(Clone)]
pub(crate) struct Trace {
    start: Instant,
    entry: Arc<Mutex<RequestEntry>>,
}

impl Trace {
    fn new(entry: RequestEntry) -> Self {
        Self {
            start: Instant::now(),
            entry: Arc::new(Mutex::new(entry)),
        }
    }

    /// That of the request that is being handled; outside of one, what is written to it is lost.
    pub(crate) fn current() -> Self {
        let current = CURRENT.try_with(Clone::clone);
        current.unwrap_or_else(|_| Self::new(RequestEntry::default()))
    }

    /// Runs work for the same request.
    pub(crate) async fn follow<T>(&self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self.clone(), work).await
    }

    /// A model answers from here on.
    pub(crate) fn began(&self, model: &str) {
        let mut entry = self.lock();
        entry.model = Some(model.to_owned());
        // Until its end is seen.
        entry.reason = Some(GONE.to_owned());
    }

    /// A piece of the answer came.
    pub(crate) fn piece(&self) {
        let elapsed = self.start.elapsed().as_millis();
        let mut entry = self.lock();
        if entry.ttft_ms.is_none() {
            entry.ttft_ms = u32::try_from(elapsed).ok();
        }
    }

    /// An answer came to its end; a request may ask for several.
    pub(crate) fn answered(&self, summary: &Summary) {
        let mut entry = self.lock();
        entry.prompt_tokens = Some(summary.prompt_tokens);
        entry.tokens = Some(entry.tokens.unwrap_or_default() + summary.tokens);
        entry.reason = None;
    }

    /// A model read texts, for vectors or scores.
    pub(crate) fn read(&self, model: &str, tokens: u64) {
        let mut entry = self.lock();
        entry.model = Some(model.to_owned());
        entry.prompt_tokens = u32::try_from(tokens).ok();
    }

    /// An answer failed after its status was sent.
    pub(crate) fn broke_off(&self, code: &'static str) {
        self.lock().reason = Some(code.to_owned());
    }

    fn lock(&self) -> MutexGuard<'_, RequestEntry> {
        self.entry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The layer outside of everything, so that refused requests are seen too.
pub(crate) async fn log(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let trace = Trace::new(entry(&request));
    // From here on, so that a client that does not wait for the answer is seen too.
    let end = OnEnd {
        app,
        trace: trace.clone(),
    };
    let response = trace.follow(next.run(request)).await;
    {
        let mut entry = trace.lock();
        entry.status = Some(response.status().as_u16());
        if let Some(Reason(reason)) = response.extensions().get() {
            entry.reason = Some((*reason).to_owned());
        }
    }
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

fn entry(request: &Request) -> RequestEntry {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let peer = request.extensions().get::<Connection>();
    let peer = peer.map(|connection| connection.peer.ip().to_canonical());
    RequestEntry {
        at_ms: now.map_or(0, |time| time.as_millis() as i64),
        method: request.method().as_str().chars().take(20).collect(),
        path: request.uri().path().chars().take(MAX_PATH).collect(),
        client: client(request.headers()),
        remote: peer.filter(|ip| !ip.is_loopback()).map(|ip| ip.to_string()),
        ..RequestEntry::default()
    }
}

/// The origin of a page, or the first product that the program names (RFC 9110, section 10.1.5); comments may say too much.
fn client(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name)?.to_str().ok();
    let product = || text(header::USER_AGENT)?.split_whitespace().next();
    let name = text(header::ORIGIN).or_else(product)?;
    let shown: String = name
        .chars()
        .filter(char::is_ascii_graphic)
        .take(MAX_CLIENT)
        .collect();
    (!shown.is_empty()).then_some(shown)
}

struct OnEnd {
    app: Arc<App>,
    trace: Trace,
}

impl Drop for OnEnd {
    fn drop(&mut self) {
        let mut entry = std::mem::take(&mut *self.trace.lock());
        entry.took_ms = self.trace.start.elapsed().as_millis() as u64;
        if entry.status.is_none() {
            entry.reason = Some(GONE.to_owned());
        }
        self.app.server().log(entry);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{TestServer, text_of};

    /// The only entry of the log.
    fn only(server: &TestServer) -> RequestEntry {
        let mut entries = server.app.server().requests_after(0);
        assert_eq!(entries.len(), 1, "{entries:?}");
        entries.remove(0)
    }

    fn chat(text: &str, stream: bool) -> String {
        let messages = json!([{ "role": "user", "content": text }]);
        json!({ "model": "starter", "stream": stream, "messages": messages }).to_string()
    }

    #[tokio::test]
    async fn an_answer_is_logged_with_its_figures_and_without_its_words() {
        for (path, stream) in [
            ("/v1/chat/completions", false),
            ("/v1/chat/completions", true),
            ("/api/chat", false),
            ("/api/chat", true),
        ] {
            let server = TestServer::start();
            let response = server.send("POST", path, chat("!say canary", stream)).await;
            text_of(response).await;
            let entry = only(&server);
            assert_eq!((entry.status, &entry.reason), (Some(200), &None));
            assert_eq!(entry.model.as_deref(), Some("starter"));
            assert_eq!((entry.tokens, entry.path.as_str()), (Some(6), path));
            assert!(entry.prompt_tokens > Some(0) && entry.ttft_ms.is_some());
            assert!(!format!("{entry:?}").contains("canary"));
        }
    }

    #[tokio::test]
    async fn several_answers_of_one_stream_are_counted_together() {
        let server = TestServer::start();
        let messages = json!([{ "role": "user", "content": "!say abc" }]);
        let body = json!({ "model": "starter", "stream": true, "n": 3, "messages": messages });
        server.stream("/v1/chat/completions", &body).await;
        assert_eq!(only(&server).tokens, Some(9));
    }

    #[tokio::test]
    async fn vectors_are_logged_with_what_was_read() {
        let server = TestServer::start();
        let body = json!({ "model": "embedder", "input": "some words" });
        server.post("/v1/embeddings", &body).await;
        let entry = only(&server);
        assert_eq!(entry.model.as_deref(), Some("embedder"));
        assert!(entry.prompt_tokens > Some(0) && entry.tokens.is_none());
    }

    #[tokio::test]
    async fn why_a_request_was_refused_is_in_our_words() {
        let server = TestServer::start();
        let body = json!({ "model": "canary", "messages": [{ "role": "user", "content": "x" }] });
        server.post("/v1/chat/completions", &body).await;
        let entry = only(&server);
        assert_eq!((entry.status, entry.model), (Some(404), None));
        assert_eq!(entry.reason.as_deref(), Some("model_missing"));
    }

    #[tokio::test]
    async fn a_client_that_goes_away_is_seen() {
        let server = TestServer::start();
        let body = chat("!slow 20 one two three four", true);
        let response = server.send("POST", "/v1/chat/completions", body).await;
        drop(response);
        let entry = only(&server);
        assert_eq!(entry.reason.as_deref(), Some(GONE));

        let server = TestServer::start();
        let body = chat("!slow 20 one two three four", false);
        let whole = server.send("POST", "/v1/chat/completions", body);
        let limit = std::time::Duration::from_millis(60);
        assert!(tokio::time::timeout(limit, whole).await.is_err());
        let entry = only(&server);
        assert_eq!((entry.status, entry.reason.as_deref()), (None, Some(GONE)));
    }

    #[test]
    fn a_client_is_the_page_or_the_first_product() {
        let named = |pairs: &[(&'static str, &str)]| {
            let pairs = pairs.iter();
            client(
                &pairs
                    .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                    .collect(),
            )
        };
        let agent = "ollama-python/0.6.0 (x86_64 linux) Python/3.11.2";
        assert_eq!(
            named(&[("user-agent", agent)]).unwrap(),
            "ollama-python/0.6.0"
        );
        let page = ("origin", "https://app.example");
        let browser = ("user-agent", "Mozilla/5.0 (X11)");
        assert_eq!(named(&[browser, page]).unwrap(), "https://app.example");
        assert_eq!(named(&[("user-agent", " ")]), None);
        assert_eq!(
            named(&[("user-agent", &"x".repeat(500))]).unwrap().len(),
            MAX_CLIENT
        );
        assert_eq!(named(&[]), None);
    }
}
