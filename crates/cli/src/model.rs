//! `hearth show` and `hearth rm`: one model.

use std::process::ExitCode;

use hearth_app::models::{ModelDetails, ModelPurpose};
use hearth_app::{App, Result};
use serde_json::{Value, json};

use crate::client::{Client, error_of, read};
use crate::list::size;

/// Prints what a model says about itself.
pub(crate) async fn show(app: &App, name: &str, json: bool) -> Result<ExitCode> {
    let details = app.models().details(name).await?;
    let facts = facts(&details);
    if json {
        println!("{facts}");
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}", details.title);
    for (label, value) in [
        ("name", details.name.clone()),
        ("size", size(details.size_bytes)),
        ("architecture", details.header.architecture.clone()),
        ("quantisation", text(&facts["quantisation"])),
        ("parameters", details.header.parameters.to_string()),
        ("context", text(&facts["contextTokens"])),
        ("trained context", text(&facts["trainedContextTokens"])),
        ("use", text(&facts["purpose"])),
        ("can", abilities(&details).join(", ")),
        ("source", text(&facts["source"])),
        ("digest", details.digest.clone()),
    ] {
        println!("  {label:16} {value}");
    }
    Ok(ExitCode::SUCCESS)
}

fn facts(details: &ModelDetails) -> Value {
    let header = &details.header;
    json!({
        "name": details.name,
        "title": details.title,
        "source": details.source,
        "purpose": details.purpose,
        "sizeBytes": details.size_bytes,
        "modifiedMs": details.modified_ms,
        "digest": details.digest,
        "architecture": header.architecture,
        "quantisation": header.quantisation,
        "parameters": header.parameters,
        "layers": header.block_count,
        "contextTokens": details.context_tokens,
        "trainedContextTokens": header.context_length,
        "parts": header.part_count.max(1),
        "abilities": abilities(details),
        "template": header.chat_template,
    })
}

fn abilities(details: &ModelDetails) -> Vec<&'static str> {
    [
        ("chat", details.purpose == ModelPurpose::Chat),
        ("tools", details.calls_tools),
        ("vision", details.sees),
        ("thinking", details.thinks),
    ]
    .into_iter()
    .filter_map(|(name, can)| can.then_some(name))
    .collect()
}

/// What is not known is shown as people write it.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "n/a".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Removes a model of the user, unloading it first.
pub(crate) async fn remove(app: &App, name: &str, json: bool) -> Result<ExitCode> {
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
