//! What the HTTP server shall do, and what it does: the plain facts that the settings, the Server screen and the command share.
//!
//! Here and not with the server, so that a view can show it. It must not know HTTP, sockets or keys.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::events::{AppEvent, Events};
use crate::settings::Settings;

/// How many requests the log holds.
const LOG_LENGTH: usize = 200;

/// Where the server listens and whom it lets in, from the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    pub on: bool,
    /// The first port that is tried.
    pub port: u16,
    pub extra_port: Option<u16>,
    pub lan: bool,
    pub needs_key: bool,
    /// Exact origins, such as `https://app.example`.
    pub origins: Vec<String>,
    /// Host names in lower case.
    pub hosts: Vec<String>,
}

impl ServerConfig {
    /// What the settings say.
    pub fn of(settings: &Settings) -> Self {
        let port = |number: u32| u16::try_from(number).ok().filter(|port| *port > 0);
        Self {
            on: settings.server,
            port: port(settings.server_port).unwrap_or(8100),
            extra_port: port(settings.server_extra_port),
            lan: settings.server_lan,
            needs_key: settings.server_needs_key,
            origins: words(&settings.server_origins).collect(),
            hosts: words(&settings.server_hosts).collect(),
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split([' ', ',', '\n', '\t'])
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
}

/// Checks a list of origins. `*`, `null` and `file:` would let everybody in, so they are refused by name.
pub(crate) fn check_origins(text: &str) -> Result<(), String> {
    for origin in words(text) {
        let rest = origin.split_once("://");
        let scheme = rest.map(|(scheme, _)| scheme);
        if origin == "*" || origin == "null" || scheme == Some("file") {
            return Err(format!(
                "`{origin}` would let any web page in; name exact origins"
            ));
        }
        let known = matches!(
            scheme,
            Some("http" | "https" | "chrome-extension" | "moz-extension" | "app" | "tauri")
        );
        let name = rest.map_or("", |(_, name)| name);
        if !known || name.is_empty() || name.contains(['/', '?', '#', '@', '*']) {
            return Err(format!(
                "`{origin}` is not an origin such as `https://app.example` (no path, no wildcard)"
            ));
        }
    }
    Ok(())
}

/// Checks a list of host names, each with or without a port.
pub(crate) fn check_hosts(text: &str) -> Result<(), String> {
    for host in words(text) {
        let name = host.split_once(':').map_or(host.as_str(), |(name, _)| name);
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        if name.is_empty() || !name.chars().all(allowed) || name.parse::<IpAddr>().is_ok() {
            return Err(format!("`{host}` is not a host name such as `mac.local`"));
        }
    }
    Ok(())
}

/// What the server does now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct ServerStatus {
    pub running: bool,
    /// Addresses it is reached at from this machine, such as `http://127.0.0.1:8100`.
    pub addresses: Vec<String>,
    /// Addresses it is reached at from the local network; empty unless that is on.
    pub lan_addresses: Vec<String>,
    pub port: Option<u16>,
    pub extra_port: Option<u16>,
    /// Why it does not listen, or not where it should: who holds the port, what is missing.
    pub notice: Option<String>,
}

/// One request that came to its end. What was asked and answered is not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct RequestEntry {
    /// Counts up, so that a view can tell new ones.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub id: u64,
    /// When it came in, in Unix milliseconds.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub at_ms: i64,
    pub method: String,
    /// Without the query.
    pub path: String,
    /// What the sender calls itself: the page's origin, or the name of the program with its version.
    pub client: Option<String>,
    /// The other machine it came from; absent for this one.
    pub remote: Option<String>,
    /// Absent when the client was gone before there was an answer.
    pub status: Option<u16>,
    /// Why it was refused or broke off: a name of [`crate::Code`], or a few words of the server's own.
    pub reason: Option<String>,
    /// Until the last byte was handed over, in milliseconds.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub took_ms: u64,
    /// One of this machine's, never what the client wrote.
    pub model: Option<String>,
    pub prompt_tokens: Option<u32>,
    /// Tokens of the answer.
    pub tokens: Option<u32>,
    /// From the arrival to the first piece of the answer, waiting and loading included, in milliseconds.
    pub ttft_ms: Option<u32>,
}

/// What requests of programs do now, and those that came to their end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct Requests {
    /// Answered now.
    pub running: u32,
    /// Waiting for their turn.
    pub waiting: u32,
    /// The oldest first.
    pub ended: Vec<RequestEntry>,
}

/// What the doors know of the server: its state and its last requests.
#[derive(Debug)]
pub struct ServerView {
    status: Mutex<ServerStatus>,
    log: Mutex<(u64, VecDeque<RequestEntry>)>,
    events: Events,
}

impl ServerView {
    pub(crate) fn new(events: Events) -> Self {
        Self {
            status: Mutex::default(),
            log: Mutex::default(),
            events,
        }
    }

    pub fn status(&self) -> ServerStatus {
        let status = self.status.lock();
        status.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// For the server itself.
    pub fn set_status(&self, status: ServerStatus) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
        self.events.send(AppEvent::ServerChanged);
    }

    /// For the server itself: a request came to its end. Its `id` is given here.
    pub fn log(&self, mut entry: RequestEntry) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, entries) = &mut *log;
        *count += 1;
        entry.id = *count;
        if entries.len() == LOG_LENGTH {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    /// The last requests with a higher `id` than this, the oldest first.
    pub fn requests_after(&self, id: u64) -> Vec<RequestEntry> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = log.1.iter();
        entries.filter(|entry| entry.id > id).cloned().collect()
    }
}

/// How a program of the same user finds the running server: the content of [`crate::paths::Paths::server_file`].
#[derive(Clone, Serialize, Deserialize)]
pub struct ServerFile {
    pub port: u16,
    /// Process that listens.
    pub pid: u32,
    /// A key that holds while that process runs. The file is readable by its owner only.
    pub token: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_origins_are_taken() {
        check_origins("").unwrap();
        check_origins("https://app.example http://localhost:5173, chrome-extension://abc").unwrap();
        for bad in [
            "*",
            "null",
            "file://",
            "https://",
            "app.example",
            "https://*.example",
            "https://a.example/path",
            "https://u@a.example",
            "javascript://x",
        ] {
            assert!(check_origins(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_names_are_taken_as_hosts() {
        check_hosts("mac.local other:8100").unwrap();
        for bad in ["1.2.3.4", "*", "a/b", ":8100", "a@b"] {
            assert!(check_hosts(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_log_holds_the_last_requests() {
        let view = ServerView::new(Events::default());
        for n in 0..250_u16 {
            view.log(RequestEntry {
                status: Some(n),
                ..RequestEntry::default()
            });
        }
        let log = view.requests_after(0);
        assert_eq!((log.len(), log[0].status, log[0].id), (200, Some(50), 51));
        assert_eq!(view.requests_after(248).len(), 2);
    }
}
