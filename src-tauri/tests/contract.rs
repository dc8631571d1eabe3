//! The list of commands, the bindings file and the capabilities must agree; nothing here needs a display.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // A test may stop anywhere and say why.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use hearth_desktop::ipc;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// `make bindings` runs this test with the variable set.
#[test]
fn bindings_are_fresh() {
    let file = root("../ui/src/ipc/bindings.ts");
    if std::env::var_os("HEARTH_WRITE_BINDINGS").is_some() {
        ipc::export(&file).unwrap();
        return;
    }
    let fresh = tempfile::NamedTempFile::new().unwrap();
    ipc::export(fresh.path()).unwrap();
    let (fresh, stored) = (
        fs::read_to_string(fresh.path()).unwrap(),
        fs::read_to_string(file).unwrap(),
    );
    assert!(
        fresh == stored,
        "ui/src/ipc/bindings.ts is stale: run `make bindings`"
    );
}

#[test]
fn the_names_for_the_build_script_are_the_commands() {
    let file = tempfile::NamedTempFile::new().unwrap();
    ipc::export(file.path()).unwrap();
    let bindings = fs::read_to_string(file.path()).unwrap();
    let after_invoke = bindings.split("__TAURI_INVOKE").skip(1);
    let called: BTreeSet<&str> = after_invoke
        .filter_map(|s| s.split('"').nth(1))
        .filter(|n| !n.starts_with('@'))
        .collect();
    let named: BTreeSet<&str> = ipc::names::COMMANDS.iter().copied().collect();
    assert_eq!(called, named);
    assert_eq!(
        named.len(),
        ipc::names::COMMANDS.len(),
        "a name stands twice"
    );
    assert!(named.len() <= 40, "the grant of a view is to stay small");
}

/// What each window may call. A new right is a decision, so it is written down twice.
#[test]
fn capabilities_grant_our_commands_and_the_event_only() {
    for window in ["main", "popover"] {
        let text = fs::read_to_string(root(&format!("capabilities/{window}.json"))).unwrap();
        let capability: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(capability["windows"], serde_json::json!([window]));
        for permission in capability["permissions"].as_array().unwrap() {
            let permission = permission.as_str().unwrap();
            let own = permission.strip_prefix("allow-").is_some_and(|name| {
                ipc::names::COMMANDS.contains(&name.replace('-', "_").as_str())
            });
            let event =
                ["core:event:allow-listen", "core:event:allow-unlisten"].contains(&permission);
            assert!(own || event, "{window} must not have {permission}");
        }
    }
    let popover = fs::read_to_string(root("capabilities/popover.json")).unwrap();
    for forbidden in [
        "allow-clear-chats",
        "allow-export-chats",
        "allow-open-folder",
        "allow-create-api-key",
        "allow-revoke-api-key",
        "allow-set-provider-key",
    ] {
        assert!(
            !popover.contains(forbidden),
            "the popover must not have {forbidden}"
        );
    }
}

#[test]
fn the_content_security_policy_is_closed() {
    let text = fs::read_to_string(root("tauri.conf.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&text).unwrap();
    let policy = config["app"]["security"]["csp"].as_str().unwrap();
    assert!(policy.starts_with("default-src 'none';"));
    for bad in ["unsafe-eval", "*", "https:", "blob:"] {
        assert!(!policy.contains(bad), "{bad}");
    }
    let script = policy
        .split(';')
        .find(|d| d.trim().starts_with("script-src"))
        .unwrap();
    assert_eq!(script.trim(), "script-src 'self'");
    assert_eq!(config["app"]["withGlobalTauri"], false);
}
