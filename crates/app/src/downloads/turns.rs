//! How many downloads run at the same time; the others wait for their turn, the first to come first.
//!
//! Not a semaphore, because the number can be made smaller while all places are taken: those that run go on then, and nobody else
//! begins until enough of them have ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The places.
#[derive(Debug)]
pub(super) struct Turns(Mutex<Places>);

#[derive(Debug)]
struct Places {
    most: usize,
    taken: usize,
    /// In the order in which they came.
    waiting: std::collections::VecDeque<oneshot::Sender<Turn>>,
}

/// A place; dropping it gives it to the next.
#[derive(Debug)]
pub(super) struct Turn(Option<Arc<Turns>>);

impl Turns {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Places {
            most,
            taken: 0,
            waiting: std::collections::VecDeque::new(),
        })))
    }

    /// From now on at most so many run.
    pub(super) fn limit(self: &Arc<Self>, most: usize) {
        self.places().most = most.max(1);
        self.call();
    }

    /// Waits for a place. Whoever no longer wants it drops the future.
    pub(super) async fn wait(self: Arc<Self>) -> Turn {
        let (given, taken) = oneshot::channel();
        self.places().waiting.push_back(given);
        self.call();
        // Its sender is gone only when all of this is.
        taken.await.unwrap_or(Turn(None))
    }

    /// Gives free places to those who wait.
    fn call(self: &Arc<Self>) {
        loop {
            let next = {
                let mut places = self.places();
                if places.taken >= places.most {
                    return;
                }
                let Some(next) = places.waiting.pop_front() else {
                    return;
                };
                places.taken += 1;
                next
            };
            // Without the lock: a turn that nobody takes any more comes back here and is given up at once.
            drop(next.send(Turn(Some(Arc::clone(self)))));
        }
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.0.take() {
            turns.places().taken -= 1;
            turns.call();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// Whether it has its turn now.
    fn poll(wait: &mut std::pin::Pin<&mut impl Future<Output = Turn>>) -> Option<Turn> {
        match wait.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(turn) => Some(turn),
            Poll::Pending => None,
        }
    }

    #[test]
    fn the_first_to_come_is_the_first_to_go_and_a_limit_holds_from_then_on() {
        let turns = Turns::new(2);
        let (mut a, mut b) = (pin!(turns.clone().wait()), pin!(turns.clone().wait()));
        let (mut c, mut d) = (pin!(turns.clone().wait()), pin!(turns.clone().wait()));
        let (first, second) = (poll(&mut a).unwrap(), poll(&mut b).unwrap());
        assert!(poll(&mut c).is_none() && poll(&mut d).is_none());
        // With fewer places those that run go on, and the end of one of them is not yet a place.
        turns.limit(1);
        drop(first);
        assert!(poll(&mut c).is_none());
        drop(second);
        let third = poll(&mut c).unwrap();
        assert!(poll(&mut d).is_none());
        turns.limit(2);
        assert!(poll(&mut d).is_some());
        drop(third);
    }

    #[test]
    fn who_gives_up_costs_nobody_a_place() {
        let turns = Turns::new(1);
        let mut first = Box::pin(turns.clone().wait());
        let held = poll(&mut first.as_mut()).unwrap();
        {
            let mut gone = Box::pin(turns.clone().wait());
            assert!(poll(&mut gone.as_mut()).is_none());
        }
        let mut last = Box::pin(turns.clone().wait());
        assert!(poll(&mut last.as_mut()).is_none());
        drop(held);
        assert!(poll(&mut last.as_mut()).is_some());
    }
}
