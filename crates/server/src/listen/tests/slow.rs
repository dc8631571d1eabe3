//! Clients that send slowly, read slowly or do neither: what they are given, and when they are left.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::wire::{ROUTES, Site, reply};
use crate::limits::Limits;
use crate::testing::{Held, HeldEngines};

/// Short enough for a test, long enough for a machine that has other things to do.
const SHORT: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(20);

async fn open(limits: Limits) -> (Site, HeldEngines) {
    let engines = HeldEngines::default();
    let site = Site::open_with(Arc::new(engines.clone()), limits).await;
    (site, engines)
}

/// A client for whom the system keeps next to nothing.
async fn narrow(site: &Site) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let address = (Ipv4Addr::LOCALHOST, site.running.port());
    socket.connect(address.into()).await.unwrap()
}

/// A stream that nobody reads; what the engine says goes to where it is kept.
async fn unread(site: &Site, engines: &HeldEngines, route: &str) -> (TcpStream, Held) {
    let at = engines.count();
    let mut socket = narrow(site).await;
    let request = site.request(route, "hi", true);
    socket.write_all(request.as_bytes()).await.unwrap();
    let held = engines.number(at).await;
    held.start();
    (socket, held)
}

/// Waits for the server to close; gives what it said before.
async fn closed(mut socket: TcpStream) -> String {
    let mut said = Vec::new();
    let read = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut said));
    // A reset is an end too.
    let _ = read.await.expect("the connection stays open");
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_nothing_loses_connection_work_and_place() {
    let limits = Limits {
        write: SHORT,
        ..Limits::default()
    };
    let (site, engines) = open(limits).await;
    for route in ROUTES {
        let (socket, held) = unread(&site, &engines, route).await;
        for _ in 0..400 {
            held.say(&"word ".repeat(2_000));
        }
        held.cancelled().await;
        site.admitted((0, 0)).await;
        drop(socket);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_late_still_gets_everything_and_holds_no_place_meanwhile() {
    let (site, engines) = open(Limits::default()).await;
    for route in ROUTES {
        let (mut socket, held) = unread(&site, &engines, route).await;
        for number in 0..2_000 {
            held.say(&format!("<{number}>"));
        }
        held.finish();
        // Nothing was read yet, and another may have its place.
        site.admitted((0, 0)).await;
        let mut said = Vec::new();
        let read = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut said));
        read.await.expect("the answer hangs").unwrap();
        let said = String::from_utf8(said).unwrap();
        let mut from = 0;
        for number in 0..2_000 {
            let word = format!("<{number}>");
            from += said[from..].find(&word).expect(&word);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_too_far_ahead_of_its_reader_is_stopped() {
    let (site, engines) = open(Limits::default()).await;
    let (mut socket, held) = unread(&site, &engines, ROUTES[0]).await;
    for _ in 0..300 {
        held.say(&"word ".repeat(2_000));
    }
    for _ in 0..40_000 {
        held.say("a");
    }
    held.cancelled().await;
    site.admitted((0, 0)).await;
    let mut said = String::new();
    let read = tokio::time::timeout(PATIENCE, socket.read_to_string(&mut said));
    read.await.expect("the answer hangs").unwrap();
    assert!(said.contains("client_too_slow") && said.contains("[DONE]"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_end_a_head_or_says_nothing_is_left() {
    let limits = Limits {
        head: SHORT,
        ..Limits::default()
    };
    let (site, _) = open(limits).await;
    let silent = site.connect().await;
    let mut half = site.connect().await;
    half.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-")
        .await
        .unwrap();
    let mut kept = site.connect().await;
    let port = site.running.port();
    let request = format!("GET /health HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
    kept.write_all(request.as_bytes()).await.unwrap();
    assert!(closed(kept).await.starts_with("HTTP/1.1 200"));
    closed(silent).await;
    closed(half).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_end_a_body_is_told_and_left() {
    let short_piece = Limits {
        body_piece: SHORT,
        ..Limits::default()
    };
    let short_whole = Limits {
        body: SHORT,
        ..Limits::default()
    };
    for (limits, pause) in [(short_piece, PATIENCE), (short_whole, SHORT / 10)] {
        let (site, engines) = open(limits).await;
        for route in ROUTES {
            let request = site.request(route, &"word ".repeat(1_000), false);
            let mut socket = site.connect().await;
            // A word now and then, and never the end.
            let (head, body) = request.split_at(request.len() - 5_000);
            socket.write_all(head.as_bytes()).await.unwrap();
            let (mut reader, mut writer) = socket.into_split();
            let body = body.to_owned();
            let drip = tokio::spawn(async move {
                for byte in body.as_bytes() {
                    tokio::time::sleep(pause).await;
                    if writer.write_all(&[*byte]).await.is_err() {
                        return;
                    }
                }
            });
            let mut said = String::new();
            let read = tokio::time::timeout(PATIENCE, reader.read_to_string(&mut said));
            let _ = read.await.expect("the connection stays open");
            drip.abort();
            assert!(said.starts_with("HTTP/1.1 408"), "{said}");
            assert!(said.contains("did not come in time"), "{said}");
        }
        assert_eq!(engines.count(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_too_many_waits_until_another_ends() {
    let limits = Limits {
        connections: 20,
        ..Limits::default()
    };
    let (site, engines) = open(limits).await;
    let mut places = Vec::new();
    for _ in 0..limits.connections {
        places.push(site.connect().await);
    }
    let mut late = site.connect().await;
    let port = site.running.port();
    let request =
        format!("GET /health HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n");
    late.write_all(request.as_bytes()).await.unwrap();
    let answered = tokio::time::timeout(SHORT, late.readable()).await;
    assert!(answered.is_err(), "there is one connection too many");
    drop(places.pop());
    assert_eq!(reply(late).await.status, 200);
    assert_eq!(engines.count(), 0);
}
