//! One request to the hub, through all its redirects.
//!
//! Every address is checked before it is asked, the token goes to the hub's own host only, silence has an end before the first byte
//! and between any two, and no answer is read as a whole beyond a bound.

use std::time::{Duration, SystemTime};

use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, HeaderName,
    HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Response, StatusCode};
use url::Url;

use super::{Error, Hub, RepoFile, Result};

/// As many redirects as browsers follow at least.
const MAX_HOPS: usize = 10;
/// A wait beyond this is the same as no answer at all.
const MAX_WAIT: Duration = Duration::from_secs(15 * 60);

/// The hub's own reason for a refusal.
const ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");
/// Size and hash of a file that lies elsewhere, told by the hub before it leads there.
const LINKED_SIZE: HeaderName = HeaderName::from_static("x-linked-size");
const LINKED_ETAG: HeaderName = HeaderName::from_static("x-linked-etag");
/// What is left of a quota: `"api";r=0;t=55`.
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// What the hub itself says of a file, wherever its bytes come from.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Linked {
    pub(crate) sha256: Option<String>,
    pub(crate) size_bytes: Option<u64>,
}

/// An answer whose body is still to come.
#[derive(Debug)]
pub(crate) struct Answer {
    response: Response,
    host: String,
    stall: Duration,
    pub(crate) linked: Linked,
}

impl Hub {
    /// Asks for `url`; an answer that is no success is an error. `of` is the repository, for what is said then.
    pub(crate) async fn get(&self, url: Url, headers: HeaderMap, of: &str) -> Result<Answer> {
        let mut url = url;
        let mut linked = Linked::default();
        for _ in 0..=MAX_HOPS {
            self.endpoint.check(&url)?;
            let own = self.endpoint.owns(&url);
            let host = url.host_str().unwrap_or_default().to_owned();
            let mut request = self
                .http
                .get(url.clone())
                .headers(headers.clone())
                // Bytes are counted and hashed as they lie there.
                .header(ACCEPT_ENCODING, "identity");
            if let Some(token) = self.token.as_ref().filter(|_| own) {
                request = request.header(AUTHORIZATION, token);
            }
            let response = match tokio::time::timeout(self.stall, request.send()).await {
                Ok(sent) => sent.map_err(|error| broken(&host, &error))?,
                Err(_) => return Err(stalled(&host, self.stall)),
            };
            if own {
                linked.note(response.headers());
            }
            if is_redirect(response.status()) {
                url = next(&url, response.headers())?;
                continue;
            }
            let answer = Answer {
                response,
                host,
                stall: self.stall,
                linked,
            };
            return if answer.response.status().is_success() {
                Ok(answer)
            } else {
                Err(self.refusal(answer, of))
            };
        }
        Err(Error::redirect("it went round in circles"))
    }

    fn refusal(&self, answer: Answer, of: &str) -> Error {
        let (status, headers) = (answer.response.status(), answer.response.headers());
        let code = text(headers, &ERROR_CODE).unwrap_or_default();
        let host = answer.host.clone();
        // Of a path of a file only the repository has a page and can be given access to.
        let repo = of.splitn(3, '/').take(2).collect::<Vec<_>>().join("/");
        let missing = || Error::Missing {
            what: format!("`{of}`"),
        };
        match (status, code) {
            (StatusCode::FORBIDDEN, _) | (_, "GatedRepo") => Error::Gated {
                page: format!("{}/{repo}", self.endpoint),
                repo,
            },
            // Without a token the hub does not tell what is missing from what is private.
            (StatusCode::UNAUTHORIZED, "RepoNotFound") if self.token.is_some() => missing(),
            (StatusCode::UNAUTHORIZED, _) => Error::SignIn { repo },
            (StatusCode::NOT_FOUND | StatusCode::GONE, _) => missing(),
            (StatusCode::TOO_MANY_REQUESTS, _) => Error::Limited {
                host,
                wait: wait(headers),
            },
            (StatusCode::RANGE_NOT_SATISFIABLE, _) => Error::Changed {
                file: of.to_owned(),
            },
            _ if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
                Error::Unavailable {
                    host,
                    status: status.as_u16(),
                    wait: wait(headers),
                }
            }
            _ => Error::Unreadable {
                host,
                reason: format!("status {status}"),
            },
        }
    }
}

impl Answer {
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The host that answered in the end, for people.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The next bytes; `None` at the end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>> {
        match tokio::time::timeout(self.stall, self.response.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| broken(&self.host, &error)),
            Err(_) => Err(stalled(&self.host, self.stall)),
        }
    }

    /// That it is a piece of this file as the hub announced it, and no page for people.
    pub(crate) fn check_is(&self, file: &RepoFile) -> Result<()> {
        let linked = &self.linked;
        let other_hash = linked.sha256.as_ref().is_some_and(|s| *s != file.sha256);
        let other_size = linked.size_bytes.is_some_and(|s| s != file.size_bytes);
        if other_hash || other_size {
            return Err(Error::Changed {
                file: file.path.as_str().to_owned(),
            });
        }
        let kind = text(self.headers(), &CONTENT_TYPE);
        if kind.is_some_and(|kind| kind.to_ascii_lowercase().contains("text/html")) {
            return Err(Error::WebPage {
                host: self.host.clone(),
            });
        }
        let encoding = text(self.headers(), &CONTENT_ENCODING);
        if encoding.is_some_and(|encoding| encoding != "identity") {
            return Err(self.unusable("it is compressed"));
        }
        Ok(())
    }

    /// An answer that cannot be so.
    pub(crate) fn unusable(&self, reason: &str) -> Error {
        Error::Unreadable {
            host: self.host.clone(),
            reason: reason.to_owned(),
        }
    }

    /// The whole body, of at most `max_bytes`.
    pub(crate) async fn whole(mut self, max_bytes: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            bytes.extend_from_slice(chunk.as_ref());
            if bytes.len() > max_bytes {
                return Err(Error::Unreadable {
                    host: self.host,
                    reason: format!("it is longer than {max_bytes} bytes"),
                });
            }
        }
        Ok(bytes)
    }
}

