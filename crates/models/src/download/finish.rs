//! The last step: the validator, and the one rename after which a model is seen.
//!
//! What was fetched keeps a note of where it came from, so that the same is not fetched twice and no network is needed to know it.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::attempt::blocking;
use super::job::{FileRecord, Job, id_of, read_json, remove_folder, write_json};
use crate::care;
use crate::gguf::{Contents, look_into, validate_file};
use crate::hub::{Error, Listing, RepoFile, RepoId, Result, Revision, Wanted, choose};

/// The note in the folder of a model that was fetched. Hidden, so that no list of models looks at it.
const NOTE: &str = ".origin.json";
/// Longest name of a model's folder without what makes it unique, in bytes.
const MAX_STEM_BYTES: usize = 150;

#[derive(Serialize, Deserialize)]
struct Note {
    repo: String,
    commit: String,
    files: Vec<FileRecord>,
}

/// Where a model in a folder came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub folder: PathBuf,
    pub listing: Listing,
}

/// The folder of a model that was fetched before and is all there, without asking the hub. Blocks on the disk.
pub fn installed(models: &Path, wanted: &Wanted) -> Option<Origin> {
    let entries = fs::read_dir(models).ok()?.flatten();
    let mut all: Vec<Origin> = entries.filter_map(|entry| origin(&entry.path())).collect();
    all.retain(|origin| {
        let listing = &origin.listing;
        listing.repo == wanted.repo && choose(listing, &wanted.choice).is_ok()
    });
    all.sort_by(|one, other| one.folder.cmp(&other.folder));
    all.into_iter().next()
}

/// Everything in a folder that was fetched with the model in it, its note included; nothing where no model was fetched to.
pub(crate) fn fetched_files(folder: &Path) -> Vec<PathBuf> {
    let note = folder.join(NOTE);
    let Some(found) = read_json::<Note>(&note) else {
        return Vec::new();
    };
    let files = found.files.into_iter().filter_map(FileRecord::read);
    let paths = files.map(|file| folder.join(file.path.file_name()));
    paths.chain([note]).collect()
}

/// Where the model in a folder came from, if all files of it are there.
fn origin(folder: &Path) -> Option<Origin> {
    let note: Note = read_json(&folder.join(NOTE))?;
    let files: Option<Vec<RepoFile>> = note.files.into_iter().map(FileRecord::read).collect();
    let files = files.filter(|files| files.iter().all(|file| is_there(folder, file)))?;
    Some(Origin {
        folder: folder.to_owned(),
        listing: Listing {
            repo: RepoId::parse(&note.repo).ok()?,
            commit: Revision::parse(&note.commit).ok()?,
            files,
        },
    })
}

fn is_there(folder: &Path, file: &RepoFile) -> bool {
    let size = fs::metadata(folder.join(file.path.file_name())).map(|metadata| metadata.len());
    size.is_ok_and(|bytes| bytes == file.size_bytes)
}

impl Job {
    /// The folder in which this very model lies already. Blocks on the disk.
    pub fn is_done(&self, models: &Path) -> Option<PathBuf> {
        let folder = models.join(folder_name(self));
        let same = origin(&folder).is_some_and(|origin| origin.listing.files == self.files());
        same.then_some(folder)
    }
}

/// Checks what was fetched and brings it among the models; a model that the validator refuses is removed, because fetching it again
/// would bring the same.
pub(super) async fn finish(job: &Job, models: &Path) -> Result<PathBuf> {
    let files = job.folder().join("files");
    let target = models.join(folder_name(job));
    let paths: Vec<PathBuf> = (0..job.files().len()).map(|i| job.whole_path(i)).collect();
    let note = Note {
        repo: job.repo().to_string(),
        commit: job.commit().as_str().to_owned(),
        files: job.files().iter().map(FileRecord::of).collect(),
    };
    let (job_folder, placed) = (job.folder().to_owned(), target.clone());
    blocking(move || {
        if let Err(error) = check(&paths) {
            if !matches!(error, crate::Error::Unreadable { .. }) {
                remove_folder(&job_folder)?;
            }
            return Err(error.into());
        }
        write_json(&files.join(NOTE), &note)?;
        place(&job_folder, &files, &placed)
    })
    .await?;
    Ok(target)
}

/// The model and, behind its parts, what it sees with.
fn check(paths: &[PathBuf]) -> crate::Result<()> {
    let Some(first) = paths.first() else {
        return Ok(());
    };
    let parts = validate_file(first)?.part_count.max(1) as usize;
    for path in paths.iter().skip(parts) {
        if let Contents::Model(_) = look_into(path)? {
            return Err(crate::Error::Unsupported {
                what: path.display().to_string(),
                reason: "it is called the vision part of a model, and is a model".to_owned(),
            });
        }
    }
    Ok(())
}

/// An older one of the same name is replaced; at no moment is there half of either.
fn place(job: &Path, files: &Path, target: &Path) -> Result<()> {
    let failed = |error| Error::disk(target, error);
    if let Some(models) = target.parent() {
        care::make(models).map_err(failed)?;
    }
    if target.exists() {
        keep_others(target, files).map_err(failed)?;
        fs::rename(target, job.join("replaced")).map_err(failed)?;
    }
    fs::rename(files, target).map_err(failed)?;
    sync(target.parent().unwrap_or(target)).map_err(failed)?;
    remove_folder(job)
}

/// What somebody else put into the folder of the older one moves to that of the new one.
fn keep_others(old: &Path, new: &Path) -> std::io::Result<()> {
    let ours = fetched_files(old);
    for entry in fs::read_dir(old)? {
        let entry = entry?;
        let kept = new.join(entry.file_name());
        if !ours.contains(&entry.path()) && !kept.exists() {
            fs::rename(entry.path(), kept)?;
        }
    }
    Ok(())
}

/// A rename is on the disk when its folder is.
fn sync(folder: &Path) -> std::io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

/// The name people know the model by, and a piece that is its alone.
fn folder_name(job: &Job) -> String {
    let mut stem = job.stem().to_owned();
    let end = (0..=MAX_STEM_BYTES)
        .rev()
        .find(|at| stem.is_char_boundary(*at));
    stem.truncate(end.unwrap_or(0));
    format!("{stem}-{}", &id_of(job.repo(), job.stem())[..8])
}
