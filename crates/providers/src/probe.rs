//! Which program answers at an address.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Address, Client, Error, Result};

/// Ports on which these programs listen unless they are told otherwise. 8080 is that of llama.cpp's server and of `mlx_lm.server`.
pub const PLACES: [u16; 4] = [11434, 1234, 8080, 1337];

/// A program on this machine answers at once; one that does not is not worth waiting for.
const LIMIT: Duration = Duration::from_millis(1500);

/// What program it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Ollama,
    LmStudio,
    /// llama.cpp's own server.
    LlamaCpp,
    /// `mlx_lm.server`.
    Mlx,
    /// Anything else with OpenAI's interface.
    OpenAi,
    /// Another Hearth, or this one.
    Hearth,
}

/// A program that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub kind: Kind,
    pub version: Option<String>,
}

/// Asks an address what it is.
///
/// # Errors
/// When nothing answers there in 1.5 s, or something that runs no models.
pub async fn probe(client: &Client, address: &Address, key: Option<&str>) -> Result<Found> {
    let asked = ask(client, address, key);
    tokio::time::timeout(LIMIT, asked)
        .await
        .unwrap_or_else(|_| {
            Err(Error::Silent {
                address: address.to_string(),
                seconds: LIMIT.as_secs(),
            })
        })
}

async fn ask(client: &Client, address: &Address, key: Option<&str>) -> Result<Found> {
    // OpenAI's list is what all of them have; its header says more than its content.
    let answer = client.send(address, "/v1/models", key, None).await?;
    let server = answer
        .headers()
        .get("server")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let list: Value = answer.json().await.map_err(|_| unreadable(address))?;
    let Some(models) = list["data"].as_array() else {
        return Err(unreadable(address));
    };
    let owner = |name: &str| models.iter().any(|model| model["owned_by"] == name);
    if owner("hearth") {
        return Ok(Found {
            kind: Kind::Hearth,
            version: None,
        });
    }
    if server.eq_ignore_ascii_case("llama.cpp") || owner("llamacpp") {
        return Ok(Found {
            kind: Kind::LlamaCpp,
            version: None,
        });
    }
    if let Ok(version) = client.json(address, "/api/version", key).await
        && let Some(version) = version["version"].as_str()
    {
        let version = Some(version.chars().take(40).collect());
        return Ok(Found {
            kind: Kind::Ollama,
            version,
        });
    }
    if let Ok(list) = client.json(address, "/api/v0/models", key).await
        && list["data"].is_array()
    {
        return Ok(Found {
            kind: Kind::LmStudio,
            version: None,
        });
    }
    // Python's own HTTP server, on which `mlx_lm.server` is built.
    let kind = if server.starts_with("BaseHTTP") {
        Kind::Mlx
    } else {
        Kind::OpenAi
    };
    Ok(Found {
        kind,
        version: None,
    })
}

fn unreadable(address: &Address) -> Error {
    Error::Unreadable {
        address: address.to_string(),
        what: "it has no list of models".into(),
    }
}
