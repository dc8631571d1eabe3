//! Changes in the user's models folder: removing a model and giving it a second name.
//!
//! Apart from the library, which only looks. It takes names and never paths, so that nothing outside the user's folder can be
//! touched, and it must not know whether a model is in use.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::care;
use crate::download::fetched_files;
use crate::error::{Error, Result};
use crate::gguf::{part_paths_of, validate_file};
use crate::library::{Library, ModelFile, Source};

/// Ending of a file that is being made; the library lists only `.gguf`.
const UNFINISHED: &str = "making";

/// Removes the files of a model of the user and returns its name and how many bytes that were. A link is removed, not what it
/// leads to. Blocks on the disk.
pub fn remove(library: &Library, name: &str) -> Result<(String, u64)> {
    let model = own_model(library, name)?;
    let folder = model.path.parent().map(Path::to_owned);
    // What came with the model goes with it, such as what it sees with.
    let fetched = folder.as_deref().map(fetched_files).unwrap_or_default();
    let sight = sight(library, &model);
    let mut freed_bytes = 0;
    for path in files(&model).into_iter().chain(fetched).chain(sight) {
        let bytes = fs::symlink_metadata(&path).map_or(0, |metadata| metadata.len());
        match fs::remove_file(&path) {
            Ok(()) => freed_bytes += bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(Error::not_written(&path, source)),
        }
    }
    if let Some(folder) = folder.filter(|folder| folder != library.own_dir()) {
        // It stays when somebody put something else into it.
        let _ = fs::remove_dir(folder);
    }
    Ok((model.name, freed_bytes))
}

/// Gives a model of the user a second name and returns it. The files are linked, so that they take no room twice; where the disk
/// knows no links they are copied. Blocks on the disk.
pub fn copy(library: &Library, name: &str, new_name: &str) -> Result<String> {
    let model = own_model(library, name)?;
    let stem = Library::name_for(new_name).ok_or_else(|| Error::BadName {
        name: new_name.to_owned(),
    })?;
    if library.list().models.iter().any(|model| model.name == stem) {
        return Err(Error::Exists { name: stem });
    }
    let parts = files(&model);
    let names = (1..=parts.len()).map(|part| part_name(&stem, part, parts.len()));
    let mut pairs: Vec<(&Path, String)> = parts.iter().map(PathBuf::as_path).zip(names).collect();
    if let Some(projector) = &model.projector {
        // The name by which the library finds it.
        pairs.push((&projector.path, format!("mmproj-{stem}.gguf")));
    }
    let mut made: Vec<PathBuf> = Vec::new();
    for (source, name) in pairs {
        let target = library.own_dir().join(name);
        if let Err(error) = link_or_copy(source, &target) {
            // Half of a model is none.
            for path in &made {
                let _ = fs::remove_file(path);
            }
            return Err(Error::not_written(&target, error));
        }
        made.push(target);
    }
    Ok(stem)
}

/// Where a model of this name is made: in the user's folder, which is created if need be, with an ending that no list shows.
pub fn place_for(library: &Library, name: &str) -> Result<PathBuf> {
    let folder = library.own_dir();
    care::make(folder).map_err(|source| Error::not_written(folder, source))?;
    Ok(folder.join(format!("{}.{UNFINISHED}", checked(name)?)))
}

/// Validates a file that was made at [`place_for`] this name and makes it a model. Never replaces one. Blocks on the disk.
pub fn adopt(library: &Library, unfinished: &Path, name: &str) -> Result<()> {
    validate_file(unfinished)?;
    let target = library.own_dir().join(format!("{}.gguf", checked(name)?));
    let written = |source| Error::not_written(&target, source);
    fs::File::open(unfinished)
        .and_then(|file| file.sync_all())
        .map_err(written)?;
    if target.exists() {
        let name = name.to_owned();
        return Err(Error::Exists { name });
    }
    fs::rename(unfinished, &target).map_err(written)
}

/// The name, when it is one.
fn checked(name: &str) -> Result<&str> {
    let is_name = Library::name_for(name).is_some_and(|slug| slug == name);
    is_name.then_some(name).ok_or_else(|| Error::BadName {
        name: name.to_owned(),
    })
}

fn own_model(library: &Library, name: &str) -> Result<ModelFile> {
    let model = library.find(name)?;
    if model.aliases.iter().any(|alias| alias == name) {
        return Err(Error::IsAlias {
            alias: name.to_owned(),
            model: model.name,
        });
    }
    match model.source {
        Source::Own => Ok(model),
        Source::Bundled => Err(Error::Bundled { name: model.name }),
        foreign => Err(Error::Foreign {
            name: model.name,
            owner: foreign.owner(),
        }),
    }
}

/// What a model sees with, when it lies in the model's own folder and no other model there uses it.
fn sight(library: &Library, model: &ModelFile) -> Option<PathBuf> {
    let folder = model.path.parent()?;
    let path = model.projector.as_ref().map(|projector| &projector.path)?;
    let models = library.list().models;
    let beside = models.iter().filter(|m| m.path.parent() == Some(folder));
    let alone = folder != library.own_dir() && beside.count() == 1;
    (alone && path.parent() == Some(folder)).then(|| path.clone())
}

/// All files of a model, also of one that is damaged as long as its first part can be read.
fn files(model: &ModelFile) -> Vec<PathBuf> {
    let count = model.header.as_ref().map_or(1, |header| header.part_count);
    part_paths_of(&model.path, count)
}

pub(crate) fn part_name(stem: &str, part: usize, count: usize) -> String {
    if count > 1 {
        format!("{stem}-{part:05}-of-{count:05}.gguf")
    } else {
        format!("{stem}.gguf")
    }
}

/// Never replaces a file.
fn link_or_copy(source: &Path, target: &Path) -> std::io::Result<()> {
    // The folder of a model may itself be a link to another disk, so the real file is linked.
    let source = fs::canonicalize(source)?;
    match fs::hard_link(&source, target) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        Err(_) => {
            let mut from = fs::File::open(&source)?;
            let mut to = fs::File::create_new(target)?;
            std::io::copy(&mut from, &mut to)
                .and_then(|_| to.sync_all())
                .inspect_err(|_| {
                    let _ = fs::remove_file(target);
                })
        }
        Ok(()) => Ok(()),
    }
}
