//! Where another engine answers: scheme, host and port, nothing else.

use std::fmt;

use url::{Host, Url};

use crate::{Error, Result};

/// The root of an interface, such as `http://127.0.0.1:11434`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(Url);

impl Address {
    /// Takes `http://` and `https://` addresses, with or without the `/v1` that many programs show at their end. A name and a password
    /// in it, a query or another path are refused: they would end up in logs, or are a mistake.
    ///
    /// # Errors
    /// [`Error::Address`].
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || Error::Address(text.to_owned());
        let mut url = Url::parse(text.trim()).map_err(|_| wrong())?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
            && matches!(url.path(), "/" | "/v1" | "/v1/");
        if !plain || url.host().is_none() {
            return Err(wrong());
        }
        url.set_path("/");
        if url.port() == Some(0) {
            return Err(wrong());
        }
        Ok(Self(url))
    }

    /// A port of this machine.
    ///
    /// # Errors
    /// [`Error::Address`] for port 0.
    pub fn loopback(port: u16) -> Result<Self> {
        Self::parse(&format!("http://127.0.0.1:{port}"))
    }

    /// Whether it is this machine itself.
    pub fn is_local(&self) -> bool {
        match self.0.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
            None => false,
        }
    }

    pub fn port(&self) -> Option<u16> {
        self.0.port_or_known_default()
    }

    /// Whether what is sent there can be read on the way.
    pub fn is_open(&self) -> bool {
        self.0.scheme() == "http" && !self.is_local()
    }

    /// Host and port, as people say it.
    pub fn name(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        match self.0.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    pub(crate) fn at(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(path);
        url
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_taken_and_said_plainly() {
        for (text, shown, local, open) in [
            (
                "http://127.0.0.1:11434",
                "http://127.0.0.1:11434",
                true,
                false,
            ),
            (
                "http://localhost:1234/v1",
                "http://localhost:1234",
                true,
                false,
            ),
            ("http://[::1]:8080/v1/", "http://[::1]:8080", true, false),
            (
                "http://studio.local:8000",
                "http://studio.local:8000",
                false,
                true,
            ),
            (
                " https://api.example/v1 ",
                "https://api.example",
                false,
                false,
            ),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(
                (address.is_local(), address.is_open()),
                (local, open),
                "{text}"
            );
        }
        assert_eq!(
            Address::parse("http://a.example:81").unwrap().name(),
            "a.example:81"
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "studio.local:8000",
            "ftp://studio.local",
            "file:///etc/passwd",
            "http://user:secret@host",
            "http://host/path",
            "http://host?key=1",
            "http://host#x",
            "http://",
            "http://host:0",
            "http://host:99999",
            "javascript:alert(1)",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }
}
