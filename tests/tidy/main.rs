//! House rules as a test: who may depend on whom, who owns which heavy dependency, how long a file may be.
//!
//! The rules are functions over plain data, so that each can be shown a tree that breaks it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // A test may stop anywhere and say why.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Longest source file in lines.
const MAX_LINES: usize = 800;
/// The one source that is not written by hand.
const MADE: &str = "ui/src/ipc/bindings.ts";

/// Crate to the crates of ours that it may depend on. `*` is any.
const EDGES: &[(&str, &[&str])] = &[
    ("hearth-desktop", &["hearth-server", "hearth-app"]),
    ("hearth-cli", &["hearth-server", "hearth-app"]),
    ("hearth-server", &["hearth-app"]),
    (
        "hearth-app",
        &[
            "hearth-engine",
            "hearth-models",
            "hearth-store",
            "hearth-hardware",
            "hearth-providers",
        ],
    ),
    // Test files are written by a crate of their own.
    ("hearth-engine", &["hearth-gguf-writer"]),
    ("hearth-models", &["hearth-gguf-writer"]),
    ("hearth-store", &[]),
    ("hearth-hardware", &[]),
    ("hearth-providers", &[]),
    ("hearth-gguf-writer", &[]),
    ("hearth-tests", &["*"]),
    ("hearth-benches", &["*"]),
];

/// A dependency and the crates that may name it.
const OWNERS: &[(&str, &[&str])] = &[
    ("tauri", &["hearth-desktop"]),
    ("axum", &["hearth-server"]),
    ("llama-cpp-2", &["hearth-engine", "hearth-benches"]),
    ("llama-cpp-sys-2", &["hearth-engine"]),
    ("rusqlite", &["hearth-store"]),
    ("keyring-core", &["hearth-store"]),
    ("toml_edit", &["hearth-store"]),
    ("minijinja", &["hearth-engine"]),
    ("reqwest", &["hearth-providers", "hearth-models"]),
    ("macmon", &["hearth-hardware"]),
    ("sysinfo", &["hearth-hardware"]),
];

/// Text that may stand in some source files only: suffixes of the files, or folders, that may hold it.
const WORDS: &[(&str, &[&str])] = &[
    (
        "llama_cpp_2::",
        &[
            "crates/engine/src/llama.rs",
            "crates/engine/src/llama/",
            "benches/src/bare.rs",
            "benches/src/embed.rs",
        ],
    ),
    (
        "llama_cpp_sys_2",
        &["crates/engine/src/llama.rs", "crates/engine/src/llama/"],
    ),
    (
        "std::env::var",
        &[
            "crates/app/src/env.rs",
            "src-tauri/src/platform/linux.rs",
            "benches/src/main.rs",
        ],
    ),
    (
        "unsafe {",
        &[
            "/platform/macos.rs",
            "crates/hardware/src/platform/macos/",
            "crates/engine/src/llama.rs",
            "crates/engine/src/llama/",
        ],
    ),
];

type Dependencies = BTreeMap<String, BTreeSet<String>>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn forbidden_edges(tree: &Dependencies) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, dependencies) in tree {
        let Some((_, allowed)) = EDGES.iter().find(|(n, _)| n == name) else {
            wrong.push(format!("{name} is not in the table of edges"));
            continue;
        };
        for dependency in dependencies.iter().filter(|d| d.starts_with("hearth-")) {
            if !allowed.contains(&"*") && !allowed.contains(&dependency.as_str()) {
                wrong.push(format!("{name} must not depend on {dependency}"));
            }
        }
    }
    wrong
}

fn second_owners(tree: &Dependencies) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, dependencies) in tree {
        for (heavy, owners) in OWNERS {
            if dependencies.contains(*heavy) && !owners.contains(&name.as_str()) {
                wrong.push(format!(
                    "{name} must not depend on {heavy}; it belongs to {}",
                    owners[0]
                ));
            }
        }
    }
    wrong
}

