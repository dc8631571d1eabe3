//! Several models at once, reading ahead, and what is kept of chats on disk.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hearth_app::Code;
use hearth_app::chats::{ChatEvent, MessageStatus};
use hearth_app::engine::kvstore::file_name;
use hearth_app::inference::EngineState;
use hearth_app::settings::SettingChange;
use hearth_tests::{TestApp, starter_path};

/// A second model: the starter's file under another name.
fn add_second(test: &TestApp) {
    let folder = test.home.path().join("models");
    std::fs::create_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink(starter_path(), folder.join("second.gguf")).unwrap();
}

async fn set(test: &TestApp, change: SettingChange) {
    test.app.settings().set(change).await.unwrap();
}

fn kept(home: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(home.join("cache/kv"))
        .into_iter()
        .flatten();
    files.map(|file| file.unwrap().path()).collect()
}

/// Until something holds, for 5 s at most.
async fn until(what: &str, check: impl Fn() -> bool) {
    for _ in 0..500 {
        if check() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited for: {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn loading_another_model_does_not_end_an_answer() {
    let test = TestApp::start();
    add_second(&test);
    let chat = test.chats().create().await.unwrap();
    let text = "word ".repeat(60);
    let sent = test
        .chats()
        .send(&chat.id, &format!("!slow 5 {text}"), None)
        .await
        .unwrap();
    let mut follow = sent.follow;
    while !matches!(follow.next().await, Some(ChatEvent::Delta { .. })) {}
    set(&test, SettingChange::Model("second".into())).await;
    let other = test.ask("hello").await;
    assert_eq!(other.stats.unwrap().model, "second");
    let busy = test.app.inference().unload("starter").await.unwrap_err();
    assert_eq!(busy.code, Code::Busy);
    let first = test.answer(&chat.id).await;
    assert_eq!(first.status, MessageStatus::Complete);
    assert_eq!(first.text, text.trim());

    let inference = test.app.inference();
    let loaded = inference.loaded();
    let names: Vec<&str> = loaded.iter().map(|model| model.name.as_str()).collect();
    assert_eq!(names, ["starter", "second"]);
    // Weights of 97 MB, a KV cache of 180 MiB and as much for copies of its idle parts, 115 MB of scratch space, 6 MB of output.
    assert_eq!(loaded[0].bytes / 1_000_000, 594);
    until("nobody uses them", || {
        let loaded = test.app.inference().loaded();
        loaded.iter().all(|model| model.expires_at_ms.is_some())
    })
    .await;
    inference.unload("second").await.unwrap();
    assert_eq!(inference.state_of("second"), EngineState::Unloaded);
    assert!(matches!(
        inference.state_of("starter"),
        EngineState::Ready { .. }
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_is_loaded_ahead_unless_switched_off() {
    let test = TestApp::start();
    set(&test, SettingChange::PreloadModel(false)).await;
    test.app.preload().await;
    assert!(test.app.inference().loaded().is_empty());
    set(&test, SettingChange::PreloadModel(true)).await;
    test.app.preload().await;
    assert_eq!(test.app.inference().loaded()[0].name, "starter");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_read_while_it_is_typed() {
    let test = TestApp::start();
    let chats = test.chats();
    let chat = chats.create().await.unwrap();
    let draft = "tell me about the history of bread in Europe ".repeat(4);
    assert!(!chats.read_ahead(&chat.id, &draft).await.unwrap());
    assert!(test.app.inference().loaded().is_empty(), "it loads nothing");
    test.ask("warm up").await;

    assert!(chats.read_ahead(&chat.id, &draft).await.unwrap());
    until("the draft is read", || {
        test.app.inference().loaded()[0].active_requests == 0
    })
    .await;
    let view = chats.view(&chat.id).await.unwrap();
    assert!(view.messages.is_empty() && view.draft.is_empty());
    let read = test.ask_in(&chat.id, &format!("{draft} and Asia")).await;
    let stats = read.stats.unwrap();
    assert!(
        stats.cached_tokens as usize > draft.len() - 10,
        "{} of {} tokens had been read",
        stats.cached_tokens,
        stats.prompt_tokens
    );

    set(&test, SettingChange::ReadAhead(false)).await;
    let other = chats.create().await.unwrap();
    assert!(!chats.read_ahead(&other.id, &draft).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_read_ahead_while_the_chat_answers() {
    let test = TestApp::start();
    let chats = test.chats();
    let chat = chats.create().await.unwrap();
    let sent = chats
        .send(&chat.id, &format!("!slow 10 {}", "word ".repeat(60)), None)
        .await
        .unwrap();
    let mut follow = sent.follow;
    while !matches!(follow.next().await, Some(ChatEvent::Delta { .. })) {}
    assert!(!chats.read_ahead(&chat.id, "the next one").await.unwrap());
    let other = chats.create().await.unwrap();
    assert!(chats.read_ahead(&other.id, "elsewhere").await.unwrap());
    chats.stop(&chat.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_of_chats_goes_with_them() {
    let test = TestApp::start();
    let chats = test.chats();
    let home = test.home.path().to_owned();
    let folder = home.join("cache/kv");
    std::fs::create_dir_all(&folder).unwrap();
    let starter = home.join("bundled/SmolLM2-135M-Instruct.Q4_1.gguf");
    let header = hearth_models::validate_file(&starter).unwrap();
    let model = hearth_models::fingerprint(&starter, &header).unwrap();
    let (one, two) = (chats.create().await.unwrap(), chats.create().await.unwrap());
    for chat in [&one, &two] {
        std::fs::write(folder.join(file_name(&model, &chat.id)), "state").unwrap();
    }
    chats.delete(&one.id).await.unwrap();
    assert_eq!(kept(&home), [folder.join(file_name(&model, &two.id))]);
    chats.delete_all().await.unwrap();
    assert!(kept(&home).is_empty());

    std::fs::write(folder.join("more.kv"), "12345678").unwrap();
    assert_eq!(chats.clear_kept().await.unwrap(), 8);
    std::fs::write(folder.join("more.kv"), "12345678").unwrap();
    set(&test, SettingChange::KeepChatsReady(false)).await;
    until("the switch empties the folder", || kept(&home).is_empty()).await;
}
