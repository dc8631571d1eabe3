//! The task that owns one download: its turn, its run, and its rest until somebody wants something else.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hearth_models::download::{Job, Order, Outcome, Phase, Progress, run};
use hearth_models::hub;
use tokio::sync::watch;

use super::speed::Speed;
use super::{Download, DownloadState, Downloads, wants_token};
use crate::error::Error;
use crate::events::AppEvent;
use crate::models::on_disk;

/// How often views hear of progress.
const TICK: Duration = Duration::from_millis(250);

/// Drives a download until it is done or cancelled.
pub(super) async fn drive(
    downloads: Arc<Downloads>,
    job: Job,
    orders: watch::Receiver<Order>,
    view: watch::Sender<Download>,
) {
    let id = job.id().to_owned();
    let mut driver = Driver {
        downloads,
        orders,
        view,
    };
    let last = driver.go(job).await;
    // Whoever asks for the same from now on begins anew.
    driver.downloads.driven().remove(&id);
    driver.tell(last);
}

struct Driver {
    downloads: Arc<Downloads>,
    orders: watch::Receiver<Order>,
    view: watch::Sender<Download>,
}

impl Driver {
    async fn go(&mut self, mut job: Job) -> DownloadState {
        loop {
            let order = *self.orders.borrow_and_update();
            let rest = match order {
                Order::Go => self.turn(&mut job).await,
                Order::Pause => DownloadState::Paused { reason: None },
                Order::Cancel => {
                    let (folder, id) = (self.downloads.folder.clone(), job.id().to_owned());
                    drop(job);
                    return self.remove(folder, id).await;
                }
            };
            if matches!(rest, DownloadState::Cancelled | DownloadState::Done { .. }) {
                return rest;
            }
            let by_order = matches!(rest, DownloadState::Paused { reason: None });
            self.remember(&mut job, by_order);
            self.tell(rest);
            if self.orders.changed().await.is_err() {
                // Nobody can want anything any more.
                return self.view.borrow().state.clone();
            }
            self.remember(&mut job, *self.orders.borrow() == Order::Pause);
        }
    }

    /// Waits for its turn and runs.
    async fn turn(&mut self, job: &mut Job) -> DownloadState {
        self.tell(DownloadState::Queued);
        let turns = Arc::clone(&self.downloads.turns);
        let mut orders = self.orders.clone();
        let turn = tokio::select! {
            turn = turns.wait() => turn,
            _ = orders.wait_for(|order| *order != Order::Go) => {
                return DownloadState::Paused { reason: None };
            }
        };
        let ended = self.run(job).await;
        drop(turn);
        match ended {
            Ok(Outcome::Done(folder)) => match self.downloads.models.name_in(folder).await {
                Ok(model) => {
                    self.downloads.events.send(AppEvent::ModelsChanged);
                    DownloadState::Done { model }
                }
                Err(error) => DownloadState::Failed { error },
            },
            Ok(Outcome::Paused) => DownloadState::Paused { reason: None },
            Ok(Outcome::Cancelled) => DownloadState::Cancelled,
            Err(error) => rest(error),
        }
    }

    /// Runs, a second time with a token if the hub wants one that is in the key store.
    async fn run(&mut self, job: &mut Job) -> Result<Outcome, Trouble> {
        match self.run_once(job).await {
            Err(Trouble::Hub(error)) if wants_token(&error) => {
                if self.downloads.learn_token().await {
                    return self.run_once(job).await;
                }
                Err(Trouble::Hub(error))
            }
            ended => ended,
        }
    }

    async fn run_once(&mut self, job: &mut Job) -> Result<Outcome, Trouble> {
        let downloads = Arc::clone(&self.downloads);
        let hub = downloads.hub().map_err(Trouble::App)?;
        let progress = watch::channel(Progress::default()).0;
        let mut speed = Speed::default();
        let (models, orders) = (&downloads.models_folder, self.orders.clone());
        let running = run(&hub, job, models, &downloads.tools, orders, &progress);
        let mut running = std::pin::pin!(running);
        loop {
            tokio::select! {
                ended = running.as_mut() => {
                    self.show(&progress.borrow(), &mut speed);
                    return ended.map_err(Trouble::Hub);
                }
                () = tokio::time::sleep(TICK) => self.show(&progress.borrow(), &mut speed),
            }
        }
    }

    fn show(&self, progress: &Progress, speed: &mut Speed) {
        let now = self.downloads.tools.clock.now();
        let bytes_per_second = match progress.phase {
            Phase::Fetching => speed.after(now, progress.done_bytes),
            _ => None,
        };
        let state = match &progress.phase {
            Phase::Checking => DownloadState::Checking,
            Phase::Fetching => DownloadState::Fetching,
            Phase::Waiting { reason, wait } => DownloadState::Retrying {
                reason: reason.clone().into(),
                wait_s: wait.as_secs().max(1),
            },
            Phase::Verifying => DownloadState::Verifying,
        };
        let changed = self.view.borrow().state != state;
        self.view.send_modify(|view| {
            // Before its first word nothing is known.
            if progress.total_bytes > 0 {
                view.done_bytes = progress.done_bytes;
                view.total_bytes = progress.total_bytes;
            }
            view.bytes_per_second = bytes_per_second;
            view.state = state;
        });
        if changed {
            self.downloads.events.send(AppEvent::DownloadsChanged);
        }
    }

    fn tell(&self, state: DownloadState) {
        self.view.send_modify(|view| {
            view.bytes_per_second = None;
            view.state = state;
        });
        self.downloads.events.send(AppEvent::DownloadsChanged);
    }

    /// Keeps on the disk whether the user wants it to wait. The end of the program is no such wish.
    fn remember(&self, job: &mut Job, paused: bool) {
        if self.downloads.closing.load(Ordering::SeqCst) {
            return;
        }
        if let Err(error) = job.set_paused(paused) {
            tracing::warn!(%error, "the state of a download could not be kept");
        }
    }

    async fn remove(&self, folder: std::path::PathBuf, id: String) -> DownloadState {
        let removed = on_disk(move || Ok(Job::remove(&folder, &id)?)).await;
        match removed {
            Ok(()) => DownloadState::Cancelled,
            Err(error) => DownloadState::Failed { error },
        }
    }
}

/// Why a run ended.
enum Trouble {
    Hub(hub::Error),
    App(Error),
}

fn rest(trouble: Trouble) -> DownloadState {
    match trouble {
        Trouble::Hub(error) if error.passes() || matches!(error, hub::Error::DiskFull { .. }) => {
            DownloadState::Paused {
                reason: Some(error.into()),
            }
        }
        Trouble::Hub(error) => DownloadState::Failed {
            error: error.into(),
        },
        Trouble::App(error) => DownloadState::Failed { error },
    }
}
