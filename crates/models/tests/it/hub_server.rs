//! A hub and the host that its files lie on, on two ports of this machine, that do by order what networks do by chance.
//!
//! The hub answers as Hugging Face does: a list with sizes and hashes, and for a file a redirect to the other host. Every request for a
//! file takes the next fault from that repository's queue.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hearth_models::hub::{Endpoint, Hub};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The token that must stay at the hub.
pub const TOKEN: &str = "hf_secret_of_the_test";
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// Bytes that are sent at a time.
const PIECE_BYTES: usize = 64 << 10;

/// What goes wrong with one request for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// The hub answers with a status and one more header.
    Hub(u16, &'static str),
    /// The hub leads to itself, for ever.
    Loop,
    /// The hub leads to an address that is not encrypted.
    Downgrade,
    /// The hub announces another hash than its list.
    OtherHash,
    /// The other host answers with a status and one more header.
    Host(u16, &'static str),
    /// Nothing is answered at all.
    Mute,
    /// So many bytes come, then the connection is torn down.
    Reset(usize),
    /// So many bytes come, then nothing more.
    Stall(usize),
    /// One byte at a time.
    Trickle,
    /// Another piece of the file than the one that was asked for.
    WrongRange,
    /// The whole file, whatever was asked for.
    NoRange,
    /// Another length than the file has.
    WrongLength,
    /// More bytes than the file has.
    TooLong,
    /// One bit of the byte at this place is another.
    Flip(usize),
    /// Another version of the file: other bytes and another name of the version.
    NewVersion,
    /// A web page that says so.
    Page,
    /// A web page that says that it is a file of the right length.
    HiddenPage,
}

/// Name, bytes and hash.
type File = (String, Arc<Vec<u8>>, String);
/// How many bytes of a file, by its hash, are on the client's disk.
type OnDisk = dyn Fn(&str) -> u64 + Send + Sync;

#[derive(Default)]
struct State {
    repos: Mutex<HashMap<String, Vec<File>>>,
    faults: Mutex<HashMap<String, VecDeque<Fault>>>,
    list_faults: Mutex<VecDeque<Fault>>,
    /// Faults of requests that were led to the other host.
    led: Mutex<Vec<Fault>>,
    /// Bytes of files that were sent, by repository.
    sent: Mutex<HashMap<String, u64>>,
    leaked: AtomicUsize,
    without_token: AtomicUsize,
    /// When set, no more than so many bytes beyond those on the client's disk are on their way.
    window: Mutex<Option<(u64, Arc<OnDisk>)>>,
    host: Mutex<String>,
    hub: Mutex<String>,
}

/// The two hosts.
#[derive(Clone)]
pub struct FaultHub(Arc<State>);

struct Request {
    path: String,
    query: String,
    headers: HashMap<String, String>,
}

impl FaultHub {
    pub async fn start() -> Self {
        let this = Self(Arc::default());
        let hub = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = |l: &TcpListener| format!("http://{}", l.local_addr().unwrap());
        *this.0.hub.lock().unwrap() = address(&hub);
        *this.0.host.lock().unwrap() = address(&host);
        for (listener, is_hub) in [(hub, true), (host, false)] {
            let this = this.clone();
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let this = this.clone();
                    // What a client that is gone makes of a write is no matter.
                    tokio::spawn(async move {
                        let _ = this.serve(stream, is_hub).await;
                    });
                }
            });
        }
        this
    }

    pub fn address(&self) -> String {
        self.0.hub.lock().unwrap().clone()
    }

    pub fn client(&self, stall: Duration) -> Hub {
        let endpoint = Endpoint::parse(&self.address()).unwrap();
        Hub::new(endpoint, Some(TOKEN), stall).unwrap()
    }

    /// Adds a file, or replaces it.
    pub fn add(&self, repo: &str, name: &str, bytes: Arc<Vec<u8>>) {
        let mut repos = self.0.repos.lock().unwrap();
        let files = repos.entry(repo.to_owned()).or_default();
        files.retain(|(other, ..)| other != name);
        let sha256 = sha256(&bytes);
        files.push((name.to_owned(), bytes, sha256));
    }

    /// What goes wrong with the next requests for files of a repository.
    pub fn break_next(&self, repo: &str, faults: impl IntoIterator<Item = Fault>) {
        let faults = faults.into_iter().collect();
        self.0.faults.lock().unwrap().insert(repo.into(), faults);
    }

    /// What goes wrong with the next requests for a list: an answer of the hub, silence, or an end before the answer.
    pub fn break_next_lists(&self, faults: impl IntoIterator<Item = Fault>) {
        *self.0.list_faults.lock().unwrap() = faults.into_iter().collect();
    }

    /// Faults of lists that did not happen yet.
    pub fn list_faults_left(&self) -> usize {
        self.0.list_faults.lock().unwrap().len()
    }

    /// Faults that did not happen yet.
    pub fn faults_left(&self, repo: &str) -> usize {
        let faults = self.0.faults.lock().unwrap();
        faults.get(repo).map_or(0, VecDeque::len)
    }

    /// How often the other host was asked for a file.
    pub fn led(&self) -> u64 {
        self.0.led.lock().unwrap().len() as u64
    }

    /// Sends no more than `bytes` ahead of what is on the client's disk.
    pub fn limit_window(&self, bytes: u64, on_disk: Arc<OnDisk>) {
        *self.0.window.lock().unwrap() = Some((bytes, on_disk));
    }

    /// Bytes of a repository's files that were sent.
    pub fn sent(&self, repo: &str) -> u64 {
        self.0.sent.lock().unwrap().get(repo).copied().unwrap_or(0)
    }

    /// That the token was at the hub each time, and never at the other host.
    pub fn assert_token_stayed(&self) {
        assert_eq!(self.0.leaked.load(Ordering::SeqCst), 0, "the token leaked");
        assert_eq!(self.0.without_token.load(Ordering::SeqCst), 0);
    }

    async fn serve(&self, mut stream: TcpStream, is_hub: bool) -> std::io::Result<()> {
        let Some(request) = read(&mut stream).await? else {
            return Ok(());
        };
        let token = request.headers.get("authorization").cloned();
        if is_hub {
            if token.as_deref() != Some(&format!("Bearer {TOKEN}")) {
                self.0.without_token.fetch_add(1, Ordering::SeqCst);
            }
            return self.hub(stream, &request).await;
        }
        let head = format!("{:?}{}", request.headers, request.query);
        if token.is_some() || head.contains(TOKEN) {
            self.0.leaked.fetch_add(1, Ordering::SeqCst);
        }
        self.host(stream, &request).await
    }

    async fn hub(&self, mut stream: TcpStream, request: &Request) -> std::io::Result<()> {
        let parts: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
        if let ["api", "models", owner, name, "revision", _] = parts[..] {
            let fault = self.0.list_faults.lock().unwrap().pop_front();
            match fault {
                Some(Fault::Hub(status, header)) => {
                    return stream.write_all(&response(status, &[header], b"no")).await;
                }
                Some(Fault::Mute) => return wait_for_end(&mut stream).await,
                Some(_) => return Ok(()),
                None => {}
            }
            let answer = match self.listing(&format!("{owner}/{name}")) {
                Some(body) => response(200, &[], body.as_bytes()),
                None => response(404, &["X-Error-Code: RepoNotFound"], b"{}"),
            };
            return stream.write_all(&answer).await;
        }
        let [owner, name, "resolve", _, ref path @ ..] = parts[..] else {
            return stream.write_all(&response(404, &[], b"")).await;
        };
        let (repo, path) = (format!("{owner}/{name}"), path.join("/"));
        let Some((bytes, mut sha256)) = self.file(&repo, &path) else {
            let answer = response(404, &["X-Error-Code: EntryNotFound"], b"");
            return stream.write_all(&answer).await;
        };
        let fault = self.next_fault(&repo);
        let (own, host) = (self.address(), self.0.host.lock().unwrap().clone());
        let location = match fault {
            Fault::Hub(status, header) => {
                return stream.write_all(&response(status, &[header], b"no")).await;
            }
            Fault::Loop => {
                // Again and again: the fault goes back to the front of the queue.
                let mut faults = self.0.faults.lock().unwrap();
                faults.entry(repo).or_default().push_front(fault);
                format!("{own}{}", request.path)
            }
            Fault::Downgrade => "http://192.0.2.1/file".to_owned(),
            other => {
                if other == Fault::OtherHash {
                    sha256 = "ef".repeat(32);
                }
                let mut led = self.0.led.lock().unwrap();
                led.push(other);
                format!("{host}/{repo}/{path}?fault={}", led.len() - 1)
            }
        };
        let headers = [
            format!("Location: {location}"),
            format!("X-Linked-Size: {}", bytes.len()),
            format!("X-Linked-ETag: \"{sha256}\""),
            format!("X-Repo-Commit: {COMMIT}"),
        ];
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        stream.write_all(&response(302, &headers, b"")).await
    }

    async fn host(&self, mut stream: TcpStream, request: &Request) -> std::io::Result<()> {
        let mut parts = request.path.trim_start_matches('/').splitn(3, '/');
        let mut part = || parts.next().unwrap_or_default();
        let (repo, path) = (format!("{}/{}", part(), part()), part().to_owned());
        let number: usize = request.query.trim_start_matches("fault=").parse().unwrap();
        let fault = self.0.led.lock().unwrap()[number];
        let (mut bytes, sha256) = self.file(&repo, &path).unwrap();
        let mut tag = format!("\"{sha256}\"");
        if fault == Fault::NewVersion {
            let mut other = bytes.to_vec();
            other.iter_mut().skip(1000).for_each(|b| *b = !*b);
            (bytes, tag) = (Arc::new(other), "\"another\"".to_owned());
        }
        if let Fault::Flip(at) = fault {
            let mut other = bytes.to_vec();
            let at = at % other.len();
            other[at] ^= 1;
            bytes = Arc::new(other);
        }
        let whole = bytes.len();
        let asked = request.headers.get("range").and_then(|range| {
            let (start, end) = range.strip_prefix("bytes=")?.split_once('-')?;
            let end = end.parse::<usize>().unwrap_or(whole - 1);
            Some((start.parse::<usize>().ok()?, end.min(whole - 1)))
        });
        let last = asked.map_or(whole - 1, |(_, end)| end);
        let asked = asked.map(|(start, _)| start);
        let same = request.headers.get("if-range").is_none_or(|t| *t == tag);
        let start = asked.filter(|_| same && fault != Fault::NoRange);
        match fault {
            Fault::Mute => return wait_for_end(&mut stream).await,
            Fault::Host(status, header) => {
                return stream.write_all(&response(status, &[header], b"no")).await;
            }
            Fault::Page => {
                let page = b"<!DOCTYPE html><html>Sign in to this network</html>";
                let answer = response(200, &["Content-Type: text/html; charset=utf-8"], page);
                return stream.write_all(&answer).await;
            }
            Fault::HiddenPage => {
                let mut page = b"<html>Sign in</html>".to_vec();
                page.resize(whole, b' ');
                return stream.write_all(&response(200, &[], &page)).await;
            }
            _ => {}
        }
        if start.is_some_and(|start| start >= whole) {
            return stream.write_all(&response(416, &[], b"")).await;
        }
        let from = start.unwrap_or(0);
        let mut head = match (start, fault) {
            (Some(start), Fault::WrongRange) => {
                let other = start.saturating_sub(1);
                format!(
                    "HTTP/1.1 206 Partial\r\nContent-Range: bytes {other}-{}/{whole}\r\n",
                    whole - 1
                )
            }
            (Some(start), _) => {
                format!("HTTP/1.1 206 Partial\r\nContent-Range: bytes {start}-{last}/{whole}\r\n")
            }
            (None, _) => "HTTP/1.1 200 OK\r\n".to_owned(),
        };
        let end = if start.is_some() { last } else { whole - 1 };
        let body = &bytes[from..=end];
        match fault {
            // Without a length the end of the connection is the end.
            Fault::TooLong => {}
            Fault::WrongLength => write!(head, "Content-Length: {}\r\n", body.len() / 2).unwrap(),
            _ => write!(head, "Content-Length: {}\r\n", body.len()).unwrap(),
        }
        let _ = write!(head, "ETag: {tag}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        self.send(&mut stream, &repo, &sha256, from, body, fault)
            .await
    }

    async fn send(
        &self,
        stream: &mut TcpStream,
        repo: &str,
        sha256: &str,
        from: usize,
        body: &[u8],
        fault: Fault,
    ) -> std::io::Result<()> {
        let body = match fault {
            Fault::Reset(at) | Fault::Stall(at) => &body[..at.min(body.len())],
            Fault::WrongLength => &body[..body.len() / 2],
            _ => body,
        };
        let piece = if fault == Fault::Trickle {
            1
        } else {
            PIECE_BYTES
        };
        let mut at = from as u64;
        for piece in body.chunks(piece) {
            self.wait_for_window(sha256, at + piece.len() as u64).await;
            stream.write_all(piece).await?;
            at += piece.len() as u64;
            *self.0.sent.lock().unwrap().entry(repo.into()).or_default() += piece.len() as u64;
            if fault == Fault::Trickle {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        match fault {
            Fault::Reset(_) => stream.set_zero_linger(),
            Fault::Stall(_) => wait_for_end(stream).await,
            Fault::TooLong => stream.write_all(&[0; 1000]).await,
            _ => stream.shutdown().await,
        }
    }

    async fn wait_for_window(&self, sha256: &str, wanted: u64) {
        loop {
            let window = self.0.window.lock().unwrap().clone();
            match window {
                Some((bytes, on_disk)) if wanted > on_disk(sha256) + bytes => {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                _ => return,
            }
        }
    }

    fn next_fault(&self, repo: &str) -> Fault {
        let mut faults = self.0.faults.lock().unwrap();
        let next = faults.get_mut(repo).and_then(VecDeque::pop_front);
        next.unwrap_or(Fault::None)
    }

    fn file(&self, repo: &str, path: &str) -> Option<(Arc<Vec<u8>>, String)> {
        let repos = self.0.repos.lock().unwrap();
        let found = repos.get(repo)?.iter().find(|(name, ..)| name == path);
        found.map(|(_, bytes, sha256)| (Arc::clone(bytes), sha256.clone()))
    }

    fn listing(&self, repo: &str) -> Option<String> {
        let repos = self.0.repos.lock().unwrap();
        let files = repos.get(repo)?.iter().map(|(name, bytes, sha256)| {
            let size = bytes.len();
            format!(r#"{{"rfilename":"{name}","size":{size},"lfs":{{"sha256":"{sha256}","size":{size},"pointerSize":1}}}}"#)
        });
        let files = files.collect::<Vec<_>>().join(",");
        Some(format!(r#"{{"sha":"{COMMIT}","siblings":[{files}]}}"#))
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
}

async fn read(stream: &mut TcpStream) -> std::io::Result<Option<Request>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        // Nobody sends a second request, or a body, before the answer.
        if stream.read_buf(&mut head).await? == 0 || head.len() > 64 << 10 {
            return Ok(None);
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    Ok(Some(Request {
        path: path.to_owned(),
        query: query.to_owned(),
        headers: lines
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
    }))
}

fn response(status: u16, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\n");
    for header in headers.iter().filter(|header| !header.is_empty()) {
        let _ = write!(head, "{header}\r\n");
    }
    let _ = write!(head, "Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Until the other side closes.
async fn wait_for_end(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut bytes = [0; 1024];
    while stream.read(&mut bytes).await? > 0 {}
    Ok(())
}
