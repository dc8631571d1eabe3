//! The models of another engine, as much as it tells about them.

use serde_json::Value;

use crate::{Address, Client, Kind, Result};

/// More models than this are not shown.
const MAX_MODELS: usize = 500;
/// Longest name in bytes; longer ones are left out.
const MAX_NAME_BYTES: usize = 300;

/// A model that another engine has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemoteModel {
    /// As that engine names it.
    pub name: String,
    pub size_bytes: Option<u64>,
    pub quantisation: Option<String>,
    /// Context window that is in force, or that it was trained for, in tokens.
    pub context_tokens: Option<u32>,
    /// Whether it is in memory now, when the engine tells.
    pub loaded: Option<bool>,
}

/// The models one can chat with.
///
/// # Errors
/// When the engine does not answer, or not as its interface says.
pub async fn models(
    client: &Client,
    address: &Address,
    kind: Kind,
    key: Option<&str>,
) -> Result<Vec<RemoteModel>> {
    let models = match kind {
        Kind::Ollama => {
            let tags = client.json(address, "/api/tags", key).await?;
            let running = client
                .json(address, "/api/ps", key)
                .await
                .unwrap_or_default();
            of_ollama(&tags, &running)
        }
        Kind::LmStudio => of_lm_studio(&client.json(address, "/api/v0/models", key).await?),
        Kind::LlamaCpp | Kind::Mlx | Kind::OpenAi | Kind::Hearth => {
            of_openai(&client.json(address, "/v1/models", key).await?)
        }
    };
    let fit = |model: &RemoteModel| {
        let name = &model.name;
        !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.contains(char::is_control)
    };
    Ok(models.into_iter().filter(fit).take(MAX_MODELS).collect())
}

fn text(value: &Value) -> Option<String> {
    value
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

fn whole(value: &Value) -> Option<u32> {
    value
        .as_u64()
        .and_then(|n| u32::try_from(n).ok())
        .filter(|n| *n > 0)
}

fn rows(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// `/api/tags`, and `/api/ps` for what is in memory.
pub(crate) fn of_ollama(tags: &Value, running: &Value) -> Vec<RemoteModel> {
    let can_chat = |model: &&Value| {
        // Older versions do not tell; then only the family gives an embedder away.
        let abilities = model["capabilities"].as_array();
        abilities.is_none_or(|all| all.iter().any(|one| one == "completion"))
            && !model["details"]["family"]
                .as_str()
                .is_some_and(|f| f.contains("bert"))
    };
    rows(&tags["models"])
        .filter(can_chat)
        .map(|model| {
            let name = text(&model["name"]).unwrap_or_default();
            let now = rows(&running["models"]).find(|row| row["name"] == name.as_str());
            RemoteModel {
                size_bytes: model["size"].as_u64(),
                quantisation: text(&model["details"]["quantization_level"]),
                context_tokens: now.and_then(|row| whole(&row["context_length"])),
                loaded: Some(now.is_some()),
                name,
            }
        })
        .collect()
}

pub(crate) fn of_lm_studio(list: &Value) -> Vec<RemoteModel> {
    rows(&list["data"])
        .filter(|model| model["type"] != "embeddings")
        .map(|model| RemoteModel {
            name: text(&model["id"]).unwrap_or_default(),
            size_bytes: None,
            quantisation: text(&model["quantization"]),
            context_tokens: whole(&model["loaded_context_length"])
                .or_else(|| whole(&model["max_context_length"])),
            loaded: model["state"].as_str().map(|state| state == "loaded"),
        })
        .collect()
}

pub(crate) fn of_openai(list: &Value) -> Vec<RemoteModel> {
    rows(&list["data"])
        .map(|model| RemoteModel {
            name: text(&model["id"]).unwrap_or_default(),
            // llama.cpp's server tells these.
            size_bytes: model["meta"]["size"].as_u64(),
            context_tokens: whole(&model["meta"]["n_ctx"])
                .or_else(|| whole(&model["meta"]["n_ctx_train"])),
            ..RemoteModel::default()
        })
        .collect()
}
