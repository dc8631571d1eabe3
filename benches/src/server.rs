//! What HTTP and the streams cost, and what a good client feels of bad ones: the server in a process of its own with an engine that
//! computes nothing, a client on bare sockets in this one.
//!
//! The cost of a token is all that the server's process spends: dialect, events, sockets, the engine's events and the app's path
//! too, but not the client. Both share the machine, so rates and delays hold for both together.

mod client;
mod paced;
pub(crate) mod process;

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use self::client::{Client, request};
use self::process::{PARALLEL, Process};
use super::report::{Must, Report, median, percentile};

/// Answers at the same time.
const STREAMS: u32 = PARALLEL;
/// Connections that ask for one token after another.
const ASKERS: usize = 32;
const IDLE: usize = 1_000;
const SLOW_SENDERS: usize = 500;
const SLOW_READERS: usize = 100;
/// Requests of a good client in a batch.
const BATCH: usize = 300;
/// Where a message is sent in each dialect.
const ROUTES: [&str; 4] = [
    "/v1/chat/completions",
    "/v1/completions",
    "/api/chat",
    "/v1/messages",
];

/// All of it; `rounds` is about the seconds of each part.
pub(crate) fn measure(report: &mut Report, model: &Path, rounds: usize) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = Process::start(model);
    runtime.block_on(async {
        let mut first = Client::connect(server.port).await;
        first
            .ask(&request(server.port, ROUTES[0], "1 now", false))
            .await;
        tokens(report, &server, rounds).await;
        short_requests(report, &server, rounds).await;
        idle(report, &server).await;
        bad_clients(report, &server, rounds).await;
    });
}

/// Time of the server for a token, and how late a token is.
async fn tokens(report: &mut Report, server: &Process, rounds: usize) {
    let each = (rounds as u32 * 50).max(50);
    for route in ROUTES {
        let before = server.cpu_us();
        let delays = streams(server.port, route, each).await;
        let after = server.cpu_us();
        let (spent, system) = (after.0 - before.0, after.1 - before.1);
        let tokens = f64::from(each * STREAMS);
        assert!(delays.len() as f64 >= tokens, "every token came");
        report.row(
            &format!("server's time for a token, {route}"),
            "µs",
            spent / tokens,
            &Must::AtMost(30.0),
            &format!(
                "{STREAMS} streams of 50 tokens a second, {each} tokens each; the engine's events and {:.1} µs of the system included",
                system / tokens
            ),
        );
        report.row(
            &format!("p99 delay of a token, {route}"),
            "ms",
            percentile(delays, 0.99),
            &Must::AtMost(10.0),
            "from the engine's event to the client's read, in two processes of one machine",
        );
    }
}

/// That many streams at once; the delays of all their tokens.
async fn streams(port: u16, route: &'static str, tokens: u32) -> Vec<f64> {
    let mut open = JoinSet::new();
    for _ in 0..STREAMS {
        open.spawn(async move {
            let mut client = Client::connect(port).await;
            let request = if route == "/v1/completions" {
                prompt(port, tokens)
            } else {
                request(port, route, &tokens.to_string(), true)
            };
            client.follow(&request, tokens as usize).await
        });
    }
    let mut delays = Vec::new();
    while let Some(more) = open.join_next().await {
        delays.extend(more.unwrap());
    }
    delays
}

