//! Writes all chats to files a person can read or another program can take in.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use hearth_store::{ChatRow, Db, Error, MessageRow, Role};
use serde::{Deserialize, Serialize};

/// Form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// A file a chat, with the branch that is shown.
    Markdown,
    /// One file with every message of every branch.
    Json,
}

/// Writes into a new folder below `exports`; returns its path.
pub(super) fn write(
    db: &Db,
    exports: &Path,
    format: ExportFormat,
    now_ms: i64,
) -> hearth_store::Result<String> {
    let folder = exports.join(format!("hearth-{now_ms}"));
    fs::create_dir_all(&folder).map_err(|e| Error::io(&folder, e))?;
    match format {
        ExportFormat::Json => json(db, &folder)?,
        ExportFormat::Markdown => {
            for (number, chat) in db.chats().all()?.iter().enumerate() {
                let messages = db.messages().branch(&chat.id)?;
                let name = format!("{:04} {}.md", number + 1, file_name(&chat.title));
                store(&folder.join(name), markdown(chat, &messages).as_bytes())?;
            }
        }
    }
    Ok(folder.display().to_string())
}

fn json(db: &Db, folder: &Path) -> hearth_store::Result<()> {
    let mut by_chat: HashMap<String, Vec<serde_json::Value>> = HashMap::new();
    db.messages().for_each(|row| {
        by_chat
            .entry(row.chat_id.clone())
            .or_default()
            .push(serde_json::json!({
                "id": row.id,
                "parent_id": row.parent_id,
                "role": row.role.as_str(),
                "text": row.text,
                "status": row.status.as_str(),
                "created_at_ms": row.created_at_ms,
                "model": row.model,
            }));
    })?;
    let chats: Vec<_> = db
        .chats()
        .all()?
        .into_iter()
        .map(|chat| {
            serde_json::json!({
                "id": chat.id,
                "title": chat.title,
                "created_at_ms": chat.created_at_ms,
                "updated_at_ms": chat.updated_at_ms,
                "shown_message_id": chat.head_id,
                "messages": by_chat.remove(&chat.id).unwrap_or_default(),
            })
        })
        .collect();
    let document = serde_json::json!({ "format": "hearth-chats", "version": 1, "chats": chats });
    store(
        &folder.join("chats.json"),
        format!("{document:#}\n").as_bytes(),
    )
}

fn markdown(chat: &ChatRow, messages: &[MessageRow]) -> String {
    let title = if chat.title.is_empty() {
        "New chat"
    } else {
        &chat.title
    };
    let mut text = format!("# {title}\n");
    for message in messages {
        let who = match message.role {
            Role::User => "You",
            Role::Assistant => message.model.as_deref().unwrap_or("Assistant"),
        };
        let _ = write!(text, "\n## {who}\n\n{}\n", message.text.trim_end());
    }
    text
}

/// A title without what file systems do not take, at most 60 characters.
fn file_name(title: &str) -> String {
    let plain: String = title
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || " -_".contains(c) {
                c
            } else {
                ' '
            }
        })
        .collect();
    let name: String = plain
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(60)
        .collect();
    if name.is_empty() { "chat".into() } else { name }
}

fn store(path: &Path, bytes: &[u8]) -> hearth_store::Result<()> {
    let written = fs::File::create_new(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|e| Error::io(path, e))
}
