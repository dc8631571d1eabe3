//! Damaged databases: the program starts, what can be read is there again, and the user is told.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use hearth_store::{Db, OpenReport};

use super::{Dice, fast_folder, open, turn};

const CHATS: usize = 12;
const TURNS: usize = 15;

/// A database of some two hundred pages with short and long texts; returns all user texts.
fn fill(folder: &Path) -> BTreeSet<String> {
    let (db, _) = open(folder);
    let mut texts = BTreeSet::new();
    for chat_number in 0..CHATS {
        let chat = db
            .chats()
            .create(&format!("Chat {chat_number}"), false, 0)
            .unwrap();
        let mut parent: Option<String> = None;
        for turn_number in 0..TURNS {
            let long = if turn_number % 5 == 0 { 6000 } else { 300 };
            let text = format!("{chat_number}/{turn_number} {}", "lorem ".repeat(long / 6));
            let made = turn(&db, &chat, parent.as_deref(), &text);
            db.messages()
                .append_text(&made.assistant.id, "an answer")
                .unwrap();
            parent = Some(made.assistant.id);
            texts.insert(text);
        }
    }
    db.close().unwrap();
    texts
}

fn user_texts(db: &Db) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    db.messages()
        .for_each(|message| texts.extend([message.text]))
        .unwrap();
    texts
}

/// Opens a copy with the given content and uses it as the program would.
fn open_damaged(bytes: &[u8]) -> (Db, OpenReport, tempfile::TempDir) {
    let folder = fast_folder();
    fs::write(folder.path().join("chats.db"), bytes).unwrap();
    let (db, report) = open(folder.path());
    for chat in db.chats().list("", 1000).unwrap() {
        db.messages().branch_entries(&chat.id).unwrap();
    }
    let chat = db.chats().create("new", false, 0).unwrap();
    turn(&db, &chat, None, "still works");
    if !report.repaired.is_empty() {
        let kept = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        let kept: Vec<String> = kept
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        let evidence = kept
            .iter()
            .find(|name| name.starts_with("chats.db.corrupt-") && !name.ends_with("-wal"))
            .unwrap();
        let same = fs::read(folder.path().join(evidence)).unwrap() == bytes;
        assert!(same, "the damaged file stays as it was");
        assert!(
            report.repaired[0].contains(evidence),
            "{}",
            report.repaired[0]
        );
    }
    (db, report, folder)
}

#[test]
fn random_pages() {
    let folder = fast_folder();
    let texts = fill(folder.path());
    let sound = fs::read(folder.path().join("chats.db")).unwrap();
    let pages = sound.len() / 4096;
    assert!(pages > 100, "{pages} pages");
    let mut dice = Dice(0x5eed);
    let (mut repaired, mut saved, mut total) = (0, 0, 0);
    for round in 0..200 {
        let mut bytes = sound.clone();
        let page = dice.below(pages);
        let range = page * 4096..(page + 1) * 4096;
        match round % 3 {
            0 => bytes[range].fill(0),
            1 => bytes[range]
                .iter_mut()
                .for_each(|byte| *byte = dice.below(256) as u8),
            _ => (0..20).for_each(|_| bytes[range.start + dice.below(4096)] ^= 1 << dice.below(8)),
        }
        let (db, report, _folder) = open_damaged(&bytes);
        repaired += usize::from(!report.repaired.is_empty());
        saved += user_texts(&db).intersection(&texts).count();
        total += texts.len();
        assert_eq!(db.quick_check().unwrap(), None, "round {round}");
    }
    eprintln!("{repaired} of 200 repaired, {saved} of {total} texts there");
    assert!(repaired > 100, "{repaired}");
    // One page of a few hundred holds at most a few rows, and a long text that loses a page is lost as a whole.
    assert!(saved * 100 >= total * 95, "{saved} of {total}");
}

#[test]
fn the_first_page_is_lost() {
    let folder = fast_folder();
    let texts = fill(folder.path());
    for fill in [0, 0xff, b'A'] {
        let mut bytes = fs::read(folder.path().join("chats.db")).unwrap();
        bytes[..4096].fill(fill);
        let (db, report, _folder) = open_damaged(&bytes);
        assert_eq!(report.repaired.len(), 1);
        assert!(
            user_texts(&db).is_superset(&texts),
            "every row is on another page"
        );
        assert_eq!(db.chats().list("chat ", 100).unwrap().len(), CHATS);
    }
}

