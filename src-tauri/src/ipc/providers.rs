//! Commands on other programs that run models: which there are, and the keys of those that the user named.

use hearth_app::Result;
use hearth_app::providers::Provider;
use tauri::State;

use crate::shell::Shell;

/// Asks the known ports of this machine and the user's hosts; takes up to a few seconds.
#[tauri::command]
#[specta::specta]
pub async fn list_providers(shell: State<'_, Shell>) -> Result<Vec<Provider>> {
    shell.app.providers().list().await
}

/// Keeps a key, or forgets it when there is none.
#[tauri::command]
#[specta::specta]
pub async fn set_provider_key(
    shell: State<'_, Shell>,
    id: String,
    key: Option<String>,
) -> Result<()> {
    shell.app.providers().set_key(&id, key.as_deref()).await
}
