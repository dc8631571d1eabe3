//! Fetching a model: by the command, by a running Hearth, and over a restart.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use hearth_app::Code;
use hearth_app::downloads::{Download, DownloadState, Downloads, Follow, HubConfig, Pull};
use hearth_app::keys::{MemorySecrets, Sensitive};
use hearth_models::{embedder, starter};
use hearth_tests::hub::{FILE, Hub, REPO};
use hearth_tests::{TestApp, starter_path};

use crate::command::{Served, hearth, text};

/// The embedding model is the smallest real one: 46 MB.
fn hub(token: Option<&str>) -> Hub {
    let path = starter_path().with_file_name(embedder::FILE_NAME);
    let bytes = std::fs::read(path).unwrap();
    Hub::start(bytes, embedder::SHA256, token)
}

fn run(home: &Path, hub: &Hub, arguments: &[&str]) -> Output {
    run_at(home, &hub.address, arguments)
}

fn run_at(home: &Path, address: &str, arguments: &[&str]) -> Output {
    Command::new(hearth())
        .args(arguments)
        .env("HEARTH_HOME", home)
        .env("HF_ENDPOINT", address)
        .env("HEARTH_DISK_RESERVE_GB", "0")
        .env_remove("HF_TOKEN")
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/bus")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn config(hub: &Hub) -> HubConfig {
    HubConfig {
        endpoint: Some(hub.address.clone()),
        token: None,
        disk_reserve_bytes: Some(0),
    }
}

fn open(test: &TestApp, hub: &Hub) -> Arc<Downloads> {
    test.app.open_keys(Arc::<MemorySecrets>::default());
    test.app.open_downloads(config(hub))
}

async fn begin(downloads: &Arc<Downloads>) -> Follow {
    match downloads.pull(REPO).await.unwrap() {
        Pull::Running(follow) => follow,
        Pull::Here(model) => panic!("{model} is here already"),
    }
}