#[test]
fn cut_off_in_the_middle() {
    let folder = fast_folder();
    let texts = fill(folder.path());
    let bytes = fs::read(folder.path().join("chats.db")).unwrap();
    for length in [1, 99, 100, 4095, 4096, bytes.len() / 2, bytes.len() - 4096] {
        let (db, report, _folder) = open_damaged(&bytes[..length]);
        assert_eq!(report.repaired.len(), 1, "{length}");
        if length > bytes.len() / 3 {
            let there = user_texts(&db).intersection(&texts).count();
            assert!(
                there * 3 > texts.len(),
                "{there} of {} after {length} bytes",
                texts.len()
            );
        }
    }
}

#[test]
fn not_a_database_at_all() {
    for bytes in [&b"hello"[..], &[0; 9000], &[0xff; 8192]] {
        let (_, report, _folder) = open_damaged(bytes);
        assert_eq!(report.repaired.len(), 1);
    }
    // An empty file is what a crash right after creation leaves: a new database, not a damaged one.
    let (_, report, _folder) = open_damaged(b"");
    assert!(report.repaired.is_empty());
}

#[test]
fn a_damaged_version_is_not_taken_for_a_newer_program() {
    let folder = fast_folder();
    let texts = fill(folder.path());
    for version in [0_u32, 0x8000_0001] {
        let mut bytes = fs::read(folder.path().join("chats.db")).unwrap();
        bytes[60..64].copy_from_slice(&version.to_be_bytes());
        let (db, report, _folder) = open_damaged(&bytes);
        assert_eq!(report.repaired.len(), 1, "{version}");
        assert!(user_texts(&db).is_superset(&texts), "{version}");
    }
}

#[test]
fn branches_are_mended() {
    let folder = fast_folder();
    fill(folder.path());
    let mut bytes = fs::read(folder.path().join("chats.db")).unwrap();
    // Every leaf page in the middle third of the file is lost.
    let pages = bytes.len() / 4096;
    for page in pages / 3..pages * 2 / 3 {
        bytes[page * 4096..(page + 1) * 4096].fill(0);
    }
    let (db, report, _folder) = open_damaged(&bytes);
    assert_eq!(report.repaired.len(), 1);
    let mut on_branches = 0;
    for chat in db.chats().list("", 1000).unwrap() {
        on_branches += db.messages().branch(&chat.id).unwrap().len();
        assert!(chat.head_id.is_some() || db.messages().in_chat(&chat.id).unwrap().is_empty());
    }
    let mut all = 0;
    db.messages().for_each(|_| all += 1).unwrap();
    assert!(all > 50, "{all}");
    assert_eq!(
        on_branches, all,
        "no message that was saved is out of reach"
    );
}

#[test]
fn what_was_only_in_the_log_survives_a_crash() {
    let folder = fast_folder();
    let (db, _) = open(folder.path());
    let chat = db.chats().create("chat", false, 0).unwrap();
    let made = turn(&db, &chat, None, "only in the log");
    db.messages()
        .append_text(&made.assistant.id, "flushed")
        .unwrap();
    // A copy of the files while they are open is what a killed program leaves.
    let copy = fast_folder();
    for name in ["chats.db", "chats.db-wal"] {
        fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
    }
    let (copied, report) = open(copy.path());
    assert!(report.unclean);
    assert!(report.repaired.is_empty(), "{:?}", report.repaired);
    assert_eq!(report.interrupted, 1);
    assert_eq!(
        copied.messages().get(&made.assistant.id).unwrap().text,
        "flushed"
    );
    drop(copied);

    // The log alone is damaged: what was before is kept.
    fs::copy(folder.path().join("chats.db"), copy.path().join("chats.db")).unwrap();
    fs::write(copy.path().join("chats.db-wal"), [0xab; 5000]).unwrap();
    open(copy.path());
}

#[test]
fn a_damaged_database_of_the_first_version_is_saved_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chats.db");
    let sql = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemas/v1.sql");
    let old = rusqlite::Connection::open(&path).unwrap();
    old.pragma_update(None, "journal_mode", "wal").unwrap();
    old.execute_batch(&fs::read_to_string(sql).unwrap())
        .unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    old.close().unwrap();
    let sound = fs::read(&path).unwrap();
    // By SQLite, with an index damaged.
    let root = |name: &str| -> i64 {
        let connection = rusqlite::Connection::open(&path).unwrap();
        let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
        connection.query_row(sql, [name], |row| row.get(0)).unwrap()
    };
    let mut indexed = sound.clone();
    let at = (root("messages_by_chat") as usize - 1) * 4096;
    indexed[at..at + 4096].fill(0);
    // And from the pages alone, with the schema gone.
    let mut bare = sound.clone();
    bare[100..4096].fill(0);
    for bytes in [indexed, bare] {
        let (db, report, _kept) = open_damaged(&bytes);
        assert!(!report.repaired.is_empty());
        let texts = user_texts(&db);
        for text in ["Frage", "Antwort"] {
            assert!(texts.contains(text), "{texts:?}");
        }
    }
}
