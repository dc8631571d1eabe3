//! Commands on the program itself: what it is, its windows, its folders, links.

use std::sync::atomic::Ordering;

use hearth_app::events::Section;
use hearth_app::inference::EngineState;
use hearth_app::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use tauri::{AppHandle, State, WebviewWindow};
use tauri_plugin_opener::OpenerExt;

use crate::shell::{PartNotice, Shell};
use crate::{lifecycle, platform, windows};

/// Longest link that is opened, in bytes.
const MAX_LINK_BYTES: usize = 4096;

/// What Hearth is and where its files lie.
#[derive(Debug, Clone, Serialize, specta::Type)]
#[serde(rename_all = "camelCase")]
pub struct AppInfo {
    version: String,
    platform: Platform,
    /// The system's language, such as `de-DE`.
    language: String,
    paths: ShownPaths,
    notices: Vec<PartNotice>,
    has_tray: bool,
}

#[derive(Debug, Clone, Copy, Serialize, specta::Type)]
#[serde(rename_all = "snake_case")]
enum Platform {
    Macos,
    Linux,
}

/// For display only; commands take a [`FolderKind`].
#[derive(Debug, Clone, Serialize, specta::Type)]
struct ShownPaths {
    settings: String,
    data: String,
    models: String,
    logs: String,
}

/// A folder that can be shown in the file manager.
#[derive(Debug, Clone, Copy, Deserialize, specta::Type)]
#[serde(rename_all = "snake_case")]
pub enum FolderKind {
    Settings,
    Data,
    Models,
    Logs,
}

#[tauri::command]
#[specta::specta]
pub async fn app_info(shell: State<'_, Shell>) -> Result<AppInfo> {
    let paths = shell.app.paths();
    Ok(AppInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        platform: if cfg!(target_os = "macos") {
            Platform::Macos
        } else {
            Platform::Linux
        },
        language: platform::language(),
        paths: ShownPaths {
            settings: paths.settings.display().to_string(),
            data: paths.data.display().to_string(),
            models: paths.models.display().to_string(),
            logs: paths.logs.display().to_string(),
        },
        notices: shell.notices(),
        has_tray: shell.has_tray.load(Ordering::Relaxed),
    })
}

/// What the model does that answers in the chats.
#[tauri::command]
#[specta::specta]
pub async fn engine_state(shell: State<'_, Shell>) -> Result<EngineState> {
    let model = shell.app.settings().get().model;
    Ok(shell.app.inference().state_of(&model))
}

#[tauri::command]
#[specta::specta]
pub async fn open_folder(
    handle: AppHandle,
    shell: State<'_, Shell>,
    kind: FolderKind,
) -> Result<()> {
    let paths = shell.app.paths();
    let folder = match kind {
        FolderKind::Settings => paths.settings.parent().unwrap_or(&paths.data),
        FolderKind::Data => &paths.data,
        FolderKind::Models => &paths.models,
        FolderKind::Logs => &paths.logs,
    };
    let folder = folder.to_path_buf();
    let failed = |e: String| {
        Error::new(
            Code::Unsupported,
            format!("The folder could not be opened: {e}."),
        )
        .hint(format!("Open it yourself: {}", folder.display()))
    };
    std::fs::create_dir_all(&folder).map_err(|e| failed(e.to_string()))?;
    handle
        .opener()
        .open_path(folder.display().to_string(), None::<&str>)
        .map_err(|e| failed(e.to_string()))
}

/// Opens a link in the user's browser. The view has shown the whole address and asked.
#[tauri::command]
#[specta::specta]
pub async fn open_link(handle: AppHandle, url: String) -> Result<()> {
    let refused = |reason: &str| {
        Error::new(
            Code::InvalidInput,
            format!("This link is not opened: {reason}."),
        )
    };
    if url.len() > MAX_LINK_BYTES {
        return Err(refused("it is too long"));
    }
    let parsed = tauri::Url::parse(&url).map_err(|_| refused("it is not a web address"))?;
    if !matches!(parsed.scheme(), "http" | "https" | "mailto") {
        return Err(refused("only web and mail links are"));
    }
    handle
        .opener()
        .open_url(parsed.as_str(), None::<&str>)
        .map_err(|e| {
            Error::new(
                Code::Unsupported,
                format!("The link could not be opened: {e}."),
            )
        })
}

/// What is done with windows.
#[derive(Debug, Clone, Deserialize, specta::Type)]
#[serde(
    tag = "type",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum WindowAction {
    /// Shows the main window, at a place of it.
    ShowMain {
        chat_id: Option<String>,
        section: Option<Section>,
    },
    /// Hides the window that asks.
    Hide,
    /// Whether the popover stays when it loses the focus.
    Pin { pinned: bool },
}

#[tauri::command]
#[specta::specta]
pub async fn act_on_window(
    handle: AppHandle,
    window: WebviewWindow,
    shell: State<'_, Shell>,
    action: WindowAction,
) -> Result<()> {
    match action {
        WindowAction::ShowMain { chat_id, section } => {
            windows::show_main_at(&handle, section, chat_id);
        }
        WindowAction::Hide => windows::hide(&window),
        WindowAction::Pin { pinned } => shell.pinned.store(pinned, Ordering::Relaxed),
    }
    Ok(())
}

#[tauri::command]
#[specta::specta]
pub async fn quit_app(handle: AppHandle) -> Result<()> {
    lifecycle::quit(&handle);
    Ok(())
}
