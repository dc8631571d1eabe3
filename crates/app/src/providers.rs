//! Other programs that run models, on this machine or elsewhere: shown beside our own, and chosen for a chat by name.
//!
//! A model of theirs is called `name@provider`, so that one name says where a message goes. Nothing is asked of anybody until a view
//! wants the list or a chat uses such a model, and a program that asks our server never reaches them. It must not know HTTP.

mod generation;

use std::sync::{Arc, OnceLock};

use futures_util::future::join_all;
use hearth_engine::Request;
use hearth_providers::{self as remote, Address, Client, Kind, PLACES};
use serde::Serialize;

use crate::error::{Code, Error, Result, sentence};
use crate::inference::Started;
use crate::keys::Keys;
use crate::server::ServerView;
use crate::settings::{SettingChange, Settings, SettingsStore};

/// Longest key in bytes.
const MAX_KEY_BYTES: usize = 4096;

/// What program it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    Ollama,
    LmStudio,
    LlamaCpp,
    Mlx,
    Hearth,
    /// Anything else with OpenAI's interface.
    OpenAi,
}

/// A model of another program.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct ProviderModel {
    /// What the setting `model` holds when it is chosen.
    pub name: String,
    /// As its program names it.
    pub title: String,
    #[cfg_attr(feature = "specta", specta(type = Option<u32>))]
    pub size_bytes: Option<u64>,
    pub quantisation: Option<String>,
    pub context_tokens: Option<u32>,
    /// Whether it is in memory now, when its program tells.
    pub loaded: Option<bool>,
}

/// Another program that runs models.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct Provider {
    pub id: String,
    /// Absent while it does not answer.
    pub kind: Option<ProviderKind>,
    /// What people call it: the program on this machine, the host elsewhere.
    pub title: String,
    pub address: String,
    /// On this machine.
    pub local: bool,
    /// What is sent there can be read on the way.
    pub open: bool,
    /// The user named it; it was not found.
    pub added: bool,
    pub has_key: bool,
    pub version: Option<String>,
    pub models: Vec<ProviderModel>,
    /// Why it has none.
    pub problem: Option<Error>,
}

/// The way to other programs.
pub struct Providers {
    client: OnceLock<std::result::Result<Client, remote::Error>>,
    settings: Arc<SettingsStore>,
    keys: Arc<OnceLock<Arc<Keys>>>,
    server: Arc<ServerView>,
}

impl Providers {
    pub(crate) fn new(
        settings: Arc<SettingsStore>,
        keys: Arc<OnceLock<Arc<Keys>>>,
        server: Arc<ServerView>,
    ) -> Self {
        Self {
            client: OnceLock::new(),
            settings,
            keys,
            server,
        }
    }

    /// Everything that answers on the known ports of this machine, and everything the user named, answering or not. Takes at most a few
    /// seconds.
    pub async fn list(&self) -> Result<Vec<Provider>> {
        let client = self.client()?;
        let settings = self.settings.get();
        let status = self.server.status();
        let ours = |port: u16| [status.port, status.extra_port].contains(&Some(port));
        let near = PLACES.into_iter().filter(|port| !ours(*port));
        let near = near.filter_map(|port| Address::loopback(port).ok());
        let near = join_all(near.map(|address| self.look(client, address, None, &settings))).await;
        let named = hosts(&settings).map(|address| {
            let id = address.name();
            self.look(client, address, Some(id), &settings)
        });
        let named = join_all(named).await;
        let found = near.into_iter().filter(|provider| {
            // Nothing there, something else there, or another Hearth of this user.
            !matches!(provider.kind, None | Some(ProviderKind::Hearth))
        });
        Ok(found.chain(named).collect())
    }

