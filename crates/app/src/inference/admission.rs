//! How many requests of programs run and wait at the same time. First come, first served; beyond the limits nobody waits.
//!
//! Here because every door joins at inference. It must not know models, engines or HTTP; the window does not come this way.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::error::{Code, Error, Result};

/// How many, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// Requests that run at the same time; at least one does.
    pub parallel: u32,
    /// Requests that wait.
    pub queue: u32,
    /// How long a request may wait and, from there, run.
    pub timeout: Duration,
}

impl Default for AdmissionLimits {
    /// SPEC row S8.
    fn default() -> Self {
        Self {
            parallel: 4,
            queue: 10,
            timeout: Duration::from_secs(30 * 60),
        }
    }
}

/// The door for requests of programs. Clones refer to the same one.
#[derive(Clone, Default)]
pub(super) struct Admission(Arc<Mutex<Places>>);

#[derive(Default)]
struct Places {
    /// What the settings say.
    limits: AdmissionLimits,
    cap: Cap,
    running: u32,
    /// The first to come is the first to go. One whose receiver is gone gave up.
    waiting: VecDeque<oneshot::Sender<Permit>>,
}

/// What the governor lets in at most: requests that run, and that wait. `None` is what the settings say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cap {
    pub(super) parallel: Option<u32>,
    pub(super) queue: Option<u32>,
}

impl Places {
    /// What holds of both.
    fn limits(&self) -> AdmissionLimits {
        let AdmissionLimits {
            parallel, queue, ..
        } = self.limits;
        AdmissionLimits {
            parallel: self.cap.parallel.unwrap_or(u32::MAX).min(parallel.max(1)),
            queue: self.cap.queue.unwrap_or(u32::MAX).min(queue),
            ..self.limits
        }
    }
}

/// The right to run; given back when dropped.
pub(super) struct Permit(Option<Admission>);

