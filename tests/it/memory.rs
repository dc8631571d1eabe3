//! What we say that a model takes, beside what llama.cpp asks for: models of many architectures in their real sizes, without weights,
//! and the two that are inside the app, with theirs.
//!
//! `docs/memory.md` shows the figures; with `HEARTH_WRITE_DOCS` set the test writes it.

mod gguf;
mod shapes;

use std::fmt::Write;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use hearth_app::Code;
use hearth_app::chats::MessageStatus;
use hearth_app::engine::protocol::{self, FromChild, ToChild};
use hearth_app::engine::{KvType, LoadSpec, MemoryUse, Purpose, worker};
use hearth_app::fit::{Sum, Verdict};
use hearth_app::settings::SettingChange;
use hearth_tests::{TestApp, starter_path};

use crate::command::{hearth, run, text};

/// The figures of the docs that llama.cpp cannot decide: an exact copy of these is in the docs.
const DOCS: &str = "../docs/memory.md";
/// Everything of the docs before the table.
const HEAD: &str = include_str!("memory/head.md");
/// Rounding of what llama.cpp says: 0.01 MiB for each of up to three figures.
const ROUNDING: u64 = 3 * 10_486;

/// What a child with the real llama.cpp says of a load.
fn measure(spec: &LoadSpec) -> Result<MemoryUse, String> {
    let mut child = Command::new(hearth())
        .arg(worker::WORKER_ARGUMENT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut to = child.stdin.take().unwrap();
    let mut from = child.stdout.take().unwrap();
    let load = protocol::encode(&ToChild::Load { spec: spec.clone() });
    to.write_all(&load.unwrap()).unwrap();
    let found = loop {
        match protocol::read::<FromChild>(&mut from) {
            Ok(Some(FromChild::Ready { info })) => {
                break info.memory.ok_or("no figures".to_owned());
            }
            Ok(Some(FromChild::LoadFailed { error })) => break Err(error.to_string()),
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => break Err("it ended without an answer".to_owned()),
        }
    };
    // Ends it, whatever it does.
    drop((to, from));
    let output = child.wait_with_output().unwrap();
    found.map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// A model of the table.
struct Subject {
    name: &'static str,
    path: PathBuf,
    /// Without weights.
    hollow: bool,
}

/// One load of a model.
struct Case {
    subject: usize,
    spec: LoadSpec,
    sum: Sum,
}

fn cases(index: usize, subject: &Subject) -> Vec<Case> {
    let header = hearth_models::validate_file(&subject.path).unwrap();
    let chats = header.purpose() == hearth_models::Purpose::Chat;
    // An encoder computes a text at once and keeps nothing of it, so its window is short, and there is one kind of keys.
    let (contexts, kv_types): (_, &[KvType]) = if chats {
        ([2048, 8192, 32_768], &[KvType::F16, KvType::Q8_0])
    } else {
        ([512, 1024, 2048], &[KvType::F16])
    };
    let mut cases = Vec::new();
    for context in contexts {
        for kv_type in kv_types {
            let mut spec = LoadSpec::new(&subject.path);
            spec.context_tokens = Some(context);
            spec.kv_type = *kv_type;
            spec.measure_only = subject.hollow;
            spec.threads = Some(1);
            if !chats {
                spec.purpose = Purpose::Embed;
            }
            let sum = Sum::of(&header, 0, &spec);
            cases.push(Case {
                subject: index,
                spec,
                sum,
            });
        }
    }
    cases
}

/// What is counted for programs of ours is not llama.cpp's to say.
fn predicted(sum: &Sum) -> u64 {
    sum.total() - sum.copies
}

/// What is wrong with a prediction. Weights, cache and output are arithmetic; scratch space is a model of an allocator.
fn faults(case: &Case, found: &MemoryUse) -> Vec<String> {
    let mut faults = Vec::new();
    for (part, ours, theirs) in [
        ("weights", case.sum.weights, found.weights),
        ("cache", case.sum.cache, found.cache),
        ("output", case.sum.output, found.output),
    ] {
        if ours.abs_diff(theirs) > ROUNDING {
            faults.push(format!("{part}: {ours} instead of {theirs}"));
        }
    }
    for (part, ours, theirs) in [
        ("scratch space", case.sum.compute, found.compute),
        ("together", predicted(&case.sum), found.total()),
    ] {
        if off(ours, theirs).abs() > 10.0 {
            faults.push(format!("{part}: {ours} instead of {theirs}"));
        }
    }
    faults
}

/// How far off, in percent.
fn off(ours: u64, theirs: u64) -> f64 {
    (ours as f64 - theirs as f64) * 100.0 / theirs as f64
}

/// All cases, two children at a time.
fn measure_all(cases: &[Case]) -> Vec<Result<MemoryUse, String>> {
    let next = AtomicUsize::new(0);
    let found: Mutex<Vec<_>> = Mutex::new(vec![Err(String::new()); cases.len()]);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let index = cases.iter().position(|c| std::ptr::eq(c, case)).unwrap();
                    let measured = measure(&case.spec);
                    found.lock().unwrap()[index] = measured;
                }
            });
        }
    });
    found.into_inner().unwrap()
}