/// The request of the older kind, which has a prompt instead of messages.
fn prompt(port: u16, tokens: u32) -> Vec<u8> {
    let with_messages = request(port, "/v1/completions", "", true);
    let head = String::from_utf8(with_messages).unwrap();
    let (head, _) = head.split_once("Content-Length").unwrap();
    let body =
        format!(r#"{{"model":"starter","prompt":"{tokens}","max_tokens":10000,"stream":true}}"#);
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// One token, not streamed, on connections that stay.
async fn short_requests(report: &mut Report, server: &Process, rounds: usize) {
    let end = Instant::now() + Duration::from_secs(rounds as u64);
    let (began, before) = (Instant::now(), server.cpu_us().0);
    let mut askers = JoinSet::new();
    for _ in 0..ASKERS {
        let port = server.port;
        askers.spawn(async move {
            let mut client = Client::connect(port).await;
            let request = request(port, ROUTES[0], "1 now", false);
            let mut asked = 0_u32;
            while Instant::now() < end {
                client.ask(&request).await;
                asked += 1;
            }
            asked
        });
    }
    let mut asked = 0;
    while let Some(more) = askers.join_next().await {
        asked += more.unwrap();
    }
    let seconds = began.elapsed().as_secs_f64();
    let each = (server.cpu_us().0 - before) / f64::from(asked);
    report.row(
        "short requests a second",
        "/s",
        f64::from(asked) / seconds,
        &Must::AtLeast(2_000.0),
        &format!("{ASKERS} connections that stay, one token, not streamed; {each:.0} µs of the server each"),
    );
}

/// Many connections that say nothing any more.
async fn idle(report: &mut Report, server: &Process) {
    let before = server.resident_mib();
    let mut open = Vec::new();
    for _ in 0..IDLE {
        let mut client = Client::connect(server.port).await;
        client.health().await;
        open.push(client);
    }
    report.row(
        "memory of idle connections",
        "MiB",
        server.resident_mib() - before,
        &Must::AtMost(64.0),
        &format!("{IDLE} connections, each after a request"),
    );
    let mut times = Vec::new();
    for _ in 0..BATCH {
        let mut client = Client::connect(server.port).await;
        times.push(client.health().await.as_secs_f64() * 1000.0);
    }
    report.row(
        "p99 of /health beside idle connections",
        "ms",
        percentile(times, 0.99),
        &Must::AtMost(100.0),
        "a new connection each time",
    );
}

/// What a good client feels of those who send or read slowly.
async fn bad_clients(report: &mut Report, server: &Process, rounds: usize) {
    let alone = good(server, rounds).await;
    let mut bad = JoinSet::new();
    for number in 0..SLOW_SENDERS {
        bad.spawn(send_slowly(server.port, number));
    }
    for number in 0..SLOW_READERS {
        bad.spawn(read_slowly(server.port, number));
    }
    quiet(server).await;
    let beside = good(server, rounds).await;
    let mut ended = 0;
    while let Some(end) = bad.try_join_next() {
        end.unwrap();
        ended += 1;
    }
    assert_eq!(ended, 0, "bad clients left before the end");
    report.row(
        "p99 of a good client beside bad ones, to alone",
        "×",
        beside / alone,
        &Must::AtMost(2.0),
        &format!("{SLOW_SENDERS} send and {SLOW_READERS} read slowly; {alone:.2} ms alone, {beside:.2} ms beside them"),
    );
}

/// Until all clients have come and the long answers are made: what is measured is bad clients, not much work.
async fn quiet(server: &Process) {
    let second = Duration::from_secs(1);
    tokio::time::sleep(second).await;
    for _ in 0..60 {
        let before = server.cpu_us().0;
        tokio::time::sleep(second).await;
        if server.cpu_us().0 - before < 100_000.0 {
            return;
        }
    }
}

/// The median of the p99 of batches of short requests, in milliseconds.
async fn good(server: &Process, rounds: usize) -> f64 {
    let mut client = Client::connect(server.port).await;
    let request = request(server.port, ROUTES[0], "1 now", false);
    let mut batches = Vec::new();
    for _ in 0..rounds {
        let mut times = Vec::new();
        for _ in 0..BATCH {
            times.push(client.ask(&request).await.as_secs_f64() * 1000.0);
        }
        batches.push(percentile(times, 0.99));
    }
    median(batches.into_iter())
}

/// A byte of the body every second, and never the end.
async fn send_slowly(port: u16, number: usize) {
    let mut socket = later(port, number).await;
    let request = request(port, ROUTES[0], &"a".repeat(10_000), false);
    let (head, body) = request.split_at(request.len() - 9_000);
    socket.write_all(head).await.unwrap();
    for byte in body {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if socket.write_all(&[*byte]).await.is_err() {
            return;
        }
    }
}

/// A long answer, made at once and read a little every second.
async fn read_slowly(port: u16, number: usize) {
    let mut socket = later(port, number).await;
    let request = request(port, ROUTES[0], "4000 now", true);
    socket.write_all(&request).await.unwrap();
    let mut some = [0; 1024];
    while socket.read(&mut some).await.is_ok_and(|read| read > 0) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// A connection for which the system keeps next to nothing; they come one after the other within half a second.
async fn later(port: u16, number: usize) -> TcpStream {
    tokio::time::sleep(Duration::from_millis(number as u64)).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let address = (Ipv4Addr::LOCALHOST, port);
    socket.connect(address.into()).await.unwrap()
}
