//! Where moments come from: the running Hearth, a recording, or this machine's sensors.

use std::path::Path;
use std::sync::Arc;

use hearth_app::monitor::{self, Monitor, Sensors};
use hearth_app::timeline::Moment;
use hearth_app::{App, Code, Error, Result};
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::Incoming;
use tokio::sync::watch;

use crate::client::Client;
use crate::remote::Lines;

/// Moments, one a second.
pub(super) enum Feed {
    Server {
        body: Incoming,
        lines: Lines,
    },
    Here {
        monitor: Arc<Monitor>,
        moments: watch::Receiver<Arc<Moment>>,
        seen: Arc<Moment>,
    },
}

impl Feed {
    pub(super) async fn open(app: &Arc<App>, replay: Option<&Path>) -> Result<Self> {
        if let Some(recording) = replay {
            monitor::check_recording(recording)?;
            return Ok(Self::here(app, Sensors::Replay(recording.to_owned())));
        }
        if let Some(client) = Client::find(app.paths()).await
            && let Some(body) = follow(&client).await
        {
            eprintln!("Watching the Hearth on port {}.", client.port());
            return Ok(Self::Server {
                body,
                lines: Lines::default(),
            });
        }
        Ok(Self::here(app, Sensors::Machine))
    }

    fn here(app: &Arc<App>, sensors: Sensors) -> Self {
        let monitor = app.watch(sensors);
        Self::Here {
            moments: monitor.subscribe(),
            monitor,
            seen: Arc::default(),
        }
    }

    /// The next moment; `None` at the end of a recording.
    pub(super) async fn next(&mut self) -> Result<Option<Moment>> {
        match self {
            Self::Here {
                monitor,
                moments,
                seen,
            } => {
                // The last reading may have become a moment before its source said that it was the last.
                let changed = tokio::select! {
                    biased;
                    changed = moments.changed() => changed.is_ok(),
                    () = monitor.ended(seen) => false,
                };
                if !changed {
                    return Ok(None);
                }
                *seen = moments.borrow_and_update().clone();
                Ok(Some(Moment::clone(seen)))
            }
            Self::Server { body, lines } => loop {
                while let Some(line) = lines.next() {
                    if let Some(data) = line.strip_prefix("data:") {
                        return serde_json::from_str(data).map(Some).map_err(broken);
                    }
                }
                match body.frame().await {
                    Some(Ok(frame)) => {
                        if let Ok(data) = frame.into_data() {
                            lines.push(&data)?;
                        }
                    }
                    Some(Err(error)) => return Err(broken(error)),
                    None => return Err(broken("it ended")),
                }
            },
        }
    }
}

/// `None` when that server does not know such things, so that this machine is asked.
async fn follow(client: &Client) -> Option<Incoming> {
    let answer = client.send("GET", "/hearth/v1/moments", None).await.ok()?;
    (answer.status() == StatusCode::OK).then(|| answer.into_body())
}

fn broken(why: impl std::fmt::Display) -> Error {
    let message = format!("The running Hearth can no longer be watched: {why}.");
    Error::new(Code::EngineUnavailable, message).hint("Start `hearth monitor` again.")
}
