//! `hearth rm`.

use std::process::ExitCode;

use hearth_app::{App, Result};
use serde_json::json;

use crate::client::{Client, error_of, read};
use crate::list::size;

/// Removes a model of the user, unloading it first.
pub(crate) async fn run(app: &App, name: &str, json: bool) -> Result<ExitCode> {
    let (name, freed_bytes) = match Client::find(app.paths()).await {
        Some(server) => {
            // It is unloaded by whoever has it loaded.
            let details = app.models().details(name).await;
            let asked = json!({ "model": name });
            let answer = server.send("DELETE", "/api/delete", Some(&asked)).await?;
            let status = answer.status();
            if !status.is_success() {
                return Err(error_of(status, &read(answer).await.unwrap_or_default()));
            }
            details.map(|details| (details.name, details.size_bytes))?
        }
        None => app.models().remove(name).await?,
    };
    if json {
        println!("{}", json!({ "name": name, "freedBytes": freed_bytes }));
    } else {
        eprintln!("{name} is removed; {} are free again.", size(freed_bytes));
    }
    Ok(ExitCode::SUCCESS)
}
