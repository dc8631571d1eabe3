//! A client on a bare socket: it costs little beside what it measures, and can be slow on purpose.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::paced::{MARK, clock};

/// A connection that is used again and again.
pub(super) struct Client {
    port: u16,
    socket: TcpStream,
    buffer: Vec<u8>,
}

/// A whole request. All three dialects take this body.
pub(super) fn request(port: u16, route: &str, message: &str, stream: bool) -> Vec<u8> {
    let body = format!(
        r#"{{"model":"starter","messages":[{{"role":"user","content":"{message}"}}],"max_tokens":10000,"stream":{stream}}}"#
    );
    let length = body.len();
    format!(
        "POST {route} HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

impl Client {
    pub(super) async fn connect(port: u16) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        socket.set_nodelay(true).unwrap();
        Self {
            port,
            socket,
            buffer: Vec::with_capacity(4096),
        }
    }

    /// Sends a request and reads an answer whose length is said; how long it took.
    pub(super) async fn ask(&mut self, request: &[u8]) -> Duration {
        let asked = Instant::now();
        self.socket.write_all(request).await.unwrap();
        self.buffer.clear();
        let whole = loop {
            let read = self.socket.read_buf(&mut self.buffer).await.unwrap();
            assert!(read > 0, "the server closed");
            if let Some(whole) = whole_length(&self.buffer)
                && self.buffer.len() >= whole
            {
                break whole;
            }
        };
        let took = asked.elapsed();
        assert_eq!(self.buffer.len(), whole);
        assert!(self.buffer.starts_with(b"HTTP/1.1 200"), "{}", self.text());
        took
    }

    pub(super) async fn health(&mut self) -> Duration {
        let port = self.port;
        let request = format!("GET /health HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
        self.ask(request.as_bytes()).await
    }

    /// Sends a request and reads the stream to its end; for each token how long it was on the way, in milliseconds.
    pub(super) async fn follow(&mut self, request: &[u8], tokens: usize) -> Vec<f64> {
        self.socket.write_all(request).await.unwrap();
        let mut delays = Vec::with_capacity(tokens);
        self.buffer.clear();
        loop {
            let read = self.socket.read_buf(&mut self.buffer).await.unwrap();
            assert!(read > 0, "the server closed");
            let rest = take_marks(&self.buffer, clock(), &mut delays);
            let ended = self.buffer.ends_with(b"\r\n0\r\n\r\n");
            self.buffer.drain(..rest);
            if ended {
                return delays;
            }
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }
}

/// Bytes of the whole answer, once its head is there.
fn whole_length(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&answer[..head]).unwrap();
    let line = text
        .split("\r\n")
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = line.expect("the length is said").parse().unwrap();
    Some(head + length)
}

/// Reads the times in the tokens; returns how many bytes are done with.
fn take_marks(bytes: &[u8], now: u64, delays: &mut Vec<f64>) -> usize {
    let mut done = 0;
    while let Some(at) = bytes[done..].iter().position(|byte| *byte == MARK) {
        let from = done + at + 1;
        let Some(length) = bytes[from..].iter().position(|byte| *byte == b' ') else {
            return done + at;
        };
        let said = std::str::from_utf8(&bytes[from..from + length]).unwrap();
        let said: u64 = said.parse().unwrap();
        delays.push(now.saturating_sub(said) as f64 / 1e6);
        done = from + length;
    }
    // The end of a stream is looked for in what is kept.
    bytes.len().saturating_sub(7).max(done)
}
