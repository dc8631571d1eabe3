//! The main window and the popover. Views are disposable: all state is in the core, so a window that was not used for a while
//! is destroyed and built again in place.

use std::path::PathBuf;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hearth_app::events::{AppEvent, Section};
use tauri::{
    AppHandle, Manager, Rect, Url, WebviewUrl, WebviewWindow, WebviewWindowBuilder, WindowEvent,
    Wry,
};

use crate::dropped;
use crate::lifecycle;
use crate::platform;
use crate::shell::Shell;

pub const MAIN: &str = "main";
pub const POPOVER: &str = "popover";

/// Size of the popover in points.
pub const POPOVER_SIZE: (f64, f64) = (420.0, 560.0);
/// A closed main window's view is destroyed after this long.
const KEEP_MAIN: Duration = Duration::from_secs(60);
/// A hidden popover's view is destroyed after this long.
const KEEP_POPOVER: Duration = Duration::from_secs(15 * 60);
/// macOS takes the focus away before it reports the click on the tray icon; within this long they are one gesture.
const ONE_GESTURE: Duration = Duration::from_millis(250);

/// Shows the main window, building it when needed.
pub fn show_main(handle: &AppHandle) {
    show_main_at(handle, None, None);
}

/// Shows the main window at a section or a chat.
pub fn show_main_at(handle: &AppHandle, section: Option<Section>, chat_id: Option<String>) {
    on_main_thread(handle, move |handle| {
        let window = match handle.get_webview_window(MAIN) {
            Some(window) => {
                if let Some(section) = section.or(chat_id.as_ref().map(|_| Section::Chats)) {
                    let event = AppEvent::ShowSection { section, chat_id };
                    handle.state::<Shell>().app.events().send(event);
                }
                window
            }
            None => match build_main(handle, section, chat_id.as_deref()) {
                Ok(window) => window,
                Err(error) => return tracing::error!(%error, "the main window could not be built"),
            },
        };
        log_failure(
            "show",
            window
                .unminimize()
                .and_then(|()| window.show())
                .and_then(|()| window.set_focus()),
        );
    });
}

fn build_main(
    handle: &AppHandle,
    section: Option<Section>,
    chat_id: Option<&str>,
) -> tauri::Result<WebviewWindow> {
    // A view that is built new is told by its address where to open.
    let place = match (section, chat_id) {
        (Some(Section::Models), _) => "index.html#models".to_owned(),
        (Some(Section::Monitor), _) => "index.html#monitor".to_owned(),
        (Some(Section::Server), _) => "index.html#server".to_owned(),
        (Some(Section::Settings), _) => "index.html#settings".to_owned(),
        (_, Some(chat)) => format!("index.html#chat={chat}"),
        _ => "index.html".to_owned(),
    };
    let window = WebviewWindowBuilder::new(handle, MAIN, WebviewUrl::App(place.into()))
        .title("Hearth")
        .inner_size(1080.0, 720.0)
        .min_inner_size(560.0, 400.0)
        .visible(false)
        .data_directory(web_data(handle))
        .on_navigation(is_own_page)
        .build()?;
    let for_events = window.clone();
    window.on_window_event(move |event| match event {
        WindowEvent::CloseRequested { api, .. } => on_close_main(&for_events, api),
        WindowEvent::DragDrop(event) => {
            dropped::on_drag(&for_events.state::<Shell>().app, event);
        }
        _ => {}
    });
    Ok(window)
}

fn on_close_main(window: &WebviewWindow, api: &tauri::CloseRequestApi) {
    let handle = window.app_handle();
    let shell = handle.state::<Shell>();
    if shell.quitting.load(Ordering::Relaxed) {
        return;
    }
    api.prevent_close();
    // Without tray and Dock a hidden window could not be found again.
    if platform::STAYS_WITHOUT_WINDOWS || shell.has_tray.load(Ordering::Relaxed) {
        hide(window);
    } else {
        lifecycle::quit(handle);
    }
}

/// Hides a window and destroys its view when it stays hidden.
pub fn hide(window: &WebviewWindow) {
    let popover = window.label() == POPOVER;
    if popover {
        let shell = window.state::<Shell>();
        *shell
            .popover_hidden_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        platform::hide_popover(window);
    } else {
        log_failure("hide", window.hide());
    }
    let keep = if popover { KEEP_POPOVER } else { KEEP_MAIN };
    let (handle, label) = (window.app_handle().clone(), window.label().to_owned());
    tauri::async_runtime::spawn(async move {
        tokio::time::sleep(keep).await;
        on_main_thread(&handle, move |handle| {
            let Some(window) = handle.get_webview_window(&label) else {
                return;
            };
            if !window.is_visible().unwrap_or(true) {
                log_failure("release", platform::release(&window));
            }
        });
    });
}

