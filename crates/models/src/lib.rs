//! Finds and checks model files.
//!
//! It is a crate of its own so that nothing reaches the C++ loader before it was checked here: a model file comes from the
//! network or from anybody's disk and is not trusted. It must not know how a model is run, fitted into memory or shown.
//!
//! Nothing here is async; callers on an async runtime wrap each call in `spawn_blocking`.

pub mod catalog;
pub mod embedder;
pub mod error;
pub mod fingerprint;
pub mod gguf;
pub mod library;
pub mod own;
pub mod starter;

pub use error::{Error, Result};
pub use fingerprint::fingerprint;
pub use gguf::{
    Header, Latent, PerLayer, Pooling, Purpose, Shape, State, TensorBytes, Window, validate_file,
    validate_prefix,
};
pub use library::{Library, ListReport, ModelFile, Projector, Source};

/// Bytes as hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;

    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
