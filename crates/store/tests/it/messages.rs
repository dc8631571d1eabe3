//! Messages: turns, streaming, branches, the end of an answer.

use hearth_store::{AnswerFinish, Db, Error, FinishReason, NewAnswer, NewTurn, Role, Status};

use super::{open, turn};

fn texts(db: &Db, chat_id: &str) -> Vec<String> {
    db.messages()
        .branch(chat_id)
        .unwrap()
        .into_iter()
        .map(|message| message.text)
        .collect()
}

#[test]
fn a_turn_is_one_step() {
    let folder = tempfile::tempdir().unwrap();
    let (db, _) = open(folder.path());
    let chat = db.chats().create("", true, 0).unwrap();
    db.chats().save_draft(&chat.id, "hel").unwrap();
    let made = turn(&db, &chat, None, "hello\0 with a NUL and 🦀");
    assert_eq!(
        (made.user.role, made.user.status),
        (Role::User, Status::Complete)
    );
    assert_eq!(
        (made.assistant.role, made.assistant.status),
        (Role::Assistant, Status::Streaming)
    );
    assert_eq!(made.user.text, "hello\0 with a NUL and 🦀");
    assert_eq!(
        made.assistant.parent_id.as_deref(),
        Some(made.user.id.as_str())
    );
    assert!(made.assistant.seq > made.user.seq);
    let chat = db.chats().get(&chat.id).unwrap();
    assert_eq!(
        (chat.draft.as_str(), chat.head_id),
        ("", Some(made.assistant.id))
    );
}

#[test]
fn a_turn_that_cannot_be_stored_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (db, _) = open(folder.path());
    let (one, other) = (
        db.chats().create("", true, 0).unwrap(),
        db.chats().create("", true, 0).unwrap(),
    );
    let foreign = turn(&db, &other, None, "hello").assistant;
    db.chats().save_draft(&one.id, "kept").unwrap();
    for (chat_id, parent_id) in [
        ("none", None),
        (one.id.as_str(), Some("none")),
        (&one.id, Some(foreign.id.as_str())),
    ] {
        let turn = NewTurn {
            chat_id: chat_id.to_owned(),
            parent_id: parent_id.map(str::to_owned),
            text: "lost".into(),
            model: None,
            now_ms: 0,
        };
        assert!(
            matches!(
                db.messages().insert_turn(&turn),
                Err(Error::NotFound { .. })
            ),
            "{parent_id:?}"
        );
        assert!(
            matches!(
                db.messages().insert_user(&turn),
                Err(Error::NotFound { .. })
            ),
            "{parent_id:?}"
        );
    }
    assert!(db.messages().in_chat(&one.id).unwrap().is_empty());
    assert_eq!(db.chats().get(&one.id).unwrap().draft, "kept");
    let deleted = NewAnswer {
        chat_id: other.id.clone(),
        parent_id: foreign.id,
        model: None,
        now_ms: 0,
    };
    db.chats().soft_delete(&other.id, 0).unwrap();
    assert!(matches!(
        db.messages().insert_assistant(&deleted),
        Err(Error::NotFound { .. })
    ));
}

#[test]
fn streamed_text_is_appended_and_finished() {
    let folder = tempfile::tempdir().unwrap();
    let (db, _) = open(folder.path());
    let chat = db.chats().create("", true, 0).unwrap();
    let answer = turn(&db, &chat, None, "count").assistant;
    for piece in ["one", ", two", "", ", drei – 三"] {
        db.messages().append_text(&answer.id, piece).unwrap();
    }
    assert_eq!(
        db.messages().get(&answer.id).unwrap().text,
        "one, two, drei – 三"
    );
    let finish = AnswerFinish {
        prompt_tokens: Some(5),
        cached_tokens: Some(0),
        tokens: Some(7),
        ttft_ms: Some(12.5),
        tokens_per_second: Some(40.25),
        finish_reason: Some(FinishReason::Length),
        notice: Some("Note".into()),
        cut_messages: Some(4),
        slowed: Some("{}".into()),
        ..AnswerFinish::new(Status::Complete)
    };
    let done = db.messages().finish(&answer.id, &finish).unwrap();
    assert_eq!(
        (done.status, done.text.as_str()),
        (Status::Complete, "one, two, drei – 三")
    );
    assert_eq!(
        (done.prompt_tokens, done.cached_tokens, done.tokens),
        (Some(5), Some(0), Some(7))
    );
    assert_eq!(
        (done.ttft_ms, done.tokens_per_second),
        (Some(12.5), Some(40.25))
    );
    assert_eq!(
        (done.finish_reason, done.notice.as_deref()),
        (Some(FinishReason::Length), Some("Note"))
    );
    assert_eq!(done.cut_messages, Some(4));
    assert_eq!(done.slowed.as_deref(), Some("{}"));
    assert_eq!(done.model.as_deref(), Some("starter"));
    // A late piece of a finished answer must not be added.
    assert!(matches!(
        db.messages().append_text(&answer.id, "late"),
        Err(Error::NotFound { .. })
    ));
    let replaced = AnswerFinish {
        text: Some("whole".into()),
        ..AnswerFinish::new(Status::Stopped)
    };
    let replaced = db.messages().finish(&answer.id, &replaced).unwrap();
    assert_eq!(
        (replaced.text.as_str(), replaced.tokens),
        ("whole", Some(7))
    );
    assert!(matches!(
        db.messages().finish("none", &finish),
        Err(Error::NotFound { .. })
    ));
}

