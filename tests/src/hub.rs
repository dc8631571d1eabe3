//! A small hub on a port of this machine, as much of one as a program needs that fetches a model. What networks do to it is tested
//! where downloads are made.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The one repository that it has.
pub const REPO: &str = "someone/Tiny-GGUF";
/// The model file in it.
pub const FILE: &str = "Tiny-Q4_1.gguf";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

struct State {
    bytes: Vec<u8>,
    sha256: String,
    /// Without this token nothing is given.
    token: Option<String>,
    /// After half of the file nothing more comes.
    holds_back: AtomicBool,
    sent: AtomicU64,
    looked_at: AtomicU64,
    asked: Mutex<Vec<String>>,
}

/// It ends with the process.
#[derive(Clone)]
pub struct Hub {
    pub address: String,
    state: Arc<State>,
}

impl Hub {
    /// With one model of these bytes, whose hash this is.
    pub fn start(bytes: Vec<u8>, sha256: &str, token: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            bytes,
            sha256: sha256.to_owned(),
            token: token.map(str::to_owned),
            holds_back: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            looked_at: AtomicU64::new(0),
            asked: Mutex::default(),
        });
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                std::thread::spawn(move || {
                    // A client that goes away is no matter here.
                    let _ = state.serve(stream);
                });
            }
        });
        Self { address, state }
    }

    /// From now on only half of the file comes, or all of it again.
    pub fn hold_back(&self, on: bool) {
        self.state.holds_back.store(on, Ordering::SeqCst);
    }

    /// Bytes of the file that were sent in bounded pieces.
    pub fn looked_at(&self) -> u64 {
        self.state.looked_at.load(Ordering::SeqCst)
    }

    /// Bytes of the file that were sent otherwise so far.
    pub fn sent(&self) -> u64 {
        self.state.sent.load(Ordering::SeqCst)
    }

    /// Waits until half of the file was sent.
    pub fn wait_for_half(&self) {
        let began = std::time::Instant::now();
        while self.sent() < self.state.bytes.len() as u64 / 2 {
            assert!(began.elapsed() < Duration::from_secs(60), "nobody asked");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The first lines of all requests.
    pub fn asked(&self) -> Vec<String> {
        self.state.asked.lock().unwrap().clone()
    }
}

impl State {
    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut head = Vec::new();
        for line in BufReader::new(stream.try_clone()?).lines() {
            let line = line?;
            if line.is_empty() {
                break;
            }
            head.push(line);
        }
        let request = head.first().cloned().unwrap_or_default();
        self.asked.lock().unwrap().push(request.clone());
        let value = |name: &str| {
            let found = head
                .iter()
                .find(|line| line.to_lowercase().starts_with(name));
            found.map(|line| line[name.len()..].trim().to_owned())
        };
        let token = value("authorization: bearer ");
        if self.token.is_some() && token != self.token {
            return answer(
                &mut stream,
                "401 Unauthorized",
                "X-Error-Code: RepoNotFound\r\n",
                "",
            );
        }
        let (size, sha256) = (self.bytes.len(), &self.sha256);
        if request.starts_with(&format!("GET /api/models/{REPO}/revision/")) {
            let body = format!(
                r#"{{"sha":"{COMMIT}","siblings":[{{"rfilename":"{FILE}","lfs":{{"sha256":"{sha256}","size":{size}}}}}]}}"#
            );
            return answer(&mut stream, "200 OK", "", &body);
        }
        if !request.starts_with(&format!("GET /{REPO}/resolve/{COMMIT}/{FILE} ")) {
            return answer(
                &mut stream,
                "404 Not Found",
                "X-Error-Code: RepoNotFound\r\n",
                "",
            );
        }
        let range = value("range: bytes=").unwrap_or_default();
        let (start, end) = range.split_once('-').unwrap_or_default();
        match (start.parse().ok(), end.parse::<usize>().ok()) {
            (Some(start), Some(end)) => self.send_piece(&mut stream, start, end),
            (start, _) => self.send(&mut stream, start),
        }
    }

    /// A bounded piece, as somebody asks for who only looks.
    fn send_piece(&self, stream: &mut TcpStream, start: usize, end: usize) -> std::io::Result<()> {
        let (size, sha256) = (self.bytes.len(), &self.sha256);
        let piece = &self.bytes[start..=end.min(size - 1)];
        let mut head = format!(
            "HTTP/1.1 206 X\r\nContent-Range: bytes {start}-{end}/{size}\r\nETag: \"{sha256}\"\r\n"
        );
        let length = piece.len();
        let _ = write!(
            head,
            "Content-Length: {length}\r\nX-Linked-ETag: \"{sha256}\"\r\nConnection: close\r\n\r\n"
        );
        // Before it is sent: who has it all asks at once how much that was.
        self.looked_at.fetch_add(length as u64, Ordering::SeqCst);
        stream.write_all(head.as_bytes())?;
        stream.write_all(piece)
    }

    fn send(&self, stream: &mut TcpStream, start: Option<usize>) -> std::io::Result<()> {
        let size = self.bytes.len();
        let mut head = match start {
            Some(start) => format!(
                "HTTP/1.1 206 X\r\nContent-Range: bytes {start}-{}/{size}\r\n",
                size - 1
            ),
            None => "HTTP/1.1 200 X\r\n".to_owned(),
        };
        let rest = &self.bytes[start.unwrap_or(0)..];
        let sha256 = &self.sha256;
        let _ = write!(
            head,
            "Content-Length: {}\r\nETag: \"{sha256}\"\r\nX-Linked-ETag: \"{sha256}\"\r\nConnection: close\r\n\r\n",
            rest.len()
        );
        stream.write_all(head.as_bytes())?;
        for piece in rest.chunks(64 << 10) {
            while self.holds_back.load(Ordering::SeqCst)
                && self.sent.load(Ordering::SeqCst) * 2 >= size as u64
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            self.sent.fetch_add(piece.len() as u64, Ordering::SeqCst);
            stream.write_all(piece)?;
        }
        Ok(())
    }
}

fn answer(stream: &mut TcpStream, status: &str, headers: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes())
}
