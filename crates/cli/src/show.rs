//! `hearth show`.

use std::process::ExitCode;

use hearth_app::fit::Fit;
use hearth_app::models::ModelDetails;
use hearth_app::{App, Result};

use crate::list::size;

pub(crate) async fn run(
    app: &App,
    model: &str,
    context: Option<u32>,
    json: bool,
) -> Result<ExitCode> {
    let details = app.models().details(model).await?;
    let fit = app.inference().fit(&details.name, context).await?;
    if json {
        println!("{}", object(&details, &fit));
        return Ok(ExitCode::SUCCESS);
    }
    let header = &details.header;
    println!("{} ({})", details.title, details.name);
    for (what, value) in [
        ("architecture", header.architecture.clone()),
        (
            "parameters",
            format!("{:.1} B", header.parameters as f64 / 1e9),
        ),
        (
            "quantisation",
            header.quantisation.unwrap_or("-").to_owned(),
        ),
        (
            "trained context",
            format!("{} tokens", header.context_length),
        ),
        ("file", size(details.size_bytes)),
    ] {
        println!("  {what:<16} {value}");
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

fn object(details: &ModelDetails, fit: &Fit) -> serde_json::Value {
    let header = &details.header;
    serde_json::json!({
        "name": details.name,
        "title": details.title,
        "sizeBytes": details.size_bytes,
        "architecture": header.architecture,
        "parameters": header.parameters,
        "quantisation": header.quantisation,
        "trainedContextTokens": header.context_length,
        "fit": fit,
    })
}
