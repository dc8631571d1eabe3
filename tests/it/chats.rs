//! Chats: sending, stopping, branching, and what is left after trouble.

use std::time::Duration;

use hearth_app::Code;
use hearth_app::chats::{ChatEvent, ExportFormat, FinishReason, MessageStatus, Role};
use hearth_app::settings::SettingChange;
use hearth_tests::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_answered_and_both_are_kept() {
    let test = TestApp::start();
    let chat = test.chats().create().await.unwrap();
    let sent = test
        .chats()
        .send(&chat.id, "  hello there  ", None)
        .await
        .unwrap();
    let receipt = sent.receipt;
    assert_eq!(receipt.user.as_ref().unwrap().text, "hello there");
    assert_eq!(receipt.assistant.status, MessageStatus::Streaming);
    let answer = test.answer(&chat.id).await;
    assert_eq!(answer.text, "You said: hello there");
    assert_eq!(answer.status, MessageStatus::Complete);
    let stats = answer.stats.clone().unwrap();
    assert_eq!(
        (stats.model.as_str(), stats.finish_reason),
        ("starter", Some(FinishReason::Stop))
    );
    assert!(stats.ttft_ms.is_some());

    let test = test.restart().await;
    let view = test.chats().view(&chat.id).await.unwrap();
    assert_eq!(view.chat.title, "hello there");
    let roles: Vec<_> = view
        .messages
        .iter()
        .map(|m| (m.role, m.text.as_str()))
        .collect();
    assert_eq!(
        roles,
        [
            (Role::User, "hello there"),
            (Role::Assistant, "You said: hello there")
        ]
    );
    assert_eq!(view.messages[1], answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_sees_the_branch_and_the_system_prompt() {
    let test = TestApp::start();
    test.app
        .settings()
        .set(SettingChange::SystemPrompt("Be brief.".into()))
        .await
        .unwrap();
    let chat = test.chats().create().await.unwrap();
    test.ask_in(&chat.id, "one").await;
    let answer = test.ask_in(&chat.id, "!prompt").await;
    let expected = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\none<|im_end|>\n<|im_start|>assistant\nYou said: one<|im_end|>\n<|im_start|>user\n!prompt<|im_end|>\n<|im_start|>assistant";
    assert_eq!(answer.text.trim_end(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn chats_are_readable_by_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let test = TestApp::start();
    let mode = std::fs::metadata(test.home.path().join("data"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_keeps_what_was_written() {
    let test = TestApp::start();
    let chat = test.chats().create().await.unwrap();
    test.chats()
        .send(&chat.id, &format!("!slow 10 {}", "word ".repeat(300)), None)
        .await
        .unwrap();
    let mut follow = test.chats().follow(&chat.id).unwrap();
    while !matches!(follow.next().await, Some(ChatEvent::Delta { .. })) {}
    test.chats().stop(&chat.id);
    let answer = test.answer(&chat.id).await;
    assert_eq!(answer.status, MessageStatus::Stopped);
    assert!(
        !answer.text.is_empty() && "word ".repeat(200).starts_with(&answer.text),
        "{}",
        answer.text
    );
    // The place is free again.
    let next = test.ask_in(&chat.id, "next").await;
    assert_eq!(next.text, "You said: next");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_answer_at_a_time_in_a_chat() {
    let test = TestApp::start();
    let chat = test.chats().create().await.unwrap();
    test.chats()
        .send(&chat.id, &format!("!slow 5 {}", "word ".repeat(100)), None)
        .await
        .unwrap();
    let error = test
        .chats()
        .send(&chat.id, "too early", None)
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::Busy);
    let view = test.chats().view(&chat.id).await.unwrap();
    assert!(view.chat.generating);
    assert_eq!(view.messages.len(), 2);
    test.chats().stop(&chat.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_answer_and_another_question_are_branches() {
    let test = TestApp::start();
    let chat = test.chats().create().await.unwrap();
    test.ask_in(&chat.id, "first").await;
    let second = test.ask_in(&chat.id, "second").await;
    test.chats().regenerate(&chat.id, &second.id).await.unwrap();
    let again = test.answer(&chat.id).await;
    assert_eq!((again.branch.index, again.branch.count), (1, 2));
    assert_eq!(
        again.branch.previous_id.as_deref(),
        Some(second.id.as_str())
    );

    let view = test.chats().view(&chat.id).await.unwrap();
    let question = view.messages[0].id.clone();
    test.chats()
        .send(&chat.id, "first, said better", Some(&question))
        .await
        .unwrap();
    test.answer(&chat.id).await;
    let view = test.chats().view(&chat.id).await.unwrap();
    assert_eq!(view.messages.len(), 2);
    assert_eq!(view.messages[0].branch.count, 2);

    let view = test
        .chats()
        .select_branch(&chat.id, &question)
        .await
        .unwrap();
    assert_eq!(view.messages.len(), 4);
    assert_eq!(view.messages[3].id, again.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_error_is_kept_with_what_was_written() {
    let test = TestApp::start();
    let answer = test.ask("!error").await;
    assert_eq!(answer.status, MessageStatus::Interrupted);
    assert_eq!(answer.text, "You said");
    let error = answer.error.unwrap();
    assert_eq!(error.code, Code::EngineCrashed);
    assert!(error.message.contains("asked for by the prompt") && error.hint.is_some());
    assert_eq!(test.ask("next").await.status, MessageStatus::Complete);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_answer_is_not_a_success() {
    let test = TestApp::start();
    let answer = test.ask("!say ").await;
    assert_eq!(answer.status, MessageStatus::Failed, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_longer_than_the_context_loses_its_beginning_and_says_so() {
    let test = TestApp::start();
    let chat = test.chats().create().await.unwrap();
    // The fake model's context holds 16,384 bytes.
    for number in 0..4 {
        test.ask_in(&chat.id, &format!("{number} {}", "x".repeat(2500)))
            .await;
    }
    let answer = test.ask_in(&chat.id, "and now").await;
    assert_eq!(answer.text, "You said: and now");
    assert!(answer.cut_messages >= 2, "{answer:?}");
    assert_eq!((answer.cut_messages % 2, answer.notice), (0, None));
    let first = test.chats().view(&chat.id).await.unwrap().messages;
    assert_eq!(first[1].cut_messages, 0, "the first answer saw everything");
    let error = test.ask(&"y".repeat(20_000)).await.error.unwrap();
    assert_eq!(error.code, Code::ContextOverflow);
    assert!(error.message.contains("16384"), "{}", error.message);
    let test = test.restart().await;
    let view = test.chats().view(&chat.id).await.unwrap();
    let last = view.messages.last().unwrap();
    assert_eq!(last.cut_messages, answer.cut_messages, "kept on disk");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_and_nothing_is_stored() {
    let test = TestApp::start();
    let chat = test.chats().create().await.unwrap();
    let too_long = "x".repeat(5 * 1024 * 1024);
    for text in ["", "  \n ", too_long.as_str()] {
        let error = test.chats().send(&chat.id, text, None).await.unwrap_err();
        assert_eq!(error.code, Code::InvalidInput);
    }
    assert_eq!(
        test.chats()
            .send("no-such-chat", "hi", None)
            .await
            .unwrap_err()
            .code,
        Code::NotFound
    );
    assert_eq!(
        test.chats()
            .rename(&chat.id, " \u{7} ")
            .await
            .unwrap_err()
            .code,
        Code::InvalidInput
    );
    assert!(
        test.chats()
            .view(&chat.id)
            .await
            .unwrap()
            .messages
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_finds_renames_deletes_and_restores() {
    let test = TestApp::start();
    let chats = test.chats();
    test.ask("Über den Himmel").await;
    test.ask("something else").await;
    let found = chats.list("über").await.unwrap();
    assert_eq!(found.len(), 1);
    let id = &found[0].id;
    chats.rename(id, "Sky").await.unwrap();
    chats.delete(id).await.unwrap();
    assert!(chats.list("sky").await.unwrap().is_empty());
    assert_eq!(chats.view(id).await.unwrap_err().code, Code::NotFound);
    chats.restore(id).await.unwrap();
    assert_eq!(chats.list("sky").await.unwrap()[0].title, "Sky");
    assert_eq!(chats.view(id).await.unwrap().messages.len(), 2);
    assert_eq!(chats.delete_all().await.unwrap(), 2);
    assert!(chats.list("").await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn drafts_survive_a_restart_and_go_with_the_message() {
    let test = TestApp::start();
    let chat = test.chats().create().await.unwrap();
    test.chats()
        .save_draft(&chat.id, "half a thou")
        .await
        .unwrap();
    let test = test.restart().await;
    assert_eq!(
        test.chats().view(&chat.id).await.unwrap().draft,
        "half a thou"
    );
    test.ask_in(&chat.id, "half a thought").await;
    assert_eq!(test.chats().view(&chat.id).await.unwrap().draft, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_joins_late_sees_everything() {
    let test = TestApp::start();
    let chat = test.chats().create().await.unwrap();
    let words = "word ".repeat(60);
    test.chats()
        .send(&chat.id, &format!("!slow 3 {words}"), None)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut follow = test.chats().follow(&chat.id).unwrap();
    let mut text = String::new();
    while let Some(event) = follow.next().await {
        match event {
            ChatEvent::Snapshot { message } => text = message.text,
            ChatEvent::Delta { text: more, .. } => text.push_str(&more),
            ChatEvent::Finished { message } => assert!(message.text.starts_with(&text)),
            _ => {}
        }
    }
    assert!(text.len() > 200, "{}", text.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_hold_every_word() {
    let test = TestApp::start();
    let answer = test.ask("a question / with: strange * signs").await;
    test.chats()
        .regenerate(&answer.chat_id, &answer.id)
        .await
        .unwrap();
    test.answer(&answer.chat_id).await;
    let folder = test.chats().export(ExportFormat::Json).await.unwrap();
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(format!("{folder}/chats.json")).unwrap()).unwrap();
    assert_eq!(json["chats"][0]["messages"].as_array().unwrap().len(), 3);
    tokio::time::sleep(Duration::from_millis(5)).await;
    let folder = test.chats().export(ExportFormat::Markdown).await.unwrap();
    let file = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap();
    let text = std::fs::read_to_string(file.path()).unwrap();
    assert!(
        text.contains("a question / with: strange * signs")
            && text.contains("You said: a question")
    );
}
