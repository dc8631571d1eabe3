//! Another engine beside ours: a second Hearth with the real starter model, chatted with through the window's way.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hearth_app::Code;
use hearth_app::chats::MessageStatus;
use hearth_app::providers::ProviderKind;
use hearth_app::settings::SettingChange;
use hearth_tests::TestApp;

use crate::command::hearth;

/// `hearth serve` in a folder of its own, ended with the test.
struct Other {
    child: Child,
    address: String,
    home: tempfile::TempDir,
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn other() -> Other {
    let home = tempfile::tempdir().unwrap();
    let child = Command::new(hearth())
        .args(["serve", "--port", "0"])
        .env("HEARTH_HOME", home.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut other = Other {
        child,
        address: String::new(),
        home,
    };
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(60) {
        let file = std::fs::read(other.home.path().join("data/server.json")).unwrap_or_default();
        if let Ok(file) = serde_json::from_slice::<serde_json::Value>(&file) {
            other.address = format!("http://127.0.0.1:{}", file["port"]);
            return other;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the other Hearth did not start");
}

#[tokio::test]
async fn a_chat_goes_to_another_engine_and_comes_back_with_its_figures() {
    let other = other();
    let app = TestApp::start();
    let settings = app.app.settings();
    let set = |change| settings.set(change);
    set(SettingChange::ProviderHosts(other.address.clone()))
        .await
        .unwrap();
    let list = app.app.providers().list().await.unwrap();
    let found = list.iter().find(|provider| provider.added).unwrap();
    assert_eq!(
        (found.kind, found.local),
        (Some(ProviderKind::Hearth), true),
        "{found:?}"
    );
    let model = found
        .models
        .iter()
        .find(|model| model.title == "starter")
        .unwrap();
    set(SettingChange::Model(model.name.clone())).await.unwrap();
    set(SettingChange::MaxTokens(24)).await.unwrap();
    let answer = app.ask("Why is the sky blue?").await;
    assert_eq!(answer.status, MessageStatus::Complete, "{answer:?}");
    let stats = answer.stats.unwrap();
    assert_eq!((stats.model, stats.tokens), (model.name.clone(), 24));
    assert!(stats.prompt_tokens > 5 && stats.ttft_ms.unwrap() > 0.0);
    // The fake engine of this app would have said something else, and loaded.
    assert!(app.app.inference().loaded().is_empty());
    assert!(answer.text.len() > 20, "{}", answer.text);

    // Gone: the message is kept, and the reason is said.
    drop(other);
    let failed = app.ask("Are you there?").await;
    assert_eq!(failed.status, MessageStatus::Failed);
    let error = failed.error.unwrap();
    assert_eq!(error.code, Code::EngineUnavailable);
    assert!(error.message.contains("127.0.0.1"), "{}", error.message);
}
