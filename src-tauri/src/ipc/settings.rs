//! Commands on settings. A setting with an effect outside the program (a shortcut, a login item, the tray) is tried first and
//! stored only when that worked.

use hearth_app::Result;
use hearth_app::settings::{SettingChange, SettingKey, SettingsView};
use tauri::{AppHandle, State};

use crate::lifecycle;
use crate::shell::Shell;

#[tauri::command]
#[specta::specta]
pub async fn get_settings(shell: State<'_, Shell>) -> Result<SettingsView> {
    Ok(shell.app.settings().view())
}

#[tauri::command]
#[specta::specta]
pub async fn set_setting(
    handle: AppHandle,
    shell: State<'_, Shell>,
    change: SettingChange,
) -> Result<SettingsView> {
    let settings = shell.app.settings();
    settings.check(&change)?;
    if change == SettingChange::ServerLan(true) {
        // The server would close for this machine too, rather than answer others without a key.
        shell.app.keys()?.need_one().await?;
    }
    lifecycle::take_effect(&handle, &shell, &change)?;
    settings.set(change).await
}

#[tauri::command]
#[specta::specta]
pub async fn reset_setting(
    handle: AppHandle,
    shell: State<'_, Shell>,
    key: SettingKey,
) -> Result<SettingsView> {
    let settings = shell.app.settings();
    let change = settings.default_of(key);
    settings.check(&change)?;
    lifecycle::take_effect(&handle, &shell, &change)?;
    settings.reset(key).await
}