fn row(name: &str, case: &Case, found: &MemoryUse) -> String {
    let megabytes = |bytes: u64| format!("{:.0}", bytes as f64 / 1e6);
    let kv = match (case.spec.purpose, case.spec.kv_type) {
        (Purpose::Generate, KvType::F16) => "f16",
        (Purpose::Generate, KvType::Q8_0) => "q8_0",
        _ => "–",
    };
    let sum = &case.sum;
    format!(
        "| {name} | {} | {kv} | {} | {} | {} | {} | {} | {} | {:+.1} | {:+.1} |\n",
        case.spec.context_tokens.unwrap_or_default(),
        megabytes(sum.weights),
        megabytes(sum.cache),
        megabytes(sum.compute),
        megabytes(sum.output),
        megabytes(predicted(sum)),
        megabytes(found.total()),
        off(sum.compute, found.compute),
        off(predicted(sum), found.total()),
    )
}

#[test]
fn predicted_memory_is_what_llama_cpp_asks_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut subjects: Vec<Subject> = Vec::new();
    for (index, (name, recipe)) in shapes::ALL.iter().enumerate() {
        let path = folder.path().join(format!("{index}.gguf"));
        recipe().write(&path);
        subjects.push(Subject {
            name,
            path,
            hollow: true,
        });
    }
    for (name, path) in [
        ("llama: SmolLM2 135M (starter)", starter_path()),
        (
            "bert: all-MiniLM-L6-v2 (embedder)",
            starter_path().with_file_name("all-MiniLM-L6-v2.F16.gguf"),
        ),
    ] {
        subjects.push(Subject {
            name,
            path,
            hollow: false,
        });
    }
    let cases: Vec<Case> = subjects
        .iter()
        .enumerate()
        .flat_map(|(index, subject)| cases(index, subject))
        .collect();
    let (mut table, mut wrong) = (String::new(), String::new());
    for (case, found) in cases.iter().zip(measure_all(&cases)) {
        let name = subjects[case.subject].name;
        let what = format!("{name} {:?}", (case.spec.context_tokens, case.spec.kv_type));
        match found {
            Ok(found) => {
                table += &row(name, case, &found);
                for fault in faults(case, &found) {
                    writeln!(wrong, "{what}: {fault}").unwrap();
                }
            }
            Err(error) => writeln!(wrong, "{what}: {error}").unwrap(),
        }
    }
    println!("{table}");
    assert!(wrong.is_empty(), "{wrong}");
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCS);
    if std::env::var_os("HEARTH_WRITE_DOCS").is_some() {
        fs::write(&docs, format!("{HEAD}{table}")).unwrap();
    }
    let written = fs::read_to_string(&docs).unwrap_or_default();
    assert_eq!(
        ours(&written),
        ours(&format!("{HEAD}{table}")),
        "docs/memory.md is old: run this test with HEARTH_WRITE_DOCS=1"
    );
}

