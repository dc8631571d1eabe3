//! Linux: no click on the tray icon and no place of it, so the tray menu opens the windows; D-Bus may be missing altogether.

use tauri::{AppHandle, Builder, Manager, WebviewWindow, WebviewWindowBuilder, Wry};
use tauri_plugin_autostart::ManagerExt;

use crate::shell::Shell;
use crate::windows;

/// Without a tray there is no Dock to come back from.
pub const STAYS_WITHOUT_WINDOWS: bool = false;

/// Adds what only this platform needs.
pub fn prepare(builder: Builder<Wry>) -> Builder<Wry> {
    builder.plugin(
        tauri_plugin_autostart::Builder::new()
            .args(["--background"])
            .build(),
    )
}

/// There is no Dock.
#[allow(clippy::unnecessary_wraps)] // Same signature as on macOS.
pub fn set_dock(_: &AppHandle, _: bool) -> tauri::Result<()> {
    Ok(())
}

pub fn set_login_item(handle: &AppHandle, on: bool) -> Result<(), String> {
    let login = handle.autolaunch();
    match (on, login.is_enabled()) {
        (true, Ok(true)) | (false, Ok(false)) => Ok(()),
        (true, _) => login.enable().map_err(|e| e.to_string()),
        (false, _) => login.disable().map_err(|e| e.to_string()),
    }
}

/// Shows a notification; blocks on the session bus.
pub fn notify(title: &str, text: &str) -> Result<(), String> {
    notify_rust::Notification::new()
        .appname("Hearth")
        .summary(title)
        .body(text)
        .show()
        .map(drop)
        .map_err(|error| error.to_string())
}

/// Linux trays show an icon as it is.
pub fn tray_icon_is_template() -> bool {
    false
}

/// Why a tray icon would not be seen, if so: the desktop shows icons that are registered with a watcher on the session bus.
pub fn tray_trouble() -> Option<String> {
    let bus = zbus::blocking::Connection::session();
    let Ok(bus) = bus else {
        return Some(
            "There is no D-Bus session, so the tray icon cannot be shown. Use this window instead."
                .into(),
        );
    };
    let reply = bus.call_method(
        Some("org.freedesktop.DBus"),
        "/org/freedesktop/DBus",
        Some("org.freedesktop.DBus"),
        "NameHasOwner",
        &"org.kde.StatusNotifierWatcher",
    );
    let owned = reply
        .ok()
        .and_then(|reply| reply.body().deserialize::<bool>().ok());
    (owned != Some(true)).then(|| {
        "This desktop shows no tray icons, so Hearth has none. Use this window instead.".into()
    })
}

pub fn build_popover(handle: &AppHandle) -> tauri::Result<WebviewWindow> {
    let (width, height) = windows::POPOVER_SIZE;
    let window = WebviewWindowBuilder::new(handle, windows::POPOVER, windows::popover_url())
        .title("Hearth")
        .inner_size(width, height)
        .min_inner_size(320.0, 360.0)
        .decorations(false)
        .skip_taskbar(true)
        .always_on_top(true)
        .visible(false)
        .data_directory(windows::web_data(handle))
        .on_navigation(windows::is_own_page)
        .build()?;
    windows::watch_popover(&window);
    Ok(window)
}

pub fn show_popover(window: &WebviewWindow) {
    if let Err(error) = window.show().and_then(|()| window.set_focus()) {
        tracing::warn!(%error, "the popover could not be shown");
    }
}

pub fn hide_popover(window: &WebviewWindow) {
    if let Err(error) = window.hide() {
        tracing::warn!(%error, "the popover could not be hidden");
    }
}

pub fn release(window: &WebviewWindow) -> tauri::Result<()> {
    // Only while somewhere else leads back.
    if window
        .state::<Shell>()
        .has_tray
        .load(std::sync::atomic::Ordering::Relaxed)
    {
        window.destroy()?;
    }
    Ok(())
}

/// From the locale variables: `de_DE.UTF-8` to `de-DE`.
pub fn language() -> Option<String> {
    let set = |name: &&str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(set)?;
    let tag = locale.split(['.', '@']).next()?.replace('_', "-");
    (tag != "C" && tag != "POSIX").then_some(tag)
}
