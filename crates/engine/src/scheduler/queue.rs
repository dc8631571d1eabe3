//! Requests that wait for a slot: by priority, then first come first served. Long waiting raises the priority, so nobody starves.

use std::time::{Duration, Instant};

use crate::{Priority, Request};

/// How long a request waits before it counts as one class more urgent.
const AGING: Duration = Duration::from_secs(20);

/// A request without a slot.
#[derive(Debug)]
pub struct Waiting {
    pub id: u64,
    pub request: Box<Request>,
    /// When the engine took it.
    pub received: Instant,
}

impl Waiting {
    /// The priority in force at `now`.
    fn rank(&self, now: Instant) -> u64 {
        let classes = now.duration_since(self.received).as_secs() / AGING.as_secs();
        (self.request.priority as u64).saturating_sub(classes)
    }
}

/// See the module text.
#[derive(Debug, Default)]
pub struct Queue(Vec<Waiting>);

impl Queue {
    pub fn push(&mut self, waiting: Waiting) {
        self.0.push(waiting);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the most urgent request that `may` begin.
    pub fn pop(&mut self, now: Instant, may: impl Fn(Priority) -> bool) -> Option<Waiting> {
        let (at, _) = self
            .0
            .iter()
            .enumerate()
            .filter(|(_, w)| may(w.request.priority))
            .min_by_key(|(_, w)| (w.rank(now), w.received, w.id))?;
        Some(self.0.remove(at))
    }

    /// Takes out the request `id`.
    pub fn remove(&mut self, id: u64) -> Option<Waiting> {
        let at = self.0.iter().position(|w| w.id == id)?;
        Some(self.0.remove(at))
    }

    pub fn drain(&mut self) -> impl Iterator<Item = Waiting> {
        self.0.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(id: u64, priority: Priority, received: Instant) -> Waiting {
        let request = Request {
            priority,
            ..Request::text("x")
        };
        Waiting {
            id,
            request: Box::new(request),
            received,
        }
    }

    #[test]
    fn urgent_first_then_first_come_and_waiting_makes_urgent() {
        let start = Instant::now();
        let mut queue = Queue::default();
        queue.push(waiting(1, Priority::Background, start));
        queue.push(waiting(2, Priority::Api, start));
        queue.push(waiting(3, Priority::Api, start));
        queue.push(waiting(4, Priority::Interactive, start));
        let order: Vec<u64> = std::iter::from_fn(|| queue.pop(start, |_| true))
            .map(|w| w.id)
            .collect();
        assert_eq!(order, [4, 2, 3, 1]);

        let later = start + AGING + AGING;
        queue.push(waiting(5, Priority::Background, start));
        queue.push(waiting(6, Priority::Interactive, later));
        assert_eq!(queue.pop(later, |_| true).map(|w| w.id), Some(5));
        assert!(queue.pop(later, |p| p == Priority::Api).is_none());
    }
}
