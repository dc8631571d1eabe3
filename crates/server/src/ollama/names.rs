//! Names of models as this dialect writes them: with a tag.
//!
//! Hearth's names have none, so every model is shown with the tag that Ollama itself gives when none is meant. Open WebUI adds it to
//! a name without one and then looks for the result in the list.

use crate::refusal::Refusal;
use crate::state::ServerState;

/// How a model is shown.
pub(super) fn tagged(name: &str) -> String {
    format!("{name}:latest")
}

/// Hearth's name of the model that a client means.
pub(super) async fn resolve(state: &ServerState, name: &str) -> Result<String, Refusal> {
    if name.trim().is_empty() {
        return Err(Refusal::invalid("model", "is missing"));
    }
    let bare = name.strip_suffix(":latest").unwrap_or(name);
    // One that is loaded is not looked for on the disk.
    let loaded = state.app.inference().loaded();
    if loaded.iter().any(|model| model.name == bare) {
        return Ok(bare.to_owned());
    }
    Ok(state.app.models().resolve(name).await?)
}
