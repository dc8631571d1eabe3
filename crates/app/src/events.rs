//! Rare changes that open views want to hear of. Streams and readings do not come this way.

use serde::Serialize;
use tokio::sync::broadcast;

use crate::timeline::Alert;

/// A part of the main window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Section {
    Chats,
    Models,
    Monitor,
    Server,
    Settings,
}

/// Something changed that a view shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(
    tag = "type",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum AppEvent {
    ChatsChanged,
    SettingsChanged,
    /// A model was loaded, unloaded or pinned.
    LoadedModelsChanged,
    /// A model came or went, on the disk.
    ModelsChanged,
    /// A download or an import began, ended or does something else. How far it is does not come this way.
    DownloadsChanged,
    /// The server listens, or does not any more, or elsewhere.
    ServerChanged,
    /// The engines are held back in another way, or for another reason.
    LimitsChanged,
    /// A threshold was crossed.
    Alerted {
        alert: Alert,
    },
    /// Files are dragged over the main window, or not any more.
    FilesOver {
        over: bool,
    },
    NewChat,
    ShowSection {
        section: Section,
        chat_id: Option<String>,
    },
}

/// Where events are sent and heard.
#[derive(Debug, Clone)]
pub struct Events(broadcast::Sender<AppEvent>);

impl Default for Events {
    fn default() -> Self {
        Self(broadcast::channel(64).0)
    }
}

impl Events {
    pub fn send(&self, event: AppEvent) {
        // Nobody listens while no window is open.
        let _ = self.0.send(event);
    }

    pub fn subscribe(&self) -> broadcast::Receiver<AppEvent> {
        self.0.subscribe()
    }
}