    /// Asks one address. `id` is given for those that the user named.
    async fn look(
        &self,
        client: &Client,
        address: Address,
        id: Option<String>,
        settings: &Settings,
    ) -> Provider {
        let added = id.is_some();
        let mut provider = Provider {
            id: id.unwrap_or_default(),
            kind: None,
            title: address.name(),
            address: address.to_string(),
            local: address.is_local(),
            open: address.is_open(),
            added,
            has_key: false,
            version: None,
            models: Vec::new(),
            problem: None,
        };
        provider.has_key = added && keyed(settings, &provider.id);
        let asked = async {
            let key = self.key(&provider.id, settings).await?;
            let key = key.as_deref();
            let found = remote::probe(client, &address, key).await?;
            let models = remote::models(client, &address, found.kind, key).await?;
            Ok::<_, Error>((found, models))
        };
        match asked.await {
            Ok((found, models)) => {
                if !added {
                    provider.id = near_id(found.kind, &address);
                    provider.title = program(found.kind).map_or(provider.title, str::to_owned);
                }
                provider.kind = Some(kind(found.kind));
                provider.version = found.version;
                let id = &provider.id;
                provider.models = models.into_iter().map(|model| shown(model, id)).collect();
            }
            Err(error) => provider.problem = Some(error),
        }
        provider
    }

    /// Keeps the key of a host that the user named, or forgets it.
    pub async fn set_key(&self, id: &str, key: Option<&str>) -> Result<()> {
        let settings = self.settings.get();
        if !hosts(&settings).any(|address| address.name() == id) {
            let message = format!("There is no host `{id}` in the settings.");
            return Err(Error::new(Code::NotFound, message));
        }
        let key = key.map(str::trim);
        let printable = |key: &str| key.bytes().all(|byte| byte.is_ascii_graphic());
        if key.is_some_and(|key| key.is_empty() || key.len() > MAX_KEY_BYTES || !printable(key)) {
            let message = format!("A key has 1 to {MAX_KEY_BYTES} printable characters.");
            return Err(Error::new(Code::InvalidInput, message));
        }
        let keys = self.keys.get();
        let keys = keys.ok_or_else(|| Error::internal("API keys were not opened"))?;
        keys.keep_for_provider(id, key).await?;
        let others = settings.provider_keyed.split_whitespace();
        let others = others.filter(|other| *other != id);
        let all: Vec<&str> = others.chain(key.map(|_| id)).collect();
        let change = SettingChange::ProviderKeyed(all.join(" "));
        self.settings.set(change).await?;
        Ok(())
    }

    /// Whether a model is one of another program's.
    pub(crate) fn owns(&self, model: &str) -> bool {
        self.resolve(model).is_some()
    }

    /// Begins an answer of another program's model.
    ///
    /// # Errors
    /// [`Code::ModelMissing`] when the model is none of theirs.
    pub(crate) async fn start(&self, model: &str, request: &Request) -> Result<Started> {
        let (name, id, address) = self.resolve(model).ok_or_else(|| {
            let message = format!("There is no other program for the model `{model}`.");
            Error::new(Code::ModelMissing, message).hint("Choose another model.")
        })?;
        let settings = self.settings.get();
        let key = self.key(&id, &settings).await?;
        let client = self.client()?;
        let generation = generation::start(client, &address, key.as_deref(), name, request).await?;
        Ok(Started {
            model: model.to_owned(),
            state: generation::ready(),
            generation,
        })
    }

    /// The name over there, the provider and its address.
    fn resolve(&self, model: &str) -> Option<(String, String, Address)> {
        let (name, id) = model.rsplit_once('@')?;
        let settings = self.settings.get();
        let named = hosts(&settings).find(|address| address.name() == id);
        let address = named.or_else(|| near_address(id))?;
        (!name.is_empty()).then(|| (name.to_owned(), id.to_owned(), address))
    }

    /// The key store is asked only for hosts that have a key.
    async fn key(&self, id: &str, settings: &Settings) -> Result<Option<String>> {
        if !keyed(settings, id) {
            return Ok(None);
        }
        let keys = self.keys.get();
        let keys = keys.ok_or_else(|| Error::internal("API keys were not opened"))?;
        let key = keys.of_provider(id).await?;
        Ok(key.map(|key| key.expose().clone()))
    }

    fn client(&self) -> Result<&Client> {
        let client = self.client.get_or_init(Client::new).as_ref();
        client.map_err(|error| Error::from(error.clone()))
    }
}

