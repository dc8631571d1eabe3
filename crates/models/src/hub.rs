//! A Hugging Face hub, or a mirror of one: which files a repository has, and the bytes of a file.
//!
//! It is the only part of this crate that talks to a network. Callers give names, which are checked types, and never addresses; the
//! one address comes from the user's environment. It must not know where files are kept, or how often something is tried again.

mod address;
mod choice;
mod error;
mod header;
mod listing;
mod name;
mod request;

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::redirect;
use url::Url;

pub use self::address::Endpoint;
pub use self::choice::{Choice, ModelFiles, choose, quantisations};
pub use self::error::{Error, Result};
pub use self::listing::{Listing, RepoFile};
pub use self::name::{FilePath, RepoId, Revision, Wanted};
pub(crate) use self::request::{Answer, cause};

/// A host that does not accept a connection in this time is not there.
const CONNECT_LIMIT: Duration = Duration::from_secs(15);

/// Asks one hub. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hub {
    http: reqwest::Client,
    endpoint: Endpoint,
    /// Sent to the endpoint's own host and nowhere else; marked as sensitive, so that it is never printed.
    token: Option<HeaderValue>,
    /// Longest silence, before the first byte too.
    stall: Duration,
}

impl Hub {
    /// `stall` is how long the other side may be silent.
    ///
    /// # Errors
    /// [`Error::Token`] for a token that cannot be sent, [`Error::Unreachable`] when the system's certificates cannot be used.
    pub fn new(endpoint: Endpoint, token: Option<&str>, stall: Duration) -> Result<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        // A second one is refused, which is as good.
        let _ = rustls::crypto::CryptoProvider::install_default(Arc::unwrap_or_clone(provider));
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_LIMIT)
            // Followed by hand, because a token must stay behind and every address is looked at.
            .redirect(redirect::Policy::none())
            // What breaks is counted and said by whoever asked, not tried again in silence.
            .retry(reqwest::retry::never())
            .user_agent(concat!("Hearth/", env!("CARGO_PKG_VERSION")));
        if endpoint.is_loopback() {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| Error::Unreachable {
            host: endpoint.host().to_owned(),
            reason: cause(&error),
        })?;
        let token = token.map(bearer).transpose()?;
        Ok(Self {
            http,
            endpoint,
            token,
            stall,
        })
    }

    /// The hub's address.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Where the bytes of a file are asked for.
    pub(crate) fn file_address(
        &self,
        repo: &RepoId,
        commit: &Revision,
        path: &FilePath,
    ) -> Result<Url> {
        let fixed = [repo.owner(), repo.name(), "resolve", commit.as_str()];
        self.endpoint.at(fixed.into_iter().chain(path.parts()))
    }
}

fn bearer(token: &str) -> Result<HeaderValue> {
    let mut value =
        HeaderValue::from_str(&format!("Bearer {}", token.trim())).map_err(|_| Error::Token)?;
    value.set_sensitive(true);
    Ok(value)
}
