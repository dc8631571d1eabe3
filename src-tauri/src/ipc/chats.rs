//! Commands on chats.

use hearth_app::Result;
use hearth_app::chats::{ChatEvent, ChatSummary, ChatView, ExportFormat, Follow, SendReceipt};
use serde::{Deserialize, Serialize};
use tauri::State;
use tauri::ipc::Channel;

use crate::shell::Shell;

#[tauri::command]
#[specta::specta]
pub async fn list_chats(shell: State<'_, Shell>, query: String) -> Result<Vec<ChatSummary>> {
    shell.app.chats()?.list(&query).await
}

#[tauri::command]
#[specta::specta]
pub async fn create_chat(shell: State<'_, Shell>) -> Result<ChatSummary> {
    shell.app.chats()?.create().await
}

/// Also begins to load the model, so that the first answer need not wait for it.
#[tauri::command]
#[specta::specta]
pub async fn open_chat(shell: State<'_, Shell>, chat_id: String) -> Result<ChatView> {
    let view = shell.app.chats()?.view(&chat_id).await?;
    let app = shell.app.clone();
    tauri::async_runtime::spawn(async move {
        let model = app.settings().get().model;
        if let Err(error) = app.inference().prepare(&model).await {
            // Said again, with a button, when the user sends a message.
            tracing::warn!(%error, "the model could not be prepared");
        }
    });
    Ok(view)
}

#[tauri::command]
#[specta::specta]
pub async fn rename_chat(
    shell: State<'_, Shell>,
    chat_id: String,
    title: String,
) -> Result<ChatSummary> {
    shell.app.chats()?.rename(&chat_id, &title).await
}

/// Deletes a chat, or takes that back.
#[tauri::command]
#[specta::specta]
pub async fn set_chat_deleted(
    shell: State<'_, Shell>,
    chat_id: String,
    deleted: bool,
) -> Result<()> {
    let chats = shell.app.chats()?;
    if deleted {
        chats.delete(&chat_id).await
    } else {
        chats.restore(&chat_id).await.map(drop)
    }
}

#[tauri::command]
#[specta::specta]
pub async fn save_draft(shell: State<'_, Shell>, chat_id: String, text: String) -> Result<()> {
    shell.app.chats()?.save_draft(&chat_id, &text).await
}

/// Whether the model reads the message while it is being typed. Nothing is stored.
#[tauri::command]
#[specta::specta]
pub async fn read_ahead(shell: State<'_, Shell>, chat_id: String, draft: String) -> Result<bool> {
    shell.app.chats()?.read_ahead(&chat_id, &draft).await
}

/// The message is on disk when this returns; the answer follows on the channel.
#[tauri::command]
#[specta::specta]
pub async fn send_message(
    shell: State<'_, Shell>,
    chat_id: String,
    text: String,
    replaces: Option<String>,
    on_event: Channel<ChatEvent>,
) -> Result<SendReceipt> {
    let chats = shell.app.chats()?;
    let sent = chats.send(&chat_id, &text, replaces.as_deref()).await?;
    forward(sent.follow, on_event);
    Ok(sent.receipt)
}

#[tauri::command]
#[specta::specta]
pub async fn regenerate(
    shell: State<'_, Shell>,
    chat_id: String,
    message_id: String,
    on_event: Channel<ChatEvent>,
) -> Result<SendReceipt> {
    let chats = shell.app.chats()?;
    let sent = chats.regenerate(&chat_id, &message_id).await?;
    forward(sent.follow, on_event);
    Ok(sent.receipt)
}

/// Whether an answer is being written; if so, its events follow on the channel.
#[tauri::command]
#[specta::specta]
pub async fn follow_chat(
    shell: State<'_, Shell>,
    chat_id: String,
    on_event: Channel<ChatEvent>,
) -> Result<bool> {
    let follow = shell.app.chats()?.follow(&chat_id);
    let running = follow.is_some();
    if let Some(follow) = follow {
        forward(follow, on_event);
    }
    Ok(running)
}

#[tauri::command]
#[specta::specta]
pub async fn stop_generation(shell: State<'_, Shell>, chat_id: String) -> Result<()> {
    shell.app.chats()?.stop(&chat_id);
    Ok(())
}

#[tauri::command]
#[specta::specta]
pub async fn select_branch(
    shell: State<'_, Shell>,
    chat_id: String,
    message_id: String,
) -> Result<ChatView> {
    shell
        .app
        .chats()?
        .select_branch(&chat_id, &message_id)
        .await
}

/// Returns where the files were written.
#[tauri::command]
#[specta::specta]
pub async fn export_chats(shell: State<'_, Shell>, format: ExportFormat) -> Result<String> {
    shell.app.chats()?.export(format).await
}

/// What is to be removed of all chats.
#[derive(Debug, Clone, Copy, Deserialize, specta::Type)]
#[serde(rename_all = "snake_case")]
pub enum Cleared {
    /// The chats themselves.
    Chats,
    /// What models keep of them on disk.
    Kept,
}

/// What was removed.
#[derive(Debug, Clone, Default, Serialize, specta::Type)]
pub struct Freed {
    chats: u32,
    #[specta(type = u32)]
    bytes: u64,
}

#[tauri::command]
#[specta::specta]
pub async fn clear_chats(shell: State<'_, Shell>, what: Cleared) -> Result<Freed> {
    let chats = shell.app.chats()?;
    Ok(match what {
        Cleared::Chats => Freed {
            chats: chats.delete_all().await?,
            bytes: 0,
        },
        Cleared::Kept => Freed {
            chats: 0,
            bytes: chats.clear_kept().await?,
        },
    })
}

/// The generation does not depend on its views: one that is gone only ends the forwarding.
fn forward(mut follow: Follow, channel: Channel<ChatEvent>) {
    tauri::async_runtime::spawn(async move {
        while let Some(event) = follow.next().await {
            if channel.send(event).is_err() {
                return;
            }
        }
    });
}
