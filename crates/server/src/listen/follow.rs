//! A server that follows the settings: on and off, elsewhere, for others. What comes of it stands in [`hearth_app::App::server`].

use std::sync::Arc;

use hearth_app::App;
use hearth_app::server::{ServerConfig, ServerStatus};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Running, Server};

/// Keeps the server as the settings say until it is told to end.
pub struct Follow {
    end: CancellationToken,
    task: JoinHandle<()>,
}

impl Follow {
    /// Must be called inside a tokio runtime.
    pub fn start(app: Arc<App>) -> Self {
        let end = CancellationToken::new();
        let task = tokio::spawn(follow(app, end.clone()));
        Self { end, task }
    }

    /// Ends the server and waits for that.
    pub async fn stop(self) {
        self.end.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the server ended badly");
        }
    }
}

async fn follow(app: Arc<App>, end: CancellationToken) {
    let mut settings = app.settings().subscribe();
    let mut running: Option<Running> = None;
    let mut last: Option<ServerConfig> = None;
    loop {
        let config = ServerConfig::of(&settings.borrow_and_update());
        if last.as_ref() != Some(&config) {
            running = change(&app, running, last.as_ref(), &config).await;
            last = Some(config);
        }
        tokio::select! {
            () = end.cancelled() => break,
            changed = settings.changed() => if changed.is_err() { break },
        }
    }
    if let Some(running) = running {
        running.stop().await;
    }
    app.server().set_status(ServerStatus::default());
}

/// From one configuration to the next. Who is let in can change without a new start; the rest cannot.
async fn change(
    app: &Arc<App>,
    running: Option<Running>,
    last: Option<&ServerConfig>,
    config: &ServerConfig,
) -> Option<Running> {
    if let Some(running) = running {
        if last.is_some_and(|last| same_place(last, config)) && running.admit(config).await.is_ok()
        {
            return Some(running);
        }
        running.stop().await;
    }
    if !config.on {
        app.server().set_status(ServerStatus::default());
        return None;
    }
    match Server::start(Arc::clone(app), config).await {
        Ok(running) => {
            app.server().set_status(running.status().clone());
            Some(running)
        }
        Err(error) => {
            tracing::warn!(%error, "the server does not listen");
            let hint = error.hint.unwrap_or_default();
            app.server().set_status(ServerStatus {
                notice: Some(format!("{} {hint}", error.message).trim().to_owned()),
                ..ServerStatus::default()
            });
            None
        }
    }
}

fn same_place(a: &ServerConfig, b: &ServerConfig) -> bool {
    let place = |c: &ServerConfig| (c.on, c.port, c.extra_port, c.lan);
    place(a) == place(b)
}