/// Opens the popover, or hides it when it is open. `anchor` is the tray icon's place.
pub fn toggle_popover(handle: &AppHandle, anchor: Option<Rect>) {
    on_main_thread(handle, move |handle| {
        let open = handle.get_webview_window(POPOVER);
        if let Some(window) = open.as_ref().filter(|w| w.is_visible().unwrap_or(false)) {
            return hide(window);
        }
        let shell = handle.state::<Shell>();
        let hidden_at = *shell
            .popover_hidden_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if anchor.is_some() && hidden_at.is_some_and(|at| at.elapsed() < ONE_GESTURE) {
            return;
        }
        let window = match open.map_or_else(|| platform::build_popover(handle), Ok) {
            Ok(window) => window,
            Err(error) => return tracing::error!(%error, "the popover could not be built"),
        };
        place_popover(&window, anchor);
        platform::show_popover(&window);
    });
}

/// The parts of the popover that are the same on every platform.
pub fn popover_url() -> WebviewUrl {
    WebviewUrl::App("popover.html".into())
}

/// Folder of what the views keep, such as which chat was open last. macOS has a place of its own for it.
pub fn web_data(handle: &AppHandle) -> PathBuf {
    handle.state::<Shell>().app.paths().web_data()
}

/// Hides the popover when it loses the focus, unless it is pinned.
pub fn watch_popover(window: &WebviewWindow) {
    let for_events = window.clone();
    window.on_window_event(move |event| match event {
        WindowEvent::Focused(false)
            if !for_events.state::<Shell>().pinned.load(Ordering::Relaxed) =>
        {
            hide(&for_events);
        }
        WindowEvent::CloseRequested { api, .. }
            if !for_events.state::<Shell>().quitting.load(Ordering::Relaxed) =>
        {
            api.prevent_close();
            hide(&for_events);
        }
        _ => {}
    });
}

/// Puts the popover under the tray icon (or, without one, in the middle of the top), inside the screen it belongs to.
fn place_popover(window: &WebviewWindow, anchor: Option<Rect>) {
    let anchor = anchor.or_else(|| {
        window
            .app_handle()
            .tray_by_id(crate::tray::ID)?
            .rect()
            .ok()
            .flatten()
    });
    let scale = window.scale_factor().unwrap_or(1.0);
    let monitor = anchor
        .and_then(|rect| {
            let at = rect.position.to_physical::<f64>(scale);
            window.monitor_from_point(at.x, at.y).ok().flatten()
        })
        .or_else(|| window.current_monitor().ok().flatten())
        .or_else(|| window.primary_monitor().ok().flatten());
    let (Some(monitor), Ok(size)) = (monitor, window.outer_size()) else {
        return;
    };
    let area = monitor.work_area();
    let middle = match anchor {
        Some(rect) => {
            let (at, icon) = (
                rect.position.to_physical::<f64>(scale),
                rect.size.to_physical::<f64>(scale),
            );
            at.x + icon.width / 2.0
        }
        None => f64::from(area.position.x) + f64::from(area.size.width) / 2.0,
    };
    let left = f64::from(area.position.x);
    let right = left + f64::from(area.size.width) - f64::from(size.width);
    let x = (middle - f64::from(size.width) / 2.0).clamp(left, right.max(left));
    let y = f64::from(area.position.y);
    log_failure(
        "place",
        window.set_position(tauri::PhysicalPosition::new(x, y)),
    );
}

/// A view stays on its own pages whatever a model writes.
pub fn is_own_page(url: &Url) -> bool {
    let local = url.scheme() == "tauri" && url.host_str() == Some("localhost");
    let development = cfg!(dev) && url.scheme() == "http" && url.host_str() == Some("localhost");
    local || development
}

/// Window calls must come from the main thread on macOS and may deadlock elsewhere.
fn on_main_thread(handle: &AppHandle<Wry>, work: impl FnOnce(&AppHandle) + Send + 'static) {
    let inner = handle.clone();
    log_failure("reach", handle.run_on_main_thread(move || work(&inner)));
}

fn log_failure(what: &str, result: tauri::Result<()>) {
    if let Err(error) = result {
        tracing::warn!(%error, "could not {what} a window");
    }
}
