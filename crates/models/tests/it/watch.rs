//! Folders of models are watched: what comes and goes is told, what no list shows is not, and nothing happens while nothing happens.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use hearth_models::watch::{Told, Watch};
use hearth_models::{Library, Source, Store};

use hearth_gguf_writer::*;

/// As long as a busy machine may take.
const LONG: Duration = Duration::from_secs(60);
/// Longer than it takes to tell of a change, on a machine that is not busy; on one that is, a mistake is only found later.
const A_WHILE: Duration = Duration::from_millis(1500);

struct Place {
    home: tempfile::TempDir,
    library: Library,
    told: Receiver<Told>,
    watch: Watch,
}

impl Place {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("own")).unwrap();
        let lm_studio = Store {
            source: Source::LmStudio,
            root: home.path().join("not/there/yet/models"),
        };
        let library = Library::new(Vec::new(), home.path().join("own"))
            .with_stores(vec![lm_studio], home.path().join("hashes.json"));
        let (tell, told) = channel();
        let watch = Watch::start(library.stores(), move |what| {
            let _ = tell.send(what);
        });
        Self {
            home,
            library,
            told,
            watch: watch.unwrap(),
        }
    }

    fn path(&self, rest: &str) -> PathBuf {
        self.home.path().join(rest)
    }

    /// Puts a model there as programs do: under another name first.
    fn put(&self, rest: &str) {
        let path = self.path(rest);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let part = path.with_extension("part");
        fs::write(
            &part,
            Model::sound().with("general.name", text(rest)).build(),
        )
        .unwrap();
        fs::rename(part, path).unwrap();
    }

    fn names(&self) -> Vec<String> {
        let models = self.library.list().models.into_iter();
        models.map(|model| model.name).collect()
    }

    /// Waits until a list that is read because something was told shows these.
    fn until(&self, expected: &[&str]) {
        loop {
            let told = self.told.recv_timeout(LONG);
            assert_eq!(told, Ok(Told::Changed), "{expected:?}: {:?}", self.names());
            if self.names() == expected {
                return;
            }
        }
    }

    fn is_silent(&self) {
        // What was still on its way of the last change.
        while self.told.recv_timeout(A_WHILE).is_ok() {}
    }
}

/// How often the threads of the watch were woken.
#[cfg(target_os = "linux")]
fn wake_ups() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let of_watch = tasks.filter(|task| {
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        name.starts_with("watch-models") || name.starts_with("notify")
    });
    let count = |status: String| {
        let line = status
            .lines()
            .find(|line| line.starts_with("voluntary_ctxt_switches"));
        line.and_then(|line| line.split_whitespace().last()?.parse::<u64>().ok())
    };
    let counts: Vec<u64> = of_watch
        .filter_map(|task| count(fs::read_to_string(task.path().join("status")).ok()?))
        .collect();
    assert_eq!(counts.len(), 2, "one that hears and one that tells");
    counts.into_iter().sum()
}

/// One test, because it looks at all threads of the watch that this process has.
#[test]
fn what_comes_and_goes_is_told_and_nothing_else() {
    let place = Place::new();
    place.put("own/one.gguf");
    place.until(&["one"]);
    // In a folder that was not there when the watch began.
    place.put("own/folder/two.gguf");
    place.until(&["one", "two"]);
    // In a store that was not there, nor the folders above it.
    place.put("not/there/yet/models/someone/three-GGUF/three.gguf");
    place.until(&["one", "three", "two"]);
    fs::remove_file(place.path("own/one.gguf")).unwrap();
    place.until(&["three", "two"]);
    // All of it goes and comes again, under the same names.
    for _ in 0..2 {
        fs::remove_dir_all(place.path("not")).unwrap();
        fs::remove_dir_all(place.path("own/folder")).unwrap();
        place.until(&[]);
        place.put("not/there/yet/models/someone/three-GGUF/three.gguf");
        place.put("own/folder/two.gguf");
        place.until(&["three", "two"]);
    }
    // Gone and there again before anybody could look: it is another folder, which nobody watched.
    fs::remove_dir_all(place.path("own/folder")).unwrap();
    place.put("own/folder/again.gguf");
    place.until(&["again", "three"]);
    place.is_silent();
    place.put("own/folder/later.gguf");
    place.until(&["again", "later", "three"]);
    // Moved away, and another in its place.
    fs::rename(place.path("own/folder"), place.path("elsewhere")).unwrap();
    place.until(&["three"]);
    place.put("own/folder/four.gguf");
    place.until(&["four", "three"]);
    place.put("elsewhere/five.gguf");
    place.is_silent();

    // What no list shows.
    let hidden = place.path("own/.downloads/x");
    fs::create_dir_all(&hidden).unwrap();
    place.is_silent();
    let mut part = fs::File::create(hidden.join("1.part")).unwrap();
    for _ in 0..20 {
        std::io::Write::write_all(&mut part, b"GGUF").unwrap();
    }
    fs::write(place.path("own/six.making"), "GGUF").unwrap();
    fs::write(place.path("beside.gguf"), "GGUF").unwrap();
    read_all(&place.path("own"));
    let told = place.told.recv_timeout(A_WHILE);
    assert_eq!(told, Err(RecvTimeoutError::Timeout));
    #[cfg(target_os = "linux")]
    {
        let before = wake_ups();
        std::thread::sleep(A_WHILE);
        assert_eq!(wake_ups(), before, "it sleeps while nothing happens");
    }

    // Another folder of the user, and then none of them.
    let added = place.path("added");
    fs::create_dir(&added).unwrap();
    place.library.set_added(vec![added.clone()]);
    place.watch.set(place.library.stores());
    place.put("added/deep/er/seven.gguf");
    place.until(&["four", "seven", "three"]);
    place.watch.set(Vec::new());
    assert_eq!(place.told.recv_timeout(LONG), Ok(Told::Changed));
    place.put("own/eight.gguf");
    let told = place.told.recv_timeout(A_WHILE);
    assert_eq!(told, Err(RecvTimeoutError::Timeout));
}

fn read_all(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            read_all(&entry.path());
        } else {
            fs::read(entry.path()).unwrap();
        }
    }
}
