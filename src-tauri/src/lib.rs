//! The desktop shell: tray, windows and the door to the web views. What the program can do is in `hearth-app`; this crate
//! parses, calls it and maps the answer.

mod alerts;
mod dropped;
pub mod ipc;
mod lifecycle;
mod platform;
mod shell;
mod shortcut;
mod tray;
mod windows;

pub use lifecycle::run;
