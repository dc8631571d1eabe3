//! The one way out: limits on time and size, no redirects, no proxy, and a key to its one host only.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, Response, StatusCode, redirect};
use serde_json::Value;

use crate::{Address, Error, Result};

/// A program on this machine or in the local network accepts at once, or is not there.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// Longest silence in the middle of an answer. A large model that has to be loaded first is silent for long.
pub(crate) const SILENCE_LIMIT: Duration = Duration::from_secs(300);
/// Longest answer that is read as a whole, in bytes.
const MAX_ANSWER_BYTES: usize = 8 << 20;
/// Longest text of an error that is passed on, in characters.
const MAX_MESSAGE_CHARS: usize = 300;

/// Asks other engines. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
}

impl Client {
    /// # Errors
    /// When the system's certificates cannot be used.
    pub fn new() -> Result<Self> {
        let failed = |reason: String| Error::Unreachable {
            address: "any host".into(),
            reason,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        // A second one is refused, which is as good.
        let _ = rustls::crypto::CryptoProvider::install_default(Arc::unwrap_or_clone(provider));
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_LIMIT)
            .read_timeout(SILENCE_LIMIT)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .user_agent("Hearth")
            .build()
            .map_err(|error| failed(cause(&error)))?;
        Ok(Self { http })
    }

    /// Sends a request; the body of the answer is still to come. Anything but success is an error.
    pub(crate) async fn send(
        &self,
        address: &Address,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Response> {
        let method = if body.is_some() {
            Method::POST
        } else {
            Method::GET
        };
        let mut request = self.http.request(method, address.at(path));
        if let Some(key) = key {
            let mut value =
                HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| Error::Key {
                    address: address.to_string(),
                })?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request
            .send()
            .await
            .map_err(|error| broken(address, &error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        Err(refusal(address, answer).await)
    }

    /// A whole JSON answer.
    pub(crate) async fn json(
        &self,
        address: &Address,
        path: &str,
        key: Option<&str>,
    ) -> Result<Value> {
        let answer = self.send(address, path, key, None).await?;
        let bytes = whole(address, answer).await?;
        serde_json::from_slice(&bytes).map_err(|error| Error::Unreadable {
            address: address.to_string(),
            what: error.to_string(),
        })
    }
}

async fn whole(address: &Address, answer: Response) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut stream = answer.bytes_stream();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk.map_err(|error| broken(address, &error))?);
        if bytes.len() > MAX_ANSWER_BYTES {
            return Err(Error::Unreadable {
                address: address.to_string(),
                what: format!("it is longer than {MAX_ANSWER_BYTES} bytes"),
            });
        }
    }
    Ok(bytes)
}

/// Why the other side refused, in its own words if it has any.
async fn refusal(address: &Address, answer: Response) -> Error {
    let status = answer.status();
    let address_text = address.to_string();
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return Error::Key {
            address: address_text,
        };
    }
    if status.is_redirection() {
        return Error::Refused {
            address: address_text,
            status: status.as_u16(),
            message: "it points elsewhere, which is not followed".into(),
        };
    }
    let body = whole(address, answer).await.unwrap_or_default();
    Error::Refused {
        address: address_text,
        status: status.as_u16(),
        message: message_of(&body).unwrap_or_else(|| "no reason given".into()),
    }
}

/// OpenAI's `{"error": {"message"}}`, or the `{"error": "…"}` of others.
pub(crate) fn message_of(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let error = &body["error"];
    let message = error["message"].as_str().or_else(|| error.as_str())?;
    let visible = message.chars().filter(|c| !c.is_control());
    Some(visible.take(MAX_MESSAGE_CHARS).collect())
}

pub(crate) fn broken(address: &Address, error: &reqwest::Error) -> Error {
    let address = address.to_string();
    if error.is_timeout() && !error.is_connect() {
        return Error::Silent {
            address,
            seconds: SILENCE_LIMIT.as_secs(),
        };
    }
    Error::Unreachable {
        address,
        reason: cause(error),
    }
}

/// The innermost reason: the outer ones repeat the address.
fn cause(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