impl Linked {
    fn note(&mut self, headers: &HeaderMap) {
        if let Some(size) = text(headers, &LINKED_SIZE).and_then(|size| size.parse().ok()) {
            self.size_bytes = Some(size);
        }
        let etag = text(headers, &LINKED_ETAG).map(|etag| etag.trim_matches('"'));
        if let Some(sha256) = etag.filter(|etag| is_sha256(etag)) {
            self.sha256 = Some(sha256.to_ascii_lowercase());
        }
    }
}

/// 64 hexadecimal digits.
pub(super) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn next(from: &Url, headers: &HeaderMap) -> Result<Url> {
    let location = headers.get(LOCATION).map(HeaderValue::as_bytes);
    let location = location.and_then(|bytes| std::str::from_utf8(bytes).ok());
    let location = location.ok_or_else(|| Error::redirect("it did not say where to"))?;
    from.join(location)
        .map_err(|_| Error::redirect("it said no address"))
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// How long the other side wants to be left alone: `Retry-After` in seconds or as a date, or the time until a quota begins anew.
fn wait(headers: &HeaderMap) -> Option<Duration> {
    let after = text(headers, &RETRY_AFTER).map(str::trim);
    let seconds = |text: &str| text.parse().ok().map(Duration::from_secs);
    let until = |text: &str| {
        let date = httpdate::parse_http_date(text).ok()?;
        // By the other side's own clock, because ours may be wrong.
        let theirs = self::text(headers, &DATE).and_then(|now| httpdate::parse_http_date(now).ok());
        let now = theirs.unwrap_or_else(SystemTime::now);
        Some(date.duration_since(now).unwrap_or_default())
    };
    let quota = || {
        let mut fields = text(headers, &RATE_LIMIT)?.split(';');
        fields.find_map(|field| seconds(field.trim().strip_prefix("t=")?.trim()))
    };
    let told = after.and_then(|text| seconds(text).or_else(|| until(text)));
    Some(told.or_else(quota)?.min(MAX_WAIT))
}

fn stalled(host: &str, stall: Duration) -> Error {
    Error::Stalled {
        host: host.to_owned(),
        seconds: stall.as_secs(),
    }
}

fn broken(host: &str, error: &reqwest::Error) -> Error {
    let (host, reason) = (host.to_owned(), cause(error));
    if error.is_connect() {
        Error::Unreachable { host, reason }
    } else {
        Error::Broken { host, reason }
    }
}

/// The innermost reason: the outer ones repeat the address, which may hold a signature.
pub(crate) fn cause(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn waits_are_read_from_either_header() {
        for (pairs, seconds) in [
            (&[("retry-after", "7")][..], Some(7)),
            (&[("ratelimit", "\"resolvers\";r=0;t=42")], Some(42)),
            (
                &[("retry-after", "1"), ("ratelimit", "\"api\";r=0;t=9")],
                Some(1),
            ),
            (
                &[
                    ("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"),
                    ("date", "Wed, 21 Oct 2026 07:27:30 GMT"),
                ],
                Some(30),
            ),
            // In the old form too; a moment that is past needs no wait, and one by our own clock is no longer than any other.
            (
                &[
                    ("retry-after", "Wednesday, 21-Oct-26 07:28:00 GMT"),
                    ("date", "Wed, 21 Oct 2026 08:00:00 GMT"),
                ],
                Some(0),
            ),
            (
                &[("retry-after", "Fri, 21 Oct 2089 07:28:00 GMT")],
                Some(900),
            ),
            (&[("retry-after", "tomorrow")], None),
            (&[("retry-after", "99999999")], Some(900)),
            (&[("retry-after", "-1")], None),
            (&[], None),
        ] {
            let found = wait(&headers(pairs)).map(|wait| wait.as_secs());
            assert_eq!(found, seconds, "{pairs:?}");
        }
    }

    #[test]
    fn a_hash_is_believed_only_if_it_is_one() {
        let sha256 = "AB".repeat(32);
        let mut linked = Linked::default();
        linked.note(&headers(&[
            ("x-linked-etag", &format!("\"{sha256}\"")),
            ("x-linked-size", "12"),
        ]));
        assert_eq!(linked.sha256, Some("ab".repeat(32)));
        assert_eq!(linked.size_bytes, Some(12));
        // A later hop without them takes nothing away; nonsense neither.
        linked.note(&headers(&[("x-linked-etag", "\"abc\"")]));
        assert!(linked.sha256.is_some());
    }
}
