//! Takes a model file of the user among the models: checked before it is copied and after, whole or not at all, and never a second time.
//!
//! ```text
//! <models>/.imports/lock      held by the process that imports
//!                   <name>/   on its way, hidden from every list; one rename makes it <models>/<name>/
//! ```
//! The file itself is only read. Where the file system can, the copy shares its bytes with it and takes no room. It must not know who
//! wants it, or what anybody is told.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::care;
use crate::error::{Error, Result};
use crate::gguf::{self, Contents, look_into, part_paths_of, validate_file};
use crate::library::{Library, ModelFile};
use crate::lock::FileLock;
use crate::own::part_name;
use crate::space::Room;

/// Folder of what is on its way.
const FOLDER: &str = ".imports";
/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 1 << 20;
/// How many bytes are written between two looks at how full the disk is.
const LOOK_BYTES: u64 = 256 << 20;

/// What an import does right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Finding out whether a model of the same size is the same.
    Comparing,
    Copying,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub step: Step,
    pub done_bytes: u64,
    pub total_bytes: u64,
}

/// How an import ended that nothing went wrong with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The model is there, under this name.
    Done(String),
    /// The same weights are a model already, under this name. Nothing was done.
    Here(String),
    /// It was given up, and nothing is left of it.
    Stopped,
}

/// Hears how far it is and says whether to go on.
pub type GoOn<'g> = dyn FnMut(Progress) -> bool + 'g;

