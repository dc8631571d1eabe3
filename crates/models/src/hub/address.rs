//! Where the hub is, and which addresses it may send us to.
//!
//! Apart from the requests so that the rules can be tested without a socket. It must not know names of repositories.

use std::fmt;

use url::{Host, Url};

use super::{Error, Result};

/// The hub that is asked unless the environment names a mirror.
const HUGGING_FACE: &str = "https://huggingface.co";

/// The address of a hub: `https://`, or plain `http://` on this machine only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    /// The mirror that `HF_ENDPOINT` names, or Hugging Face itself.
    ///
    /// # Errors
    /// As [`Endpoint::parse`].
    pub fn new(mirror: Option<&str>) -> Result<Self> {
        Self::parse(mirror.unwrap_or(HUGGING_FACE))
    }

    /// Takes what `HF_ENDPOINT` holds. A path is kept: mirrors inside companies have one.
    ///
    /// # Errors
    /// [`Error::Endpoint`] for plain `http://` to another machine, and for a name, a password or a query in the address.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || Error::Endpoint(text.to_owned());
        let mut url = Url::parse(text.trim()).map_err(|_| wrong())?;
        let plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let private = url.scheme() == "https" || url.scheme() == "http" && is_loopback(&url);
        if !plain || !private || url.host().is_none() || url.port() == Some(0) {
            return Err(wrong());
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    /// Whether it is this machine itself.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    /// Its host, for people.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// An address below it; each part is escaped, so that none can become two.
    pub(super) fn at<'a>(&self, parts: impl IntoIterator<Item = &'a str>) -> Result<Url> {
        let mut url = self.0.clone();
        url.path_segments_mut()
            .map_err(|()| Error::Endpoint(self.to_string()))?
            .pop_if_empty()
            .extend(parts);
        Ok(url)
    }

    /// Whether an address is on the hub's own host, where the token may go.
    pub(super) fn owns(&self, url: &Url) -> bool {
        self.0.origin() == url.origin()
    }

    /// Whether the hub may send us there. Never to plain `http://` or to this machine, unless the hub itself is here.
    ///
    /// # Errors
    /// [`Error::Redirect`].
    pub(super) fn check(&self, url: &Url) -> Result<()> {
        let wrong = |reason: &str| Err(Error::redirect(reason));
        if !url.username().is_empty() || url.password().is_some() {
            return wrong("the address holds a password");
        }
        if is_loopback(url) && !self.is_loopback() {
            return wrong("it leads back to this machine");
        }
        match url.scheme() {
            "https" => Ok(()),
            "http" if is_loopback(url) => Ok(()),
            "http" => wrong("it leads to an address that is not encrypted"),
            _ => wrong("it leads to something that is not a web address"),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_unspecified(),
        Some(Host::Ipv6(ip)) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback())
        }
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_encrypted_or_here() {
        for (text, shown) in [
            ("https://huggingface.co", "https://huggingface.co"),
            ("https://hf-mirror.example/", "https://hf-mirror.example"),
            (
                "https://corp.example/api/hub/",
                "https://corp.example/api/hub",
            ),
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("http://localhost:9", "http://localhost:9"),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().to_string(), shown);
        }
        for text in [
            "",
            "huggingface.co",
            "http://huggingface.co",
            "http://192.168.1.2",
            "https://user:secret@hub.example",
            "https://hub.example?x",
            "ftp://127.0.0.1",
            "file:///tmp",
        ] {
            assert!(Endpoint::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn parts_of_an_address_stay_parts() {
        let endpoint = Endpoint::parse("https://corp.example/hub/").unwrap();
        let url = endpoint.at(["a", "b c", "refs/pr/1", "x?y#z"]).unwrap();
        assert_eq!(
            url.as_str(),
            "https://corp.example/hub/a/b%20c/refs%2Fpr%2F1/x%3Fy%23z"
        );
    }

    #[test]
    fn where_a_hub_may_lead() {
        let far = Endpoint::new(None).unwrap();
        let here = Endpoint::parse("http://127.0.0.1:8000").unwrap();
        for (url, from_far, from_here) in [
            ("https://cdn.example/x?signature=1", true, true),
            ("http://cdn.example/x", false, false),
            ("http://127.0.0.1:9/x", false, true),
            ("http://[::1]:9/x", false, true),
            ("https://localhost/x", false, true),
            ("https://[::ffff:127.0.0.1]/x", false, true),
            ("https://0.0.0.0/x", false, true),
            ("https://a:b@cdn.example/x", false, false),
            ("file:///etc/passwd", false, false),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(far.check(&url).is_ok(), from_far, "{url}");
            assert_eq!(here.check(&url).is_ok(), from_here, "{url}");
        }
    }

    #[test]
    fn only_the_same_origin_is_the_hubs_own() {
        let hub = Endpoint::new(None).unwrap();
        for (url, own) in [
            ("https://huggingface.co/a", true),
            ("https://huggingface.co:443/a", true),
            ("https://huggingface.co:444/a", false),
            ("http://huggingface.co/a", false),
            ("https://huggingface.co.evil.example/a", false),
            ("https://cdn.huggingface.co/a", false),
        ] {
            assert_eq!(hub.owns(&Url::parse(url).unwrap()), own, "{url}");
        }
    }
}
