//! Holds off the system's sleep while an answer is written, and not a moment longer.
//!
//! A task of its own, because the system may take a while to be asked. It must not know what is written.

use tokio::sync::watch;
use tokio::task::spawn_blocking;

/// Whether sleep is to be held off. Dropping it lets the machine sleep.
pub(super) struct KeepAwake(watch::Sender<bool>);

impl KeepAwake {
    /// `hold` asks the system; what it gives holds off sleep while it lives. When it gives nothing it is asked again for the next
    /// answer.
    pub(super) fn start<T: Send + 'static>(
        hold: impl Fn() -> Option<T> + Clone + Send + 'static,
    ) -> Self {
        let (sender, mut wanted) = watch::channel(false);
        tokio::spawn(async move {
            let mut held: Option<T> = None;
            while wanted.changed().await.is_ok() {
                let is_wanted = *wanted.borrow_and_update();
                if is_wanted && held.is_none() {
                    let hold = hold.clone();
                    held = spawn_blocking(hold).await.ok().flatten();
                } else if !is_wanted && let Some(held) = held.take() {
                    let _ = spawn_blocking(move || drop(held)).await;
                }
            }
        });
        Self(sender)
    }

    pub(super) fn want(&self, wanted: bool) {
        self.0
            .send_if_modified(|now| std::mem::replace(now, wanted) != wanted);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    async fn until(what: &str, check: impl Fn() -> bool) {
        for _ in 0..500 {
            if check() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("waited for: {what}");
    }

    #[tokio::test]
    async fn sleep_is_held_off_only_while_it_is_wanted() {
        let held = Arc::new(());
        let hold = {
            let held = held.clone();
            move || Some(held.clone())
        };
        let awake = KeepAwake::start(hold);
        let idle = Arc::strong_count(&held);
        for _ in 0..2 {
            awake.want(true);
            until("it is held", || Arc::strong_count(&held) == idle + 1).await;
            awake.want(true);
            awake.want(false);
            until("it is let go", || Arc::strong_count(&held) == idle).await;
        }
        awake.want(true);
        until("it is held", || Arc::strong_count(&held) == idle + 1).await;
        drop(awake);
        until("all is gone", || Arc::strong_count(&held) == 1).await;
    }
}
