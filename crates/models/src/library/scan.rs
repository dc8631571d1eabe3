//! Finds model files in a folder and the folders directly in it.
//!
//! Apart from the library because it deals with what a folder can hold: links, pipes, parts of split models, folders without
//! permission. Two levels and no more, so links cannot lead it round in circles. It must not open a file.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

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
    })
}

/// Model files in `folder` and one level below, in the order of their paths. A missing folder is an empty one.
pub(super) fn scan(folder: &Path, problems: &mut Vec<Error>) -> Vec<FoundFile> {
    let mut files = Vec::new();
    for entry in entries(folder, problems) {
        if is_folder(&entry) {
            files.extend(
                entries(&entry, problems)
                    .into_iter()
                    .filter(|entry| !is_folder(entry)),
            );
        } else {
            files.push(entry);
        }
    }
    join_parts(
        files
            .iter()
            .filter(|path| is_model(path))
            .filter_map(|path| look_at(path)),
    )
}

fn entries(folder: &Path, problems: &mut Vec<Error>) -> Vec<PathBuf> {
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

fn is_folder(path: &Path) -> bool {
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
    for file in files {
        let Some((stem, _, count)) = split_name(&file.stem) else {
            whole.insert(file.path.clone(), file);
            continue;
        };
        let first = file
            .path
            .with_file_name(format!("{stem}-00001-of-{count:05}.gguf"));
        let stem = stem.to_owned();
        // Sorted paths bring the first part before the others.
        match whole.get_mut(&first) {
            Some(model) => {
                model.size_bytes = model.size_bytes.saturating_add(file.size_bytes);
                model.modified = model.modified.max(file.modified);
            }
            None if file.path == first => {
                whole.insert(first, FoundFile { stem, ..file });
            }
            None => {
                whole.insert(file.path.clone(), file);
            }
        }
    }
    whole.into_values().collect()
}

/// Takes `name-00002-of-00003` apart.
fn split_name(stem: &str) -> Option<(&str, u32, u32)> {
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
