//! `hearth list`.

use std::process::ExitCode;

use hearth_app::fit::Verdict;
use hearth_app::models::{ModelPurpose, ModelSource, ModelSummary};
use hearth_app::{App, Result};

pub(crate) async fn run(app: &App, json: bool) -> Result<ExitCode> {
    let list = app.inference().list_models().await?;
    if json {
        println!(
            "{}",
            serde_json::json!({ "models": list.models, "problems": list.problems })
        );
        return Ok(ExitCode::SUCCESS);
    }
    let name_width = list
        .models
        .iter()
        .map(|m| m.name.chars().count())
        .max()
        .unwrap_or(0)
        .max(4);
    println!(
        "{:name_width$}  {:>8}  {:8}  {:>8}  {:12}  {:6}  STATE",
        "NAME", "SIZE", "QUANT", "CONTEXT", "SOURCE", "USE"
    );
    for model in &list.models {
        println!("{}", row(model, name_width));
    }
    for problem in &list.problems {
        eprintln!("{}", problem.message);
    }
    Ok(ExitCode::SUCCESS)
}

fn row(model: &ModelSummary, name_width: usize) -> String {
    let source = match model.source {
        ModelSource::Bundled => "built in",
        ModelSource::Own => "own",
        ModelSource::HuggingFace => "Hugging Face",
        ModelSource::LmStudio => "LM Studio",
        ModelSource::Ollama => "Ollama",
        ModelSource::Added => "your folder",
    };
    let purpose = match model.purpose {
        Some(ModelPurpose::Chat) => "chat",
        Some(ModelPurpose::Embed) => "embed",
        Some(ModelPurpose::Rerank) => "rerank",
        None => "-",
    };
    let context = model
        .context_tokens
        .map_or_else(|| "-".to_owned(), |n| n.to_string());
    let state = match (&model.problem, &model.fit) {
        (Some(problem), _) => problem.message.clone(),
        (None, Some(fit)) => fits(fit.verdict.as_ref()),
        (None, None) => "ok".to_owned(),
    };
    let aliases = match model.aliases.join(", ") {
        none if none.is_empty() => none,
        aliases => format!("  (alias {aliases})"),
    };
    format!(
        "{:name_width$}  {:>8}  {:8}  {context:>8}  {source:12}  {purpose:6}  {state}{aliases}",
        model.name,
        size(model.size_bytes),
        model.quantisation.as_deref().unwrap_or("-"),
    )
}

/// What a verdict is in a column.
fn fits(verdict: Option<&Verdict>) -> String {
    match verdict {
        Some(Verdict::Fits) => "fits".to_owned(),
        Some(Verdict::Tight) => "just fits".to_owned(),
        Some(Verdict::FitsIfUnloaded { models }) => {
            format!("fits without {}", models.join(", "))
        }
        Some(Verdict::FitsAtContext { tokens }) => format!("fits up to {tokens} tokens"),
        Some(Verdict::TooBig) => "too big".to_owned(),
        None => "ok".to_owned(),
    }
}

/// Decimal units, as macOS and disk makers count.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes / 1000),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
