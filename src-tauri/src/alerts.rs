//! Tells the user about alerts with notifications of the system. The log and the time line have them in any case.

use hearth_app::events::AppEvent;
use tauri::{AppHandle, Manager};
use tokio::sync::broadcast::error::RecvError;

use crate::platform;
use crate::shell::Shell;

/// Shows every alert that the user wants to be told about, until the program ends.
pub fn start(handle: &AppHandle) {
    let mut events = handle.state::<Shell>().app.events().subscribe();
    let handle = handle.clone();
    tauri::async_runtime::spawn(async move {
        let mut told_of_failure = false;
        loop {
            let alert = match events.recv().await {
                Ok(AppEvent::Alerted { alert }) => alert,
                Ok(_) | Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return,
            };
            // Asking the system may block.
            let shown =
                tokio::task::spawn_blocking(move || platform::notify("Hearth", &alert.sentence()));
            let failure = match shown.await {
                Ok(Ok(())) => continue,
                Ok(Err(reason)) => reason,
                Err(error) => error.to_string(),
            };
            if !std::mem::replace(&mut told_of_failure, true) {
                let message = format!(
                    "Notifications cannot be shown ({failure}). Alerts are in the log and on the Monitor screen."
                );
                handle.state::<Shell>().notice("notifications", message);
            }
        }
    });
}
