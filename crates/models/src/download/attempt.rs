//! One try to fetch what is missing of one file: one request, and its bytes to the disk as they come.
//!
//! What the other side says is compared with what the hub announced before a byte is kept. Bytes wait in memory for a second or a
//! MiB at most, so that a break costs no more than that.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{CONTENT_RANGE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_RANGE, RANGE};

use super::part::Part;
use super::{Halt, Order, Phase, Run, Tools, stopped};
use crate::hub::{Answer, Error, RepoFile};

/// Bytes that wait in memory at most.
const BATCH_BYTES: usize = 1 << 20;
/// How long they wait at most.
const BATCH_TIME: Duration = Duration::from_secs(1);
/// What every GGUF file begins with.
const MAGIC: &[u8] = b"GGUF";

/// A part file; its lock is only ever taken on a thread that may block, or for its length.
pub(super) type Shared = Arc<Mutex<Part>>;

/// Bytes on the disk.
pub(super) fn length(part: &Shared) -> u64 {
    part.lock().unwrap_or_else(PoisonError::into_inner).bytes()
}

impl Run<'_> {
    /// The part file of a file, with the hash of what an earlier run left in it.
    pub(super) async fn open_part(&mut self, index: usize) -> Result<Shared, Halt> {
        self.say(Phase::Checking, 0);
        let path = self.job.part_path(index);
        let most = self.job.files()[index].size_bytes;
        let orders = self.orders.clone();
        let opened = blocking(move || {
            let stop = || *orders.borrow() != Order::Go || orders.has_changed().is_err();
            Part::open(&path, most, stop).map_err(|error| Error::disk(&path, error))
        });
        match opened.await? {
            Some(part) => Ok(Arc::new(Mutex::new(part))),
            None => Err(Halt::Ordered(stopped(&mut self.orders).await)),
        }
    }

    /// Fetches from where the part file ends to the end of the file.
    pub(super) async fn attempt(&mut self, index: usize, part: &Shared) -> Result<(), Halt> {
        let start = length(part);
        let file = self.job.files()[index].clone();
        if start == file.size_bytes {
            return Ok(());
        }
        self.check_space(start)?;
        self.say(Phase::Fetching, start);
        let mut answer = self.ask(index, &file, start).await?;
        let check = check(&answer, &file, start, self.job.etag(index));
        let begins_anew = match check {
            Ok(Found::Rest) => false,
            Ok(Found::Whole) => start > 0,
            Err(error) => return Err(error.into()),
        };
        if begins_anew {
            tracing::info!(file = %file.path.as_str(), "the host gives no rest of a file, so it is fetched from its beginning");
            self.clear(index, part).await?;
        }
        let etag = header(answer.headers(), &ETAG).map(str::to_owned);
        self.job.set_etag(index, etag.as_deref())?;
        let start = if begins_anew { 0 } else { start };
        self.take(&mut answer, &file, index, part, start).await
    }

    /// Empties a part file.
    pub(super) async fn clear(&mut self, index: usize, part: &Shared) -> Result<(), Halt> {
        let (path, part) = (self.job.part_path(index), Arc::clone(part));
        blocking(move || {
            let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
            part.clear().map_err(|error| Error::disk(&path, error))
        })
        .await?;
        self.job.set_etag(index, None)?;
        Ok(())
    }

    /// Proves a file that is all there and gives it its name.
    pub(super) async fn complete(&mut self, index: usize, part: Shared) -> Result<(), Halt> {
        let file = self.job.files()[index].clone();
        let (path, whole) = (self.job.part_path(index), self.job.whole_path(index));
        blocking(move || {
            let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
            let failed = |error| Error::disk(&path, error);
            let found = part.sha256();
            if found != file.sha256 {
                part.clear().map_err(failed)?;
                return Err(Error::WrongHash {
                    file: file.path.as_str().to_owned(),
                    expected: file.sha256,
                    found,
                });
            }
            part.sync().map_err(failed)?;
            std::fs::rename(&path, &whole).map_err(failed)
        })
        .await?;
        Ok(())
    }

    async fn ask(&mut self, index: usize, file: &RepoFile, start: u64) -> Result<Answer, Halt> {
        let (repo, commit) = (self.job.repo(), self.job.commit());
        let url = self.hub.file_address(repo, commit, &file.path)?;
        let what = format!("{repo}/{}", file.path.as_str());
        let headers = rest_headers(start, self.job.etag(index));
        tokio::select! {
            answer = self.hub.get(url, headers, &what) => Ok(answer?),
            order = stopped(&mut self.orders) => Err(Halt::Ordered(order)),
        }
    }

    /// Puts the bytes of an answer behind those that are there.
    async fn take(
        &mut self,
        answer: &mut Answer,
        file: &RepoFile,
        index: usize,
        part: &Shared,
        start: u64,
    ) -> Result<(), Halt> {
        let mut orders = self.orders.clone();
        let mut batch = Batch::new(start, self.tools);
        let ended: Result<(), Halt> = loop {
            let chunk = tokio::select! {
                chunk = answer.chunk() => chunk,
                order = stopped(&mut orders) => break Err(Halt::Ordered(order)),
            };
            match chunk {
                Ok(Some(bytes)) => {
                    if let Err(error) = batch.add(bytes.as_ref(), file, answer.host()) {
                        break Err(error.into());
                    }
                }
                Ok(None) => break batch.end(file, answer.host()).map_err(Halt::from),
                Err(error) => break Err(error.into()),
            }
            if batch.is_due(self.tools) {
                self.keep(&mut batch, index, part).await?;
                if let Err(error) = batch.check_speed(self.tools, answer.host()) {
                    break Err(error.into());
                }
            }
        };
        let kept = self.keep(&mut batch, index, part).await;
        // An order comes before what went wrong with the last bytes.
        ended.and(kept)
    }

    /// Writes what waits, and waits itself if all downloads together are too fast.
    async fn keep(&mut self, batch: &mut Batch, index: usize, part: &Shared) -> Result<(), Halt> {
        let bytes = std::mem::take(&mut batch.bytes);
        batch.since = self.tools.clock.now();
        if bytes.is_empty() {
            return Ok(());
        }
        let count = bytes.len() as u64;
        let (path, shared) = (self.job.part_path(index), Arc::clone(part));
        blocking(move || {
            let mut part = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let appended = part.append(&bytes);
            appended.map_err(|error| Error::disk(&path, error))
        })
        .await?;
        let here = length(part);
        self.say(Phase::Fetching, here);
        self.check_space(here)?;
        let wait = self.tools.cap.take(count, self.tools.clock.now());
        if !wait.is_zero() {
            self.sleep(wait).await?;
            batch.waited(wait);
        }
        Ok(())
    }

    /// That what is still missing fits on the disk and leaves its reserve.
    fn check_space(&self, part_bytes: u64) -> Result<(), Halt> {
        let here = self.job.whole_bytes() + part_bytes;
        let needed = self.job.total_bytes().saturating_sub(here);
        let fits = self.tools.room.check(self.job.folder(), needed);
        Ok(fits.map_err(Error::from)?)
    }
}

