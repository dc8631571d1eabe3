//! `hearth pull`: fetches a model, through the running Hearth if there is one, so that no two fetch the same.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use hearth_app::downloads::{
    Download, DownloadState, Downloads, Follow, HubConfig, Prospect, Pull, is_hub_name,
};
use hearth_app::env::Env;
use hearth_app::fit::Verdict;
use hearth_app::{App, Code, Error, Result};
use http_body_util::BodyExt;
use hyper::StatusCode;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use crate::arguments::Pull as Arguments;
use crate::client::{Client, error_of, read};
use crate::exit::INTERRUPTED;
use crate::list::size;
use crate::remote::{Lines, broken};

/// How often the bar is drawn.
const DRAWS_PER_SECOND: u8 = 4;
const TICK: Duration = Duration::from_millis(250);

pub(crate) async fn run(
    app: &Arc<App>,
    env: &Env,
    arguments: &Arguments,
    json: bool,
) -> Result<ExitCode> {
    let bar = Bar::new();
    let fetched = async {
        app.open_keys(hearth_app::keys::secrets(env));
        let downloads = app.open_downloads(HubConfig::from_env(env));
        if !judge(app, &arguments.model).await? {
            return Ok(None);
        }
        bar.0.enable_steady_tick(TICK);
        let model = match Client::find(app.paths()).await {
            Some(server) if is_hub_name(&arguments.model) => {
                by_server(&server, &arguments.model, &bar).await?;
                let model = downloads.fetched(&arguments.model).await?;
                model.ok_or_else(stopped)?
            }
            _ => here(&downloads, arguments, &bar).await?,
        };
        Ok::<_, Error>(Some(model))
    };
    let model = tokio::select! {
        model = fetched => model,
        _ = tokio::signal::ctrl_c() => {
            bar.0.abandon();
            eprintln!("Stopped. What is here is kept: the same command goes on with it.");
            return Ok(ExitCode::from(INTERRUPTED));
        }
    };
    let model = model.inspect_err(|_| bar.0.abandon())?;
    bar.clear();
    let Some(model) = model else {
        eprintln!("Nothing was fetched.");
        return Ok(ExitCode::FAILURE);
    };
    let details = app.models().details(&model).await?;
    if json {
        println!(
            "{}",
            json!({ "name": details.name, "title": details.title, "sizeBytes": details.size_bytes })
        );
    } else {
        println!("{model}");
        eprintln!("It is here: `hearth run {model}` talks with it.");
    }
    Ok(ExitCode::SUCCESS)
}

/// Says whether the model would fit, before it is fetched; whether it shall be. Only somebody at a terminal is asked.
async fn judge(app: &App, wanted: &str) -> Result<bool> {
    let found = match app.prospect(wanted).await {
        Ok(found) => found,
        // Whoever fetches it says what is wrong, if it is wrong then too.
        Err(error) => {
            tracing::info!(%error, "a model could not be looked at before it is fetched");
            None
        }
    };
    let Some(Prospect { title, bytes, fit }) = found else {
        return Ok(true);
    };
    eprintln!("{title}: {} to fetch. {}", size(bytes), fit.sentence);
    if fit.verdict != Some(Verdict::TooBig) {
        return Ok(true);
    }
    eprintln!("warning: it will not run on this machine. `hearth run --anyway` tries.");
    if !std::io::stdin().is_terminal() {
        return Ok(true);
    }
    eprint!("Download anyway? [y/N] ");
    // On a thread of its own, so that Ctrl+C ends the wait.
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    let answer = answer.await.map_err(Error::internal)?.unwrap_or_default();
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Fetches in this process; returns the name of the model.
async fn here(downloads: &Arc<Downloads>, arguments: &Arguments, bar: &Bar) -> Result<String> {
    if let Some(megabytes) = arguments.limit {
        downloads.limit(Some((megabytes * 1e6) as u64));
    }
    match downloads.pull(&arguments.model).await? {
        Pull::Here(model) => Ok(model),
        Pull::Running(follow) => watch(follow, bar).await,
    }
}

async fn watch(mut follow: Follow, bar: &Bar) -> Result<String> {
    while let Some(download) = follow.next().await {
        bar.show(&download);
        match download.state {
            DownloadState::Done { model } => return Ok(model),
            DownloadState::Failed { error }
            | DownloadState::Paused {
                reason: Some(error),
            } => return Err(error),
            DownloadState::Paused { reason: None } | DownloadState::Cancelled => break,
            _ => {}
        }
    }
    Err(stopped())
}

/// Lets the running Hearth fetch, in Ollama's words.
async fn by_server(server: &Client, name: &str, bar: &Bar) -> Result<()> {
    let body = json!({ "model": name });
    let answer = server.send("POST", "/api/pull", Some(&body)).await?;
    let status = answer.status();
    if !status.is_success() {
        return Err(error_of(status, &read(answer).await.unwrap_or_default()));
    }
    let (mut body, mut lines) = (answer.into_body(), Lines::default());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(broken)?;
        if let Ok(data) = frame.into_data() {
            lines.push(&data)?;
        }
        while let Some(line) = lines.next() {
            let line: Value = serde_json::from_str(&line).map_err(broken)?;
            if !line["error"].is_null() {
                return Err(error_of(StatusCode::BAD_GATEWAY, &line));
            }
            if line["status"] == "success" {
                return Ok(());
            }
            bar.show_line(&line);
        }
    }
    Err(stopped())
}

fn stopped() -> Error {
    Error::new(Code::Network, "The download was stopped.").hint("The same command goes on with it.")
}

/// What people see meanwhile; nothing where nobody looks.
#[derive(Clone)]
pub(crate) struct Bar(ProgressBar);

impl Bar {
    pub(crate) fn new() -> Self {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        let style = "{msg}  {wide_bar}  {decimal_bytes}/{decimal_total_bytes}  {decimal_bytes_per_sec}  {eta}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// How far it is, in bytes.
    pub(crate) fn set(&self, done_bytes: u64, total_bytes: u64) {
        self.0.set_length(total_bytes);
        self.0.set_position(done_bytes);
    }

    /// Takes it off the terminal.
    pub(crate) fn clear(&self) {
        self.0.finish_and_clear();
    }

    fn show(&self, download: &Download) {
        self.set(download.done_bytes, download.total_bytes);
        self.0.set_message(match &download.state {
            DownloadState::Queued => "waiting".to_owned(),
            DownloadState::Checking => "checking what is here".to_owned(),
            DownloadState::Retrying { reason, wait_s } => {
                format!("{} Again in {wait_s} s.", reason.message)
            }
            DownloadState::Verifying => "checking".to_owned(),
            _ => download.title.clone(),
        });
    }

    fn show_line(&self, line: &Value) {
        if let (Some(total), Some(done)) = (line["total"].as_u64(), line["completed"].as_u64()) {
            self.set(done, total);
        }
        if let Some(status) = line["status"].as_str() {
            self.0.set_message(status.to_owned());
        }
    }
}
