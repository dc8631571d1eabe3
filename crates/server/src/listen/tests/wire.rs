//! A client on a bare socket, because the tests of this folder do what no library lets them do: stall, break off, say half.

use std::sync::Arc;
use std::time::Duration;

use hearth_app::App;
use hearth_app::inference::Engines;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::{Running, Server};
use super::config;
use crate::limits::Limits;
use crate::testing::TestServer;

/// A server on a real socket with models.
pub(super) struct Site {
    pub(super) server: TestServer,
    pub(super) running: Running,
}

/// The routes that answer a message, one of each dialect.
pub(super) const ROUTES: [&str; 3] = ["/v1/chat/completions", "/api/chat", "/v1/messages"];

/// An answer that has come whole.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) retry_after: Option<u64>,
    pub(super) body: String,
}

impl Site {
    pub(super) async fn open(engines: Arc<dyn Engines>) -> Self {
        Self::open_with(engines, Limits::default()).await
    }

    pub(super) async fn open_with(engines: Arc<dyn Engines>, limits: Limits) -> Self {
        let server = TestServer::start_on(engines);
        let any_port = config(0);
        let running = Server::start_with(server.app.clone(), &any_port, limits);
        let running = running.await.unwrap();
        Self { server, running }
    }

    pub(super) fn app(&self) -> &App {
        &self.server.app
    }

    pub(super) async fn connect(&self) -> TcpStream {
        let address = ("127.0.0.1", self.running.port());
        TcpStream::connect(address).await.unwrap()
    }

    /// Sends a message and leaves the answer to be read.
    pub(super) async fn send(&self, route: &str, text: &str, stream: bool) -> TcpStream {
        let mut socket = self.connect().await;
        let request = self.request(route, text, stream);
        socket.write_all(request.as_bytes()).await.unwrap();
        socket
    }

    /// A whole request, after whose answer the server closes.
    pub(super) fn request(&self, route: &str, text: &str, stream: bool) -> String {
        let body = message(text, stream).to_string();
        let (port, length) = (self.running.port(), body.len());
        format!(
            "POST {route} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    }

    /// Sends a message and waits for all of the answer.
    pub(super) async fn ask(&self, route: &str, text: &str) -> Reply {
        reply(self.send(route, text, false).await).await
    }

    /// Until so many run and so many wait.
    pub(super) async fn admitted(&self, expected: (u32, u32)) {
        let mut found = (0, 0);
        for _ in 0..1_000 {
            found = self.app().inference().admitted();
            if found == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{found:?} instead of {expected:?}");
    }

    /// Until nobody uses the model: the registry hears of an end a moment after the admission.
    pub(super) async fn unused(&self) {
        let mut active = 0;
        for _ in 0..1_000 {
            active = self.app().inference().loaded()[0].active_requests;
            if active == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{active} requests still use the model");
    }
}

/// A body that all three dialects take.
fn message(text: &str, stream: bool) -> Value {
    json!({
        "model": "starter",
        "messages": [{ "role": "user", "content": text }],
        "max_tokens": 4000,
        "stream": stream,
    })
}

/// Reads until the server closes.
pub(super) async fn reply(mut socket: TcpStream) -> Reply {
    let mut text = String::new();
    let read = tokio::time::timeout(Duration::from_secs(60), socket.read_to_string(&mut text));
    read.await.expect("an answer hangs").unwrap();
    let (head, body) = text.split_once("\r\n\r\n").expect("no whole head");
    let field = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(field, _)| field.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.to_owned())
    };
    Reply {
        status: head[9..12].parse().unwrap(),
        retry_after: field("retry-after").map(|value| value.parse().unwrap()),
        body: body.to_owned(),
    }
}
