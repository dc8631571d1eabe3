//! How many clients there may be and how long each may take. In one place, so that tests can have short times.
//!
//! It must not know connections or bodies: those who have to wait look here for how long.

use std::time::Duration;

/// What slow, silent and greedy clients may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections at the same time; more wait in the system's queue.
    pub(crate) connections: usize,
    /// For the head of a request, and for the silence between two.
    pub(crate) head: Duration,
    /// For the next piece of a request's body.
    pub(crate) body_piece: Duration,
    /// For all of a request's body.
    pub(crate) body: Duration,
    /// Within which a client takes some of what waits for it.
    pub(crate) write: Duration,
    /// Largest body in bytes: pictures come inside the JSON.
    pub(crate) body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            head: Duration::from_secs(30),
            body_piece: Duration::from_secs(30),
            body: Duration::from_secs(120),
            write: Duration::from_secs(30),
            body_bytes: 32 << 20,
        }
    }
}