/// Bytes that came and are not on the disk yet.
struct Batch {
    bytes: Vec<u8>,
    /// Offset in the file of the next byte that comes.
    at: u64,
    since: Duration,
    /// Where the window of the lowest speed began.
    window_at: u64,
    window_since: Duration,
}

impl Batch {
    fn new(start: u64, tools: &Tools) -> Self {
        let now = tools.clock.now();
        Self {
            bytes: Vec::new(),
            at: start,
            since: now,
            window_at: start,
            window_since: now,
        }
    }

    fn add(&mut self, bytes: &[u8], file: &RepoFile, host: &str) -> Result<(), Error> {
        self.at += bytes.len() as u64;
        if self.at > file.size_bytes {
            // None of it can be trusted to belong there.
            return Err(unreadable(host, "it is longer than announced"));
        }
        let first = self.at == self.bytes.len() as u64 + bytes.len() as u64;
        self.bytes.extend_from_slice(bytes);
        if first && self.bytes.len() >= MAGIC.len() && !self.bytes.starts_with(MAGIC) {
            let is_page = self.bytes.trim_ascii_start().starts_with(b"<");
            self.bytes.clear();
            return Err(if is_page {
                Error::WebPage {
                    host: host.to_owned(),
                }
            } else {
                unreadable(host, "it does not begin as a GGUF file does")
            });
        }
        Ok(())
    }

