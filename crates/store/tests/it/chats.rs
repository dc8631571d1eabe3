//! Chats: list, order, search, titles, undo of deletion.

use hearth_store::{Db, Error};

use super::{open, turn};

fn titles(db: &Db, query: &str) -> Vec<String> {
    db.chats()
        .list(query, 100)
        .unwrap()
        .into_iter()
        .map(|chat| chat.title)
        .collect()
}

#[test]
fn last_used_comes_first_whatever_the_clock_says() {
    let folder = tempfile::tempdir().unwrap();
    let (db, _) = open(folder.path());
    let first = db.chats().create("first", false, 5_000).unwrap();
    // The clock went back.
    db.chats().create("second", false, 1_000).unwrap();
    assert_eq!(titles(&db, ""), ["second", "first"]);
    turn(&db, &first, None, "hello");
    assert_eq!(titles(&db, ""), ["first", "second"]);
    db.chats().save_draft(&first.id, "draft").unwrap();
    db.chats().rename(&first.id, "renamed", false).unwrap();
    assert_eq!(titles(&db, ""), ["renamed", "second"]);
    assert_eq!(db.chats().list("", 1).unwrap().len(), 1);
}

#[test]
fn search_ignores_letter_case_of_any_script() {
    let folder = tempfile::tempdir().unwrap();
    let (db, _) = open(folder.path());
    for title in [
        "Straße nach Köln",
        "ΑΒΓ δέλτα",
        "Привет Мир",
        "100% sure_thing",
        "C:\\folder",
        "日本語",
    ] {
        db.chats().create(title, false, 0).unwrap();
    }
    for (query, found) in [
        ("STRASSE", "Straße nach Köln"),
        ("köLN", "Straße nach Köln"),
        ("αβγ", "ΑΒΓ δέλτα"),
        ("ΔΈΛΤΑ", "ΑΒΓ δέλτα"),
        ("мир", "Привет Мир"),
        ("0%", "100% sure_thing"),
        ("e_t", "100% sure_thing"),
        ("  sure ", "100% sure_thing"),
        ("\\F", "C:\\folder"),
        ("本", "日本語"),
    ] {
        assert_eq!(titles(&db, query), [found], "{query}");
    }
    assert_eq!(titles(&db, "").len(), 6);
    for query in ["_%", "'; DROP TABLE chats; --", "x\0y"] {
        assert!(titles(&db, query).is_empty(), "{query}");
    }
    assert!(titles(&db, &"long".repeat(100_000)).is_empty());
}

#[test]
fn an_automatic_title_never_replaces_the_users() {
    let folder = tempfile::tempdir().unwrap();
    let (db, _) = open(folder.path());
    let chat = db.chats().create("", true, 0).unwrap();
    let chat = db.chats().rename(&chat.id, "made up", true).unwrap();
    assert_eq!((chat.title.as_str(), chat.title_is_auto), ("made up", true));
    let chat = db.chats().rename(&chat.id, "Mine", false).unwrap();
    assert_eq!((chat.title.as_str(), chat.title_is_auto), ("Mine", false));
    let chat = db.chats().rename(&chat.id, "made up again", true).unwrap();
    assert_eq!((chat.title.as_str(), chat.title_is_auto), ("Mine", false));
    assert_eq!(titles(&db, "mine"), ["Mine"]);
    assert!(titles(&db, "again").is_empty());
}

#[test]
fn deletion_can_be_undone_until_it_is_purged() {
    let folder = tempfile::tempdir().unwrap();
    let (db, _) = open(folder.path());
    let (kept, gone) = (
        db.chats().create("kept", false, 0).unwrap(),
        db.chats().create("gone", false, 0).unwrap(),
    );
    let message = turn(&db, &gone, None, "secret").user;
    db.chats().soft_delete(&gone.id, 50).unwrap();
    assert_eq!(titles(&db, ""), ["kept"]);
    assert!(matches!(
        db.chats().get(&gone.id),
        Err(Error::NotFound { what: "chat", .. })
    ));
    assert!(matches!(
        db.chats().soft_delete(&gone.id, 60),
        Err(Error::NotFound { .. })
    ));
    assert!(matches!(
        db.chats().save_draft(&gone.id, "x"),
        Err(Error::NotFound { .. })
    ));
    assert_eq!(db.chats().restore(&gone.id).unwrap().title, "gone");
    assert_eq!(titles(&db, ""), ["gone", "kept"]);

    db.chats().soft_delete(&gone.id, 50).unwrap();
    assert!(db.chats().purge_deleted(50).unwrap().is_empty());
    assert_eq!(db.chats().purge_deleted(51).unwrap().len(), 1);
    assert!(matches!(
        db.messages().get(&message.id),
        Err(Error::NotFound { .. })
    ));
    assert!(matches!(
        db.chats().restore(&gone.id),
        Err(Error::NotFound { .. })
    ));
    assert_eq!(db.chats().delete_all().unwrap(), 1);
    assert!(matches!(
        db.chats().get_any(&kept.id),
        Err(Error::NotFound { .. })
    ));
}

#[test]
fn what_was_purged_is_not_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (db, _) = open(folder.path());
    let chat = db.chats().create("gone", false, 0).unwrap();
    turn(&db, &chat, None, "a-secret-nobody-else-may-read");
    db.chats().delete_all().unwrap();
    db.close().unwrap();
    let bytes = std::fs::read(folder.path().join("chats.db")).unwrap();
    assert!(!bytes.windows(8).any(|window| window == b"a-secret"));
}

#[test]
fn a_chat_shows_only_its_own_messages() {
    let folder = tempfile::tempdir().unwrap();
    let (db, _) = open(folder.path());
    let (one, other) = (
        db.chats().create("one", false, 0).unwrap(),
        db.chats().create("other", false, 0).unwrap(),
    );
    let message = turn(&db, &other, None, "hello").user;
    assert!(matches!(
        db.chats().set_head(&one.id, &message.id),
        Err(Error::NotFound { .. })
    ));
    db.chats().set_head(&other.id, &message.id).unwrap();
    assert_eq!(
        db.chats().get(&other.id).unwrap().head_id.as_deref(),
        Some(message.id.as_str())
    );
}
