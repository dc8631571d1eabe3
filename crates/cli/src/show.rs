//! `hearth show`: what a model is, what it takes, and whether it fits.

use std::process::ExitCode;

use hearth_app::fit::Fit;
use hearth_app::models::{ModelDetails, ModelPurpose};
use hearth_app::{App, Result};
use serde_json::{Value, json};

use crate::list::size;

pub(crate) async fn run(
    app: &App,
    model: &str,
    context: Option<u32>,
    json: bool,
) -> Result<ExitCode> {
    let details = app.models().details(model).await?;
    let fit = app.inference().fit(&details.name, context).await?;
    let facts = facts(&details, &fit);
    if json {
        println!("{facts}");
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}", details.title);
    for (what, value) in [
        ("name", details.name.clone()),
        ("file", size(details.size_bytes)),
        ("architecture", details.header.architecture.clone()),
        ("quantisation", text(&facts["quantisation"])),
        ("parameters", parameters(details.header.parameters)),
        ("trained context", text(&facts["trainedContextTokens"])),
        ("use", text(&facts["purpose"])),
        ("can", abilities(&details).join(", ")),
        ("source", text(&facts["source"])),
        ("digest", details.digest.clone()),
    ] {
        if !value.is_empty() {
            println!("  {what:<16} {value}");
        }
    }
    println!("Memory with a context of {} tokens", fit.context_tokens);
    for (what, bytes) in parts(&fit) {
        println!("  {what:<16} {bytes:>15} bytes  {:>8}", size(bytes));
    }
    println!("{}", fit.sentence);
    if let Some(speed) = fit.tokens_per_second {
        println!("About {speed:.0} tokens a second with a short context.");
    }
    Ok(ExitCode::SUCCESS)
}

fn parts(fit: &Fit) -> Vec<(&'static str, u64)> {
    let sum = &fit.sum;
    let parts = [
        ("weights", sum.weights),
        ("vision part", sum.projector),
        ("context", sum.cache),
        ("copies of it", sum.copies),
        ("scratch space", sum.compute),
        ("output", sum.output),
        ("together", fit.total_bytes),
    ];
    parts.into_iter().filter(|(_, bytes)| *bytes > 0).collect()
}

fn facts(details: &ModelDetails, fit: &Fit) -> Value {
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
        "fit": fit,
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

/// As model makers write it.
fn parameters(count: u64) -> String {
    if count >= 1_000_000_000 {
        format!("{:.1} B", count as f64 / 1e9)
    } else {
        format!("{:.0} M", count as f64 / 1e6)
    }
}

/// What is not known is shown as people write it.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "n/a".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
