//! Full and read-only volumes. They need real mounts, so they run as root on Linux and say so where they are skipped.

use std::path::Path;
use std::process::Command;

use hearth_store::{Db, Error, NewTurn, SettingValue, SettingsFile};

use super::open;

/// A small file system in memory, unmounted at the end.
struct Mount(tempfile::TempDir);

impl Mount {
    fn new(bytes: usize) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"])
            .arg(folder.path())
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("skipped: mounting needs root");
        }
        mounted.then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn make_read_only(&self) -> bool {
        let path = self.path();
        Command::new("mount")
            .args(["-o", "remount,ro"])
            .arg(path)
            .status()
            .is_ok_and(|status| status.success())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let Some(mount) = Mount::new(2 << 20) else {
        return;
    };
    let (db, _) = open(mount.path());
    let chat = db.chats().create("chat", false, 0).unwrap();
    let mut acknowledged: Vec<String> = Vec::new();
    let failure = loop {
        let turn = NewTurn {
            chat_id: chat.id.clone(),
            parent_id: acknowledged.last().cloned(),
            text: "x".repeat(5000),
            model: None,
            now_ms: 0,
        };
        match db.messages().insert_turn(&turn) {
            Ok(turn) => acknowledged.push(turn.assistant.id),
            Err(error) => break error,
        }
        assert!(acknowledged.len() < 2000, "the disk never filled up");
    };
    assert!(matches!(failure, Error::DiskFull), "{failure:?}");
    assert!(acknowledged.len() > 30, "{}", acknowledged.len());
    // Reading still works, and streaming text fails in the same way instead of crashing.
    for id in &acknowledged {
        db.messages().get(id).unwrap();
    }
    let mut appended = 0;
    while appended < 1000
        && db
            .messages()
            .append_text(&acknowledged[0], &"y".repeat(4000))
            .is_ok()
    {
        appended += 1;
    }
    assert!(matches!(
        db.messages()
            .append_text(&acknowledged[0], &"y".repeat(400_000)),
        Err(Error::DiskFull)
    ));
    assert_eq!(db.quick_check().unwrap(), None);
    drop(db);

    let (db, report) = open_when_full(mount.path());
    assert!(report, "{report:?}");
    for id in &acknowledged {
        db.messages().get(id).unwrap();
    }
    assert_eq!(db.quick_check().unwrap(), None);
}

/// Opens on a full disk; frees some space first when SQLite cannot even make its index. Returns whether nothing was repaired.
fn open_when_full(folder: &Path) -> (Db, bool) {
    match Db::open(&folder.join("chats.db")) {
        Ok((db, report)) => (db, report.repaired.is_empty()),
        Err(error) => {
            assert!(matches!(error, Error::DiskFull), "{error:?}");
            let mounted = Command::new("mount")
                .args(["-o", "remount,size=4m"])
                .arg(folder)
                .status()
                .unwrap();
            assert!(mounted.success());
            let (db, report) = open(folder);
            (db, report.repaired.is_empty())
        }
    }
}

#[test]
fn a_disk_that_is_full_from_the_start() {
    let Some(mount) = Mount::new(1 << 20) else {
        return;
    };
    let stuffing = mount.path().join("stuffing");
    let _ = std::fs::write(&stuffing, vec![1; 2 << 20]);
    assert!(matches!(
        Db::open(&mount.path().join("chats.db")),
        Err(Error::DiskFull)
    ));
    std::fs::remove_file(stuffing).unwrap();
    let (db, report) = open(mount.path());
    assert!(report.repaired.is_empty(), "{:?}", report.repaired);
    db.chats().create("works", false, 0).unwrap();
}

#[test]
fn settings_on_a_full_disk_keep_the_old_file() {
    let Some(mount) = Mount::new(1 << 20) else {
        return;
    };
    let path = mount.path().join("config.toml");
    let (mut settings, _) = SettingsFile::open(&path).unwrap();
    settings
        .set("chat", "model", SettingValue::Text("starter".into()))
        .unwrap();
    let before = std::fs::read(&path).unwrap();
    let _ = std::fs::write(mount.path().join("stuffing"), vec![1; 2 << 20]);
    let long = SettingValue::Text("x".repeat(100_000));
    assert!(matches!(
        settings.set("chat", "system_prompt", long),
        Err(Error::DiskFull)
    ));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(
        settings.get("chat", "system_prompt"),
        None,
        "what is not on disk is not in force"
    );
    assert_eq!(
        std::fs::read_dir(mount.path()).unwrap().count(),
        2,
        "no half-written file is left"
    );
}

#[test]
fn a_read_only_folder() {
    let Some(mount) = Mount::new(4 << 20) else {
        return;
    };
    let path = mount.path().join("chats.db");
    let (db, _) = open(mount.path());
    let chat = db.chats().create("readable", false, 0).unwrap();
    db.close().unwrap();
    let config = mount.path().join("config.toml");
    std::fs::write(&config, "[chat]\nmodel = \"starter\"\nbroken = = 1\n").unwrap();
    assert!(mount.make_read_only());

    assert!(
        matches!(Db::open(&path), Err(Error::ReadOnly)),
        "{:?}",
        Db::open(&path)
    );
    assert!(matches!(
        Db::open(&mount.path().join("new.db")),
        Err(Error::ReadOnly)
    ));
    let db = Db::open_read_only(&path).unwrap();
    assert!(db.is_read_only());
    assert_eq!(db.chats().list("", 10).unwrap().len(), 1);
    assert!(matches!(
        db.chats().save_draft(&chat.id, "x"),
        Err(Error::ReadOnly)
    ));

    let (mut settings, repairs) = SettingsFile::open(&config).unwrap();
    assert_eq!(
        settings.get("chat", "model"),
        Some(SettingValue::Text("starter".into()))
    );
    assert_eq!((repairs.len(), repairs[0].backup.clone()), (1, None));
    assert!(matches!(
        settings.set("chat", "model", SettingValue::Bool(true)),
        Err(Error::ReadOnly)
    ));
}
