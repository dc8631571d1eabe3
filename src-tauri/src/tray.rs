//! The tray icon and its menu. Everything in it can also be reached from the main window and the shortcut.

mod face;
mod follow;

use std::sync::atomic::Ordering;

use hearth_app::events::{AppEvent, Section};
use tauri::image::Image;
use tauri::menu::{Menu, MenuEvent, MenuItem, PredefinedMenuItem};
use tauri::tray::{MouseButton, MouseButtonState, TrayIcon, TrayIconBuilder, TrayIconEvent};
use tauri::{AppHandle, Manager, Wry};

use self::face::Flame;
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
    let reason = MenuItem::with_id(handle, "reason", "", false, None::<&str>)?;
    let frames = Frames::load()?;
    let idle = frames
        .of(Flame::Idle, false)
        .ok_or(tauri::Error::InvalidIcon(
            std::io::ErrorKind::NotFound.into(),
        ))?;
    let menu = Menu::with_items(
        handle,
        &[
            &state,
            &reason,
            &PredefinedMenuItem::separator(handle)?,
            &MenuItem::with_id(handle, "open", "Open Chat", true, None::<&str>)?,
            &MenuItem::with_id(handle, "new", "New Chat", true, None::<&str>)?,
            &MenuItem::with_id(handle, "models", "Models", true, None::<&str>)?,
            &MenuItem::with_id(handle, "monitor", "Monitor", true, None::<&str>)?,
            &MenuItem::with_id(handle, "server", "Server", true, None::<&str>)?,
            &MenuItem::with_id(handle, "settings", "Settings…", true, None::<&str>)?,
            &PredefinedMenuItem::separator(handle)?,
            &MenuItem::with_id(handle, "quit", "Quit Hearth", true, None::<&str>)?,
        ],
    )?;
    let tray = TrayIconBuilder::with_id(ID)
        .icon(idle)
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
    let app = handle.state::<Shell>().app.clone();
    let shown = Shown {
        tray,
        frames,
        state,
        reason,
    };
    tauri::async_runtime::spawn(async move { follow::follow(&app, shown).await });
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
        "models" => windows::show_main_at(handle, Some(Section::Models), None),
        "monitor" => windows::show_main_at(handle, Some(Section::Monitor), None),
        "server" => windows::show_main_at(handle, Some(Section::Server), None),
        "settings" => windows::show_main_at(handle, Some(Section::Settings), None),
        "quit" => lifecycle::quit(handle),
        _ => {}
    }
}

/// The decoded frames: a menu bar is not to wait for a decoder each time that a flame changes.
struct Frames(Vec<((Flame, bool), Image<'static>)>);

impl Frames {
    fn load() -> tauri::Result<Self> {
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
        Ok(Self(vec![
            ((Flame::Idle, false), frame!("tray-idle")?),
            ((Flame::Working, false), frame!("tray-working")?),
            ((Flame::Busy, false), frame!("tray-busy")?),
            ((Flame::Idle, true), frame!("tray-idle-alert")?),
            ((Flame::Working, true), frame!("tray-working-alert")?),
            ((Flame::Busy, true), frame!("tray-busy-alert")?),
        ]))
    }

    fn of(&self, flame: Flame, dot: bool) -> Option<Image<'static>> {
        let frame = self.0.iter().find(|(of, _)| *of == (flame, dot));
        frame.map(|(_, image)| image.clone())
    }
}

/// The tray of the system.
struct Shown {
    tray: TrayIcon<Wry>,
    frames: Frames,
    state: MenuItem<Wry>,
    reason: MenuItem<Wry>,
}

impl follow::Surface for Shown {
    fn set_icon(&mut self, flame: Flame, dot: bool) {
        let image = self.frames.of(flame, dot);
        let is_template = platform::tray_icon_is_template();
        warn(self.tray.set_icon_with_as_template(image, is_template));
    }

    fn set_text(&mut self, text: &str) {
        warn(self.tray.set_title((!text.is_empty()).then_some(text)));
    }

    fn set_state(&mut self, line: &str) {
        warn(self.state.set_text(line));
    }

    fn set_reason(&mut self, line: &str) {
        warn(self.reason.set_text(line));
    }
}

fn warn(result: tauri::Result<()>) {
    if let Err(error) = result {
        tracing::warn!(%error, "the tray could not be changed");
    }
}
