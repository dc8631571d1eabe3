//! The installation's part: port, key store, models, and other engines beside Hearth.

use std::time::Duration;

use super::{Finding, PortUse, State};
use crate::App;
use crate::env::Env;
use crate::keys;
use crate::models::ModelSource;
use crate::server::ServerConfig;

/// A key store that asks the user to unlock it is not waited for.
const KEY_STORE_LIMIT: Duration = Duration::from_secs(3);
/// A name under which nothing is kept: to ask for it shows whether the key store answers, and needs no unlocking.
const NO_SECRET: &str = "doctor";
pub(super) async fn examine(app: &App, env: &Env, port: PortUse) -> Vec<Finding> {
    let config = ServerConfig::of(&app.settings().get());
    let ours: Vec<u16> = match port {
        PortUse::Ours { port } => [Some(port), config.extra_port]
            .into_iter()
            .flatten()
            .collect(),
        PortUse::Free | PortUse::Taken { .. } => Vec::new(),
    };
    let mut findings = vec![
        port_use(&config, port),
        key_store(env, config.needs_key || config.lan).await,
        other_engines(app, &ours).await,
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

/// Who else runs models here, and the hosts that the user named.
async fn other_engines(app: &App, ours: &[u16]) -> Finding {
    let finding = |state, found| Finding::new("other_engines", "Other engines", state, found);
    let list = match app.providers().list().await {
        Ok(list) => list,
        Err(error) => return finding(State::Unknown, error.message),
    };
    let is_ours = |address: &str| {
        let port = address
            .rsplit_once(':')
            .and_then(|(_, port)| port.parse().ok());
        port.is_some_and(|port: u16| ours.contains(&port))
    };
    let others = list
        .iter()
        .filter(|other| other.added || !is_ours(&other.address));
    let mut silent = Vec::new();
    let mut found = Vec::new();
    for other in others {
        let version = other.version.as_ref().map(|v| format!(" {v}"));
        match &other.problem {
            Some(problem) => silent.push(problem.message.clone()),
            None => found.push(format!(
                "{}{} at {} ({} models)",
                other.title,
                version.unwrap_or_default(),
                other.address,
                other.models.len()
            )),
        }
    }
    let mut text = if found.is_empty() {
        "None answers on this machine.".to_owned()
    } else {
        format!("{}.", found.join(", "))
    };
    if silent.is_empty() {
        if !found.is_empty() {
            text.push_str(" Those on this machine share memory and heat with Hearth.");
        }
        return finding(State::Ok, text);
    }
    finding(State::Warn, format!("{text} {}", silent.join(" ")))
        .fix("Start that program, or take the host out in Settings, Generation.")
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
