//! The way to a running Hearth: its server, found by the file it leaves in the data folder.
//!
//! A dozen lines over hyper, which the server brings anyway: there is one host, no TLS, no redirect and no proxy.

use std::time::Duration;

use hearth_app::paths::Paths;
use hearth_app::server::ServerFile;
use hearth_app::{Code, Error, Result};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// A server on this machine answers `/health` at once or is not there.
const PROBE_LIMIT: Duration = Duration::from_millis(500);
/// Longest answer that is read as a whole, in bytes.
const MAX_ANSWER_BYTES: usize = 4 << 20;

/// A server that answered.
pub(crate) struct Client {
    file: ServerFile,
}

impl Client {
    /// The running server of this installation, if one answers.
    pub(crate) async fn find(paths: &Paths) -> Option<Self> {
        let text = tokio::fs::read(paths.server_file()).await.ok()?;
        let file = serde_json::from_slice(&text).ok()?;
        let client = Self { file };
        let asked = client.send("GET", "/health", None);
        let answer = tokio::time::timeout(PROBE_LIMIT, asked).await.ok()?.ok()?;
        (answer.status() == StatusCode::OK).then_some(client)
    }

    /// Like [`Client::find`], for a command that is of no use without a server.
    pub(crate) async fn need(paths: &Paths) -> Result<Self> {
        Self::find(paths).await.ok_or_else(|| {
            Error::new(Code::EngineUnavailable, "Hearth is not running.")
                .hint("Open the app with its server on, or start `hearth serve`.")
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.file.port
    }

    /// Sends a request; the body of the answer is still to come.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response<Incoming>> {
        let port = self.file.port;
        let stream = TcpStream::connect(("127.0.0.1", port))
            .await
            .map_err(unreachable)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(unreachable)?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to the server broke off");
            }
        });
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, format!("127.0.0.1:{port}"))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.file.token))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(Error::internal)?;
        sender.send_request(request).await.map_err(unreachable)
    }

    /// Sends a request and reads the whole answer as JSON; an empty one is null.
    pub(crate) async fn ask(&self, method: &str, path: &str) -> Result<Value> {
        let answer = self.send(method, path, None).await?;
        let status = answer.status();
        let value = read(answer).await?;
        if status.is_success() {
            Ok(value)
        } else {
            Err(error_of(status, &value))
        }
    }
}

/// The whole body as JSON.
pub(crate) async fn read(answer: Response<Incoming>) -> Result<Value> {
    let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES);
    let body = body.collect().await.map_err(unreachable)?.to_bytes();
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&body).map_err(unreachable)
}

/// What the server said was wrong.
pub(crate) fn error_of(status: StatusCode, answer: &Value) -> Error {
    let text = |name: &str| answer["error"][name].as_str();
    // Some dialects have one text only, and lines of them the code beside it.
    let said = answer["error"].as_str().or_else(|| text("message"));
    let code = text("code").or_else(|| answer["code"].as_str());
    let code = match code.map(Code::from_name) {
        Some(code) if code != Code::Internal => code,
        _ => match status {
            StatusCode::NOT_FOUND => Code::NotFound,
            StatusCode::BAD_REQUEST => Code::InvalidInput,
            StatusCode::TOO_MANY_REQUESTS => Code::Busy,
            StatusCode::FORBIDDEN => Code::Refused,
            StatusCode::BAD_GATEWAY => Code::Network,
            _ => Code::Internal,
        },
    };
    let message = said.map_or_else(
        || format!("The server answered with status {status}."),
        str::to_owned,
    );
    let error = Error::new(code, message);
    match text("hint") {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn unreachable(error: impl std::fmt::Display) -> Error {
    Error::new(
        Code::EngineUnavailable,
        format!("The running Hearth could not be asked: {error}."),
    )
    .hint("Try again; if it stays, start Hearth again.")
}