/// The hosts that the user named.
fn hosts(settings: &Settings) -> impl Iterator<Item = Address> + use<> {
    let words: Vec<String> = settings
        .provider_hosts
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    words
        .into_iter()
        .filter_map(|word| Address::parse(&word).ok())
}

fn keyed(settings: &Settings, id: &str) -> bool {
    let mut keyed = settings.provider_keyed.split_whitespace();
    keyed.any(|other| other == id)
}

/// Checks a list of addresses, as the settings have it.
pub(crate) fn check_hosts(text: &str) -> std::result::Result<(), String> {
    let mut seen = Vec::new();
    for word in text.split_whitespace() {
        let name = Address::parse(word)
            .map_err(|error| error.to_string())?
            .name();
        if seen.contains(&name) {
            return Err(format!("`{name}` stands there twice"));
        }
        seen.push(name);
    }
    Ok(())
}

fn kind(kind: Kind) -> ProviderKind {
    match kind {
        Kind::Ollama => ProviderKind::Ollama,
        Kind::LmStudio => ProviderKind::LmStudio,
        Kind::LlamaCpp => ProviderKind::LlamaCpp,
        Kind::Mlx => ProviderKind::Mlx,
        Kind::OpenAi => ProviderKind::OpenAi,
        Kind::Hearth => ProviderKind::Hearth,
    }
}

/// What people call the program.
fn program(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Ollama => Some("Ollama"),
        Kind::LmStudio => Some("LM Studio"),
        Kind::LlamaCpp => Some("llama.cpp server"),
        Kind::Mlx => Some("mlx_lm.server"),
        Kind::Hearth => Some("Hearth"),
        Kind::OpenAi => None,
    }
}

/// Names of programs on their usual ports of this machine, so that a chosen model is found again after a restart.
const NEAR: [(Kind, &str, u16); 4] = [
    (Kind::Ollama, "ollama", 11434),
    (Kind::LmStudio, "lm-studio", 1234),
    (Kind::LlamaCpp, "llama.cpp", 8080),
    (Kind::Mlx, "mlx", 8080),
];

fn near_id(kind: Kind, address: &Address) -> String {
    let usual = NEAR
        .iter()
        .find(|(k, _, port)| *k == kind && Some(*port) == address.port());
    usual.map_or_else(|| address.name(), |(_, id, _)| (*id).to_owned())
}

fn near_address(id: &str) -> Option<Address> {
    let usual = NEAR
        .iter()
        .find(|(_, name, _)| *name == id)
        .map(|(_, _, port)| *port);
    let port = usual.or_else(|| {
        let port = id.strip_prefix("127.0.0.1:")?.parse().ok()?;
        PLACES.contains(&port).then_some(port)
    })?;
    Address::loopback(port).ok()
}

fn shown(model: remote::RemoteModel, id: &str) -> ProviderModel {
    ProviderModel {
        name: format!("{}@{id}", model.name),
        title: model.name,
        size_bytes: model.size_bytes,
        quantisation: model.quantisation,
        context_tokens: model.context_tokens,
        loaded: model.loaded,
    }
}

impl From<remote::Error> for Error {
    fn from(error: remote::Error) -> Self {
        use remote::Error as Leaf;
        let message = sentence(&error.to_string());
        match error {
            Leaf::Address(_) => Self::new(Code::InvalidInput, message),
            Leaf::Unreachable { .. } => Self::new(Code::EngineUnavailable, message)
                .hint("Start that program, or choose another model."),
            Leaf::Silent { .. } => Self::new(Code::EngineUnresponsive, message)
                .hint("See whether that program is stuck, or choose another model."),
            Leaf::Key { .. } => {
                Self::new(Code::Settings, message).hint("Give its key in Settings, Other engines.")
            }
            Leaf::Refused { .. } => Self::new(Code::EngineUnavailable, message)
                .hint("Choose another model, or look into that program."),
            Leaf::Unreadable { .. } => Self::new(Code::EngineCrashed, message)
                .hint("Try again; if it stays, that program speaks another language."),
        }
    }
}

#[cfg(test)]
mod tests;