/// Waits for a state, for as long as a busy machine may take.
async fn until(follow: &mut Follow, is: impl Fn(&DownloadState) -> bool) -> Download {
    let wait = async {
        loop {
            let now = follow.now();
            if is(&now.state) {
                return now;
            }
            let has_error = match &now.state {
                DownloadState::Failed { .. } => true,
                DownloadState::Paused { reason } => reason.is_some(),
                _ => false,
            };
            assert!(!has_error, "{now:?}");
            if follow.next().await.is_none() {
                let now = follow.now();
                assert!(is(&now.state), "{now:?}");
                return now;
            }
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(120), wait).await;
    waited.unwrap_or_else(|_| panic!("{:?}", follow.now()))
}

fn is_done(state: &DownloadState) -> bool {
    matches!(state, DownloadState::Done { .. })
}

#[test]
fn the_command_fetches_shows_and_removes() {
    let (home, hub) = (tempfile::tempdir().unwrap(), hub(None));
    let output = run(
        home.path(),
        &hub,
        &["pull", &format!("hf.co/{REPO}:Q4_1"), "--json"],
    );
    assert!(output.status.success(), "{output:?}");
    let pulled: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(pulled["name"], "tiny-q4_1");
    assert_eq!(pulled["sizeBytes"], embedder::SIZE_BYTES);
    // The same again asks the hub and fetches nothing.
    let sent = hub.sent();
    assert!(run(home.path(), &hub, &["pull", REPO]).status.success());
    assert_eq!(hub.sent(), sent);

    let shown = run(home.path(), &hub, &["show", "tiny-q4_1", "--json"]);
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(
        (shown["purpose"].as_str(), shown["source"].as_str()),
        (Some("embed"), Some("own"))
    );
    let shown = text(&run(home.path(), &hub, &["show", "tiny-q4_1"]).stdout);
    assert!(shown.contains("architecture"), "{shown}");
    let removed = run(home.path(), &hub, &["rm", "tiny-q4_1", "--json"]);
    let removed: serde_json::Value = serde_json::from_slice(&removed.stdout).unwrap();
    // The note of where it came from is gone too.
    assert!(removed["freedBytes"].as_u64() >= Some(embedder::SIZE_BYTES));
    let list = text(&run(home.path(), &hub, &["list"]).stdout);
    assert!(!list.contains("tiny"), "{list}");
    // Removed is removed: it is fetched again.
    assert!(run(home.path(), &hub, &["pull", REPO]).status.success());
    assert_eq!(hub.sent(), 2 * sent);
}

#[test]
fn the_command_says_whether_it_fits_before_it_fetches() {
    let (home, hub) = (tempfile::tempdir().unwrap(), hub(None));
    let output = run(home.path(), &hub, &["pull", REPO]);
    assert!(output.status.success(), "{output:?}");
    let said = text(&output.stderr);
    assert!(said.contains("Tiny-Q4_1: 46 MB to fetch. It"), "{said}");
    // The beginning came by itself, and the file whole.
    assert!(hub.looked_at() > 0 && hub.looked_at() <= 8 << 20);
    assert_eq!(hub.sent(), embedder::SIZE_BYTES);
    // What is here is not looked at again.
    let looked_at = hub.looked_at();
    assert!(run(home.path(), &hub, &["pull", REPO]).status.success());
    assert_eq!(hub.looked_at(), looked_at);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_looked_at_once_and_judged_as_it_will_be_when_it_is_here() {
    let (test, hub) = (TestApp::start(), hub(None));
    let downloads = open(&test, &hub);
    let prospect = test.app.prospect(REPO).await.unwrap().unwrap();
    assert_eq!(
        (prospect.title.as_str(), prospect.bytes),
        ("Tiny-Q4_1", embedder::SIZE_BYTES)
    );
    let looked_at = hub.looked_at();
    assert_eq!(
        test.app.prospect(REPO).await.unwrap(),
        Some(prospect.clone())
    );
    assert_eq!((hub.looked_at(), hub.sent()), (looked_at, 0));
    let mut follow = begin(&downloads).await;
    until(&mut follow, is_done).await;
    assert_eq!(test.app.prospect(REPO).await.unwrap(), None);
    let here = test.app.inference().fit("tiny-q4_1", None).await.unwrap();
    assert_eq!(prospect.fit, here);
    let list = test.app.inference().list_models().await.unwrap();
    let listed = list.models.iter().find(|m| m.name == "tiny-q4_1").unwrap();
    assert_eq!(listed.fit.as_ref().unwrap().sentence, here.sentence);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_kept_used_and_forgotten_and_never_shown() {
    let (test, hub) = (TestApp::start(), hub(Some("hf_secret")));
    let downloads = open(&test, &hub);
    let error = test.app.prospect(REPO).await.unwrap_err();
    assert_eq!(error.code, Code::Refused, "{error}");
    let token = |text: &str| Some(Sensitive::new(text.to_owned()));
    for wrong in ["", "with a space", "new\nline", &"x".repeat(600)] {
        let error = test.app.keep_hub_token(token(wrong)).await.unwrap_err();
        assert_eq!(error.code, Code::InvalidInput, "{wrong}");
    }
    test.app.keep_hub_token(token(" hf_secret ")).await.unwrap();
    assert!(test.app.settings().get().hub_token_kept);
    assert!(test.app.prospect(REPO).await.unwrap().is_some());
    let file = std::fs::read_to_string(&test.app.paths().settings).unwrap();
    assert!(!file.contains("hf_secret"), "{file}");
    // Forgotten is forgotten at once, also by who has used it.
    test.app.keep_hub_token(None).await.unwrap();
    assert!(!test.app.settings().get().hub_token_kept);
    let error = downloads.pull(REPO).await.unwrap_err();
    assert_eq!(error.code, Code::Refused, "{error}");
}

#[test]
fn what_cannot_be_fetched_has_its_exit_code() {
    let (home, hub) = (tempfile::tempdir().unwrap(), hub(Some("secret")));
    let code = |arguments: &[&str]| run(home.path(), &hub, arguments).status.code().unwrap();
    assert_eq!(code(&["pull", "no-such-model"]), 3);
    assert_eq!(code(&["pull", "https://example.com/x"]), 2);
    assert_eq!(code(&["pull", "a/../b"]), 2);
    assert_eq!(code(&["pull", REPO, "--limit", "0"]), 2);
    assert_eq!(code(&["show", "no-such-model"]), 3);
    assert_eq!(code(&["rm", "no-such-model"]), 3);
    assert_eq!(code(&["pull", starter::NAME]), 0);
    // The hub wants a token, and the key store cannot be asked for one.
    let refused = run(home.path(), &hub, &["pull", REPO]);
    assert_eq!(refused.status.code(), Some(7), "{refused:?}");
    assert!(text(&refused.stderr).contains("HF_TOKEN"));
    // Nobody listens there.
    let output = run_at(home.path(), "http://127.0.0.1:1", &["pull", REPO, "--json"]);
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    let error: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(error["error"]["code"], "network");
    assert!(!text(&output.stderr).is_empty());
}

#[test]
fn a_killed_command_is_gone_on_from() {
    let (home, hub) = (tempfile::tempdir().unwrap(), hub(None));
    hub.hold_back(true);
    let mut child = Command::new(hearth())
        .args(["pull", REPO])
        .env("HEARTH_HOME", home.path())
        .env("HF_ENDPOINT", &hub.address)
        .env("HEARTH_DISK_RESERVE_GB", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    hub.wait_for_half();
    // What came is on the disk but for the last piece.
    let half = embedder::SIZE_BYTES / 2;
    let began = std::time::Instant::now();
    while part_bytes(home.path()) + (8 << 20) < half {
        assert!(began.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    hub.hold_back(false);
    let sent = hub.sent();
    let output = run(home.path(), &hub, &["pull", REPO]);
    assert!(output.status.success(), "{output:?}");
    let again = hub.sent() - sent;
    assert!(
        again < embedder::SIZE_BYTES,
        "{again} bytes came after the half"
    );
}

/// Length of the one part file there is.
fn part_bytes(home: &Path) -> u64 {
    let mut folders = vec![home.join("models/.downloads")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|ending| ending == "part") {
                return entry.metadata().map_or(0, |metadata| metadata.len());
            }
            folders.push(path);
        }
    }
    0
}

#[test]
fn the_running_hearth_fetches_for_the_command_and_for_programs() {
    let hub = hub(None);
    let address = hub.address.clone();
    let served = Served::start_with(
        18220,
        &[("HF_ENDPOINT", &address), ("HEARTH_DISK_RESERVE_GB", "0")],
    );
    let output = run(served.home.path(), &hub, &["pull", REPO]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(text(&output.stdout).trim(), "tiny-q4_1");
    assert_eq!(hub.sent(), embedder::SIZE_BYTES);
    let output = run(served.home.path(), &hub, &["pull", "someone/else"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let output = run(served.home.path(), &hub, &["rm", "tiny-q4_1"]);
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_is_paused_gone_on_with_and_cancelled() {
    let (test, hub) = (TestApp::start(), hub(None));
    let downloads = open(&test, &hub);
    hub.hold_back(true);
    let mut follow = begin(&downloads).await;
    let id = follow.now().id;
    until(&mut follow, |s| matches!(s, DownloadState::Fetching)).await;
    downloads.pause(&id).unwrap();
    let paused = until(&mut follow, |s| matches!(s, DownloadState::Paused { .. })).await;
    assert_eq!(paused.state, DownloadState::Paused { reason: None });
    assert_eq!(downloads.list().await.len(), 1);
    // The same wish again is the same download.
    let mut second = begin(&downloads).await;
    assert!(!second.begun && second.now().id == id);
    until(&mut second, |s| matches!(s, DownloadState::Fetching)).await;
    downloads.cancel(&id).await.unwrap();
    until(&mut follow, |s| *s == DownloadState::Cancelled).await;
    assert_eq!(downloads.list().await, []);
    assert_eq!(downloads.pause(&id).unwrap_err().code, Code::NotFound);
    hub.hold_back(false);
    let mut follow = begin(&downloads).await;
    let done = until(&mut follow, is_done).await;
    assert_eq!(done.done_bytes, embedder::SIZE_BYTES);
    let list = test.app.models().list().await.unwrap();
    assert!(list.models.iter().any(|model| model.name == "tiny-q4_1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_with_what_was_not_paused() {
    let (test, hub) = (TestApp::start(), hub(None));
    let downloads = open(&test, &hub);
    hub.hold_back(true);
    let mut follow = begin(&downloads).await;
    until(&mut follow, |s| matches!(s, DownloadState::Fetching)).await;
    drop((downloads, follow));
    let test = test.restart().await;
    let downloads = open(&test, &hub);
    downloads.resume_all().await;
    let mut follow = begin(&downloads).await;
    assert!(!follow.begun, "it was taken up");
    downloads.pause(&follow.now().id).unwrap();
    until(&mut follow, |s| matches!(s, DownloadState::Paused { .. })).await;
    drop((downloads, follow));
    let test = test.restart().await;
    let downloads = open(&test, &hub);
    downloads.resume_all().await;
    let list = downloads.list().await;
    assert_eq!(list[0].state, DownloadState::Paused { reason: None });
    hub.hold_back(false);
    downloads.resume(&list[0].id).await.unwrap();
    let mut follow = match downloads.pull(REPO).await.unwrap() {
        Pull::Running(follow) => follow,
        Pull::Here(model) => return assert_eq!(model, "tiny-q4_1"),
    };
    until(&mut follow, is_done).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_is_taken_from_the_key_store_when_it_is_wanted() {
    let (test, hub) = (TestApp::start(), hub(Some("hf_secret")));
    let keys = test.app.open_keys(Arc::<MemorySecrets>::default());
    let downloads = test.app.open_downloads(config(&hub));
    let error = downloads.pull(REPO).await.unwrap_err();
    assert_eq!(error.code, Code::Refused, "{error}");
    assert!(error.hint.unwrap().contains("HF_TOKEN"));
    let token = Sensitive::new("hf_secret".to_owned());
    keys.keep_for_hub(Some(token)).await.unwrap();
    let mut follow = begin(&downloads).await;
    until(&mut follow, is_done).await;
    assert!(hub.asked().iter().any(|line| line.contains(FILE)));
    // What is here needs no hub.
    let gone = HubConfig {
        endpoint: Some("http://127.0.0.1:1".into()),
        ..HubConfig::default()
    };
    let test = test.restart().await;
    let downloads = test.app.open_downloads(gone);
    let here = downloads.pull(&format!("{REPO}:Q4_1")).await.unwrap();
    assert!(matches!(here, Pull::Here(model) if model == "tiny-q4_1"));
    let error = downloads.pull(&format!("{REPO}:Q8_0")).await.unwrap_err();
    assert_eq!(error.code, Code::Network);
}
