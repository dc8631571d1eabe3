//! `hearth serve`, and the commands that talk to whatever serves: `hearth ps`, `hearth stop`.

use std::process::ExitCode;
use std::sync::Arc;

use hearth_app::downloads::HubConfig;
use hearth_app::env::Env;
use hearth_app::monitor::Sensors;
use hearth_app::server::ServerConfig;
use hearth_app::{App, Code, Error, Result};
use hearth_server::Server;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::Serve;
use crate::client::Client;

/// Serves in the terminal until Ctrl+C or a request to end.
pub(crate) async fn serve(
    app: &Arc<App>,
    env: &Env,
    serve: &Serve,
    json: bool,
) -> Result<ExitCode> {
    if let Some(other) = Client::find(app.paths()).await {
        let port = other.port();
        let message = format!("Hearth is already serving on port {port}.");
        return Err(Error::new(Code::Busy, message)
            .hint("Use that one, or switch the server off in the app first."));
    }
    app.open_keys(hearth_app::keys::secrets(env));
    let mut config = ServerConfig::of(&app.settings().get());
    config.port = serve.port.unwrap_or(config.port);
    config.lan |= serve.lan;
    // Before anything is said, so that whoever waits for the words may end the program at once.
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::internal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::internal)?;
    let downloads = app.open_downloads(HubConfig::from_env(env));
    let running = Server::start(Arc::clone(app), &config).await?;
    app.open_monitor(Sensors::from_env(env));
    let status = running.status().clone();
    app.server().set_status(status.clone());
    tokio::spawn(async move { downloads.resume_all().await });
    if json {
        println!("{}", serde_json::json!(status));
    }
    if let Some(notice) = &status.notice {
        eprintln!("{notice}");
    }
    let addresses = status.addresses.iter().chain(&status.lan_addresses);
    for address in addresses {
        eprintln!("Listening on {address}");
    }
    if !status.lan_addresses.is_empty() {
        eprintln!("Other machines of the local network can send requests if they have a key.");
    }
    eprintln!("Ctrl+C ends.");
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    eprintln!();
    running.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Lists what the running server has loaded.
pub(crate) async fn list(app: &App, json: bool) -> Result<ExitCode> {
    let client = Client::need(app.paths()).await?;
    let loaded = client.ask("GET", "/hearth/v1/loaded").await?;
    if json {
        println!("{loaded}");
        return Ok(ExitCode::SUCCESS);
    }
    let models = loaded["models"].as_array().cloned().unwrap_or_default();
    let names = models.iter().filter_map(|model| model["name"].as_str());
    let width = names
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0)
        .max(4);
    println!(
        "{:width$}  {:>8}  {:10}  REQUESTS",
        "NAME", "MEMORY", "STATE"
    );
    for model in &models {
        println!("{}", row(model, width));
    }
    let (running, waiting) = (&loaded["running"], &loaded["waiting"]);
    eprintln!("{running} requests of programs are running, {waiting} are waiting.");
    Ok(ExitCode::SUCCESS)
}

fn row(model: &Value, width: usize) -> String {
    format!(
        "{:width$}  {:>8}  {:10}  {}",
        model["name"].as_str().unwrap_or("?"),
        crate::list::size(model["bytes"].as_u64().unwrap_or(0)),
        model["state"]["type"].as_str().unwrap_or("?"),
        model["activeRequests"],
    )
}

/// Unloads one model of the running server, or all.
pub(crate) async fn stop(app: &App, model: Option<&str>) -> Result<ExitCode> {
    let client = Client::need(app.paths()).await?;
    let names: Vec<String> = if let Some(model) = model {
        vec![model.to_owned()]
    } else {
        let loaded = client.ask("GET", "/hearth/v1/loaded").await?;
        let models = loaded["models"].as_array().cloned().unwrap_or_default();
        let names = models.iter().filter_map(|model| model["name"].as_str());
        names.map(str::to_owned).collect()
    };
    for name in &names {
        let path = format!("/hearth/v1/loaded/{}", in_path(name));
        client.ask("DELETE", &path).await?;
        eprintln!("{name} is unloaded.");
    }
    if names.is_empty() {
        eprintln!("No model is loaded.");
    }
    Ok(ExitCode::SUCCESS)
}

/// A name as it may stand in a path (RFC 3986, section 2.1): all but unreserved characters and the slash as `%XX`.
fn in_path(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    name.bytes()
        .map(|b| {
            if plain(b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_in_a_path() {
        assert_eq!(in_path("org/model-1.Q4_0"), "org/model-1.Q4_0");
        assert_eq!(in_path("a b?c#ü"), "a%20b%3Fc%23%C3%BC");
    }
}
