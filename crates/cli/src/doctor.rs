//! `hearth doctor`.

use std::process::ExitCode;

use hearth_app::doctor::{Finding, PortUse, State, examine};
use hearth_app::env::Env;
use hearth_app::server::ServerConfig;
use hearth_app::{App, Result};

use crate::client::Client;

/// Looks everything over. Something that fails is exit code 1; warnings are not.
pub(crate) async fn run(app: &App, env: &Env, json: bool) -> Result<ExitCode> {
    let wanted = ServerConfig::of(&app.settings().get()).port;
    let port = match Client::find(app.paths()).await {
        Some(server) => PortUse::Ours {
            port: server.port(),
        },
        None => match hearth_server::port_taken(wanted).await {
            Some(by) => PortUse::Taken { by },
            None => PortUse::Free,
        },
    };
    let findings = examine(app, env, port).await;
    let worst = findings.iter().map(|f| f.state).max();
    let healthy = worst != Some(State::Fail);
    if json {
        println!(
            "{}",
            serde_json::json!({ "healthy": healthy, "findings": findings })
        );
    } else {
        findings.iter().for_each(print);
    }
    Ok(if healthy {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn print(finding: &Finding) {
    let state = match finding.state {
        State::Ok => "ok",
        State::Unknown => "n/a",
        State::Warn => "warn",
        State::Fail => "FAIL",
    };
    println!("{state:4}  {:16} {}", finding.title, finding.found);
    if let Some(fix) = &finding.fix {
        println!("{:22} {fix}", "");
    }
}
