//! A disk that is really full: what downloads and imports make of it, and that they go on when there is room again.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use hearth_models::Library;
use hearth_models::hub::Error;
use hearth_models::import::{Outcome, import};
use hearth_models::space::Room;

use super::download::{LONG, MIB, Place, assert_only, job, model_bytes};
use super::hub_server::FaultHub;

/// A file system of 16 MiB, unmounted at the end. Needs root.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let flags = rustix::mount::MountFlags::empty();
        match rustix::mount::mount("tmpfs", folder.path(), "tmpfs", flags, c"size=16m") {
            Ok(()) => Some(Self(folder)),
            Err(error) => {
                eprintln!("skipped: a small disk needs root ({error})");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes so many bytes of it away.
    fn fill(&self, bytes: u64) {
        fs::write(self.path().join("filler"), vec![1; bytes as usize]).unwrap();
    }

    fn make_room(&self) {
        fs::remove_file(self.path().join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(self.path(), rustix::mount::UnmountFlags::DETACH);
    }
}

/// Nobody knows how full it is before it is.
fn blind() -> Arc<Room> {
    Arc::new(Room::new(Arc::new(|_: &Path| None)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_pauses_and_goes_on_when_there_is_room() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let server = FaultHub::start().await;
    let bytes = model_bytes(8, 12 << 20);
    server.add("a/b", "m.gguf", bytes.clone());
    let (hub, mut place) = (server.client(LONG), Place::new());
    place.tools.room = blind();
    disk.fill(8 * MIB);
    let models = disk.path().join("models");
    let downloads = models.join(".downloads");
    let mut begun = job(&hub, "a/b", &downloads).await.unwrap();
    for _ in 0..2 {
        let error = place.run_in(&hub, &mut begun, &models).await.unwrap_err();
        assert!(matches!(error, Error::DiskFull(_)), "{error}");
        assert_eq!(assert_only(&models, &[]), 0);
    }
    let first = server.sent("a/b");
    drop(begun);
    disk.make_room();
    let mut begun = job(&hub, "a/b", &downloads).await.unwrap();
    place.run_in(&hub, &mut begun, &models).await.unwrap();
    assert_eq!(assert_only(&models, &[&bytes]), 1);
    // What was on the disk was not fetched again.
    assert!(server.sent("a/b") < first + bytes.len() as u64);
}

#[test]
fn an_import_leaves_nothing_and_works_when_there_is_room() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("large.gguf");
    fs::write(&file, &*model_bytes(9, 12 << 20)).unwrap();
    let library = Library::new(Vec::new(), disk.path().join("models"));
    disk.fill(8 * MIB);
    let refused = import(&library, &file, &blind(), &mut |_| true);
    assert!(
        matches!(refused, Err(hearth_models::Error::NoRoom(_))),
        "{refused:?}"
    );
    let left = fs::read_dir(disk.path().join("models/.imports")).unwrap();
    assert_eq!(left.count(), 1, "the lock");
    disk.make_room();
    let imported = import(&library, &file, &blind(), &mut |_| true).unwrap();
    assert_eq!(imported, Outcome::Done("large".to_owned()));
}
