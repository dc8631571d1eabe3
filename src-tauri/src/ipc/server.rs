//! Commands on the HTTP server: where it listens, who asked, and its keys. Whether it runs is a setting.

use hearth_app::Result;
use hearth_app::keys::{ApiKey, NewApiKey, Scope};
use hearth_app::server::{Requests, ServerStatus};
use tauri::State;

use crate::shell::Shell;

#[tauri::command]
#[specta::specta]
pub async fn server_status(shell: State<'_, Shell>) -> Result<ServerStatus> {
    Ok(shell.app.server().status())
}

/// What runs, and the requests that ended with a higher id than this; a view asks again while it is open.
#[tauri::command]
#[specta::specta]
pub async fn list_requests(shell: State<'_, Shell>, after: u32) -> Result<Requests> {
    let (running, waiting) = shell.app.inference().admitted();
    Ok(Requests {
        running,
        waiting,
        ended: shell.app.server().requests_after(u64::from(after)),
    })
}

#[tauri::command]
#[specta::specta]
pub async fn list_api_keys(shell: State<'_, Shell>) -> Result<Vec<ApiKey>> {
    shell.app.keys()?.list().await
}

/// The only time that a key can be seen.
#[tauri::command]
#[specta::specta]
pub async fn create_api_key(
    shell: State<'_, Shell>,
    name: String,
    scopes: Vec<Scope>,
) -> Result<NewApiKey> {
    shell.app.keys()?.create(&name, scopes).await
}

#[tauri::command]
#[specta::specta]
pub async fn revoke_api_key(shell: State<'_, Shell>, id: String) -> Result<()> {
    shell.app.keys()?.revoke(&id).await
}
