//! Names, the key store, and what is never sent elsewhere.

use hearth_engine::{Message, Priority, Prompt, Role};

use super::*;
use crate::events::Events;
use crate::keys::{MemorySecrets, Scope, Secrets};
use crate::paths::Paths;

struct Bench {
    providers: Providers,
    settings: Arc<SettingsStore>,
    secrets: Arc<MemorySecrets>,
    keys: Arc<Keys>,
    _home: tempfile::TempDir,
}

fn bench() -> Bench {
    let home = tempfile::tempdir().unwrap();
    let events = Events::default();
    let settings = Arc::new(SettingsStore::open(
        &Paths::under(home.path()),
        events.clone(),
    ));
    let secrets: Arc<MemorySecrets> = Arc::default();
    let keys = Arc::new(Keys::new(secrets.clone(), "place".into(), settings.clone()));
    let slot = Arc::new(OnceLock::from(keys.clone()));
    let server = Arc::new(ServerView::new(events));
    Bench {
        providers: Providers::new(settings.clone(), slot, server),
        settings,
        secrets,
        keys,
        _home: home,
    }
}

#[tokio::test]
async fn a_name_says_where_a_message_goes() {
    let bench = bench();
    let hosts = SettingChange::ProviderHosts("http://studio.local:8000 https://api.example".into());
    bench.settings.set(hosts).await.unwrap();
    let at = |model: &str| {
        bench
            .providers
            .resolve(model)
            .map(|(name, _, at)| (name, at.to_string()))
    };
    let there = |name: &str, address: &str| Some((name.to_owned(), address.to_owned()));
    assert_eq!(
        at("llama3.2:3b@ollama"),
        there("llama3.2:3b", "http://127.0.0.1:11434")
    );
    assert_eq!(at("a/b@lm-studio"), there("a/b", "http://127.0.0.1:1234"));
    assert_eq!(at("m@127.0.0.1:1337"), there("m", "http://127.0.0.1:1337"));
    assert_eq!(
        at("m@studio.local:8000"),
        there("m", "http://studio.local:8000")
    );
    assert_eq!(at("a@b@api.example"), there("a@b", "https://api.example"));
    // Nobody is reached whom the user did not name.
    for ours in [
        "starter",
        "m@",
        "@ollama",
        "m@evil.example",
        "m@127.0.0.1:22",
        "m@127.0.0.1:99999",
    ] {
        assert_eq!(at(ours), None, "{ours}");
    }
}

#[tokio::test]
async fn hosts_are_checked_and_a_key_lies_in_the_key_store_alone() {
    let bench = bench();
    for bad in [
        "studio.local",
        "http://a b",
        "http://u:p@host",
        "http://a http://a/v1",
    ] {
        let change = SettingChange::ProviderHosts(bad.into());
        assert!(bench.settings.set(change).await.is_err(), "{bad}");
    }
    let change = SettingChange::ProviderHosts("http://studio.local:8000".into());
    bench.settings.set(change).await.unwrap();
    let id = "studio.local:8000";
    assert_eq!(
        bench
            .providers
            .set_key("elsewhere", Some("k"))
            .await
            .unwrap_err()
            .code,
        Code::NotFound
    );
    for bad in ["", " ", "two words", "line\nend"] {
        let refused = bench.providers.set_key(id, Some(bad)).await.unwrap_err();
        assert_eq!(refused.code, Code::InvalidInput, "{bad}");
    }
    // Both kinds of keys share the one entry.
    let own = bench
        .keys
        .create("editor", vec![Scope::Inference])
        .await
        .unwrap();
    bench
        .providers
        .set_key(id, Some("sk-canary"))
        .await
        .unwrap();
    let settings = bench.settings.get();
    assert_eq!(
        bench.providers.key(id, &settings).await.unwrap().as_deref(),
        Some("sk-canary")
    );
    assert!(
        bench
            .secrets
            .get("place")
            .unwrap()
            .unwrap()
            .expose()
            .contains("sk-canary")
    );
    assert!(!format!("{settings:?}").contains("sk-canary"));
    bench.keys.revoke(&own.key.id).await.unwrap();
    assert_eq!(
        bench.providers.key(id, &settings).await.unwrap().as_deref(),
        Some("sk-canary")
    );
    bench.providers.set_key(id, None).await.unwrap();
    assert!(bench.secrets.get("place").unwrap().is_none());
    assert_eq!(bench.settings.get().provider_keyed, "");
}

#[tokio::test]
async fn the_list_of_keys_of_an_older_version_is_read() {
    let bench = bench();
    let new = bench
        .keys
        .create("editor", vec![Scope::Inference])
        .await
        .unwrap();
    let text = bench.secrets.get("place").unwrap().unwrap();
    let all: serde_json::Value = serde_json::from_str(text.expose()).unwrap();
    let alone = hearth_store::Sensitive::new(all["keys"].to_string());
    bench.secrets.set("place", &alone).unwrap();
    let again = Keys::new(
        bench.secrets.clone(),
        "place".into(),
        bench.settings.clone(),
    );
    let again = Arc::new(again);
    assert_eq!(again.load().await.unwrap(), 1);
    assert_eq!(
        again.check(&new.secret, None),
        crate::keys::Verdict::Allowed
    );
}

#[tokio::test]
async fn what_the_other_side_may_not_understand_is_refused_before_it_is_sent() {
    let bench = bench();
    let mut bare = Request::text("a");
    bare.priority = Priority::Interactive;
    let mut forms = Request::chat(vec![Message::new(Role::User, "a")]);
    forms.constraint = Some(hearth_engine::constrain::Constraint::JsonObject);
    assert!(matches!(bare.prompt, Prompt::Text(_)));
    for request in [bare, forms] {
        let answer = bench.providers.start("m@ollama", &request).await;
        assert_eq!(answer.err().unwrap().code, Code::Unsupported);
    }
}
