//! Reads the sensors once a second on a thread of its own.
//!
//! A thread, because sensors block, some for as long as they measure. It refuses what cannot be, and must not judge what can.

mod groups;
mod plausible;
mod rate;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

pub(crate) use self::groups::{Group, Groups, Probe};
pub(crate) use self::rate::Rate;
use crate::reading::Reading;

/// How often sensors are read: SPEC row H2.
pub const EVERY: Duration = Duration::from_secs(1);

/// Where readings come from: this machine, or a recording.
pub trait Source: Send {
    /// One reading; may block. `None` when there is nothing more to come.
    fn read(&mut self) -> Option<Reading>;
}

/// Readings as they come; the newest counts. Dropping the last receiver ends the thread.
pub type Readings = watch::Receiver<Arc<Reading>>;

/// Starts to read a source, which is made on the thread that reads it. A source that keeps its own time (a recording) is read with
/// `every` zero.
///
/// # Errors
/// When the system gives no thread.
pub fn start(
    source: impl FnOnce() -> Box<dyn Source> + Send + 'static,
    every: Duration,
) -> std::io::Result<Readings> {
    let (sender, readings) = watch::channel(Arc::new(Reading::default()));
    std::thread::Builder::new()
        .name("sensors".into())
        .spawn(move || {
            let mut source = source();
            let mut next = Instant::now();
            while let Some(mut reading) = source.read() {
                plausible::refuse_nonsense(&mut reading);
                if sender.send(Arc::new(reading)).is_err() {
                    return;
                }
                next = (next + every).max(Instant::now());
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        })?;
    Ok(readings)
}