impl Admission {
    /// Takes a place, waiting for it when there is none.
    ///
    /// # Errors
    /// [`Code::Busy`], with the seconds after which another try is worth it, when the queue is full or the wait too long.
    pub(super) async fn enter(&self) -> Result<Permit> {
        let (place, timeout) = {
            let mut places = self.lock();
            places.waiting.retain(|waiting| !waiting.is_closed());
            let limits = places.limits();
            if places.waiting.is_empty() && places.running < limits.parallel {
                places.running += 1;
                return Ok(Permit(Some(self.clone())));
            }
            if places.waiting.len() >= limits.queue as usize {
                let is_capped = limits != places.limits;
                return Err(if is_capped {
                    held_back(limits)
                } else {
                    full(limits)
                });
            }
            let (sender, place) = oneshot::channel();
            places.waiting.push_back(sender);
            (place, limits.timeout)
        };
        match tokio::time::timeout(timeout, place).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(Error::internal("the queue is gone")),
            Err(_) => Err(waited(timeout)),
        }
    }

    /// Changes the limits; what they let in more comes in at once. What runs stays, and what waits keeps its place.
    pub(super) fn limit(&self, limits: AdmissionLimits) {
        self.lock().limits = limits;
        self.fill();
    }

    /// Changes what is let in at most, whatever the settings say; what runs and waits stays.
    pub(super) fn cap(&self, cap: Cap) {
        self.lock().cap = cap;
        self.fill();
    }

    pub(super) fn limits(&self) -> AdmissionLimits {
        self.lock().limits()
    }

    /// How many run, and how many wait.
    pub(super) fn counts(&self) -> (u32, u32) {
        let mut places = self.lock();
        places.waiting.retain(|waiting| !waiting.is_closed());
        (places.running, places.waiting.len() as u32)
    }

    /// Gives free places to those who wait.
    fn fill(&self) {
        loop {
            let next = {
                let mut places = self.lock();
                if places.running >= places.limits().parallel {
                    return;
                }
                let Some(next) = places.waiting.pop_front() else {
                    return;
                };
                places.running += 1;
                next
            };
            // Outside the lock: one who gave up returns the permit, whose drop would take it again.
            if let Err(mut unused) = next.send(Permit(Some(self.clone()))) {
                unused.0 = None;
                self.lock().running -= 1;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(admission) = self.0.take() {
            admission.lock().running -= 1;
            admission.fill();
        }
    }
}

fn full(limits: AdmissionLimits) -> Error {
    let AdmissionLimits {
        parallel, queue, ..
    } = limits;
    let message =
        format!("{parallel} requests are running and {queue} are waiting, which is the limit.");
    Error::new(Code::Busy, message)
        .hint("Try again in a moment, or raise the limits under Server, Ports and limits.")
        .retry_after_s(1)
}

fn held_back(limits: AdmissionLimits) -> Error {
    let AdmissionLimits {
        parallel, queue, ..
    } = limits;
    let message = format!(
        "Hearth is held back by heat, power or memory, so that only {parallel} requests of programs run and {queue} wait."
    );
    Error::new(Code::Busy, message)
        .hint("Try again later; the Monitor says what holds it back, and Settings, Heat and power how far.")
        .retry_after_s(15)
}

fn waited(timeout: Duration) -> Error {
    let seconds = timeout.as_secs();
    let message = format!("The request waited {seconds} s for its turn.");
    Error::new(Code::EngineUnavailable, message)
        .hint("Try again later, or raise the limits under Server, Ports and limits.")
        .retry_after_s(30)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as StdMutex;

    use super::*;

    fn door(parallel: u32, queue: u32) -> Admission {
        let door = Admission::default();
        door.limit(AdmissionLimits {
            parallel,
            queue,
            timeout: Duration::from_secs(60),
        });
        door
    }

    async fn settle() {
        for _ in 0..2_000 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn exactly_the_surplus_is_refused_and_the_order_is_kept() {
        for (parallel, queue) in [(1, 0), (1, 5), (4, 10), (16, 100)] {
            let door = door(parallel, queue);
            let order = Arc::new(StdMutex::new(Vec::new()));
            let total = parallel + queue + 200;
            let mut tasks = Vec::new();
            for number in 0..total {
                let (door, order) = (door.clone(), order.clone());
                tasks.push(tokio::spawn(async move {
                    let permit = door.enter().await.map_err(|e| (e.code, e.retry_after_s))?;
                    assert!(door.counts().0 <= parallel);
                    order.lock().unwrap().push(number);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    drop(permit);
                    Ok::<_, (Code, Option<u64>)>(())
                }));
            }
            let mut refused = 0;
            for task in tasks {
                if let Err(why) = task.await.unwrap() {
                    assert_eq!(why, (Code::Busy, Some(1)));
                    refused += 1;
                }
            }
            assert_eq!(refused, 200);
            let admitted: Vec<u32> = (0..parallel + queue).collect();
            assert_eq!(*order.lock().unwrap(), admitted);
            assert_eq!(door.counts(), (0, 0));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_gives_up_leaves_the_queue() {
        let door = door(1, 1);
        let first = door.enter().await.unwrap();
        let second = tokio::spawn({
            let door = door.clone();
            async move { door.enter().await.map(drop) }
        });
        settle().await;
        assert_eq!(door.counts(), (1, 1));
        second.abort();
        settle().await;
        assert_eq!(door.counts(), (1, 0));
        drop(first);
        assert_eq!(door.counts(), (0, 0));
        drop(door.enter().await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn new_limits_hold_at_once() {
        let door = door(1, 10);
        let _first = door.enter().await.unwrap();
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let door = door.clone();
                tokio::spawn(async move { door.enter().await.unwrap() })
            })
            .collect();
        settle().await;
        assert_eq!(door.counts(), (1, 3));
        door.limit(AdmissionLimits {
            parallel: 4,
            queue: 0,
            timeout: Duration::from_secs(60),
        });
        assert_eq!(door.counts(), (4, 0));
        assert_eq!(door.enter().await.err().unwrap().code, Code::Busy);
        for permit in waiting {
            drop(permit.await.unwrap());
        }
        assert_eq!(door.counts(), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_has_an_end() {
        let door = door(1, 1);
        let _first = door.enter().await.unwrap();
        let error = door.enter().await.err().unwrap();
        assert_eq!(error.code, Code::EngineUnavailable);
        assert_eq!(error.retry_after_s, Some(30));
        assert_eq!(door.counts(), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_cap_is_kept_says_why_and_lets_what_waits_in_when_it_goes() {
        let door = door(4, 10);
        let first = door.enter().await.unwrap();
        door.cap(Cap {
            parallel: Some(1),
            queue: Some(1),
        });
        let waiting = tokio::spawn({
            let door = door.clone();
            async move { door.enter().await }
        });
        settle().await;
        assert_eq!(door.counts(), (1, 1));
        let refused = door.enter().await.err().unwrap();
        assert_eq!(
            (refused.code, refused.retry_after_s),
            (Code::Busy, Some(15))
        );
        assert!(refused.message.contains("held back"));
        door.cap(Cap::default());
        let _second = waiting.await.unwrap().unwrap();
        assert_eq!(door.counts(), (2, 0));
        drop(first);
        // None at all: the window alone is answered.
        door.cap(Cap {
            parallel: Some(0),
            queue: Some(0),
        });
        assert!(door.enter().await.is_err());
    }
}
