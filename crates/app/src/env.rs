//! Every environment variable that Hearth reads.

use std::path::PathBuf;

use hearth_store::Sensitive;

/// What the environment says; read once at start.
#[derive(Debug, Clone, Default)]
pub struct Env {
    /// `HEARTH_HOME`: one folder for settings, data, models, cache, logs and socket.
    pub home: Option<PathBuf>,
    /// `HF_HUB_CACHE`, or `hub` in `HF_HOME`: where Hugging Face's clients keep what they fetched.
    pub hugging_face: Option<PathBuf>,
    /// `OLLAMA_MODELS`: where Ollama keeps its models.
    pub ollama: Option<PathBuf>,
    /// `HEARTH_LOG`: a filter such as `debug` or `hearth_engine=trace`.
    pub log: Option<String>,
    /// `HEARTH_REPLAY`: a recording of readings that is played in place of this machine's sensors.
    pub replay: Option<PathBuf>,
    /// `HF_ENDPOINT`: a mirror of Hugging Face.
    pub hub_endpoint: Option<String>,
    /// `HF_TOKEN`: for models that not everybody may fetch; goes before the one in the key store.
    pub hub_token: Option<Sensitive<String>>,
    /// `HEARTH_DISK_RESERVE_GB`: what downloads leave free on the disk, in place of 20 GiB.
    pub disk_reserve_bytes: Option<u64>,
    /// `HEARTH_ENGINE=fake`: a model without weights, for tests of the window. Not looked at in release builds.
    pub fake_engine: bool,
}

impl Env {
    pub fn read() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let path = |name: &str| {
            let value = std::env::var_os(name).filter(|v| !v.is_empty());
            value.map(PathBuf::from)
        };
        Self {
            home: path("HEARTH_HOME"),
            hugging_face: path("HF_HUB_CACHE").or_else(|| Some(path("HF_HOME")?.join("hub"))),
            ollama: path("OLLAMA_MODELS"),
            replay: path("HEARTH_REPLAY"),
            log: text("HEARTH_LOG"),
            disk_reserve_bytes: text("HEARTH_DISK_RESERVE_GB")
                .and_then(|gb| gb.parse::<u64>().ok())
                .map(|gb| gb.saturating_mul(1_000_000_000)),
            hub_endpoint: text("HF_ENDPOINT"),
            hub_token: text("HF_TOKEN").map(Sensitive::new),
            fake_engine: cfg!(debug_assertions)
                && text("HEARTH_ENGINE").is_some_and(|v| v == "fake"),
        }
    }
}
