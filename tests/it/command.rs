//! The command line contract: what scripts rely on. Runs the real `hearth` with the starter model.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use hearth_tests::install_starter;

/// `hearth` from the same build; `cargo test --workspace` has built it.
pub(crate) fn hearth() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.ancestors().nth(2).unwrap().join("hearth");
    assert!(
        built.exists(),
        "{} is missing: run the tests with --workspace",
        built.display()
    );
    install_starter(&built.parent().unwrap().join("resources/models"));
    built
}

pub(crate) fn run(home: &Path, arguments: &[&str], input: Option<&str>) -> Output {
    let mut command = Command::new(hearth());
    command
        .args(arguments)
        .env("HEARTH_HOME", home)
        // The disk that tests run on is nobody's to keep free.
        .env("HEARTH_DISK_RESERVE_GB", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if input.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn().unwrap();
    if let Some(input) = input {
        use std::io::Write;
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
    }
    child.wait_with_output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn run_answers_in_one_json_object() {
    let home = tempfile::tempdir().unwrap();
    let arguments = [
        "run",
        "starter",
        "Why is the sky blue?",
        "--json",
        "--max-tokens",
        "24",
        "--temperature",
        "0",
    ];
    let output = run(home.path(), &arguments, None);
    assert!(output.status.success(), "{output:?}");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(answer["text"].as_str().unwrap().contains("sky"), "{answer}");
    assert_eq!(answer["tokens"], 24);
    assert_eq!(answer["finish_reason"], "length");
    assert!(
        answer["ttft_ms"].as_f64().unwrap() > 0.0
            && answer["tokens_per_second"].as_f64().unwrap() > 0.0
    );
    assert!(home.path().join("logs").is_dir() && !home.path().join("data").exists());
}

#[test]
fn piped_input_is_the_prompt_and_only_the_answer_is_on_stdout() {
    let home = tempfile::tempdir().unwrap();
    let output = run(
        home.path(),
        &["run", "starter", "--max-tokens", "8", "--temperature", "0"],
        Some("Say hello.\n"),
    );
    assert!(output.status.success(), "{output:?}");
    assert!(!text(&output.stdout).trim().is_empty());
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn list_shows_the_starter_and_a_damaged_file() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("models")).unwrap();
    std::fs::write(home.path().join("models/letter.gguf"), "dear reader").unwrap();
    let output = run(home.path(), &["list", "--json"], None);
    assert!(output.status.success());
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(list["models"][0]["name"], "starter");
    assert_eq!(list["models"][0]["purpose"], "chat");
    let models = list["models"].as_array().unwrap();
    let letter = models.iter().find(|m| m["name"] == "letter").unwrap();
    assert_eq!(letter["problem"]["code"], "model_invalid");
    assert_eq!(letter["purpose"], serde_json::Value::Null);
    let table = text(&run(home.path(), &["list"], None).stdout);
    assert!(
        table.starts_with("NAME") && table.contains("starter") && table.contains("letter"),
        "{table}"
    );
}

#[test]
fn exit_codes_are_the_contract() {
    let home = tempfile::tempdir().unwrap();
    let code =
        |arguments: &[&str], input| run(home.path(), arguments, input).status.code().unwrap();
    assert_eq!(code(&["run", "no-such-model", "hi"], None), 3);
    assert_eq!(
        code(&["run", "starter", "hi", "--temperature", "9"], None),
        2
    );
    assert_eq!(code(&["run", "starter", "hi", "--colour"], None), 2);
    assert_eq!(code(&["run", "starter"], Some("  \n")), 2);
    let output = run(home.path(), &["run", "no-such-model", "hi", "--json"], None);
    let error: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(error["error"]["code"], "model_missing");
    assert!(text(&output.stderr).contains("hearth list"));
}

#[test]
fn ctrl_c_ends_with_130() {
    let home = tempfile::tempdir().unwrap();
    let child = Command::new(hearth())
        .args([
            "run",
            "starter",
            "Write a very long story about the sea.",
            "--json",
        ])
        .env("HEARTH_HOME", home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_secs(3));
    let pid = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["finish_reason"], "cancelled");
}

