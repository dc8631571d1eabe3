//! Facts about the small model inside the app.
//!
//! They are here and not in a data file because the program relies on them: it answers with this model before anything was
//! downloaded. It must not know where the app keeps it.

use std::path::Path;

use crate::error::{Error, Result};
use crate::library::hash_file;

/// Name in the API and on the command line.
pub const NAME: &str = "starter";
/// Title for people.
pub const TITLE: &str = "SmolLM2 135M Instruct";
/// File name inside the bundle.
pub const FILE_NAME: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";
/// Hash of the file, hexadecimal.
pub const SHA256: &str = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";
/// Size of the file in bytes.
pub const SIZE_BYTES: u64 = 98_362_432;
/// Licence (SPDX), from the model card of HuggingFaceTB/SmolLM2-135M-Instruct.
pub const LICENCE: &str = "Apache-2.0";

/// Compares the whole file with [`SHA256`]. Takes about as long as reading it.
pub fn verify_sha256(path: &Path) -> Result<()> {
    let found = sha256(path)?;
    if found == SHA256 {
        Ok(())
    } else {
        Err(Error::WrongHash {
            expected: SHA256.to_owned(),
            found,
        })
    }
}

fn sha256(path: &Path) -> Result<String> {
    hash_file(path).map_err(|source| Error::io(path, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&path).unwrap(), abc);
        assert!(
            matches!(verify_sha256(&path), Err(Error::WrongHash { found, .. }) if found == abc)
        );
    }
}