/// A file to be copied, and what the copy is called.
struct Piece {
    from: PathBuf,
    name: String,
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Piece {
    /// That the copy holds all of the file, and the file is still the one that was looked at.
    fn must_be(&self, copy: &Path) -> Result<()> {
        let metadata = |path: &Path| fs::metadata(path).map_err(|error| Error::io(path, error));
        let (now, copied) = (metadata(&self.from)?, metadata(copy)?.len());
        if (now.len(), now.modified().ok(), copied) == (self.bytes, self.modified, self.bytes) {
            return Ok(());
        }
        let changed = std::io::Error::other("it changed while it was copied");
        Err(Error::io(&self.from, changed))
    }
}

/// Takes the model in `source` (of a split one any part) among the user's models. Blocks on the disk.
///
/// # Errors
/// What the validator says, [`Error::Importing`] while another import runs, [`Error::NoRoom`], and what the disk says.
pub fn import(
    library: &Library,
    source: &Path,
    room: &Room,
    go_on: &mut GoOn<'_>,
) -> Result<Outcome> {
    // Links are kept: in some stores only they have names that say something.
    let source = std::path::absolute(source).map_err(|error| Error::io(source, error))?;
    let first = first_part(source);
    let header = match look_into(&first)? {
        Contents::Model(header) => header,
        Contents::Projector => return Err(gguf::lone_projector()),
    };
    let parts = part_paths_of(&first, header.part_count);
    let models = library.list().models;
    match same_as(&models, &parts, go_on)? {
        Compared::Same(name) => return Ok(Outcome::Here(name)),
        Compared::Stopped => return Ok(Outcome::Stopped),
        Compared::Other => {}
    }
    let name = library.free_name(&first, &models);
    let pieces = pieces(&first, &parts, &name)?;
    let _lock = lock(library.own_dir())?;
    let stage = Stage(library.own_dir().join(FOLDER).join(&name));
    fs::create_dir_all(&stage.0).map_err(|error| Error::not_written(&stage.0, error))?;
    if !copy_all(&pieces, &stage.0, room, go_on)? {
        return Ok(Outcome::Stopped);
    }
    // What is kept is what was looked at, and not what the disk made of it.
    validate_file(&stage.0.join(&pieces[0].name))?;
    place(&stage.0, library.own_dir(), name)
}

/// The first part of a split model when it lies beside this one, else the file itself.
fn first_part(path: PathBuf) -> PathBuf {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let first = stem
        .and_then(Library::split_name)
        .map(|(name, _, count)| path.with_file_name(format!("{name}-00001-of-{count:05}.gguf")));
    first.filter(|first| first.is_file()).unwrap_or(path)
}

fn pieces(first: &Path, parts: &[PathBuf], name: &str) -> Result<Vec<Piece>> {
    let names = (1..=parts.len()).map(|part| part_name(name, part, parts.len()));
    let mut wanted: Vec<(PathBuf, String)> = parts.iter().cloned().zip(names).collect();
    if let Some(projector) = Library::projector_beside(first) {
        wanted.push((projector.path, format!("mmproj-{name}.gguf")));
    }
    let piece = |(from, name): (PathBuf, String)| {
        let metadata = fs::metadata(&from).map_err(|error| Error::io(&from, error))?;
        let (bytes, modified) = (metadata.len(), metadata.modified().ok());
        Ok(Piece {
            from,
            name,
            bytes,
            modified,
        })
    };
    wanted.into_iter().map(piece).collect()
}

/// Whether a model is the same as another.
enum Compared {
    Same(String),
    Other,
    Stopped,
}

/// Looks for a model with the same bytes. Only one of the same size is read, and only up to the first byte that differs.
fn same_as(models: &[ModelFile], parts: &[PathBuf], go_on: &mut GoOn<'_>) -> Result<Compared> {
    let length = |path: &PathBuf| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let total_bytes: u64 = parts.iter().map(length).sum();
    for model in models
        .iter()
        .filter(|model| model.size_bytes == total_bytes)
    {
        let count = model.header.as_ref().map_or(1, |header| header.part_count);
        let theirs = part_paths_of(&model.path, count);
        if theirs.len() != parts.len() {
            continue;
        }
        let mut done_bytes = 0;
        let mut count = |bytes: u64| {
            done_bytes += bytes;
            go_on(Progress {
                step: Step::Comparing,
                done_bytes,
                total_bytes,
            })
        };
        let mut same = Some(true);
        for (ours, theirs) in parts.iter().zip(&theirs) {
            same = is_same(ours, theirs, &mut count)?;
            if same != Some(true) {
                break;
            }
        }
        match same {
            None => return Ok(Compared::Stopped),
            Some(true) => return Ok(Compared::Same(model.name.clone())),
            Some(false) => {}
        }
    }
    Ok(Compared::Other)
}

/// Whether two files hold the same; `None` when `count` ends it. One of a library that cannot be read is another.
fn is_same(
    ours: &Path,
    theirs: &Path,
    count: &mut impl FnMut(u64) -> bool,
) -> Result<Option<bool>> {
    let place = |path| fs::canonicalize(path).ok();
    if place(ours).is_some_and(|place_of_ours| Some(place_of_ours) == place(theirs)) {
        return Ok(Some(true));
    }
    let mut one = File::open(ours).map_err(|error| Error::io(ours, error))?;
    let Ok(mut other) = File::open(theirs) else {
        return Ok(Some(false));
    };
    let (mut left, mut right) = (vec![0; CHUNK_BYTES], vec![0; CHUNK_BYTES]);
    loop {
        let taken = fill(&mut one, &mut left).map_err(|error| Error::io(ours, error))?;
        let Ok(found) = fill(&mut other, &mut right) else {
            return Ok(Some(false));
        };
        if left[..taken] != right[..found] {
            return Ok(Some(false));
        }
        if taken == 0 {
            return Ok(Some(true));
        }
        if !count(taken as u64) {
            return Ok(None);
        }
    }
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Whether all were copied, which they are unless `go_on` ends it.
fn copy_all(pieces: &[Piece], stage: &Path, room: &Room, go_on: &mut GoOn<'_>) -> Result<bool> {
    let total_bytes = pieces.iter().map(|piece| piece.bytes).sum();
    let mut done_bytes = 0;
    for piece in pieces {
        let target = stage.join(&piece.name);
        let real = fs::canonicalize(&piece.from).map_err(|error| Error::io(&piece.from, error))?;
        if reflink_copy::reflink(real, &target).is_ok() {
            done_bytes += piece.bytes;
            let progress = Progress {
                step: Step::Copying,
                done_bytes,
                total_bytes,
            };
            if !go_on(progress) {
                return Ok(false);
            }
        } else {
            // What a try leaves that failed in the middle.
            let _ = fs::remove_file(&target);
            let needed = |done: u64| room.check(stage, total_bytes - done);
            needed(done_bytes)?;
            let before = done_bytes;
            let mut looked = done_bytes;
            let copied = copy(&piece.from, &target, &mut |bytes| {
                done_bytes = (before + bytes).min(total_bytes);
                if done_bytes - looked >= LOOK_BYTES {
                    looked = done_bytes;
                    needed(done_bytes)?;
                }
                Ok(go_on(Progress {
                    step: Step::Copying,
                    done_bytes,
                    total_bytes,
                }))
            })?;
            if !copied {
                return Ok(false);
            }
        }
        piece.must_be(&target)?;
        let synced = File::open(&target).and_then(|file| file.sync_all());
        synced.map_err(|error| Error::not_written(&target, error))?;
    }
    Ok(true)
}

/// Copies a file; `count` hears of the bytes so far and may end it, which is `false`.
fn copy(from: &Path, to: &Path, count: &mut impl FnMut(u64) -> Result<bool>) -> Result<bool> {
    let mut source = File::open(from).map_err(|error| Error::io(from, error))?;
    let mut target = File::create_new(to).map_err(|error| Error::not_written(to, error))?;
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut bytes = 0;
    loop {
        let taken = fill(&mut source, &mut chunk).map_err(|error| Error::io(from, error))?;
        if taken == 0 {
            return Ok(true);
        }
        let written = target.write_all(&chunk[..taken]);
        written.map_err(|error| Error::not_written(to, error))?;
        bytes += taken as u64;
        if !count(bytes)? {
            return Ok(false);
        }
    }
}

/// Brings what is whole among the models. A folder that holds anything is never replaced.
fn place(stage: &Path, own: &Path, name: String) -> Result<Outcome> {
    let target = own.join(&name);
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::DirectoryNotEmpty | std::io::ErrorKind::AlreadyExists => {
            Error::Exists { name: name.clone() }
        }
        _ => Error::not_written(&target, error),
    };
    let sync = |folder: &Path| File::open(folder).and_then(|folder| folder.sync_all());
    sync(stage).map_err(failed)?;
    fs::rename(stage, &target).map_err(failed)?;
    sync(own).map_err(failed)?;
    Ok(Outcome::Done(name))
}

/// One import at a time, whoever makes it, so that what else lies there was left by one that was killed.
fn lock(own: &Path) -> Result<FileLock> {
    let folder = own.join(FOLDER);
    let failed = |error| Error::not_written(&folder, error);
    care::make(own).map_err(failed)?;
    fs::create_dir_all(&folder).map_err(failed)?;
    let path = folder.join("lock");
    let taken = FileLock::take(&path).map_err(failed)?;
    let lock = taken.ok_or(Error::Importing)?;
    for entry in fs::read_dir(&folder).map_err(failed)?.flatten() {
        if entry.path() != path {
            // What cannot be removed is in nobody's way.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(lock)
}

/// What is on its way; its drop removes what is left of it.
struct Stage(PathBuf);

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
