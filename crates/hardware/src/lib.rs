//! What this machine is (chip, cores, memory, system), and what its sensors say.
//!
//! It is a crate of its own because reading it needs Apple's interfaces, which no other crate may touch. It must not decide
//! anything about models; it reads, and what cannot be read is `None`, never zero.

pub mod reading;
pub mod sampler;
pub mod snapshot;

mod platform;

pub use reading::Reading;
pub use snapshot::{Machine, read};
