//! `hearth import`: takes a model file among the user's models.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hearth_app::models::Imported;
use hearth_app::{App, Result};
use serde_json::json;

use crate::exit::INTERRUPTED;
use crate::pull::Bar;

pub(crate) async fn run(app: &App, file: PathBuf, json: bool) -> Result<ExitCode> {
    let bar = Bar::new();
    let (shown, stop) = (bar.clone(), Arc::<AtomicBool>::default());
    let stopped = Arc::clone(&stop);
    let importing = app.models().import(file, move |progress| {
        shown.set(progress.done_bytes, progress.total_bytes);
        !stopped.load(Ordering::Relaxed)
    });
    let mut importing = std::pin::pin!(importing);
    let imported = loop {
        tokio::select! {
            imported = importing.as_mut() => break imported,
            // It ends at its next step, and removes what it has copied.
            _ = tokio::signal::ctrl_c() => stop.store(true, Ordering::Relaxed),
        }
    };
    bar.clear();
    let (model, known) = match imported? {
        Imported::New(model) => (model, false),
        Imported::Known(model) => (model, true),
        Imported::Stopped => {
            eprintln!("Stopped. Nothing was kept.");
            return Ok(ExitCode::from(INTERRUPTED));
        }
    };
    if json {
        println!("{}", json!({ "name": model, "alreadyHere": known }));
        return Ok(ExitCode::SUCCESS);
    }
    println!("{model}");
    if known {
        eprintln!("It is here already, so nothing was copied.");
    } else {
        eprintln!("It is here: `hearth run {model}` talks with it.");
    }
    Ok(ExitCode::SUCCESS)
}
