//! What can go wrong with another program's engine.

/// Result of asking another engine.
pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("`{0}` is not an address such as `http://studio.local:8000`")]
    Address(String),
    #[error("nothing answers at {address} ({reason})")]
    Unreachable { address: String, reason: String },
    /// It did not answer in time, or stopped in the middle.
    #[error("{address} did not answer for {seconds} s")]
    Silent { address: String, seconds: u64 },
    #[error("{address} wants a key, or another one")]
    Key { address: String },
    /// It answered with an error of its own.
    #[error("{address} refused with status {status}: {message}")]
    Refused {
        address: String,
        status: u16,
        message: String,
    },
    /// It answered something else than its interface says.
    #[error("the answer of {address} cannot be read: {what}")]
    Unreadable { address: String, what: String },
}
