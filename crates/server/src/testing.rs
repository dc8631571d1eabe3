//! What the tests of this crate share: a server on the fake engine, asked without a socket.

mod held;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use hearth_app::inference::{Engines, FakeEngines};
use hearth_app::paths::Paths;
use hearth_app::{App, Options};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

pub(crate) use self::held::{Held, HeldEngines};

/// A server with the starter model and the embedder, on the fake engine. Ends with it.
pub(crate) struct TestServer {
    pub(crate) app: Arc<App>,
    pub(crate) router: Router,
    pub(crate) home: tempfile::TempDir,
}

/// The port that the gate of [`TestServer`] accepts.
const PORT: u16 = 8100;

impl TestServer {
    pub(crate) fn start() -> Self {
        Self::start_on(Arc::new(FakeEngines { in_child: false }))
    }

    pub(crate) fn start_on(engines: Arc<dyn Engines>) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut paths = Paths::under(home.path());
        paths.bundled = vec![home.path().join("bundled")];
        // The fake engine reads no file, but the library and the validator see the real ones.
        std::fs::create_dir_all(&paths.bundled[0]).unwrap();
        for name in [
            "SmolLM2-135M-Instruct.Q4_1.gguf",
            "all-MiniLM-L6-v2.F16.gguf",
        ] {
            std::os::unix::fs::symlink(model_path(name), paths.bundled[0].join(name)).unwrap();
        }
        let app = App::open(Options { paths, engines });
        let router = crate::router(Arc::clone(&app), PORT);
        Self { app, router, home }
    }

    /// Puts a reranker among the user's models: the embedder, said to give scores.
    pub(crate) fn add_reranker(&self) {
        const KEY: &[u8] = b"bert.pooling_type";
        let mut file = std::fs::read(model_path("all-MiniLM-L6-v2.F16.gguf")).unwrap();
        let at = file.windows(KEY.len()).position(|window| window == KEY);
        // After the key its type (u32), then the value (`LLAMA_POOLING_TYPE_RANK` of llama.cpp).
        let value = at.unwrap() + KEY.len() + 4;
        file[value..value + 4].copy_from_slice(&4_u32.to_le_bytes());
        let folder = self.home.path().join("models");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("reranker.gguf"), file).unwrap();
    }

    /// Puts a model with a vision part among the user's: the starter model and the smallest file that the library takes for one.
    pub(crate) fn add_seeing_model(&self) {
        let folder = self.home.path().join("models/seer");
        std::fs::create_dir_all(&folder).unwrap();
        let starter = model_path("SmolLM2-135M-Instruct.Q4_1.gguf");
        std::os::unix::fs::symlink(starter, folder.join("seer.gguf")).unwrap();
        std::fs::write(folder.join("mmproj.gguf"), projector()).unwrap();
    }

    /// Sends a request and returns the response with its body still to come.
    pub(crate) async fn send(&self, method: &str, path: &str, body: impl Into<Body>) -> Response {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", format!("localhost:{PORT}"))
            .body(body.into())
            .unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        let response = self.send("GET", path, Body::empty()).await;
        let status = response.status();
        (status, value(&text_of(response).await))
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.post_text(path, &body.to_string()).await
    }

    /// A body that need not be JSON.
    pub(crate) async fn post_text(&self, path: &str, body: &str) -> (StatusCode, Value) {
        let response = self.send("POST", path, body.to_owned()).await;
        let status = response.status();
        (status, value(&text_of(response).await))
    }

    /// The whole text of a streamed answer.
    pub(crate) async fn stream(&self, path: &str, body: &Value) -> (StatusCode, String) {
        let response = self.send("POST", path, body.to_string()).await;
        let status = response.status();
        (status, text_of(response).await)
    }
}

pub(crate) async fn text_of(response: Response) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// A GGUF file that says it is a vision part and holds next to nothing: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.
fn projector() -> Vec<u8> {
    fn text(text: &str) -> Vec<u8> {
        [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
    }
    const UINT32: u32 = 4;
    const BOOL: u32 = 7;
    const STRING: u32 = 8;
    let sizes = [
        ("embedding_length", 8_u32),
        ("attention.head_count", 1),
        ("feed_forward_length", 8),
        ("block_count", 1),
        ("projection_dim", 8),
        ("image_size", 8),
        ("patch_size", 8),
    ];
    let mut entries = vec![
        ("general.architecture".to_owned(), STRING, text("clip")),
        ("clip.has_vision_encoder".to_owned(), BOOL, vec![1]),
    ];
    entries.extend(sizes.map(|(name, size)| {
        let bytes = size.to_le_bytes().to_vec();
        (format!("clip.vision.{name}"), UINT32, bytes)
    }));
    let mut file = b"GGUF".to_vec();
    file.extend(3_u32.to_le_bytes());
    file.extend(1_u64.to_le_bytes());
    file.extend((entries.len() as u64).to_le_bytes());
    for (key, kind, value) in entries {
        file.extend(text(&key));
        file.extend(kind.to_le_bytes());
        file.extend(value);
    }
    // One tensor of eight 32-bit floats.
    file.extend(text("v.patch_embd.weight"));
    file.extend(1_u32.to_le_bytes());
    file.extend(8_u64.to_le_bytes());
    file.extend(0_u32.to_le_bytes());
    file.extend(0_u64.to_le_bytes());
    file.resize(file.len().next_multiple_of(32) + 32, 0);
    file
}

/// A model where `make model` puts it: beside the programs, one folder above this test.
fn model_path(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.ancestors().nth(2).unwrap();
    let path = built.join("resources/models").join(name);
    assert!(
        path.exists(),
        "{} is missing; `make model` fetches it",
        path.display()
    );
    path
}
