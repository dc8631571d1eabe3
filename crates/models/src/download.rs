//! Fetching a model from the hub so that a break costs next to nothing and nothing unproven is ever seen.
//!
//! A job lies in a hidden folder beside the models: its record, the part files, and the files that are whole. Each byte is hashed as
//! it comes; what is on the disk when a process dies is read again and gone on from. Only when every file has the size and hash that
//! the hub announced, and the validator took the model, does one rename bring the folder among the models. It must not know lists of
//! downloads, settings or where tokens are kept.

mod attempt;
mod finish;
mod job;
mod pace;
mod part;
mod retry;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

pub(crate) use self::finish::fetched_files;
pub use self::finish::{Origin, installed};
pub use self::job::{Job, JobSummary};
pub use self::pace::Cap;
use self::retry::Retries;
use crate::hub::{Error, Hub, Result, choose};

/// Longest silence of the other side before it is asked anew, before its first byte too.
pub const STALL: Duration = Duration::from_secs(30);
/// What a download leaves free unless the user wants it otherwise, in bytes.
pub const RESERVE_BYTES: u64 = 20 << 30;
/// How often everything is begun anew because what came was not what was announced.
const MAX_RESTARTS: u32 = 2;

/// After so many answers in a row that cannot be used a file is fetched from its beginning.
const HALF_OF_TRIES: u32 = 3;

/// What shall be done with a running download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Go,
    /// Keep what is there and end.
    Pause,
    /// Remove what is there and end.
    Cancel,
}

/// What a download does right now.
#[derive(Debug, Clone)]
pub enum Phase {
    /// Reading what an earlier run left.
    Checking,
    Fetching,
    /// Trying again later, and why.
    Waiting {
        reason: Error,
        wait: Duration,
    },
    /// Everything is here; the last checks before it is seen.
    Verifying,
}

/// How far a download is.
#[derive(Debug, Clone)]
pub struct Progress {
    pub phase: Phase,
    /// On the disk, over all files.
    pub done_bytes: u64,
    pub total_bytes: u64,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            phase: Phase::Checking,
            done_bytes: 0,
            total_bytes: 0,
        }
    }
}

/// How a download ended that nothing went wrong with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The folder among the models.
    Done(PathBuf),
    Paused,
    Cancelled,
}

/// Room on a volume, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    pub free_bytes: u64,
    pub total_bytes: u64,
}

impl Space {
    /// That so many more bytes leave `reserve_bytes` free, or a tenth of a small volume.
    ///
    /// # Errors
    /// [`Error::DiskFull`].
    pub fn check(self, needed_bytes: u64, reserve_bytes: u64) -> Result<()> {
        let reserve_bytes = reserve_bytes.min(self.total_bytes / 10);
        if self.free_bytes >= needed_bytes.saturating_add(reserve_bytes) {
            return Ok(());
        }
        Err(Error::DiskFull {
            needed_bytes,
            free_bytes: self.free_bytes,
            reserve_bytes,
        })
    }
}

/// Time and chance, so that tests have theirs.
pub trait Clock: Send + Sync + 'static {
    /// Since some moment that stays the same.
    fn now(&self) -> Duration;
    fn sleep(&self, time: Duration) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
    /// 0 to 1.
    fn chance(&self) -> f64;
}

/// The monotonic clock and the system's random numbers.
#[derive(Debug)]
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, time: Duration) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(time))
    }

    fn chance(&self) -> f64 {
        let mut byte = [0_u8];
        // Without random numbers everybody comes back at the same time, which is no reason to fail.
        let _ = getrandom::fill(&mut byte);
        f64::from(byte[0]) / 255.0
    }
}

/// How much room there is where a folder lies; `None` where the system does not tell.
pub type SpaceOf = dyn Fn(&Path) -> Option<Space> + Send + Sync;

/// What a download needs besides the hub.
#[derive(Clone)]
pub struct Tools {
    pub clock: Arc<dyn Clock>,
    pub space: Arc<SpaceOf>,
    /// What a download leaves free, in bytes; a tenth of a volume is enough on a small one. A change holds for those that run.
    pub reserve_bytes: Arc<AtomicU64>,
    /// Shared by all downloads.
    pub cap: Arc<Cap>,
    /// Slower than this many bytes in [`Tools::slow_window`], and the other side is asked anew.
    pub slow_bytes: u64,
    pub slow_window: Duration,
}

impl Tools {
    pub fn new(space: Arc<SpaceOf>, cap: Arc<Cap>) -> Self {
        Self {
            clock: Arc::new(SystemClock::default()),
            space,
            reserve_bytes: Arc::new(AtomicU64::new(RESERVE_BYTES)),
            cap,
            slow_bytes: 64 << 10,
            slow_window: Duration::from_secs(60),
        }
    }

    fn reserve(&self) -> u64 {
        self.reserve_bytes.load(Ordering::Relaxed)
    }
}

/// A download on its way.
struct Run<'r> {
    hub: &'r Hub,
    job: &'r mut Job,
    tools: &'r Tools,
    orders: watch::Receiver<Order>,
    progress: &'r watch::Sender<Progress>,
}

/// Why a step ended before its end.
enum Halt {
    Ordered(Order),
    Trouble(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Trouble(error)
    }
}