#[test]
fn branches() {
    let folder = tempfile::tempdir().unwrap();
    let (db, _) = open(folder.path());
    let messages = db.messages();
    let chat = db.chats().create("", true, 0).unwrap();
    let first = turn(&db, &chat, None, "q1");
    let second = turn(&db, &chat, Some(&first.assistant.id), "q2");
    assert_eq!(texts(&db, &chat.id), ["q1", "", "q2", ""]);
    // Another answer to the first question, then an edited first question.
    let again = NewAnswer {
        chat_id: chat.id.clone(),
        parent_id: first.user.id.clone(),
        model: None,
        now_ms: 0,
    };
    let again = messages.insert_assistant(&again).unwrap();
    assert_eq!(texts(&db, &chat.id), ["q1", ""]);
    let edited = turn(&db, &chat, None, "q1 edited");
    assert_eq!(texts(&db, &chat.id), ["q1 edited", ""]);

    let ids = |id: &str| {
        messages
            .siblings(id)
            .unwrap()
            .into_iter()
            .map(|message| message.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ids(&first.assistant.id),
        [first.assistant.id.clone(), again.id.clone()]
    );
    assert_eq!(
        ids(&edited.user.id),
        [first.user.id.clone(), edited.user.id.clone()]
    );
    assert_eq!(
        messages.leaf_below(&first.assistant.id).unwrap().id,
        second.assistant.id
    );
    assert_eq!(messages.leaf_below(&again.id).unwrap().id, again.id);
    // The newest of everything below, not the deepest of the oldest.
    assert_eq!(messages.leaf_below(&first.user.id).unwrap().id, again.id);

    db.chats()
        .set_head(
            &chat.id,
            &messages.leaf_below(&first.assistant.id).unwrap().id,
        )
        .unwrap();
    assert_eq!(texts(&db, &chat.id), ["q1", "", "q2", ""]);
    let entries = messages.branch_entries(&chat.id).unwrap();
    let places: Vec<(usize, usize)> = entries
        .iter()
        .map(|entry| (entry.place.index, entry.place.count))
        .collect();
    assert_eq!(places, [(0, 2), (0, 2), (0, 1), (0, 1)]);
    assert_eq!(entries[1].place.next_id.as_deref(), Some(again.id.as_str()));
    assert_eq!(entries[0].place.previous_id, None);
    for entry in entries {
        assert_eq!(messages.entry(&entry.message.id).unwrap(), entry);
    }
    assert_eq!(messages.branch_to(&again.id).unwrap().len(), 2);
    assert_eq!(messages.in_chat(&chat.id).unwrap().len(), 7);
}

#[test]
fn an_empty_chat_has_an_empty_branch() {
    let folder = tempfile::tempdir().unwrap();
    let (db, _) = open(folder.path());
    let chat = db.chats().create("", true, 0).unwrap();
    assert!(db.messages().branch(&chat.id).unwrap().is_empty());
    assert!(db.messages().branch_entries("none").unwrap().is_empty());
    for missing in [
        db.messages().siblings("none").map(|_| ()),
        db.messages().leaf_below("none").map(|_| ()),
    ] {
        assert!(matches!(missing, Err(Error::NotFound { .. })));
    }
}

#[test]
fn a_long_branch_is_read_quickly() {
    let folder = tempfile::tempdir().unwrap();
    let (db, _) = open(folder.path());
    let chat = db.chats().create("", true, 0).unwrap();
    let mut parent: Option<String> = None;
    for index in 0..500 {
        parent = Some(
            turn(&db, &chat, parent.as_deref(), &index.to_string())
                .assistant
                .id,
        );
    }
    let start = std::time::Instant::now();
    assert_eq!(db.messages().branch_entries(&chat.id).unwrap().len(), 1000);
    assert!(start.elapsed().as_millis() < 500, "{:?}", start.elapsed());
}

#[test]
fn streaming_answers_are_interrupted_by_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (db, _) = open(folder.path());
    let chat = db.chats().create("", true, 0).unwrap();
    let answer = turn(&db, &chat, None, "hello").assistant;
    db.messages().append_text(&answer.id, "so far").unwrap();
    db.close().unwrap();
    let (db, report) = open(folder.path());
    assert_eq!(report.interrupted, 1);
    let message = db.messages().get(&answer.id).unwrap();
    assert_eq!(
        (message.status, message.text.as_str()),
        (Status::Interrupted, "so far")
    );
    drop(db);
    assert_eq!(open(folder.path()).1.interrupted, 0);
}

#[test]
fn all_messages_for_an_export() {
    let folder = tempfile::tempdir().unwrap();
    let (db, _) = open(folder.path());
    let (one, two) = (
        db.chats().create("", true, 1).unwrap(),
        db.chats().create("", true, 2).unwrap(),
    );
    turn(&db, &two, None, "b");
    turn(&db, &one, None, "a");
    let hidden = db.chats().create("", true, 3).unwrap();
    turn(&db, &hidden, None, "c");
    db.chats().soft_delete(&hidden.id, 0).unwrap();
    let mut seen = Vec::new();
    db.messages()
        .for_each(|message| seen.push(message.text))
        .unwrap();
    assert_eq!(seen, ["a", "", "b", ""]);
    assert_eq!(db.chats().all().unwrap().len(), 2);
}

#[test]
fn many_threads_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (db, _) = open(folder.path());
    let chat = db.chats().create("", true, 0).unwrap();
    let answers: Vec<String> = (0..4)
        .map(|_| turn(&db, &chat, None, "q").assistant.id)
        .collect();
    std::thread::scope(|scope| {
        for id in &answers {
            let db = &db;
            scope.spawn(move || {
                for _ in 0..50 {
                    db.messages().append_text(id, "x").unwrap();
                    db.messages().get(id).unwrap();
                }
            });
        }
    });
    for id in &answers {
        assert_eq!(db.messages().get(id).unwrap().text, "x".repeat(50));
    }
}
