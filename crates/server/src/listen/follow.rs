//! A server that follows the settings: on and off, elsewhere, for others. What comes of it stands in [`hearth_app::App::server`].

use std::sync::Arc;
use std::time::Duration;

use hearth_app::App;
use hearth_app::server::{ServerConfig, ServerStatus};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Running, Server};

/// How long a server that could not start waits before it tries again; twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest such wait. A key store may ask the person each time.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// What the status says after why the server does not listen.
const AGAIN: &str = "Until then the server is closed; it tries again by itself.";

/// Keeps the server as the settings say until it is told to end.
pub struct Follow {
    end: CancellationToken,
    task: JoinHandle<()>,
}

impl Follow {
    /// Must be called inside a tokio runtime.
    pub fn start(app: Arc<App>) -> Self {
        Self::start_with(app, FIRST_PAUSE)
    }

    pub(super) fn start_with(app: Arc<App>, first_pause: Duration) -> Self {
        let end = CancellationToken::new();
        let task = tokio::spawn(follow(app, end.clone(), first_pause));
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

async fn follow(app: Arc<App>, end: CancellationToken, first_pause: Duration) {
    let mut settings = app.settings().subscribe();
    let mut running: Option<Running> = None;
    let mut last: Option<ServerConfig> = None;
    let mut pause = first_pause;
    loop {
        let config = ServerConfig::of(&settings.borrow_and_update());
        if last.as_ref() != Some(&config) {
            pause = first_pause;
        }
        let is_missing = config.on && running.is_none();
        if last.as_ref() != Some(&config) || is_missing {
            running = change(&app, running, last.as_ref(), &config).await;
        }
        let is_missing = config.on && running.is_none();
        last = Some(config);
        tokio::select! {
            () = end.cancelled() => break,
            changed = settings.changed() => if changed.is_err() { break },
            () = tokio::time::sleep(pause), if is_missing => {
                pause = (2 * pause).min(LONGEST_PAUSE);
            }
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
            let words = [Some(error.message), error.hint, Some(AGAIN.to_owned())];
            let words: Vec<String> = words.into_iter().flatten().collect();
            app.server().set_status(ServerStatus {
                notice: Some(words.join(" ")),
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