/// Fetches everything a job names and puts it into the folder of the models. An error leaves what is there for the next run; those
/// that [pass](Error::passes) were tried again before, as often as makes sense.
///
/// # Errors
/// Everything of [`Error`].
pub async fn run(
    hub: &Hub,
    job: &mut Job,
    models: &Path,
    tools: &Tools,
    orders: watch::Receiver<Order>,
    progress: &watch::Sender<Progress>,
) -> Result<Outcome> {
    if let Some(folder) = job.is_done(models) {
        job::remove_folder(job.folder())?;
        return Ok(Outcome::Done(folder));
    }
    let mut run = Run {
        hub,
        job,
        tools,
        orders,
        progress,
    };
    let fetched = run.fetch_all().await;
    match fetched {
        Ok(()) => {}
        Err(Halt::Ordered(Order::Cancel)) => {
            let folder = job.folder().to_owned();
            attempt::blocking(move || job::remove_folder(&folder)).await?;
            return Ok(Outcome::Cancelled);
        }
        Err(Halt::Ordered(_)) => return Ok(Outcome::Paused),
        Err(Halt::Trouble(error)) => return Err(error),
    }
    progress.send_modify(|progress| progress.phase = Phase::Verifying);
    finish::finish(job, models).await.map(Outcome::Done)
}

impl Run<'_> {
    async fn fetch_all(&mut self) -> Result<(), Halt> {
        self.say(Phase::Checking, 0);
        let mut restarts = 0;
        let mut index = 0;
        while index < self.job.files().len() {
            match self.fetch(index).await {
                Ok(()) => index += 1,
                Err(Halt::Trouble(error @ (Error::Changed { .. } | Error::WrongHash { .. }))) => {
                    restarts += 1;
                    if restarts > MAX_RESTARTS {
                        return Err(error.into());
                    }
                    tracing::warn!(%error, "a download begins anew");
                    self.ask_again().await?;
                    index = 0;
                }
                Err(halt) => return Err(halt),
            }
        }
        Ok(())
    }

    /// Fetches one file, however often the way breaks.
    async fn fetch(&mut self, index: usize) -> Result<(), Halt> {
        if self.job.is_whole(index) {
            return Ok(());
        }
        let part = self.open_part(index).await?;
        let mut retries = Retries::default();
        loop {
            let before = attempt::length(&part);
            let result = self.attempt(index, &part).await;
            let error = match result {
                Ok(()) => break,
                Err(Halt::Trouble(error)) if error.passes() => error,
                Err(halt) => return Err(halt),
            };
            if matches!(error, Error::Changed { .. }) {
                self.clear(index, &part).await?;
                return Err(error.into());
            }
            let gained = attempt::length(&part).saturating_sub(before);
            let wait = retries.next(gained, error.wait(), self.tools.clock.chance());
            let Some(wait) = wait else {
                return Err(error.into());
            };
            if matches!(error, Error::Unreadable { .. }) && retries.in_vain() == HALF_OF_TRIES {
                // It may be the piece that was asked for that the other side cannot give.
                self.clear(index, &part).await?;
            }
            tracing::info!(%error, ?wait, "a download is tried again");
            self.say(
                Phase::Waiting {
                    reason: error,
                    wait,
                },
                attempt::length(&part),
            );
            self.sleep(wait).await?;
        }
        self.complete(index, part).await
    }

    /// What the revision stands for now: the hub changed its mind about a file.
    async fn ask_again(&mut self) -> Result<(), Halt> {
        let (repo, revision) = (self.job.repo().clone(), self.job.revision().clone());
        let asked = self.hub.files(&repo, &revision);
        let mut orders = self.orders.clone();
        let listing = tokio::select! {
            listing = asked => listing?,
            order = stopped(&mut orders) => return Err(Halt::Ordered(order)),
        };
        let files = choose(&listing, self.job.choice())?;
        self.job.renew(&listing.commit, files)?;
        Ok(())
    }

    async fn sleep(&mut self, time: Duration) -> Result<(), Halt> {
        tokio::select! {
            () = self.tools.clock.sleep(time) => Ok(()),
            order = stopped(&mut self.orders) => Err(Halt::Ordered(order)),
        }
    }

    /// Tells how far it is; `part_bytes` are those of the file that is being fetched.
    fn say(&self, phase: Phase, part_bytes: u64) {
        self.progress.send_replace(Progress {
            phase,
            done_bytes: self.job.whole_bytes() + part_bytes,
            total_bytes: self.job.total_bytes(),
        });
    }
}

/// Waits until something else than going on is ordered. Whoever gives orders and is gone wants it paused.
async fn stopped(orders: &mut watch::Receiver<Order>) -> Order {
    match orders.wait_for(|order| *order != Order::Go).await {
        Ok(order) => *order,
        Err(_) => Order::Pause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_left_free() {
        let gib = |n: u64| n << 30;
        let space = |free, total| Space {
            free_bytes: gib(free),
            total_bytes: gib(total),
        };
        let fits = |free, total, needed, reserve| space(free, total).check(needed, reserve).is_ok();
        assert!(fits(30, 1000, gib(10), RESERVE_BYTES));
        assert!(!fits(30, 1000, gib(10) + 1, RESERVE_BYTES));
        // A tenth of a small volume is enough.
        assert!(fits(15, 100, gib(5), RESERVE_BYTES));
        assert!(!fits(15, 100, gib(5) + 1, RESERVE_BYTES));
        assert!(!fits(30, 1000, u64::MAX, RESERVE_BYTES));
        assert!(fits(1, 1000, gib(1), 0));
    }
}
