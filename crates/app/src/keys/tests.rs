//! Keys on a key store in memory, and on one that is not there.

use super::*;
use crate::events::Events;
use crate::paths::Paths;

fn keys_on(secrets: Arc<dyn Secrets>) -> (Arc<Keys>, tempfile::TempDir) {
    let home = tempfile::tempdir().unwrap();
    let settings = SettingsStore::open(&Paths::under(home.path()), Events::default());
    let keys = Keys::new(secrets, "api-keys".into(), Arc::new(settings));
    (Arc::new(keys), home)
}

#[tokio::test]
async fn a_key_lives_from_create_to_revoke_and_over_a_restart() {
    let secrets: Arc<MemorySecrets> = Arc::default();
    let (keys, home) = keys_on(secrets.clone());
    let new = keys.create("editor", vec![Scope::Inference]).await.unwrap();
    assert!(new.secret.starts_with("hearth-") && new.secret.len() == 7 + 64);
    assert!(keys.settings.get().server_needs_key);

    let kept = secrets.get("api-keys").unwrap().unwrap();
    assert!(!kept.expose().contains(&new.secret[7..]));
    let config = std::fs::read_to_string(home.path().join("config.toml")).unwrap();
    assert!(!config.contains(&new.secret[7..]) && !config.contains(&new.key.id));

    // A program that was started again.
    let (again, _home) = keys_on(secrets.clone());
    assert_eq!(again.check(&new.secret, None), Verdict::Unknown);
    assert_eq!(again.load().await.unwrap(), 1);
    assert_eq!(again.check(&new.secret, None), Verdict::Allowed);
    let verdict = |scope| again.check(&new.secret, Some(scope));
    assert_eq!(verdict(Scope::Inference), Verdict::Allowed);
    assert_eq!(verdict(Scope::Models), Verdict::OutOfScope);
    assert_eq!(again.check("hearth-", None), Verdict::Unknown);
    assert_eq!(again.check("", None), Verdict::Unknown);
    let listed = again.list().await.unwrap();
    assert_eq!(listed[0].name, "editor");
    assert!(listed[0].last_used_at_ms.is_some());

    keys.need_one().await.unwrap();
    let lan = SettingChange::ServerLan(true);
    keys.settings.set(lan).await.unwrap();
    keys.revoke(&new.key.id).await.unwrap();
    assert_eq!(keys.check(&new.secret, None), Verdict::Unknown);
    let settings = keys.settings.get();
    assert!(!settings.server_needs_key && !settings.server_lan);
    assert_eq!(keys.need_one().await.unwrap_err().code, Code::Settings);
    assert_eq!(
        keys.revoke(&new.key.id).await.unwrap_err().code,
        Code::NotFound
    );
}

#[tokio::test]
async fn admin_may_do_everything_and_the_right_one_of_many_is_found() {
    let (keys, _home) = keys_on(Arc::<MemorySecrets>::default());
    let mut secrets = Vec::new();
    for (name, scope) in [
        ("a", Scope::Inference),
        ("b", Scope::Admin),
        ("c", Scope::Models),
    ] {
        secrets.push(keys.create(name, vec![scope]).await.unwrap().secret);
    }
    let allowed: Vec<Vec<bool>> = secrets
        .iter()
        .map(|secret| {
            let scopes = [Scope::Inference, Scope::Models, Scope::Admin];
            let check = |scope| keys.check(secret, Some(scope)) == Verdict::Allowed;
            scopes.map(check).to_vec()
        })
        .collect();
    assert_eq!(
        allowed,
        [
            [true, false, false],
            [true, true, true],
            [false, true, false]
        ]
    );
}

#[tokio::test]
async fn without_a_key_store_nothing_is_made_and_nothing_let_in() {
    let (keys, _home) = keys_on(Arc::new(MemorySecrets::missing()));
    let error = keys
        .create("editor", vec![Scope::Inference])
        .await
        .err()
        .unwrap();
    assert!(error.message.contains("key store"), "{error}");
    assert!(!keys.settings.get().server_needs_key);
    assert!(keys.load().await.is_err());
    assert_eq!(keys.check("anything", None), Verdict::Unknown);
    // Not asked for while no key was ever made.
    assert_eq!(keys.list().await.unwrap(), []);
}

#[tokio::test]
async fn names_and_scopes_are_needed() {
    let (keys, _home) = keys_on(Arc::<MemorySecrets>::default());
    for (name, scopes) in [(" ", vec![Scope::Admin]), ("editor", vec![])] {
        let error = keys.create(name, scopes).await.err().unwrap();
        assert_eq!(error.code, Code::InvalidInput);
    }
}
