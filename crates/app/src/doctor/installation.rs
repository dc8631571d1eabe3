//! The installation's part: port, key store, models, and other engines beside Hearth.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::TcpStream;

use super::{Finding, PortUse, State};
use crate::App;
use crate::env::Env;
use crate::keys;
use crate::models::ModelSource;
use crate::server::ServerConfig;

/// A program on this machine takes a connection at once.
const CONNECT_LIMIT: Duration = Duration::from_millis(300);
/// A key store that asks the user to unlock it is not waited for.
const KEY_STORE_LIMIT: Duration = Duration::from_secs(3);
/// A name under which nothing is kept: to ask for it shows whether the key store answers, and needs no unlocking.
const NO_SECRET: &str = "doctor";
/// Where other engines listen when nobody changed it.
const OTHER_ENGINES: [(&str, u16); 5] = [
    ("Ollama", 11434),
    ("LM Studio", 1234),
    ("llama.cpp or MLX server", 8080),
    ("Jan", 1337),
    ("GPT4All", 4891),
];

pub(super) async fn examine(app: &App, env: &Env, port: PortUse) -> Vec<Finding> {
    let config = ServerConfig::of(&app.settings().get());
    let ours = match port {
        PortUse::Ours { port } => vec![Some(port), config.extra_port],
        PortUse::Free | PortUse::Taken { .. } => Vec::new(),
    };
    let mut findings = vec![
        port_use(&config, port),
        key_store(env, config.needs_key || config.lan).await,
        other_engines(ours.into_iter().flatten().collect()).await,
    ];
    findings.extend(models(app).await);
    findings
}

fn port_use(config: &ServerConfig, port: PortUse) -> Finding {
    let finding = |state, found| Finding::new("port", "Port", state, found);
    match port {
        PortUse::Free => finding(State::Ok, format!("{} is free.", config.port)),
        PortUse::Ours { port } => finding(State::Ok, format!("Hearth is serving on {port}.")),
        PortUse::Taken { by } => finding(State::Warn, by)
            .fix("End that program or choose another port under Server; Hearth takes the next free one until then."),
    }
}

/// Without a key store only keys are missing, so it is as bad as keys are needed.
async fn key_store(env: &Env, needed: bool) -> Finding {
    let finding = |state, found| Finding::new("key_store", "Key store", state, found);
    let secrets = keys::secrets(env);
    let asked = tokio::task::spawn_blocking(move || secrets.get(NO_SECRET).map(|_| ()));
    let bad = if needed { State::Fail } else { State::Warn };
    let fix = "Unlock it, or on Linux start a Secret Service such as GNOME Keyring. Only API keys need it.";
    match tokio::time::timeout(KEY_STORE_LIMIT, asked).await {
        Ok(Ok(Ok(()))) => finding(State::Ok, "It answers.".to_owned()),
        Ok(Ok(Err(error))) => finding(bad, crate::Error::from(error).message).fix(fix),
        Ok(Err(_)) => finding(State::Unknown, "It could not be asked.".to_owned()),
        Err(_) => finding(bad, "It does not answer.".to_owned()).fix(fix),
    }
}

/// Only whether somebody answers there; what it is and does is not asked.
async fn other_engines(ours: Vec<u16>) -> Finding {
    let others = OTHER_ENGINES
        .iter()
        .filter(|(_, port)| !ours.contains(port));
    let asked = others.map(|(name, port)| async move {
        let answers = answers(*port).await;
        answers.then(|| format!("port {port} answers ({name}'s)"))
    });
    let found: Vec<String> = join_all(asked).await.into_iter().flatten().collect();
    let found = if found.is_empty() {
        "None on their usual ports.".to_owned()
    } else {
        format!(
            "On their usual ports: {}. They share memory and heat with Hearth.",
            found.join(", ")
        )
    };
    Finding::new("other_engines", "Other engines", State::Ok, found)
}

async fn answers(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let connected = tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(address)).await;
    matches!(connected, Ok(Ok(_)))
}

async fn models(app: &App) -> Vec<Finding> {
    let list = match app.models().list().await {
        Ok(list) => list,
        Err(error) => {
            return vec![Finding::new("models", "Models", State::Fail, error.message)];
        }
    };
    let folder = Finding::new("models", "Models", State::Ok, "");
    let broken = list.models.iter().filter(|m| m.problem.is_some());
    let broken: Vec<&str> = broken.map(|m| m.name.as_str()).collect();
    let own = list.models.iter().filter(|m| m.source == ModelSource::Own);
    let folder = if let Some(problem) = list.problems.first() {
        Finding {
            state: State::Fail,
            found: problem.message.clone(),
            fix: problem.hint.clone(),
            ..folder
        }
    } else if !broken.is_empty() {
        let found = format!("These cannot be used: {}.", broken.join(", "));
        Finding {
            state: State::Warn,
            found,
            ..folder
        }
        .fix("`hearth list` says why; fetch them again or remove them.")
    } else {
        let found = format!("{} in {}.", own.count(), app.paths().models.display());
        Finding { found, ..folder }
    };
    let starter = list
        .models
        .iter()
        .find(|m| m.name == hearth_models::starter::NAME);
    let starter = match starter.map(|m| &m.problem) {
        Some(None) => Finding::new("starter", "Starter model", State::Ok, "It is there."),
        Some(Some(problem)) => Finding::new(
            "starter",
            "Starter model",
            State::Fail,
            problem.message.clone(),
        )
        .fix("Install Hearth again."),
        None => Finding::new("starter", "Starter model", State::Warn, "It is missing.")
            .fix("Install Hearth again, or choose another model."),
    };
    vec![folder, starter]
}
