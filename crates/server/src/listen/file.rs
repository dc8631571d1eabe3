//! The file by which programs of the same user find the running server.

use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use hearth_app::server::ServerFile;
use hearth_app::{App, Error, Result};
use tokio::net::TcpStream;

/// A server on this machine answers a connection at once.
const ANSWER_LIMIT: Duration = Duration::from_millis(500);

/// Writes it, unless it names another server of this user that still listens.
pub(super) async fn write(app: &App, port: u16) -> Result<()> {
    let path = app.paths().server_file();
    if let Some(other) = read(&path).filter(|other| other.pid != std::process::id()) {
        let reached = TcpStream::connect(("127.0.0.1", other.port));
        if matches!(tokio::time::timeout(ANSWER_LIMIT, reached).await, Ok(Ok(_))) {
            return Ok(());
        }
    }
    let token = match app.keys() {
        Ok(keys) => keys.new_token()?,
        Err(_) => String::new(),
    };
    let file = ServerFile {
        port,
        pid: std::process::id(),
        token,
    };
    let text = serde_json::to_vec(&file).map_err(Error::internal)?;
    let written = tokio::task::spawn_blocking(move || replace(&path, &text)).await;
    written
        .map_err(Error::internal)?
        .map_err(|e| Error::internal(format!("server.json could not be written ({e})")))
}

/// Removes it if it is ours.
pub(super) async fn remove(app: &App) {
    let path = app.paths().server_file();
    let removed = tokio::task::spawn_blocking(move || match read(&path) {
        Some(file) if file.pid == std::process::id() => std::fs::remove_file(&path),
        _ => Ok(()),
    });
    if let Ok(Err(error)) = removed.await {
        tracing::warn!(%error, "server.json could not be removed");
    }
}

fn read(path: &Path) -> Option<ServerFile> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// All or nothing, and readable by its owner only from the first byte on.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let new = path.with_extension("json.new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(&new)?.write_all(text)?;
    std::fs::rename(&new, path)
}