    fn end(&self, file: &RepoFile, host: &str) -> Result<(), Error> {
        if self.at == file.size_bytes {
            return Ok(());
        }
        Err(Error::Broken {
            host: host.to_owned(),
            reason: "it ended too early".to_owned(),
        })
    }

    fn is_due(&self, tools: &Tools) -> bool {
        self.bytes.len() >= BATCH_BYTES || tools.clock.now() >= self.since + BATCH_TIME
    }

    /// A wait of our own is no slowness of the other side.
    fn waited(&mut self, time: Duration) {
        self.window_since += time;
        self.since += time;
    }

    fn check_speed(&mut self, tools: &Tools, host: &str) -> Result<(), Error> {
        let now = tools.clock.now();
        let time = now.saturating_sub(self.window_since);
        if time < tools.slow_window {
            return Ok(());
        }
        let came = self.at - self.window_at;
        (self.window_at, self.window_since) = (self.at, now);
        if came >= tools.slow_bytes {
            return Ok(());
        }
        Err(Error::Stalled {
            host: host.to_owned(),
            seconds: time.as_secs(),
        })
    }
}

/// What an answer holds.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// The bytes that are missing.
    Rest,
    /// All of the file.
    Whole,
}

/// Compares an answer with what was asked and announced.
fn check(answer: &Answer, file: &RepoFile, start: u64, etag: Option<&str>) -> Result<Found, Error> {
    let changed = || Error::Changed {
        file: file.path.as_str().to_owned(),
    };
    answer.check_is(file)?;
    let headers = answer.headers();
    let text = |name| header(headers, name);
    let host = answer.host();
    match answer.status().as_u16() {
        200 => match text(&reqwest::header::CONTENT_LENGTH).map(str::parse::<u64>) {
            Some(Ok(bytes)) if bytes == file.size_bytes => Ok(Found::Whole),
            None => Ok(Found::Whole),
            Some(_) => Err(unreadable(host, "its length is not that of the file")),
        },
        206 if start > 0 => {
            let now = text(&ETAG);
            if etag.is_some() && now.is_some() && now != etag {
                return Err(changed());
            }
            let asked = format!("bytes {start}-{}/{}", file.size_bytes - 1, file.size_bytes);
            match text(&CONTENT_RANGE) {
                Some(range) if range.trim() == asked => Ok(Found::Rest),
                _ => Err(unreadable(host, "it is another piece of the file")),
            }
        }
        status => Err(unreadable(host, &format!("status {status}"))),
    }
}

/// Asks for what is missing only, and only if it is of the version that was begun.
fn rest_headers(start: u64, etag: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if start == 0 {
        return headers;
    }
    let value = |text: &str| HeaderValue::from_str(text).ok();
    headers.extend(value(&format!("bytes={start}-")).map(|value| (RANGE, value)));
    // A weak one does not stand for the same bytes (RFC 9110, section 13.1.5).
    let strong = etag.filter(|etag| etag.starts_with('"'));
    headers.extend(strong.and_then(value).map(|value| (IF_RANGE, value)));
    headers
}

fn header<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn unreadable(host: &str, reason: &str) -> Error {
    Error::Unreadable {
        host: host.to_owned(),
        reason: reason.to_owned(),
    }
}

/// Work on the disk, on a thread that may wait.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        // It panicked, or the program ends.
        Err(error) => Err(Error::Disk {
            path: std::path::PathBuf::new(),
            source: Arc::new(std::io::Error::other(error)),
        }),
    }
}
