//! A name for the content of a model file, for things that must never be used with other weights.
//!
//! Not a hash of everything: that takes as long as reading the file, and is needed before each load. It must not be taken for proof
//! against somebody who forges a file; it notices a file that was replaced, changed or fetched again.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::gguf::{Header, part_paths_of};

/// Bytes at each end of a file that are hashed at least.
const END_BYTES: u64 = 1 << 20;
/// Bytes of a header that are hashed at most.
const MAX_HEADER_BYTES: u64 = 256 << 20;

/// Hexadecimal SHA-256 over size, time of the last change (in nanoseconds), the whole header and the first and last MiB of every
/// part. `header` is what [`crate::validate_file`] found in `path`. Reads a few MiB.
pub fn fingerprint(path: &Path, header: &Header) -> Result<String> {
    let mut hash = Sha256::new();
    for (index, part) in part_paths_of(path, header.part_count)
        .into_iter()
        .enumerate()
    {
        let header_bytes = if index == 0 { header.data_offset } else { 0 };
        add_file(&mut hash, &part, header_bytes).map_err(|source| Error::io(&part, source))?;
    }
    Ok(crate::hex(&hash.finalize()))
}

fn add_file(hash: &mut Sha256, path: &Path, header_bytes: u64) -> std::io::Result<()> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let changed = metadata.modified()?.duration_since(UNIX_EPOCH);
    hash.update(metadata.len().to_le_bytes());
    hash.update(changed.map_or(0, |time| time.as_nanos()).to_le_bytes());
    let start = header_bytes.clamp(END_BYTES, MAX_HEADER_BYTES);
    add(hash, &mut file, start)?;
    file.seek(SeekFrom::Start(metadata.len().saturating_sub(END_BYTES)))?;
    add(hash, &mut file, END_BYTES)
}

/// Hashes the next `count` bytes, or what there is of them.
fn add(hash: &mut Sha256, file: &mut File, count: u64) -> std::io::Result<()> {
    let mut chunk = vec![0; 64 * 1024];
    let mut reader = file.take(count);
    loop {
        match reader.read(&mut chunk)? {
            0 => return Ok(()),
            read => hash.update(&chunk[..read]),
        }
    }
}
