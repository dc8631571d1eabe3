//! Finds and checks model files.
//!
//! It is a crate of its own so that nothing reaches the C++ loader before it was checked here: a model file comes from the
//! network or from anybody's disk and is not trusted. It must not know how a model is run, fitted into memory or shown.
//!
//! Only [`hub`] and [`download`] are async; callers on an async runtime wrap every other call in `spawn_blocking`.

pub mod care;
pub mod catalog;
pub mod download;
pub mod embedder;
pub mod error;
pub mod fingerprint;
pub mod gguf;
pub mod hub;
pub mod import;
pub mod library;
pub mod lock;
pub mod own;
mod platform;
pub mod space;
pub mod starter;
pub mod watch;

pub use error::{Error, Result};
pub use fingerprint::fingerprint;
pub use gguf::{
    Header, Latent, PerLayer, Pooling, Purpose, Shape, State, TensorBytes, Window, validate_file,
    validate_prefix,
};
pub use library::{
    Alias, Library, ListReport, ModelFile, Projector, Source, Store, lm_studio_folders,
};

/// Bytes as hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;

    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
