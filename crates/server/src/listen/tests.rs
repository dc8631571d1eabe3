//! The server on real sockets of this machine, with the fake engine.

use std::path::Path;

use hearth_app::Options;
use hearth_app::inference::FakeEngines;
use hearth_app::keys::{MemorySecrets, Scope, Secrets};
use hearth_app::monitor::Sensors;
use hearth_app::paths::Paths;
use hearth_app::server::ServerFile;
use hearth_app::settings::SettingChange;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

mod admission;
mod hangup;
mod slow;
mod wire;

fn app_with(secrets: Arc<dyn Secrets>) -> (Arc<App>, tempfile::TempDir) {
    let home = tempfile::tempdir().unwrap();
    (app_at(home.path(), secrets), home)
}

fn app_at(home: &Path, secrets: Arc<dyn Secrets>) -> Arc<App> {
    let app = App::open(Options {
        paths: Paths::under(home),
        engines: Arc::new(FakeEngines { in_child: false }),
    });
    app.open_keys(secrets);
    app
}

fn app() -> (Arc<App>, tempfile::TempDir) {
    app_with(Arc::<MemorySecrets>::default())
}

fn config(port: u16) -> ServerConfig {
    ServerConfig {
        on: true,
        port,
        extra_port: None,
        lan: false,
        needs_key: false,
        origins: vec!["https://app.example".into()],
        hosts: Vec::new(),
    }
}

