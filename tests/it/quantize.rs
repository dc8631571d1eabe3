//! `hearth quantize` on the starter model: smaller copies that are models, and refusals that leave nothing behind.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::command::{hearth, run, text};

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_smaller_copy_is_a_model_and_its_cost_is_measured() {
    let home = tempfile::tempdir().unwrap();
    let models = home.path().join("models");
    let preview = run(
        home.path(),
        &["quantize", "starter", "q2_k", "--dry-run", "--json"],
        None,
    );
    assert!(preview.status.success(), "{preview:?}");
    let preview: serde_json::Value = serde_json::from_slice(&preview.stdout).unwrap();
    assert_eq!(preview["name"], "starter-q2_k");
    assert_eq!(preview["roundedTwice"], true);
    assert_eq!(names(&models), [""; 0]);
    let made = run(
        home.path(),
        &["quantize", "starter", "Q2_K", "--json"],
        None,
    );
    assert!(made.status.success(), "{made:?}");
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(names(&models), ["starter-q2_k.gguf"]);
    let bytes = fs::metadata(models.join("starter-q2_k.gguf"))
        .unwrap()
        .len();
    assert_eq!(made["bytes"], bytes);
    let (foreseen, before) = (
        preview["bytes"].as_f64().unwrap(),
        made["sourceBytes"].as_u64(),
    );
    assert!(
        (foreseen / bytes as f64 - 1.0).abs() < 0.01,
        "{foreseen} of {bytes}"
    );
    assert!(bytes < before.unwrap());
    let perplexity = |field: &str| made[field].as_f64().unwrap();
    assert!(
        perplexity("perplexity") > perplexity("sourcePerplexity"),
        "{made}"
    );
    let answer = run(
        home.path(),
        &["run", "starter-q2_k", "Say something.", "--max-tokens", "4"],
        None,
    );
    assert!(
        answer.status.success() && !answer.stdout.is_empty(),
        "{answer:?}"
    );
    // A second one would take its place.
    let again = run(home.path(), &["quantize", "starter", "Q2_K"], None);
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("already"), "{again:?}");
}

#[test]
fn what_is_no_smaller_copy_is_refused_and_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str], code: i32, word: &str| {
        let output = run(home.path(), arguments, None);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(word), "{word}: {said}");
    };
    refused(&["quantize", "starter", "Q8_0"], 2, "MB, the original has");
    refused(&["quantize", "starter", "Q9_9"], 2, "Q4_K_M");
    refused(&["quantize", "nobody", "Q4_K_M"], 3, "nobody");
    refused(
        &["quantize", "starter", "Q2_K", "--text", "/no/such/file"],
        2,
        "/no/such/file",
    );
    assert_eq!(names(&home.path().join("models")), [""; 0]);
}

#[test]
fn an_interrupted_copy_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let models = home.path().join("models");
    let mut child = Command::new(hearth())
        .args(["quantize", "starter", "Q2_K", "--no-measure"])
        .env("HEARTH_HOME", home.path())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !names(&models).iter().any(|name| name.ends_with(".making")) {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before it began"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(names(&models), [""; 0]);
}
