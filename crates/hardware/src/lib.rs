//! What this machine is: chip, cores, memory, system.
//!
//! It is a crate of its own because reading it needs Apple's interfaces, which no other crate may touch. It must not decide
//! anything about models; it reads, and what cannot be read is `None`, never zero.

pub mod snapshot;

mod platform;

pub use snapshot::{Machine, read};
