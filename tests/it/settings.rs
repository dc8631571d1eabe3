//! Settings: in force at once, ranged, and safe from a damaged file.

use hearth_app::Code;
use hearth_app::settings::{SettingChange, SettingKey, Settings, Theme};
use hearth_tests::TestApp;

fn with_file(text: &str) -> TestApp {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("config.toml"), text).unwrap();
    TestApp::start_in(home)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_in_force_stored_and_can_be_reset() {
    let test = TestApp::start();
    let view = test
        .app
        .settings()
        .set(SettingChange::Theme(Theme::Dark))
        .await
        .unwrap();
    assert_eq!(view.settings.theme, Theme::Dark);
    test.app
        .settings()
        .set(SettingChange::Temperature(1.25))
        .await
        .unwrap();
    let test = test.restart().await;
    assert_eq!(test.app.settings().get().theme, Theme::Dark);
    assert!((test.app.settings().get().temperature - 1.25).abs() < 1e-9);
    let view = test.app.settings().reset(SettingKey::Theme).await.unwrap();
    assert_eq!(view.settings.theme, Theme::System);
    let file = std::fs::read_to_string(test.home.path().join("config.toml")).unwrap();
    assert!(
        !file.contains("theme") && file.contains("temperature = 1.25"),
        "{file}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_key_resets_alone_and_a_copy_is_kept() {
    let test = with_file(
        "# mine\nodd = 1\n[generation]\ntemperature = \"hot\"\ntop_p = 0.5\nmax_tokens = 0\n[appearance]\ntheme = \"dark\"\n",
    );
    let view = test.app.settings().view();
    let defaults = Settings::default();
    assert!((view.settings.temperature - defaults.temperature).abs() < 1e-9);
    assert!((view.settings.top_p - 0.5).abs() < 1e-9);
    assert_eq!(
        (view.settings.max_tokens, view.settings.theme),
        (defaults.max_tokens, Theme::Dark)
    );
    assert_eq!(view.repaired.len(), 2, "{:?}", view.repaired);
    assert!(view.repaired[0].contains("temperature"));
    let files: Vec<String> = std::fs::read_dir(test.home.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|n| n.starts_with("config.toml."))
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let kept = std::fs::read_to_string(test.home.path().join("config.toml")).unwrap();
    assert!(
        kept.contains("# mine") && kept.contains("odd = 1") && !kept.contains("hot"),
        "{kept}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_toml_costs_only_what_is_broken() {
    let test = with_file("[appearance]\ntheme = \"dark\"\n[generation\n\u{0}\u{1}garbage = = =\n");
    let view = test.app.settings().view();
    assert_eq!(view.settings.theme, Theme::Dark);
    assert!(!view.repaired.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn values_out_of_range_are_refused() {
    let test = TestApp::start();
    for change in [
        SettingChange::Temperature(f64::NAN),
        SettingChange::Temperature(2.1),
        SettingChange::TopP(-0.1),
        SettingChange::MaxTokens(0),
        SettingChange::MaxTokens(100_000),
        SettingChange::Model(" ".into()),
        SettingChange::SystemPrompt("x".repeat(100_000)),
    ] {
        let error = test.app.settings().set(change.clone()).await.unwrap_err();
        assert_eq!(error.code, Code::InvalidInput, "{change:?}");
    }
    assert_eq!(test.app.settings().get(), Settings::default());
}
