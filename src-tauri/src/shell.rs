//! What the shell itself knows beside the [`hearth_app::App`]: what is missing on this machine, and the state of its windows.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use hearth_app::App;
use hearth_server::Follow;
use serde::Serialize;

/// A part that is missing or degraded, for the log and the settings screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, specta::Type)]
pub struct PartNotice {
    pub part: String,
    pub message: String,
}

/// Managed by Tauri; commands get it as `State`.
pub struct Shell {
    pub app: Arc<App>,
    /// Taken when the program ends.
    server: Mutex<Option<Follow>>,
    notices: Mutex<Vec<PartNotice>>,
    pub has_tray: AtomicBool,
    /// The popover stays open when it loses focus.
    pub pinned: AtomicBool,
    /// When the popover hid itself, so that the click that caused it does not open it again.
    pub popover_hidden_at: Mutex<Option<Instant>>,
    /// The user asked to quit, so windows may really close.
    pub quitting: AtomicBool,
}

impl Shell {
    pub fn new(app: Arc<App>) -> Self {
        Self {
            server: Mutex::new(Some(Follow::start(Arc::clone(&app)))),
            app,
            notices: Mutex::default(),
            has_tray: AtomicBool::new(false),
            pinned: AtomicBool::new(false),
            popover_hidden_at: Mutex::default(),
            quitting: AtomicBool::new(false),
        }
    }

    /// Takes no more requests of programs, then stores what is being written and ends the engines.
    pub fn shut_down(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        let (server, app) = (server.take(), Arc::clone(&self.app));
        async move {
            if let Some(server) = server {
                server.stop().await;
            }
            app.shut_down().await;
        }
    }

    /// One line in the log and one in Settings.
    pub fn notice(&self, part: &str, message: impl Into<String>) {
        let message = message.into();
        tracing::warn!(part, "{message}");
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        notices.push(PartNotice {
            part: part.to_owned(),
            message,
        });
    }

    pub fn notices(&self) -> Vec<PartNotice> {
        self.notices
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