/// The docs without what depends on the processor and system that the test runs on.
fn ours(docs: &str) -> Vec<String> {
    let line = |line: &str| match line
        .strip_prefix("| ")
        .map(|row| row.split(" | ").collect())
    {
        Some::<Vec<&str>>(cells) if cells.len() > 8 => cells[..8].join(" | "),
        _ => line.to_owned(),
    };
    docs.lines().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_with_its_sum_unless_it_is_wanted_anyway() {
    let test = TestApp::start();
    let models = test.home.path().join("models");
    fs::create_dir_all(&models).unwrap();
    shapes::giant().write(&models.join("giant.gguf"));
    let giant = SettingChange::Model("giant".into());
    test.app.settings().set(giant).await.unwrap();

    let fit = test.app.inference().fit("giant", None).await.unwrap();
    assert_eq!(fit.verdict, Some(Verdict::TooBig));
    assert!(fit.total_bytes > 2 << 40, "{fit:?}");
    let answer = test.ask("hello").await;
    assert_eq!(answer.status, MessageStatus::Failed);
    let error = answer.error.unwrap();
    assert_eq!(error.code, Code::InsufficientMemory);
    assert!(error.message.contains(" GB weights"), "{}", error.message);
    assert!(error.message.contains(&fit.sentence), "{}", error.message);
    assert!(error.hint.is_some());

    test.app.inference().load_anyway("giant");
    assert_eq!(test.ask("hello").await.status, MessageStatus::Complete);
    // What is loaded counts for others, and not against itself.
    let again = test.app.inference().fit("giant", None).await.unwrap();
    assert_eq!(again.loaded_bytes, 0);
    let starter = test.app.inference().fit("starter", None).await.unwrap();
    let models = vec!["giant".to_owned()];
    assert_eq!(starter.verdict, Some(Verdict::FitsIfUnloaded { models }));
}

#[test]
fn show_prints_the_sum() {
    let home = tempfile::tempdir().unwrap();
    let show = |arguments: &[&str]| run(home.path(), arguments, None);
    let output = show(&["show", "starter", "--json", "--context", "4096"]);
    assert!(output.status.success(), "{output:?}");
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let (fit, sum) = (&shown["fit"], &shown["fit"]["sum"]);
    assert_eq!(
        (&fit["contextTokens"], &shown["architecture"]),
        (&4096.into(), &"llama".into())
    );
    // 30 layers, 3 heads of 64 for keys and as many for values, 2 bytes each.
    assert_eq!(sum["cache"], 30 * 3 * (64 + 64) * 2 * 4096);
    let parts = sum.as_object().unwrap().values();
    let together: u64 = parts.map(|bytes| bytes.as_u64().unwrap()).sum();
    assert_eq!(fit["totalBytes"], together);
    let output = show(&["show", "starter"]);
    let shown = text(&output.stdout);
    for line in ["weights", "context", "scratch space", "together", "It fits"] {
        assert!(shown.contains(line), "{line} is not in\n{shown}");
    }
    assert_eq!(show(&["show", "nothing"]).status.code(), Some(3));
}

#[test]
fn the_cache_takes_what_the_settings_say_and_the_model_answers() {
    let home = tempfile::tempdir().unwrap();
    let answer = |arguments: &[&str]| -> serde_json::Value {
        let output = run(home.path(), arguments, None);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    // Bytes of 32 numbers: a block of q8_0 and q4_0 has a 16-bit scale too.
    for (kv_cache, block_bytes) in [("f16", 64), ("q8_0", 34), ("q4_0", 18)] {
        let settings = format!("[generation]\nkv_cache = \"{kv_cache}\"\n");
        fs::write(home.path().join("config.toml"), settings).unwrap();
        let shown = answer(&["show", "starter", "--json", "--context", "4096"]);
        let blocks = 30 * 3 * (64 + 64) * 4096 / 32;
        let cache = &shown["fit"]["sum"]["cache"];
        assert_eq!(*cache, blocks * block_bytes, "{kv_cache}");
        let said = answer(&["run", "starter", "Hi.", "--max-tokens", "8", "--json"]);
        assert!(said["tokens"].as_u64() > Some(0), "{kv_cache}: {said}");
    }
}
