//! Databases of other versions: newer ones stay untouched, each older one is backed up and brought up to date.

use std::path::Path;

use hearth_store::{Db, Error, migrations};
use rusqlite::Connection;

use super::{open, turn};

fn set_version(path: &Path, version: u32) {
    Connection::open(path)
        .unwrap()
        .pragma_update(None, "user_version", version)
        .unwrap();
}

#[test]
fn a_newer_database_stays_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chats.db");
    let (db, _) = open(folder.path());
    db.chats().create("kept", false, 0).unwrap();
    db.close().unwrap();
    set_version(&path, migrations::LATEST + 1);
    let before = std::fs::read(&path).unwrap();
    for _ in 0..2 {
        match Db::open(&path) {
            Err(Error::Newer { found, supported }) => {
                assert_eq!(
                    (found, supported),
                    (migrations::LATEST + 1, migrations::LATEST)
                );
            }
            other => panic!("{other:?}"),
        }
        assert!(matches!(
            Db::open_read_only(&path),
            Err(Error::Newer { .. })
        ));
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing was put beside it"
    );
}

#[test]
fn a_newer_version_that_is_only_in_the_log_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chats.db");
    open(folder.path()).0.close().unwrap();
    // A copy taken while a newer program has the database open: the new version is in the log alone.
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 7).unwrap();
    let copied = folder.path().join("copy.db");
    std::fs::copy(&path, &copied).unwrap();
    std::fs::copy(
        folder.path().join("chats.db-wal"),
        folder.path().join("copy.db-wal"),
    )
    .unwrap();
    let state = || {
        (
            std::fs::read(&copied).unwrap(),
            std::fs::read(folder.path().join("copy.db-wal")).unwrap(),
        )
    };
    let before = state();
    assert!(matches!(
        Db::open(&copied),
        Err(Error::Newer { found: 7, .. })
    ));
    assert_eq!(state(), before);
}

#[test]
fn every_old_schema_is_brought_up_to_date() {
    // One file for each version that was ever released. The newest one also shows that the schema was not edited in place.
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemas");
    for version in 1..=migrations::LATEST {
        let sql = std::fs::read_to_string(schemas.join(format!("v{version}.sql"))).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chats.db");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(&sql).unwrap();
        old.pragma_update(None, "user_version", version).unwrap();
        old.close().unwrap();

        let (db, report) = open(folder.path());
        assert_eq!(
            report.migrated_from,
            (version < migrations::LATEST).then_some(version)
        );
        assert_eq!(report.backup.is_some(), version < migrations::LATEST);
        assert!(report.repaired.is_empty(), "{:?}", report.repaired);
        let chats = db.chats().list("ALTE", 10).unwrap();
        assert_eq!(chats.len(), 1, "version {version}");
        let branch = db.messages().branch(&chats[0].id).unwrap();
        assert_eq!(
            branch
                .iter()
                .map(|message| message.text.as_str())
                .collect::<Vec<_>>(),
            ["Frage", "Antwort"]
        );
        assert_eq!(branch[1].cut_messages, (version >= 2).then_some(4));
        let slowed = branch[1].slowed.as_deref();
        assert_eq!(slowed, (version >= 3).then_some("{}"));
        turn(&db, &chats[0], Some(&branch[1].id), "more");
        assert_eq!(db.quick_check().unwrap(), None);
    }
}

#[test]
fn an_old_database_that_cannot_be_written_is_read_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chats.db");
    let sql = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemas/v1.sql");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(&std::fs::read_to_string(sql).unwrap())
        .unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    old.close().unwrap();
    let before = std::fs::read(&path).unwrap();
    let db = Db::open_read_only(&path).unwrap();
    assert!(db.is_read_only());
    let chats = db.chats().list("alte", 10).unwrap();
    assert_eq!(db.messages().branch(&chats[0].id).unwrap().len(), 2);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn the_released_schema_is_not_edited() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).0.close().unwrap();
    let made = schema(&Connection::open(folder.path().join("chats.db")).unwrap());
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("tests/schemas/v{}.sql", migrations::LATEST));
    let released = Connection::open_in_memory().unwrap();
    released
        .execute_batch(&std::fs::read_to_string(path).unwrap())
        .unwrap();
    assert_eq!(made, schema(&released));
}

fn schema(connection: &Connection) -> Vec<String> {
    let mut statement = connection
        .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
        .unwrap();
    statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}
