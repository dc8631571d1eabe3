//! The tray icon and its menu. Everything in it can also be reached from the main window and the shortcut.

use std::sync::atomic::Ordering;

use hearth_app::events::AppEvent;
use hearth_app::inference::EngineState;
use tauri::image::Image;
use tauri::menu::{Menu, MenuEvent, MenuItem, PredefinedMenuItem};
use tauri::tray::{MouseButton, MouseButtonState, TrayIcon, TrayIconBuilder, TrayIconEvent};
use tauri::{AppHandle, Manager, Wry};

use crate::shell::Shell;
use crate::{lifecycle, platform, windows};

pub const ID: &str = "hearth";

/// Shows or removes the icon.
pub fn set_shown(handle: &AppHandle, shown: bool) -> tauri::Result<()> {
    let there = handle.tray_by_id(ID);
    match (shown, there) {
        (true, None) => build(handle),
        (true, Some(tray)) => {
            tray.set_visible(true)?;
            handle
                .state::<Shell>()
                .has_tray
                .store(true, Ordering::Relaxed);
            Ok(())
        }
        (false, Some(tray)) => {
            handle
                .state::<Shell>()
                .has_tray
                .store(false, Ordering::Relaxed);
            tray.set_visible(false)
        }
        (false, None) => Ok(()),
    }
}

fn build(handle: &AppHandle) -> tauri::Result<()> {
    let state = MenuItem::with_id(handle, "state", "Hearth", false, None::<&str>)?;
    let menu = Menu::with_items(
        handle,
        &[
            &state,
            &PredefinedMenuItem::separator(handle)?,
            &MenuItem::with_id(handle, "open", "Open Chat", true, None::<&str>)?,
            &MenuItem::with_id(handle, "new", "New Chat", true, None::<&str>)?,
            &MenuItem::with_id(handle, "settings", "Settings…", true, None::<&str>)?,
            &PredefinedMenuItem::separator(handle)?,
            &MenuItem::with_id(handle, "quit", "Quit Hearth", true, None::<&str>)?,
        ],
    )?;
    let tray = TrayIconBuilder::with_id(ID)
        .icon(icon(Flame::Idle)?)
        .icon_as_template(platform::tray_icon_is_template())
        .tooltip("Hearth")
        .menu(&menu)
        .show_menu_on_left_click(false)
        .on_menu_event(on_menu)
        .on_tray_icon_event(on_click)
        .build(handle)?;
    handle
        .state::<Shell>()
        .has_tray
        .store(true, Ordering::Relaxed);
    follow_state(handle.clone(), tray, state);
    Ok(())
}

fn on_click(tray: &TrayIcon, event: TrayIconEvent) {
    if let TrayIconEvent::Click {
        button: MouseButton::Left,
        button_state: MouseButtonState::Up,
        rect,
        ..
    } = event
    {
        windows::toggle_popover(tray.app_handle(), Some(rect));
    }
}

fn on_menu(handle: &AppHandle, event: MenuEvent) {
    match event.id().as_ref() {
        "open" => windows::show_main(handle),
        "new" => {
            windows::show_main(handle);
            handle.state::<Shell>().app.events().send(AppEvent::NewChat);
        }
        "settings" => {
            windows::show_main_at(handle, Some(hearth_app::events::Section::Settings), None)
        }
        "quit" => lifecycle::quit(handle),
        _ => {}
    }
}

/// How full the flame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flame {
    Idle,
    Working,
    Busy,
    Alert,
}

fn icon(flame: Flame) -> tauri::Result<Image<'static>> {
    // On macOS a template image; elsewhere the light variant, since most panels are dark.
    macro_rules! frame {
        ($name:literal) => {
            if cfg!(target_os = "macos") {
                Image::from_bytes(include_bytes!(concat!("../icons/", $name, "@2x.png")))
            } else {
                Image::from_bytes(include_bytes!(concat!("../icons/", $name, "-light.png")))
            }
        };
    }
    match flame {
        Flame::Idle => frame!("tray-idle"),
        Flame::Working => frame!("tray-working"),
        Flame::Busy => frame!("tray-busy"),
        Flame::Alert => frame!("tray-idle-alert"),
    }
}

/// Icon and first line of the menu for a state.
fn shown(state: &EngineState) -> (Flame, String) {
    match state {
        EngineState::Unloaded => (Flame::Idle, "No model loaded".into()),
        EngineState::Loading { model, .. } => (Flame::Working, format!("Loading {model}…")),
        EngineState::Ready { model, .. } => (Flame::Idle, format!("Ready: {model}")),
        EngineState::Generating { model, .. } => (Flame::Busy, format!("Answering: {model}")),
        EngineState::Failed { error, .. } => (Flame::Alert, error.message.clone()),
    }
}

/// Changes icon and line when the state changes, at most once a second. Chats announce the start and the end of every answer,
/// so nothing is polled while nothing happens.
fn follow_state(handle: AppHandle, tray: TrayIcon<Wry>, line: MenuItem<Wry>) {
    let app = handle.state::<Shell>().app.clone();
    let mut events = app.events().subscribe();
    tauri::async_runtime::spawn(async move {
        let mut last: Option<(Flame, String)> = None;
        loop {
            let state = app.inference().state();
            let now = shown(&state);
            if last.as_ref() != Some(&now) {
                let icon_changed = last.as_ref().map(|(flame, _)| *flame) != Some(now.0);
                let result = icon(now.0).and_then(|image| {
                    if icon_changed {
                        tray.set_icon_with_as_template(
                            Some(image),
                            platform::tray_icon_is_template(),
                        )?;
                    }
                    line.set_text(&now.1)
                });
                if let Err(error) = result {
                    tracing::warn!(%error, "the tray icon could not be changed");
                }
                last = Some(now);
            }
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            // While something is under way the next look is a second later; otherwise it waits for an announcement.
            if matches!(
                state,
                EngineState::Ready { .. } | EngineState::Unloaded | EngineState::Failed { .. }
            ) {
                match events.recv().await {
                    Ok(_) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                    Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
                }
            }
        }
    });
}
