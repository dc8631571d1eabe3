//! Damaged, missing and foreign model files: each has its code, and the app goes on.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use hearth_app::Code;
use hearth_app::chats::MessageStatus;
use hearth_app::events::AppEvent;
use hearth_app::fit::Verdict;
use hearth_app::models::{ModelPurpose, Suggested};
use hearth_app::settings::SettingChange;
use hearth_tests::{TestApp, install_embedder, starter_path};

/// Puts a file into the models folder and asks it.
async fn code_of(test: &TestApp, name: &str, write: impl FnOnce(&Path)) -> Code {
    let folder = test.home.path().join("models");
    fs::create_dir_all(&folder).unwrap();
    write(&folder.join(format!("{name}.gguf")));
    test.app
        .settings()
        .set(SettingChange::Model(name.into()))
        .await
        .unwrap();
    let answer = test.ask("hello").await;
    assert_eq!(answer.status, MessageStatus::Failed);
    let error = answer.error.unwrap();
    assert!(error.hint.is_some(), "{error:?}");
    error.code
}

fn starter_head(bytes: usize) -> Vec<u8> {
    let mut head = fs::read(starter_path()).unwrap();
    head.truncate(bytes);
    head
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_files_have_their_codes_and_cost_nothing_else() {
    let test = TestApp::start();
    let text = code_of(&test, "text", |p| {
        fs::write(p, "this is not a model, it is a letter").unwrap()
    })
    .await;
    assert_eq!(text, Code::ModelInvalid);
    let truncated = code_of(&test, "short", |p| {
        fs::write(p, starter_head(3_000_000)).unwrap()
    })
    .await;
    assert_eq!(truncated, Code::ModelInvalid);
    let lying = code_of(&test, "lying", |p| {
        let mut head = starter_head(4_000_000);
        // The number of tensors.
        head[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
        fs::write(p, head).unwrap();
    });
    assert_eq!(lying.await, Code::ModelInvalid);
    let newer = code_of(&test, "newer", |p| {
        let mut head = starter_head(4_000_000);
        head[4..8].copy_from_slice(&9u32.to_le_bytes());
        fs::write(p, head).unwrap();
    });
    assert_eq!(newer.await, Code::ModelUnsupported);
    assert_eq!(code_of(&test, "absent", |_| {}).await, Code::ModelMissing);
    let link = code_of(&test, "dangling", |p| {
        std::os::unix::fs::symlink("/nonexistent/file", p).unwrap()
    });
    assert!(matches!(
        link.await,
        Code::ModelMissing | Code::ModelUnreadable
    ));

    // The list still works and names the problem of each.
    let list = test.app.models().list().await.unwrap();
    let starter = list.models.iter().find(|m| m.name == "starter").unwrap();
    assert_eq!(starter.problem, None);
    let broken: Vec<_> = list
        .models
        .iter()
        .filter(|m| m.problem.is_some())
        .map(|m| m.name.as_str())
        .collect();
    assert!(
        broken.contains(&"text") && broken.contains(&"short") && broken.contains(&"lying"),
        "{broken:?}"
    );

    test.app
        .settings()
        .set(SettingChange::Model("starter".into()))
        .await
        .unwrap();
    assert_eq!(
        test.ask("still here?").await.status,
        MessageStatus::Complete
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_models_folder_that_is_a_file_is_said_and_the_starter_works() {
    let home = tempfile::tempdir().unwrap();
    fs::File::create(home.path().join("models"))
        .unwrap()
        .write_all(b"x")
        .unwrap();
    let test = TestApp::start_in(home);
    let list = test.app.models().list().await.unwrap();
    assert!(list.models.iter().any(|m| m.name == "starter"));
    assert_eq!(list.problems.len(), 1, "{:?}", list.problems);
    assert_eq!(test.ask("hello").await.status, MessageStatus::Complete);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedding_model_is_listed_and_does_not_chat() {
    let test = TestApp::start();
    install_embedder(&test.home.path().join("bundled"));
    let list = test.app.models().list().await.unwrap().models;
    let uses: Vec<_> = list.iter().map(|m| (m.name.as_str(), m.purpose)).collect();
    assert_eq!(
        uses,
        [
            ("starter", Some(ModelPurpose::Chat)),
            ("embedder", Some(ModelPurpose::Embed))
        ]
    );
    let chosen = SettingChange::Model("embedder".into());
    test.app.settings().set(chosen).await.unwrap();
    let answer = test.ask("hello").await;
    assert_eq!(answer.status, MessageStatus::Failed);
    let error = answer.error.unwrap();
    assert_eq!(error.code, Code::ModelUnsupported);
    assert!(error.message.contains("cannot chat"), "{}", error.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn models_worth_having_are_ranked_and_a_newer_list_counts() {
    let test = TestApp::start();
    let own = test.app.suggested_models().await.unwrap();
    assert!(own.len() > 30 && own.iter().all(|model| model.takes_bytes > model.bytes));
    // What fits comes first.
    let too_big =
        |verdict: &Verdict| matches!(verdict, Verdict::TooBig | Verdict::FitsAtContext { .. });
    let fits = |model: &Suggested| model.fit.verdict.as_ref().is_some_and(|v| !too_big(v));
    let fits: Vec<bool> = own.iter().map(fits).collect();
    assert!(fits.is_sorted_by(|one, other| one >= other), "{fits:?}");
    let newer = r#"{ "format": 1, "date": "2999-01-01", "note": "", "models": [{
        "family": "New", "name": "New 1B", "parameters": 1000000000, "context": 4096, "abilities": ["chat"],
        "licence": "MIT", "repo": "someone/new-GGUF", "file": "new-{quant}.gguf", "quantisations": ["Q8_0"],
        "cache_bytes_per_token": 1000 }] }"#;
    let path = test.app.paths().catalog();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, newer).unwrap();
    let new = test.app.suggested_models().await.unwrap();
    assert_eq!(
        (new.len(), new[0].wanted.as_str()),
        (1, "someone/new-GGUF:Q8_0")
    );
    fs::write(&path, "nonsense").unwrap();
    assert_eq!(test.app.suggested_models().await.unwrap(), own);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_somebody_else_adds_is_told() {
    let test = TestApp::start();
    let folder = test.home.path().join("models");
    fs::create_dir_all(&folder).unwrap();
    let mut events = test.app.events().subscribe();
    test.app
        .watch_models(|trouble| panic!("nothing is in the way here: {trouble}"));
    let changed = async |events: &mut tokio::sync::broadcast::Receiver<AppEvent>| {
        let heard = async { while events.recv().await.unwrap() != AppEvent::ModelsChanged {} };
        tokio::time::timeout(Duration::from_secs(60), heard)
            .await
            .unwrap();
    };
    // It tells once when it has begun.
    changed(&mut events).await;
    std::os::unix::fs::symlink(starter_path(), folder.join("added.gguf")).unwrap();
    changed(&mut events).await;
    let models = test.app.models().list().await.unwrap().models;
    assert!(models.iter().any(|model| model.name == "added"));
    let before = &models;
    // A list that is read while a burst goes on is told to be old, though nothing is other than before the burst.
    let brief = folder.join("brief.gguf");
    std::os::unix::fs::symlink(starter_path(), &brief).unwrap();
    let models = test.app.models().list().await.unwrap().models;
    assert!(models.iter().any(|model| model.name == "brief"));
    fs::remove_file(&brief).unwrap();
    changed(&mut events).await;
    while test.app.models().list().await.unwrap().models != *before {
        changed(&mut events).await;
    }
}