/// Head and body of the answer to a request with these further header lines.
async fn ask(address: &str, request: &str, more: &str) -> String {
    let address = address.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let text = format!("{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{more}\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn it_answers_on_both_loopback_addresses_until_it_is_stopped() {
    let (app, _home) = app();
    let running = Server::start(app.clone(), &config(0)).await.unwrap();
    let status = running.status().clone();
    assert_eq!(status.addresses.len(), 2, "{status:?}");
    assert_eq!((status.notice, running.port() > 0), (None, true));
    for address in &status.addresses {
        let answer = ask(address, "GET /health", "").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let file = app.paths().server_file();
    let text = std::fs::read(&file).unwrap();
    let found: ServerFile = serde_json::from_slice(&text).unwrap();
    assert_eq!(
        (found.port, found.pid),
        (running.port(), std::process::id())
    );
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    // A client that says nothing must not hold it up.
    let _silent = TcpStream::connect(("127.0.0.1", running.port()))
        .await
        .unwrap();
    tokio::time::timeout(Duration::from_secs(10), running.stop())
        .await
        .unwrap();
    assert!(!file.exists());
    let address = status.addresses[0].trim_start_matches("http://");
    assert!(TcpStream::connect(address).await.is_err());
}

/// The stream of moments has no end of its own; the limit on answers that go on would be several seconds.
#[tokio::test]
async fn who_watches_does_not_hold_up_a_stop() {
    let (app, _home) = app();
    app.open_monitor(Sensors::Machine);
    let running = Server::start(app.clone(), &config(0)).await.unwrap();
    let address = running.status().addresses[0].clone();
    let token = app.keys().unwrap().new_token().unwrap();
    let let_in = format!("Authorization: Bearer {token}\r\n");
    let watching =
        tokio::spawn(async move { ask(&address, "GET /hearth/v1/moments", &let_in).await });
    tokio::time::sleep(Duration::from_millis(2500)).await;
    tokio::time::timeout(Duration::from_secs(2), running.stop())
        .await
        .unwrap();
    let seen = watching.await.unwrap();
    assert!(
        seen.starts_with("HTTP/1.1 200") && seen.contains("\"reading\""),
        "{seen}"
    );
}

#[tokio::test]
async fn a_taken_port_is_explained_and_the_next_one_used() {
    let (app, _home) = app();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let running = Server::start(app, &config(port)).await.unwrap();
    let notice = running.status().notice.clone().unwrap();
    assert!(running.port() > port && running.port() <= port + 20);
    let us = format!("Port {port} is taken by ");
    assert!(notice.starts_with(&us), "{notice}");
    assert!(notice.contains(&std::process::id().to_string()), "{notice}");
    running.stop().await;
}

#[tokio::test]
async fn the_second_port_is_served_too_and_a_taken_one_costs_only_itself() {
    let (app, _home) = app();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let extra = free.local_addr().unwrap().port();
    let mut wanted = config(0);
    wanted.extra_port = Some(extra);
    let running = Server::start(app.clone(), &wanted).await.unwrap();
    assert_eq!(running.status().extra_port, None);
    assert!(
        running
            .status()
            .notice
            .clone()
            .unwrap()
            .contains("is taken")
    );
    running.stop().await;
    drop(free);
    let running = Server::start(app, &wanted).await.unwrap();
    assert_eq!(running.status().extra_port, Some(extra));
    let answer = ask(&format!("127.0.0.1:{extra}"), "GET /health", "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    running.stop().await;
}

#[tokio::test]
async fn the_local_network_needs_a_key_and_keys_need_a_key_store() {
    let (app, _home) = app();
    let mut lan = config(0);
    lan.lan = true;
    let error = Server::start(app.clone(), &lan).await.err().unwrap();
    assert!(error.message.contains("API key"), "{error}");

    let keys = app.keys().unwrap();
    let key = keys.create("phone", vec![Scope::Inference]).await.unwrap();
    let running = Server::start(app.clone(), &lan).await.unwrap();
    let own = &running.status().addresses[0];
    let answer = ask(own, "GET /v1/models", "").await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let header = format!("Authorization: Bearer {}\r\n", key.secret);
    let answer = ask(own, "GET /v1/models", &header).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // Over the machine's own address in the network, where there is one.
    for address in &running.status().lan_addresses {
        let answer = ask(address, "GET /v1/models", &header).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    running.stop().await;

    let (locked, _home) = app_with(Arc::new(MemorySecrets::missing()));
    let mut keyed = config(0);
    keyed.needs_key = true;
    let error = Server::start(locked, &keyed).await.err().unwrap();
    assert!(error.message.contains("key store"), "{error}");
}

#[tokio::test]
async fn a_listed_page_is_answered_and_any_other_is_not() {
    let (app, _home) = app();
    let running = Server::start(app.clone(), &config(0)).await.unwrap();
    let own = running.status().addresses[0].clone();
    let preflight = "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-a\r\n\
                     Access-Control-Request-Private-Network: true\r\n";
    let listed = format!("Origin: https://app.example\r\n{preflight}");
    let answer = ask(&own, "OPTIONS /v1/models", &listed)
        .await
        .to_lowercase();
    assert!(answer.starts_with("http/1.1 204"), "{answer}");
    for line in [
        "access-control-allow-origin: https://app.example",
        "access-control-allow-private-network: true",
        "access-control-allow-headers: x-a",
        "vary: origin",
    ] {
        assert!(answer.contains(line), "{line}\n{answer}");
    }
    let other = format!("Origin: https://evil.example\r\n{preflight}");
    let answer = ask(&own, "OPTIONS /nowhere", &other).await.to_lowercase();
    assert!(answer.starts_with("http/1.1 403"), "{answer}");
    assert!(!answer.contains("access-control"), "{answer}");
    running.stop().await;
    let log = app.server().requests_after(0);
    let seen: Vec<_> = log
        .iter()
        .map(|e| (e.path.as_str(), e.status, e.client.as_deref()))
        .collect();
    assert_eq!(
        seen,
        [
            ("/v1/models", Some(204), Some("https://app.example")),
            ("/nowhere", Some(403), Some("https://evil.example"))
        ]
    );
    assert_eq!(log[0].reason, None);
    let reason = log[1].reason.as_deref();
    assert_eq!(reason, Some("this Origin is not allowed"));
}

#[tokio::test]
async fn it_follows_the_settings() {
    let (app, _home) = app();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = u32::from(free.local_addr().unwrap().port());
    drop(free);
    let settings = app.settings().clone();
    settings.set(SettingChange::ServerPort(port)).await.unwrap();
    let follow = Follow::start(app.clone());
    wait(&app, |s| s.running).await;
    let first = app.server().status();
    let key = app
        .keys()
        .unwrap()
        .create("x", vec![Scope::Inference])
        .await
        .unwrap();
    let asked = async |more: &str| ask(&first.addresses[0], "GET /v1/models", more).await;
    // Keys are asked for from now on, on the same sockets.
    for _ in 0..100 {
        if asked("").await.starts_with("HTTP/1.1 401") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(asked("").await.starts_with("HTTP/1.1 401"));
    let header = format!("x-api-key: {}\r\n", key.secret);
    assert!(asked(&header).await.starts_with("HTTP/1.1 200"));
    settings.set(SettingChange::Server(false)).await.unwrap();
    wait(&app, |s| !s.running).await;
    settings.set(SettingChange::Server(true)).await.unwrap();
    wait(&app, |s| s.running).await;
    follow.stop().await;
    assert!(!app.server().status().running);
}

#[tokio::test]
async fn without_its_key_store_it_stays_closed_and_opens_when_that_is_back() {
    let secrets: Arc<MemorySecrets> = Arc::default();
    let (before, home) = app_with(secrets.clone());
    let keys = before.keys().unwrap();
    let key = keys.create("x", vec![Scope::Inference]).await.unwrap();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let wanted = SettingChange::ServerPort(u32::from(port));
    before.settings().set(wanted).await.unwrap();

    // Started again, and the key store is not there.
    secrets.set_missing(true);
    let app = app_at(home.path(), secrets.clone());
    let follow = Follow::start_with(app.clone(), Duration::from_millis(10));
    wait(&app, |s| s.notice.is_some()).await;
    let status = app.server().status();
    assert!(!status.running && status.addresses.is_empty(), "{status:?}");
    let notice = status.notice.unwrap();
    for words in ["key store cannot be used", "Unlock it", "tries again"] {
        assert!(notice.contains(words), "{notice}");
    }
    // It keeps closed as long as that lasts.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());

    secrets.set_missing(false);
    wait(&app, |s| s.running && s.notice.is_none()).await;
    let address = app.server().status().addresses[0].clone();
    let answer = ask(&address, "GET /v1/models", "").await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let header = format!("x-api-key: {}\r\n", key.secret);
    let answer = ask(&address, "GET /v1/models", &header).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    follow.stop().await;
}

async fn wait(app: &App, until: impl Fn(&ServerStatus) -> bool) {
    for _ in 0..500 {
        if until(&app.server().status()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{:?}", app.server().status());
}

#[tokio::test]
async fn a_head_that_never_ends_or_is_too_long_is_not_kept() {
    let (app, _home) = app();
    let running = Server::start(app, &config(0)).await.unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", running.port()))
        .await
        .unwrap();
    let long = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nX: {}",
        "a".repeat(1 << 20)
    );
    // The server may close before all is written.
    let _ = stream.write_all(long.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
        "{answer}"
    );
    running.stop().await;
}
