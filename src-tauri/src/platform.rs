//! What differs between macOS and Linux. The rest of the shell calls these functions and does not ask where it runs.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

#[cfg(target_os = "linux")]
use linux as os;
#[cfg(target_os = "macos")]
use macos as os;

pub use os::{
    STAYS_WITHOUT_WINDOWS, build_popover, hide_popover, notify, prepare, release, set_dock,
    set_login_item, show_popover, tray_icon_is_template, tray_trouble,
};

/// The system's language as a BCP 47 tag, such as `de-DE`; `en` when unknown.
pub fn language() -> String {
    os::language()
        .filter(|tag| !tag.is_empty())
        .unwrap_or_else(|| "en".to_owned())
}
