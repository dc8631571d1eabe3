//! Commands on the Monitor screen: the moment, the time line and what settings would change.

use hearth_app::Result;
use hearth_app::monitor::{ExportAs, Span};
use hearth_app::settings::SettingChange;
use hearth_app::throttle::Decision;
use hearth_app::timeline::{Explanation, History, Moment};
use serde::Deserialize;
use tauri::State;

use crate::shell::Shell;

/// A moment to ask about.
#[derive(Deserialize, specta::Type)]
#[serde(rename_all = "camelCase")]
pub struct At {
    #[specta(type = u32)]
    at_ms: i64,
}

/// The newest moment; views that are open ask once a second.
#[tauri::command]
#[specta::specta]
pub async fn get_moment(shell: State<'_, Shell>) -> Result<Moment> {
    Ok(Moment::clone(&*shell.app.monitor()?.now()))
}

#[tauri::command]
#[specta::specta]
pub async fn get_history(shell: State<'_, Shell>, span: Span) -> Result<History> {
    shell.app.monitor()?.history(span).await
}

#[tauri::command]
#[specta::specta]
pub async fn explain_moment(shell: State<'_, Shell>, at: At) -> Result<Explanation> {
    shell.app.monitor()?.explain(at.at_ms).await
}

/// The path of the new file.
#[tauri::command]
#[specta::specta]
pub async fn export_history(
    shell: State<'_, Shell>,
    span: Span,
    format: ExportAs,
) -> Result<String> {
    let file = shell.app.monitor()?.export(span, format).await?;
    Ok(file.display().to_string())
}

/// What would be decided now with another value of one setting.
#[tauri::command]
#[specta::specta]
pub async fn preview_setting(shell: State<'_, Shell>, change: SettingChange) -> Result<Decision> {
    shell.app.monitor()?.preview(&change)
}
