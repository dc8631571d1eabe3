//! Facts about the embedding model inside the app, which `scripts/make-embedder` makes.
//!
//! They are here for the reason that those of [`crate::starter`] are: the program relies on them. It must not know where the app
//! keeps it or what it is used for.

/// Name in the API and on the command line.
pub const NAME: &str = "embedder";
/// Title for people.
pub const TITLE: &str = "all-MiniLM-L6-v2";
/// File name inside the bundle.
pub const FILE_NAME: &str = "all-MiniLM-L6-v2.F16.gguf";
/// Hash of the file, hexadecimal.
pub const SHA256: &str = "f3a286ebb413beb714de429d5c262967c67a309713cd74fe4f1cf345b9f4c733";
/// Size of the file in bytes.
pub const SIZE_BYTES: u64 = 46_223_456;
/// Licence (SPDX), from the model card of sentence-transformers/all-MiniLM-L6-v2.
pub const LICENCE: &str = "Apache-2.0";
