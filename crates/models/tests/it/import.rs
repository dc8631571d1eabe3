//! Imports of single files: checked, whole or not at all, never twice and never over anything.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hearth_models::import::{Outcome, Progress, Step, import};
use hearth_models::space::{Room, Space};
use hearth_models::{Error, Library, own};

use super::download::{model_bytes, roomy};
use super::library::projector;
use hearth_gguf_writer::*;

struct Place {
    home: tempfile::TempDir,
    library: Library,
    room: Arc<Room>,
}

impl Place {
    fn new() -> Self {
        Self::at(tempfile::tempdir().unwrap())
    }

    fn at(home: tempfile::TempDir) -> Self {
        Self {
            library: Library::new(Vec::new(), home.path().join("own")),
            room: roomy(),
            home,
        }
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.home.path().join("elsewhere").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    fn import(&self, path: &Path) -> Result<Outcome, Error> {
        import(&self.library, path, &self.room, &mut |_| true)
    }

    /// Every file among the models, the lock apart.
    fn kept(&self) -> Vec<String> {
        let (own, mut kept) = (self.home.path().join("own"), Vec::new());
        let mut folders = vec![own.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(&own).unwrap().display().to_string();
                if path.is_dir() {
                    folders.push(path);
                } else if name != ".imports/lock" {
                    kept.push(name);
                }
            }
        }
        kept.sort();
        kept
    }
}

fn named(name: &str) -> Vec<u8> {
    Model::sound().with("general.name", text(name)).build()
}

fn done(name: &str) -> Outcome {
    Outcome::Done(name.to_owned())
}

#[test]
fn a_file_becomes_a_model_once_and_stays_where_it_was() {
    let place = Place::new();
    let file = place.file("Größe (copy).gguf", &named("one"));
    assert_eq!(place.import(&file).unwrap(), done("gr-e-copy"));
    assert_eq!(fs::read(&file).unwrap(), named("one"));
    assert_eq!(place.kept(), ["gr-e-copy/gr-e-copy.gguf"]);
    let model = place.library.find("gr-e-copy").unwrap();
    assert_eq!(fs::read(model.path).unwrap(), named("one"));
    // The same again, and under another name: it is said which one it is.
    let other = place.file("other.gguf", &named("one"));
    for same in [&file, &other] {
        let here = Outcome::Here("gr-e-copy".to_owned());
        assert_eq!(place.import(same).unwrap(), here);
    }
    // Of the same name and size, and yet another.
    let second = place.file("sub/Größe (copy).gguf", &named("two"));
    assert_eq!(place.import(&second).unwrap(), done("gr-e-copy-2"));
    assert_eq!(place.kept().len(), 2);
    let first = place.library.find("gr-e-copy").unwrap();
    assert_eq!(fs::read(first.path).unwrap(), named("one"));
}

