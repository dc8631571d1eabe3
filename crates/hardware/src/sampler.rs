//! Reads the sensors once a second on a thread of its own.
//!
//! A thread, because sensors block, some for as long as they measure. It must not judge what it reads.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

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

/// Starts to read a source, which is made on the thread that reads it.
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
            while let Some(reading) = source.read() {
                if sender.send(Arc::new(reading)).is_err() {
                    return;
                }
                next = (next + every).max(Instant::now());
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        })?;
    Ok(readings)
}
