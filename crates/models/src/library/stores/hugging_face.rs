//! The cache of Hugging Face's clients: `models--ORG--NAME/{blobs,refs,snapshots}`.
//!
//! A snapshot is a folder per revision whose files are links to blobs, and the blob of a large file is named by its SHA-256. The
//! layout is that of `huggingface_hub` ("Understand caching" in its guides). Files are used by their place in the snapshot, because
//! the parts of a split model find each other by name.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::is_sha256;
use crate::error::Error;
use crate::library::scan::{self, FoundFile};

/// Folders below a snapshot; repositories sort quantisations into one.
const DEPTH: usize = 2;

pub(super) fn files(root: &Path, problems: &mut Vec<Error>) -> Vec<FoundFile> {
    let Ok(real_root) = fs::canonicalize(root) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for repository in scan::entries(root, problems) {
        let is_model = repository
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"models--"));
        if is_model && scan::is_folder(&repository) {
            found.extend(of_repository(&repository, &real_root, problems));
        }
    }
    found
}

/// The newest revision of each file: those that a ref names come first, `main` before all.
fn of_repository(repository: &Path, real_root: &Path, problems: &mut Vec<Error>) -> Vec<FoundFile> {
    let named = revisions(&repository.join("refs"), problems);
    let mut snapshots: Vec<PathBuf> = scan::entries(&repository.join("snapshots"), problems);
    let rank = |snapshot: &PathBuf| {
        let name = snapshot
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        named
            .iter()
            .position(|revision| *revision == name)
            .unwrap_or(named.len())
    };
    snapshots.sort_by_key(rank);
    let mut seen: HashSet<PathBuf> = HashSet::new();
    let mut files = Vec::new();
    for snapshot in snapshots {
        let mut names = Vec::new();
        for file in scan::scan_with(
            &snapshot,
            DEPTH,
            &|path| blob_digest(path, real_root),
            problems,
        ) {
            let inside = fs::canonicalize(&file.path).is_ok_and(|path| path.starts_with(real_root));
            let Ok(name) = file.path.strip_prefix(&snapshot) else {
                continue;
            };
            // A file of an older revision is shown only where the newer has none of that name.
            if inside && !seen.contains(name) {
                names.push(name.to_owned());
                files.push(file);
            }
        }
        seen.extend(names);
    }
    files
}

/// Revisions that refs point to, that of `main` first.
fn revisions(refs: &Path, problems: &mut Vec<Error>) -> Vec<String> {
    let mut refs = scan::entries(refs, problems);
    refs.sort_by_key(|path| path.file_name().is_none_or(|name| name != "main"));
    let read = |path: &PathBuf| {
        fs::read_to_string(path)
            .ok()
            .map(|text| text.trim().to_owned())
    };
    refs.iter().filter_map(read).collect()
}

/// The SHA-256 that the blob behind a link is named by. Blobs of small files are named by another hash.
fn blob_digest(path: &Path, real_root: &Path) -> Option<String> {
    let blob = fs::canonicalize(path)
        .ok()
        .filter(|blob| blob.starts_with(real_root))?;
    let is_blob = blob.parent()?.file_name()? == "blobs";
    let name = blob.file_name()?.to_str()?;
    (is_blob && is_sha256(name)).then(|| name.to_owned())
}
