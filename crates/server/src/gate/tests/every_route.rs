//! What a web page can send, to every route that is described and to some that are not, over the sockets of both listeners: all of it
//! is refused, whatever the method.

use std::sync::Arc;

use axum::http::Method;
use hearth_app::inference::FakeEngines;
use hearth_app::paths::Paths;
use hearth_app::server::ServerConfig;
use hearth_app::{App, Options};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::Server;
use crate::description::description;

const METHODS: [Method; 5] = [
    Method::GET,
    Method::POST,
    Method::OPTIONS,
    Method::HEAD,
    Method::DELETE,
];
/// Paths without a route, one for each dialect and one for none.
const UNKNOWN: [&str; 4] = [
    "/nowhere",
    "/v1/nowhere",
    "/api/nowhere",
    "/hearth/v1/nowhere",
];

/// An attack: its name, the Host (`{port}` is that of the listener), more head lines, and the status.
type Attack = (&'static str, &'static str, &'static str, u16);

const ATTACKS: [Attack; 7] = [
    (
        "another origin",
        "127.0.0.1:{port}",
        "Origin: https://evil.example\r\nContent-Type: application/json\r\n",
        403,
    ),
    (
        "no origin of its own",
        "127.0.0.1:{port}",
        "Origin: null\r\n",
        403,
    ),
    (
        "another site without an origin",
        "127.0.0.1:{port}",
        "Sec-Fetch-Site: cross-site\r\n",
        403,
    ),
    ("a rebound name", "evil.example:{port}", "", 403),
    ("all addresses", "0.0.0.0:{port}", "", 403),
    ("the port of another", "127.0.0.1:9", "", 403),
    (
        "text of a page",
        "127.0.0.1:{port}",
        "Sec-Fetch-Mode: no-cors\r\nContent-Type: text/plain\r\n",
        415,
    ),
];

fn paths() -> Vec<String> {
    let described = serde_json::to_value(description()).unwrap();
    let described = described["paths"].as_object().unwrap();
    let filled = described.keys().map(|path| {
        let path = path
            .replace("{id}", "starter")
            .replace("{model}", "starter");
        path.replace("{digest}", "sha256:00")
    });
    filled.chain(UNKNOWN.map(str::to_owned)).collect()
}

/// Status and body of the answer.
async fn send(port: u16, method: &Method, path: &str, head: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let text = format!(
        "{method} {path} HTTP/1.1\r\n{head}Content-Length: 2\r\nConnection: close\r\n\r\n{{}}"
    );
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.get(9..12).unwrap_or_default().parse();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let allows = head.to_ascii_lowercase().contains("access-control-allow");
    assert!(!allows, "{method} {path}: {head}");
    (status.unwrap(), body.to_owned())
}

#[tokio::test]
async fn what_a_web_page_sends_is_refused_everywhere() {
    let home = tempfile::tempdir().unwrap();
    let app = App::open(Options {
        paths: Paths::under(home.path()),
        engines: Arc::new(FakeEngines { in_child: false }),
    });
    let free = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let extra_port = free.local_addr().unwrap().port();
    drop(free);
    let config = ServerConfig {
        on: true,
        port: 0,
        extra_port: Some(extra_port),
        lan: false,
        needs_key: false,
        origins: vec!["https://app.example".into()],
        hosts: Vec::new(),
    };
    let running = Server::start(app.clone(), &config).await.unwrap();
    assert_eq!(running.status().extra_port, Some(extra_port));
    let mut count = 0;
    for port in [running.port(), extra_port] {
        for path in paths() {
            for method in &METHODS {
                for (name, host, more, expected) in ATTACKS {
                    let host = host.replace("{port}", &port.to_string());
                    let head = format!("Host: {host}\r\n{more}");
                    let (status, body) = send(port, method, &path, &head).await;
                    assert_eq!(status, expected, "{name}: {method} {path} on {port}");
                    if *method != Method::HEAD {
                        // It comes in chunks: the object is between their lengths.
                        let object = body.find('{').zip(body.rfind('}'));
                        let object = object.map_or("", |(from, to)| &body[from..=to]);
                        let body: Value = serde_json::from_str(object).unwrap();
                        assert!(!body["error"].is_null(), "{name}: {method} {path}: {body}");
                    }
                    count += 1;
                }
            }
        }
        // The same without an attack is let in: to be told that there is nothing.
        for path in UNKNOWN {
            let head = format!("Host: 127.0.0.1:{port}\r\n");
            let (status, _) = send(port, &Method::GET, path, &head).await;
            assert_eq!(status, 404, "{path}");
        }
    }
    assert!(count >= 2_000, "{count}");
    running.stop().await;
}
