//! The same weights in several places are one model.
//!
//! Two files are the same when they are one file behind links, or when their hashes are equal: a store says the hash of its files, and
//! others are read where another file has exactly the same size. It must not read a model file itself.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::PathBuf;

use super::hashes::Hashes;
use super::scan::{FoundFile, content_digest};
use super::vision::Projector;
use super::{Contents, Source};
use crate::error::Result;

/// A model of one place.
pub(super) struct Candidate {
    pub file: FoundFile,
    pub contents: Result<Contents>,
    pub projector: Option<Projector>,
    pub source: Source,
}

/// What a file is recognised by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Mark {
    /// Its place, links followed.
    Place(PathBuf),
    /// Its content.
    Digest(String),
}

/// Each model once, with the places where it lies. The first place of a model is the one it is used from; the order stays.
pub(super) fn merge(candidates: Vec<Candidate>, hashes: &Hashes) -> Vec<(Candidate, Vec<Source>)> {
    let mut models: Vec<(Candidate, Vec<Source>)> = Vec::new();
    let mut marked: HashMap<Mark, usize> = HashMap::new();
    for candidate in candidates {
        let marks = marks(&candidate.file, hashes);
        let same = marks.iter().find_map(|mark| marked.get(mark).copied());
        // In the user's own folder two names of one file are two models: that is how a model gets a second name.
        let same = same.filter(|index| {
            candidate.source != Source::Own || models[*index].0.source != Source::Own
        });
        let index = same.unwrap_or(models.len());
        marked.extend(marks.into_iter().map(|mark| (mark, index)));
        if let Some((first, places)) = models.get_mut(index) {
            if !places.contains(&candidate.source) {
                places.push(candidate.source);
            }
            first.projector = first.projector.take().or(candidate.projector);
        } else {
            let places = vec![candidate.source];
            models.push((candidate, places));
        }
    }
    models
}

/// Files whose hash is not known and would tell whether a model is the same as another: all parts of sound models that have
/// exactly the size of one in another place.
pub(super) fn unknown_twins(candidates: &[Candidate], hashes: &Hashes) -> Vec<PathBuf> {
    let mut by_size: BTreeMap<u64, Vec<&Candidate>> = BTreeMap::new();
    let sound = candidates
        .iter()
        .filter(|candidate| candidate.contents.is_ok());
    for candidate in sound {
        by_size
            .entry(candidate.file.size_bytes)
            .or_default()
            .push(candidate);
    }
    let mut unknown = Vec::new();
    for same in by_size.into_values() {
        let places: HashSet<Option<PathBuf>> = same
            .iter()
            .map(|candidate| fs::canonicalize(&candidate.file.path).ok())
            .collect();
        // What lies in the user's own folder only is never joined.
        if places.len() < 2 || same.iter().all(|candidate| candidate.source == Source::Own) {
            continue;
        }
        let files = same.iter().map(|candidate| &candidate.file);
        let without = files.filter(|file| file.sha256.is_none());
        unknown.extend(
            without
                .flat_map(|file| &file.parts)
                .filter(|part| hashes.get(part).is_none())
                .cloned(),
        );
    }
    unknown
}

fn marks(file: &FoundFile, hashes: &Hashes) -> Vec<Mark> {
    let place = fs::canonicalize(&file.path).ok().map(Mark::Place);
    let own = || {
        let parts: Option<Vec<String>> = file.parts.iter().map(|part| hashes.get(part)).collect();
        parts.and_then(|parts| content_digest(&parts))
    };
    let digest = file.sha256.clone().or_else(own).map(Mark::Digest);
    place.into_iter().chain(digest).collect()
}