#[test]
fn what_is_no_model_leaves_nothing() {
    let place = Place::new();
    let mut lying = named("lying");
    lying[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    let sound = named("short");
    for (file, bytes) in [
        ("letter.gguf", b"Dear reader".as_slice()),
        ("lying.gguf", &lying),
        ("short.gguf", &sound[..sound.len() - 1]),
        ("eyes.gguf", &projector().build()),
    ] {
        let path = place.file(file, bytes);
        assert!(place.import(&path).is_err(), "{file}");
    }
    let folder = place.home.path().join("elsewhere");
    assert!(matches!(place.import(&folder), Err(Error::NotAFile { .. })));
    let missing = place.import(&folder.join("not-there.gguf"));
    assert!(matches!(missing, Err(Error::Missing { .. })));
    assert_eq!(place.kept(), [""; 0]);
    assert!(!place.home.path().join("own").exists());
}

/// One part of a model in two.
fn part(number: u16) -> Vec<u8> {
    let model = Model::sound().change(|model| {
        if number > 0 {
            model.entries.clear();
            model.tensors = vec![tensor("rest.weight", &[32, 2], 0, 256)];
        }
    });
    let model = model.with("split.no", u16(number));
    model.with("split.count", u16(2)).build()
}

#[test]
fn all_parts_come_and_what_it_sees_with_and_all_of_it_goes_again() {
    let place = Place::new();
    place.file("Big-00001-of-00002.gguf", &part(0));
    let second = place.file("Big-00002-of-00002.gguf", &part(1));
    place.file("mmproj-Big-f16.gguf", &projector().build());
    place.file("mmproj-Other-f16.gguf", &projector().build());
    assert_eq!(place.import(&second).unwrap(), done("big"));
    let all = [
        "big/big-00001-of-00002.gguf",
        "big/big-00002-of-00002.gguf",
        "big/mmproj-big.gguf",
    ];
    assert_eq!(place.kept(), all);
    assert!(place.library.find("big").unwrap().projector.is_some());
    let here = Outcome::Here("big".to_owned());
    assert_eq!(place.import(&second).unwrap(), here);
    own::remove(&place.library, "big").unwrap();
    assert_eq!(place.kept(), [""; 0]);
    assert!(!place.home.path().join("own/big").exists());
}

#[test]
fn a_stopped_import_leaves_nothing() {
    let place = Place::new();
    let file = place.file("large.gguf", &model_bytes(1, 3 << 20));
    let mut seen = Vec::new();
    let stopped = import(&place.library, &file, &place.room, &mut |progress| {
        seen.push(progress);
        false
    });
    assert_eq!(stopped.unwrap(), Outcome::Stopped);
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(
        matches!(seen[0], Progress { step: Step::Copying, done_bytes, total_bytes } if done_bytes > 0 && total_bytes >= 3 << 20)
    );
    assert_eq!(place.kept(), [""; 0]);
    // The comparison with one of the same size ends as well.
    place.import(&file).unwrap();
    let same = place.file("same.gguf", &model_bytes(1, 3 << 20));
    let stopped = import(&place.library, &same, &place.room, &mut |progress| {
        progress.step != Step::Comparing
    });
    assert_eq!(stopped.unwrap(), Outcome::Stopped);
}

#[test]
fn imports_wait_for_each_other_and_what_a_killed_one_left_goes() {
    let place = Place::new();
    let file = place.file("m.gguf", &named("m"));
    let imports = place.home.path().join("own/.imports");
    fs::create_dir_all(imports.join("half")).unwrap();
    fs::write(imports.join("half/half.gguf"), "GGUF").unwrap();
    let lock = fs::File::create(imports.join("lock")).unwrap();
    lock.lock().unwrap();
    assert!(matches!(place.import(&file), Err(Error::Importing)));
    assert_eq!(place.kept(), [".imports/half/half.gguf"]);
    drop(lock);
    assert_eq!(place.import(&file).unwrap(), done("m"));
    assert_eq!(place.kept(), ["m/m.gguf"]);
}

/// In main memory, where no two files can share their bytes.
#[cfg(target_os = "linux")]
mod copied {
    use super::*;

    fn place() -> Place {
        Place::at(tempfile::tempdir_in("/dev/shm").unwrap())
    }

    #[test]
    fn the_reserve_of_the_disk_is_kept() {
        let mut place = place();
        let file = place.file("large.gguf", &model_bytes(2, 3 << 20));
        let space = |_: &Path| {
            Some(Space {
                free_bytes: 12 << 20,
                total_bytes: 100 << 20,
            })
        };
        place.room = Arc::new(Room::new(Arc::new(space)));
        let Err(Error::NoRoom(no_room)) = place.import(&file) else {
            panic!("it does not fit beside the reserve")
        };
        assert_eq!(no_room.reserve_bytes, 10 << 20);
        assert_eq!(place.kept(), [""; 0]);
        place.room.leave(1 << 20);
        assert_eq!(place.import(&file).unwrap(), done("large"));
    }

    #[test]
    fn a_file_that_changes_under_way_is_not_kept() {
        let place = place();
        let file = place.file("large.gguf", &model_bytes(3, 3 << 20));
        let changed = import(&place.library, &file, &place.room, &mut |_| {
            let open = fs::File::options().write(true).open(&file).unwrap();
            open.set_len(1 << 20).unwrap();
            true
        });
        // What has come is a piece of what was looked at.
        assert!(changed.is_err(), "{changed:?}");
        assert_eq!(place.kept(), [""; 0]);
    }
}
