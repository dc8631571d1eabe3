//! The global shortcut that opens the popover.

use hearth_app::{Code, Error, Result};
use tauri::{AppHandle, Manager, Wry};
use tauri_plugin_global_shortcut::{GlobalShortcut, GlobalShortcutExt, Shortcut, ShortcutState};

use crate::windows;

/// Prepares shortcuts; an error says why this desktop has none.
pub fn start(handle: &AppHandle) -> tauri::Result<()> {
    let plugin = tauri_plugin_global_shortcut::Builder::new()
        .with_handler(|handle, _, event| {
            if event.state() == ShortcutState::Pressed {
                windows::toggle_popover(handle, None);
            }
        })
        .build();
    handle.plugin(plugin)
}

/// Replaces the shortcut; an empty one is none. The old one stays when the new one cannot be had.
pub fn set(handle: &AppHandle, old: &str, new: &str) -> Result<()> {
    let taken = |e: &dyn std::fmt::Display| {
        Error::new(
            Code::Unsupported,
            format!("The shortcut {new} cannot be used: {e}."),
        )
        .hint("Choose another one; it may belong to another program.")
    };
    // Absent when `start` failed; the plugin's own accessor would panic.
    if handle.try_state::<GlobalShortcut<Wry>>().is_none() {
        return if new.is_empty() {
            Ok(())
        } else {
            Err(taken(&"this desktop has no global shortcuts"))
        };
    }
    let shortcuts = handle.global_shortcut();
    let new_shortcut = if new.is_empty() {
        None
    } else {
        Some(new.parse::<Shortcut>().map_err(|e| taken(&e))?)
    };
    if let Some(shortcut) = new_shortcut {
        if shortcuts.is_registered(shortcut) {
            return Ok(());
        }
        shortcuts.register(shortcut).map_err(|e| taken(&e))?;
    }
    if let Ok(shortcut) = old.parse::<Shortcut>()
        && Some(shortcut) != new_shortcut
        && shortcuts.is_registered(shortcut)
        && let Err(error) = shortcuts.unregister(shortcut)
    {
        tracing::warn!(%error, "the old shortcut could not be released");
    }
    Ok(())
}
