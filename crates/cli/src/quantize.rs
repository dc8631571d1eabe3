//! `hearth quantize`.

use std::fs;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use hearth_app::models::{CopyMade, CopyPreview, CopyWish, Stage};
use hearth_app::{App, Code, Error, Result};
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::Quantize;
use crate::exit::INTERRUPTED;
use crate::list::size;

pub(crate) async fn run(app: &App, wanted: &Quantize, json: bool) -> Result<ExitCode> {
    let wish = CopyWish {
        model: wanted.model.clone(),
        to: wanted.to,
        text: wanted.text.as_deref().map(read).transpose()?,
        measure: !wanted.no_measure,
    };
    if wanted.dry_run {
        let preview = app.models().preview_copy(&wish).await?;
        if json {
            println!("{}", serde_json::json!(preview));
        } else {
            println!("{}", sizes(&preview));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::internal)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::internal)?;
    let mut line = Line::new();
    let models = app.models();
    let made = models.make_copy(&wish, |stage, done, total| line.show(stage, done, total));
    let made = tokio::select! {
        made = made => made,
        _ = interrupt.recv() => return Ok(ExitCode::from(INTERRUPTED)),
        _ = terminate.recv() => return Ok(ExitCode::from(INTERRUPTED)),
    };
    line.end();
    let made = made?;
    if json {
        println!("{}", serde_json::json!(made));
    } else {
        print(&made);
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &std::path::Path) -> Result<String> {
    let cannot = |why: &dyn std::fmt::Display| {
        let message = format!("The text {} cannot be read: {why}.", path.display());
        Error::new(Code::InvalidInput, message)
    };
    let bytes = fs::read(path).map_err(|error| cannot(&error))?;
    String::from_utf8(bytes).map_err(|_| cannot(&"it is not UTF-8"))
}

fn sizes(preview: &CopyPreview) -> String {
    let CopyPreview {
        name,
        source_bytes,
        bytes,
        rounded_twice,
    } = preview;
    let twice = if *rounded_twice {
        "\nThe original has been rounded already: a copy of the unrounded model would be better."
    } else {
        ""
    };
    let part = 100.0 * *bytes as f64 / (*source_bytes).max(1) as f64;
    let (before, after) = (size(*source_bytes), size(*bytes));
    format!("{name}: {after} instead of {before} ({part:.0} %){twice}")
}

fn print(made: &CopyMade) {
    let (before, after) = (size(made.source_bytes), size(made.bytes));
    println!("{}: {after} instead of {before}", made.name);
    if let (Some(source), Some(copy)) = (made.source_perplexity, made.perplexity) {
        let more = 100.0 * (copy / source - 1.0);
        println!("Perplexity {copy:.3}, of the original {source:.3} ({more:+.1} %)");
    }
}

/// How far it is, on one line of a terminal.
struct Line {
    shown: bool,
    is_terminal: bool,
}

impl Line {
    fn new() -> Self {
        Self {
            shown: false,
            is_terminal: io::stderr().is_terminal(),
        }
    }

    fn show(&mut self, stage: Stage, done: u32, total: u32) {
        if self.is_terminal {
            let what = match stage {
                Stage::Importance => "Finding out what matters",
                Stage::Convert => "Converting",
                Stage::MeasureSource => "Measuring the original",
                Stage::MeasureCopy => "Measuring the copy",
            };
            eprint!("\r\x1b[K{what}: {done} of {total}");
            self.shown = true;
        }
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.shown) {
            eprint!("\r\x1b[K");
        }
    }
}