fn too_long<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    // A file that a program writes is read by programs.
    let by_hand = files.filter(|(path, _)| *path != MADE);
    let long = by_hand.filter(|(_, text)| text.lines().count() > MAX_LINES);
    long.map(|(path, text)| {
        format!(
            "{path} has {} lines, the limit is {MAX_LINES}",
            text.lines().count()
        )
    })
    .collect()
}

fn misplaced_words<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, text) in files.filter(|(path, _)| path.ends_with(".rs") && path.contains("/src/")) {
        // Test modules come last in a file.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (word, places) in WORDS {
            let inside = places
                .iter()
                .any(|place| path.ends_with(place) || place.ends_with('/') && path.contains(place))
                || path.starts_with("tests/");
            if code.contains(word) && !inside {
                wrong.push(format!("{path} must not say `{word}`"));
            }
        }
    }
    wrong
}

fn without_opening<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let bare = files.filter(|(path, text)| path.ends_with(".rs") && !text.starts_with("//!"));
    bare.map(|(path, _)| format!("{path} does not open with `//!`"))
        .collect()
}

fn workspace() -> Dependencies {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
            "--manifest-path",
        ])
        .arg(root().join("Cargo.toml"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let names = |package: &serde_json::Value| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        dependencies
            .map(|d| d["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|p| (p["name"].as_str().unwrap().to_owned(), names(p)))
        .collect()
}

/// Sources of ours with their text, by path from the root.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let generated = ["target", "node_modules", "dist", "gen"].contains(&name.as_str());
            if path.is_dir() && !path.is_symlink() && !generated && !name.starts_with('.') {
                folders.push(path);
            } else if ["rs", "ts", "svelte"]
                .iter()
                .any(|e| name.ends_with(&format!(".{e}")))
            {
                let relative = path.strip_prefix(root()).unwrap().display().to_string();
                found.push((relative, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(found.len() > 50, "only {} sources were found", found.len());
    found
}

fn pairs(files: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
}

#[test]
fn crates_depend_on_what_they_may() {
    let wrong = [forbidden_edges(&workspace()), second_owners(&workspace())].concat();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_are_short_open_with_their_purpose_and_keep_words_in_their_place() {
    let files = sources();
    let wrong = [
        too_long(pairs(&files)),
        misplaced_words(pairs(&files)),
        without_opening(pairs(&files)),
    ]
    .concat();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_the_ipc_folder_of_the_ui_knows_tauri() {
    let files = sources();
    let wrong: Vec<_> = pairs(&files)
        .filter(|(path, text)| {
            path.starts_with("ui/src/")
                && !path.starts_with("ui/src/ipc/")
                && text.contains("@tauri-apps/")
        })
        .map(|(path, _)| path)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn the_rules_notice_a_broken_tree() {
    let tree = |name: &str, dependency: &str| {
        Dependencies::from([(name.to_owned(), BTreeSet::from([dependency.to_owned()]))])
    };
    assert_eq!(
        forbidden_edges(&tree("hearth-engine", "hearth-store")).len(),
        1
    );
    assert_eq!(forbidden_edges(&tree("hearth-new", "serde")).len(), 1);
    assert_eq!(
        forbidden_edges(&tree("hearth-app", "hearth-store")).len(),
        0
    );
    assert_eq!(second_owners(&tree("hearth-app", "rusqlite")).len(), 1);
    assert_eq!(second_owners(&tree("hearth-store", "rusqlite")).len(), 0);
    let long = "x\n".repeat(MAX_LINES + 1);
    let file = |path, text| std::iter::once((path, text));
    assert_eq!(too_long(file("a.rs", long.as_str())).len(), 1);
    assert_eq!(
        misplaced_words(file("crates/app/src/chats.rs", "std::env::var(")).len(),
        1
    );
    assert_eq!(without_opening(file("a.rs", "use x;")).len(), 1);
}
