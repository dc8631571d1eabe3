//! Finds model files in a folder and the folders in it.
//!
//! Apart from the library because it deals with what a folder can hold: links, pipes, parts of split models, folders without
//! permission. It goes down so many levels and no more, so links cannot lead it round in circles. It must not open a file.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::error::Error;

/// Most entries looked at in one folder; a models folder with more is a mistake, and a list must stay quick.
const MAX_ENTRIES: usize = 10_000;

/// A model file, or the first part of a split one with the size of all its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FoundFile {
    pub path: PathBuf,
    /// File name without `.gguf` and without the number of the part.
    pub stem: String,
    pub size_bytes: u64,
    /// The latest of all parts.
    pub modified: Option<SystemTime>,
    /// All files, the first part first.
    pub parts: Vec<PathBuf>,
    /// SHA-256 of the content where the place says it; see [`content_digest`].
    pub sha256: Option<String>,
}

/// What the content of a model is known by: the hash of its file, or a hash over those of its parts.
pub(super) fn content_digest(parts: &[String]) -> Option<String> {
    match parts {
        [] => None,
        [one] => Some(one.clone()),
        many => Some(crate::hex(&Sha256::digest(many.concat()))),
    }
}

/// A regular file at exactly this path, whatever its name.
pub(super) fn look_at(path: &Path) -> Option<FoundFile> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let stem = path.file_stem()?.to_string_lossy().into_owned();
    Some(FoundFile {
        path: path.to_owned(),
        stem,
        size_bytes: metadata.len(),
        modified: metadata.modified().ok(),
        parts: vec![path.to_owned()],
        sha256: None,
    })
}

/// Model files in `folder` and `depth` levels below, in the order of their paths. A missing folder is an empty one.
pub(super) fn scan(folder: &Path, depth: usize, problems: &mut Vec<Error>) -> Vec<FoundFile> {
    scan_with(folder, depth, &|_| None, problems)
}

/// Like [`scan`], where the place of a file may say its SHA-256.
pub(super) fn scan_with(
    folder: &Path,
    depth: usize,
    digest: &dyn Fn(&Path) -> Option<String>,
    problems: &mut Vec<Error>,
) -> Vec<FoundFile> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    for _ in 0..=depth {
        let found = folders
            .iter()
            .flat_map(|folder| entries(folder, problems))
            .collect::<Vec<_>>();
        let (below, plain): (Vec<_>, Vec<_>) = found.into_iter().partition(|path| is_folder(path));
        files.extend(plain.into_iter().filter(|path| is_model(path)));
        folders = below;
        if folders.len() > MAX_ENTRIES {
            break;
        }
    }
    files.sort();
    join_parts(files.iter().filter_map(|path| {
        let file = look_at(path)?;
        Some(FoundFile {
            sha256: digest(path),
            ..file
        })
    }))
}

/// What lies in a folder, sorted, without what is hidden. A missing folder is an empty one.
pub(super) fn entries(folder: &Path, problems: &mut Vec<Error>) -> Vec<PathBuf> {
    let found = match fs::read_dir(folder) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            problems.push(Error::io(folder, error));
            return Vec::new();
        }
    };
    let mut paths: Vec<PathBuf> = found
        .take(MAX_ENTRIES)
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            !path
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
        })
        .collect();
    paths.sort();
    paths
}

pub(super) fn is_folder(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

fn is_model(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"))
}

/// Counts the parts of a split model as one file, at the place of its first part. Parts without a first one stay as they are,
/// so that the list can say what is missing.
fn join_parts(files: impl Iterator<Item = FoundFile>) -> Vec<FoundFile> {
    let mut whole: BTreeMap<PathBuf, FoundFile> = BTreeMap::new();
    let mut digests: HashMap<PathBuf, Vec<Option<String>>> = HashMap::new();
    for file in files {
        let Some((stem, _, count)) = split_name(&file.stem) else {
            whole.insert(file.path.clone(), file);
            continue;
        };
        let first = file
            .path
            .with_file_name(format!("{stem}-00001-of-{count:05}.gguf"));
        let stem = stem.to_owned();
        digests
            .entry(first.clone())
            .or_default()
            .push(file.sha256.clone());
        // Sorted paths bring the first part before the others.
        match whole.get_mut(&first) {
            Some(model) => {
                model.size_bytes = model.size_bytes.saturating_add(file.size_bytes);
                model.modified = model.modified.max(file.modified);
                model.parts.push(file.path);
            }
            None if file.path == first => {
                whole.insert(first, FoundFile { stem, ..file });
            }
            None => {
                whole.insert(file.path.clone(), file);
            }
        }
    }
    for (first, digests) in digests {
        if let Some(model) = whole.get_mut(&first) {
            let all: Option<Vec<String>> = digests.into_iter().collect();
            model.sha256 = all.and_then(|all| content_digest(&all));
        }
    }
    whole.into_values().collect()
}

/// Takes `name-00002-of-00003` apart.
pub(super) fn split_name(stem: &str) -> Option<(&str, u32, u32)> {
    let (rest, count) = stem.rsplit_once("-of-")?;
    let (name, part) = rest.rsplit_once('-')?;
    let number = |text: &str| {
        (text.len() == 5)
            .then(|| text.parse::<u32>().ok())
            .flatten()
    };
    Some((name, number(part)?, number(count)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts() {
        assert_eq!(split_name("big-00002-of-00003"), Some(("big", 2, 3)));
        assert_eq!(split_name("state-of-the-art"), None);
        assert_eq!(split_name("big-2-of-3"), None);
    }
}
