//! A file that is not whole yet: its bytes and the hash of them, always of the same length.
//!
//! Blocks on the disk. It must not know where bytes come from.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

/// Bytes that are read at a time.
const READ_BYTES: usize = 1 << 20;
/// What a loss of power may cost, in bytes: as much is forced to the disk at a time.
const SYNC_BYTES: u64 = 64 << 20;

/// Bytes on the disk and their hash.
#[derive(Debug)]
pub(super) struct Part {
    file: File,
    bytes: u64,
    unsynced_bytes: u64,
    hash: Sha256,
}

impl Part {
    /// Opens a part file or makes it, and hashes what it holds; one that is longer than `most` is emptied, because it holds something
    /// else. `None` when `stop` says so in the middle.
    pub(super) fn open(
        path: &Path,
        most: u64,
        stop: impl Fn() -> bool,
    ) -> io::Result<Option<Self>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let mut part = Self {
            file,
            bytes: 0,
            unsynced_bytes: 0,
            hash: Sha256::new(),
        };
        if part.file.metadata()?.len() > most {
            part.clear()?;
        }
        let mut chunk = vec![0; READ_BYTES];
        loop {
            if stop() {
                return Ok(None);
            }
            match part.file.read(&mut chunk)? {
                0 => return Ok(Some(part)),
                count => {
                    part.hash.update(&chunk[..count]);
                    part.bytes += count as u64;
                }
            }
        }
    }

    /// How many bytes there are.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds bytes at the end. After an error the file is as it was before.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(bytes) {
            self.file.set_len(self.bytes)?;
            self.file.seek(SeekFrom::Start(self.bytes))?;
            return Err(error);
        }
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.unsynced_bytes += bytes.len() as u64;
        if self.unsynced_bytes >= SYNC_BYTES {
            self.file.sync_data()?;
            self.unsynced_bytes = 0;
        }
        Ok(())
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.bytes = 0;
        self.hash = Sha256::new();
        Ok(())
    }

    /// The hash of all bytes, hexadecimal.
    pub(super) fn sha256(&self) -> String {
        crate::hex(&self.hash.clone().finalize())
    }

    /// Forces everything to the disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(bytes: &[u8]) -> String {
        crate::hex(&Sha256::digest(bytes))
    }

    #[test]
    fn bytes_and_hash_go_on_where_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.part");
        let open = |most| Part::open(&path, most, || false).unwrap().unwrap();
        let mut part = open(10);
        part.append(b"abc").unwrap();
        drop(part);
        let mut part = open(10);
        assert_eq!((part.bytes(), part.sha256()), (3, hash(b"abc")));
        part.append(b"def").unwrap();
        assert_eq!(part.sha256(), hash(b"abcdef"));
        assert_eq!(std::fs::read(&path).unwrap(), b"abcdef");
        part.clear().unwrap();
        part.append(b"x").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"x");
        assert_eq!(part.sha256(), hash(b"x"));
        drop(part);
        // Longer than the file will be: something else.
        assert_eq!(open(0).bytes(), 0);
        assert!(Part::open(&path, 10, || true).unwrap().is_none());
    }
}