/// Sends a signal to a process that was started here.
pub(crate) fn signal(child: &std::process::Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// `hearth serve` on the fake engine, until it is told to end.
pub(crate) struct Served {
    pub(crate) child: std::process::Child,
    pub(crate) home: tempfile::TempDir,
}

impl Served {
    fn start() -> Self {
        Self::start_on(18100)
    }

    pub(crate) fn start_on(port: u16) -> Self {
        Self::start_with(port, &[])
    }

    pub(crate) fn start_with(port: u16, variables: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut child = Command::new(hearth())
            .args(["serve", "--json", "--port", &port.to_string()])
            .env("HEARTH_HOME", home.path())
            .env("HEARTH_ENGINE", "fake")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
        let status: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(status["running"], true, "{status}");
        Self { child, home }
    }

    pub(crate) fn signal(&self, name: rustix::process::Signal) {
        signal(&self.child, name);
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // One that a test has ended is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn serve_is_found_by_the_other_commands_and_ends_cleanly() {
    let mut served = Served::start();
    let home = served.home.path().to_owned();
    let file = home.join("data/server.json");
    assert!(file.exists());

    let output = run(&home, &["ps", "--json"], None);
    assert!(output.status.success(), "{output:?}");
    let loaded: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(loaded["models"], serde_json::json!([]));
    assert!(run(&home, &["stop"], None).status.success());
    let output = run(&home, &["stop", "no such/model"], None);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("no such/model"), "{output:?}");
    let output = run(&home, &["serve"], None);
    assert!(
        text(&output.stderr).contains("already serving"),
        "{output:?}"
    );

    served.signal(rustix::process::Signal::INT);
    assert_eq!(served.child.wait().unwrap().code(), Some(0));
    assert!(!file.exists());
    let output = run(&home, &["ps"], None);
    assert!(text(&output.stderr).contains("not running"), "{output:?}");
}

#[test]
#[cfg(not(target_os = "macos"))] // There the key store is the person's own.
fn serve_with_keys_stays_closed_without_a_key_store_and_says_why() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(
        home.path().join("config.toml"),
        "[server]\nneeds_key = true\n",
    )
    .unwrap();
    let output = Command::new(hearth())
        .args(["serve", "--json", "--port", "18140"])
        .env("HEARTH_HOME", home.path())
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/bus")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["error"]["code"], "storage", "{said}");
    let said = text(&output.stderr);
    for words in ["key store cannot be used", "Unlock it", "Secret Service"] {
        assert!(said.contains(words), "{said}");
    }
    assert!(!home.path().join("data/server.json").exists());
}

/// `hearth doctor --json` without a key store, and its exit code.
#[cfg(not(target_os = "macos"))] // There the key store is the person's own.
fn doctor(home: &Path) -> (serde_json::Value, i32) {
    let output = Command::new(hearth())
        .args(["doctor", "--json"])
        .env("HEARTH_HOME", home)
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/bus")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap();
    (report, output.status.code().unwrap())
}

#[cfg(not(target_os = "macos"))]
fn finding<'a>(report: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    let findings = report["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {report}"))
}

#[test]
#[cfg(not(target_os = "macos"))]
fn doctor_finds_what_is_there_and_a_warning_is_no_failure() {
    let home = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let number = port.local_addr().unwrap().port();
    let settings = format!("[server]\nport = {number}\n");
    std::fs::write(home.path().join("config.toml"), settings).unwrap();
    let (report, code) = doctor(home.path());
    assert_eq!(
        (code, &report["healthy"]),
        (0, &serde_json::json!(true)),
        "{report}"
    );
    for name in [
        "chip",
        "rosetta",
        "metal",
        "memory",
        "disk",
        "power",
        "sensors",
        "open_files",
        "other_engines",
    ] {
        assert!(!finding(&report, name)["found"].as_str().unwrap().is_empty());
    }
    assert_eq!(finding(&report, "starter")["state"], "ok");
    let taken = finding(&report, "port");
    assert_eq!(taken["state"], "warn");
    let us = format!("process {}", std::process::id());
    assert!(taken["found"].as_str().unwrap().contains(&us), "{taken}");
    let keys = finding(&report, "key_store");
    assert_eq!(keys["state"], "warn");
    assert!(
        keys["fix"].as_str().unwrap().contains("Secret Service"),
        "{keys}"
    );
    drop(port);
    let (report, _) = doctor(home.path());
    assert_eq!(finding(&report, "port")["state"], "ok", "{report}");
    let said = text(&run(home.path(), &["doctor"], None).stdout);
    assert!(
        said.contains("Starter model") && said.contains("ok"),
        "{said}"
    );
}

#[test]
#[cfg(not(target_os = "macos"))]
fn doctor_fails_when_something_will_not_work() {
    let home = tempfile::tempdir().unwrap();
    let settings = home.path().join("config.toml");
    std::fs::write(&settings, "[server]\nneeds_key = true\n").unwrap();
    let (report, code) = doctor(home.path());
    assert_eq!(code, 1);
    assert_eq!(finding(&report, "key_store")["state"], "fail");
    std::fs::remove_file(&settings).unwrap();
    std::fs::write(home.path().join("models"), "not a folder").unwrap();
    let (report, code) = doctor(home.path());
    assert_eq!((code, &report["healthy"]), (1, &serde_json::json!(false)));
    assert_eq!(finding(&report, "models")["state"], "fail", "{report}");
}

#[test]
#[cfg(not(target_os = "macos"))]
fn doctor_knows_a_server_of_ours() {
    let mut served = Served::start_on(18160);
    let (report, _) = doctor(served.home.path());
    let port = finding(&report, "port");
    assert_eq!(port["state"], "ok");
    assert!(
        port["found"].as_str().unwrap().contains("serving on 181"),
        "{port}"
    );
    served.signal(rustix::process::Signal::INT);
    served.child.wait().unwrap();
}
