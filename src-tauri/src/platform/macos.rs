//! macOS: an accessory app with a non-activating panel as popover, so that it opens over full-screen apps and gives the focus
//! back, and a login item that the system shows under the app's own name.
#![allow(unsafe_code)] // Each call into ServiceManagement says why it is sound.

use block2::RcBlock;
use objc2::runtime::Bool as ObjcBool;
use objc2_foundation::{NSBundle, NSError, NSLocale, NSString};
use objc2_service_management::{SMAppService, SMAppServiceStatus};
use objc2_user_notifications::{
    UNAuthorizationOptions, UNMutableNotificationContent, UNNotificationRequest,
    UNUserNotificationCenter,
};
use tauri::{AppHandle, Builder, LogicalSize, Manager, Size, WebviewWindow, Wry};
use tauri_nspanel::{
    CollectionBehavior, ManagerExt, PanelBuilder, PanelLevel, StyleMask, tauri_panel,
};

use crate::windows;

/// The Dock, Spotlight or the Finder bring the app back.
pub const STAYS_WITHOUT_WINDOWS: bool = true;

tauri_panel! {
    panel!(PopoverPanel {
        config: {
            can_become_key_window: true,
            is_floating_panel: true
        }
    })
}

/// Adds what only this platform needs.
pub fn prepare(builder: Builder<Wry>) -> Builder<Wry> {
    builder.plugin(tauri_nspanel::init())
}

/// Accessory: no Dock icon and no menu bar of its own.
pub fn set_dock(handle: &AppHandle, shown: bool) -> tauri::Result<()> {
    let policy = if shown {
        tauri::ActivationPolicy::Regular
    } else {
        tauri::ActivationPolicy::Accessory
    };
    handle.set_activation_policy(policy)
}

/// Registers the app itself with the system (macOS 13 and later). The status is read each time: the user can change it in
/// System Settings.
pub fn set_login_item(_: &AppHandle, on: bool) -> Result<(), String> {
    // SAFETY: class and instance methods without arguments or preconditions, available since macOS 13; we require 14.
    let service = unsafe { SMAppService::mainAppService() };
    // SAFETY: as above.
    let enabled = unsafe { service.status() } == SMAppServiceStatus::Enabled;
    if on == enabled {
        return Ok(());
    }
    // SAFETY: as above; both report failure through NSError, which the binding returns.
    let changed = unsafe {
        if on {
            service.registerAndReturnError()
        } else {
            service.unregisterAndReturnError()
        }
    };
    changed.map_err(|error| error.localizedDescription().to_string())?;
    // SAFETY: as above.
    if on && unsafe { service.status() } == SMAppServiceStatus::RequiresApproval {
        // SAFETY: as above.
        unsafe { SMAppService::openSystemSettingsLoginItems() };
        return Err("macOS asks you to allow it under Login Items, which is open now".into());
    }
    Ok(())
}

/// Shows a notification. The system asks the user the first time; whoever said no is not asked again, and sees none.
pub fn notify(title: &str, text: &str) -> Result<(), String> {
    // Outside a bundle the centre throws an exception.
    if NSBundle::mainBundle().bundleIdentifier().is_none() {
        return Err("Hearth does not run as an app".into());
    }
    let content = UNMutableNotificationContent::new();
    content.setTitle(&NSString::from_str(title));
    content.setBody(&NSString::from_str(text));
    let id = NSString::from_str(&format!("hearth-{:?}", std::time::Instant::now()));
    let request = UNNotificationRequest::requestWithIdentifier_content_trigger(&id, &content, None);
    let centre = UNUserNotificationCenter::currentNotificationCenter();
    let asked = centre.clone();
    let add = RcBlock::new(move |granted: ObjcBool, error: *mut NSError| {
        if granted.as_bool() {
            asked.addNotificationRequest_withCompletionHandler(&request, None);
        } else {
            tracing::info!(failed = !error.is_null(), "notifications are not allowed");
        }
    });
    centre.requestAuthorizationWithOptions_completionHandler(UNAuthorizationOptions::Alert, &add);
    Ok(())
}

/// The menu bar colours the icon itself.
pub fn tray_icon_is_template() -> bool {
    true
}

/// The menu bar is always there.
pub fn tray_trouble() -> Option<String> {
    None
}

pub fn build_popover(handle: &AppHandle) -> tauri::Result<WebviewWindow> {
    let (width, height) = windows::POPOVER_SIZE;
    PanelBuilder::<_, PopoverPanel>::new(handle, windows::POPOVER)
        .url(windows::popover_url())
        .title("Hearth")
        .size(Size::Logical(LogicalSize::new(width, height)))
        .level(PanelLevel::Status)
        .collection_behavior(
            CollectionBehavior::new()
                .can_join_all_spaces()
                .full_screen_auxiliary(),
        )
        .style_mask(StyleMask::empty().nonactivating_panel().resizable())
        .corner_radius(12.0)
        .no_activate(true)
        .with_window(|window| {
            window
                .decorations(false)
                .visible(false)
                .accept_first_mouse(true)
        })
        .build()?;
    let window = handle
        .get_webview_window(windows::POPOVER)
        .ok_or(tauri::Error::WindowNotFound)?;
    windows::watch_popover(&window);
    Ok(window)
}

pub fn show_popover(window: &WebviewWindow) {
    match window.app_handle().get_webview_panel(windows::POPOVER) {
        Ok(panel) => panel.show_and_make_key(),
        Err(error) => tracing::warn!(?error, "the popover could not be shown"),
    }
}

pub fn hide_popover(window: &WebviewWindow) {
    match window.app_handle().get_webview_panel(windows::POPOVER) {
        Ok(panel) => panel.hide(),
        Err(error) => tracing::warn!(?error, "the popover could not be hidden"),
    }
}

/// A panel must be a window again before it is destroyed.
pub fn release(window: &WebviewWindow) -> tauri::Result<()> {
    if let Ok(panel) = window.app_handle().get_webview_panel(window.label())
        && let Some(plain) = panel.to_window()
    {
        return plain.destroy();
    }
    window.destroy()
}

/// The first of the user's preferred languages.
pub fn language() -> Option<String> {
    NSLocale::preferredLanguages()
        .firstObject()
        .map(|tag| tag.to_string())
}
