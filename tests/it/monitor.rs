//! `hearth monitor` as scripts use it: the real command, alone, beside a running Hearth, and on recordings.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::command::{Served, hearth, run, text};

/// A recording of readings at these milliseconds, getting hot at the end.
fn recording(folder: &Path, times: &[i64]) -> String {
    let lines = times.iter().map(|at_ms| {
        let last = at_ms == times.last().unwrap();
        let (thermal, celsius) = if last {
            ("serious", 96.0)
        } else {
            ("nominal", 50.0)
        };
        json!({ "atMs": at_ms, "thermal": thermal, "cpuCelsius": celsius }).to_string()
    });
    let file = folder.join("afternoon.jsonl");
    std::fs::write(&file, lines.collect::<Vec<_>>().join("\n")).unwrap();
    file.display().to_string()
}

fn objects(stdout: &[u8]) -> Vec<Value> {
    let text = text(stdout);
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn one_moment_of_this_machine_leaves_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    let output = run(home.path(), &["monitor", "--once", "--json"], None);
    assert!(output.status.success(), "{output:?}");
    let moments = objects(&output.stdout);
    assert_eq!(moments.len(), 1);
    assert!(moments[0]["reading"]["atMs"].as_i64().unwrap() > 1_700_000_000_000);
    assert_eq!(moments[0]["work"]["running"], 0);
    assert_eq!(moments[0]["decision"]["level"], "free");
    let view = text(&run(home.path(), &["monitor", "--once"], None).stdout);
    for row in [
        "Hearth at ",
        "Speed ",
        "CPU ",
        "GPU ",
        "Memory ",
        "Heat ",
        "Limits ",
    ] {
        assert!(
            view.contains(&format!("\n{row}")) || view.starts_with(row),
            "{view}"
        );
    }
    assert!(!home.path().join("data/timeline.db").exists());
}

#[test]
fn a_recording_is_played_to_its_end_through_the_governor() {
    let home = tempfile::tempdir().unwrap();
    let file = recording(home.path(), &[0, 400, 800, 1_200]);
    let output = run(home.path(), &["monitor", "--replay", &file, "--json"], None);
    assert!(output.status.success(), "{output:?}");
    let moments = objects(&output.stdout);
    assert!((2..=4).contains(&moments.len()), "{}", moments.len());
    let (first, last) = (&moments[0], &moments[moments.len() - 1]);
    assert_eq!(first["reading"]["thermal"], "nominal");
    assert_eq!(first["decision"]["level"], "free");
    assert_eq!(last["reading"]["thermal"], "serious");
    assert_eq!(last["decision"]["level"], "slowed", "{last}");
    assert_eq!(last["decision"]["reasons"][0]["type"], "heat");
    // What was printed can be played again.
    let again = home.path().join("again.jsonl");
    std::fs::write(&again, &output.stdout).unwrap();
    let again = again.display().to_string();
    let output = run(home.path(), &["monitor", "--replay", &again], None);
    assert!(output.status.success(), "{output:?}");
    let lines = text(&output.stdout);
    assert!(
        lines.lines().last().unwrap().contains("heat serious"),
        "{lines}"
    );
}

#[test]
fn what_cannot_be_played_or_asked_is_said() {
    let home = tempfile::tempdir().unwrap();
    let code = |arguments: &[&str]| {
        let output = run(home.path(), arguments, None);
        (output.status.code().unwrap(), text(&output.stderr))
    };
    let letter = home.path().join("letter.jsonl");
    std::fs::write(&letter, "{\"atMs\":0}\ndear reader\n").unwrap();
    let (status, said) = code(&["monitor", "--replay", letter.to_str().unwrap()]);
    assert!(status == 2 && said.contains("line 2"), "{status}: {said}");
    assert_eq!(code(&["monitor", "--replay", "/no/such/file"]).0, 3);
    let (status, said) = code(&["monitor", "--history", "1h"]);
    assert!(
        status == 3 && said.contains("Nothing was recorded"),
        "{said}"
    );
    assert_eq!(code(&["monitor", "--history", "1y"]).0, 2);
    let (status, said) = code(&["monitor", "--explain", "noon"]);
    assert!(status == 2 && said.contains("14:32"), "{status}: {said}");
    assert_eq!(code(&["monitor", "--explain", "14:32", "--once"]).0, 2);
}

#[test]
fn a_running_hearth_is_watched_and_its_time_line_stays() {
    let mut served = Served::start_on(18180);
    let home = served.home.path().to_owned();
    let mut child = Command::new(hearth())
        .args(["monitor", "--json"])
        .env("HEARTH_HOME", &home)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut at_ms = Vec::new();
    for _ in 0..3 {
        let moment: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        at_ms.push(moment["reading"]["atMs"].as_i64().unwrap());
    }
    assert!(
        at_ms.is_sorted() && at_ms[2] - at_ms[0] > 1_000,
        "{at_ms:?}"
    );
    let pid = Pid::from_raw(child.id() as i32).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "a view that is left did not fail"
    );
    // Which one it is depends on what else is listening.
    let said = text(&output.stderr);
    assert!(said.contains("Watching the Hearth on port 18"), "{said}");

    served.signal(Signal::INT);
    assert_eq!(served.child.wait().unwrap().code(), Some(0));
    let output = run(&home, &["monitor", "--history", "1h", "--json"], None);
    let history: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(!history["atMs"].as_array().unwrap().is_empty(), "{history}");
    let marks = history["marks"].as_array().unwrap();
    assert!(
        marks.iter().any(|mark| mark["what"]["type"] == "started"),
        "{history}"
    );
    let csv = text(&run(&home, &["monitor", "--history", "1h"], None).stdout);
    assert!(csv.starts_with("time,at_ms,tokens_per_second,"), "{csv}");
    assert!(
        csv.lines().count() >= 2 && csv.contains("Hearth started"),
        "{csv}"
    );
    let then = csv.lines().nth(1).unwrap().split(',').next().unwrap();
    let output = run(&home, &["monitor", "--explain", then], None);
    let said = text(&output.stdout);
    assert!(said.contains("no answer was written"), "{output:?}");
}
