//! Nothing that was acknowledged is ever lost: kill -9, a full disk, a folder that cannot be written, a newer database.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use hearth_app::Code;
use hearth_app::chats::{MessageStatus, Role};
use hearth_tests::{TestApp, open};

/// Kills in a row in one run; each comes at another moment.
const KILLS: u32 = 50;

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_the_app_loses_no_acknowledged_message() {
    let home = tempfile::tempdir().unwrap();
    let mut acknowledged: BTreeMap<String, String> = BTreeMap::new();
    let mut round = 0;
    // A slow machine is killed more often before it has sent anything, so there are more rounds, and longer ones.
    while round < KILLS || acknowledged.len() <= KILLS as usize {
        assert!(
            round < 10 * KILLS,
            "only {} messages were sent",
            acknowledged.len()
        );
        let mut child = Command::new(env!("CARGO_BIN_EXE_chat-writer"))
            .arg(home.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            lines
                .filter_map(|l| {
                    l.split_once('\t')
                        .map(|(id, text)| (id.to_owned(), text.to_owned()))
                })
                .collect::<Vec<_>>()
        });
        // From before the database is open to the middle of a tenth message.
        let wait_ms = (15 + u64::from(round * 37 % 400)) * u64::from(1 + round / KILLS);
        std::thread::sleep(Duration::from_millis(wait_ms));
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged.extend(reader.join().unwrap());
        round += 1;
    }
    let test = TestApp::start_in(home);
    assert!(
        test.chats().opening_notices().is_empty(),
        "{:?}",
        test.chats().opening_notices()
    );
    let mut found = BTreeMap::new();
    for chat in test.chats().list("").await.unwrap() {
        for message in test.chats().view(&chat.id).await.unwrap().messages {
            assert_ne!(message.status, MessageStatus::Streaming);
            if message.role == Role::User {
                found.insert(message.id, message.text);
            }
        }
    }
    let lost: Vec<_> = acknowledged
        .iter()
        .filter(|(id, text)| found.get(*id) != Some(text))
        .collect();
    assert!(
        lost.is_empty(),
        "{} of {} lost: {lost:?}",
        lost.len(),
        acknowledged.len()
    );
}

/// A file system of a given size, unmounted at the end. Needs root.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(kib: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let options = std::ffi::CString::new(format!("size={kib}k")).unwrap();
        let flags = rustix::mount::MountFlags::empty();
        match rustix::mount::mount("tmpfs", folder.path(), "tmpfs", flags, options.as_c_str()) {
            Ok(()) => Some(Self(folder)),
            Err(error) => {
                println!("skipped: a small disk needs root ({error})");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(self.0.path(), rustix::mount::UnmountFlags::DETACH);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_with_a_code_and_keeps_the_rest() {
    let Some(disk) = SmallDisk::mount(1024) else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(disk.path(), home.path().join("data")).unwrap();
    let test = TestApp::start_in(home);
    let chat = test.chats().create().await.unwrap();
    let kept = test.ask_in(&chat.id, "before the disk was full").await;
    assert_eq!(kept.status, MessageStatus::Complete);
    let filler = disk.path().join("filler");
    let _ = std::fs::write(&filler, vec![1; 2 * 1024 * 1024]);
    let error = loop {
        // Space inside the database's own files is used up first.
        if let Err(error) = test.chats().send(&chat.id, &"x".repeat(20_000), None).await {
            break error;
        }
        std::fs::write(&filler, b"").unwrap();
        test.answer(&chat.id).await;
        let _ = std::fs::write(&filler, vec![1; 2 * 1024 * 1024]);
    };
    assert_eq!(error.code, Code::DiskFull, "{error:?}");
    // Reading goes on, and writing too once there is space.
    assert!(test.chats().view(&chat.id).await.unwrap().messages.len() >= 2);
    std::fs::remove_file(&filler).unwrap();
    let after = test.ask_in(&chat.id, "after").await;
    assert_eq!(after.status, MessageStatus::Complete);
    let test = test.restart().await;
    let texts: Vec<_> = test
        .chats()
        .view(&chat.id)
        .await
        .unwrap()
        .messages
        .into_iter()
        .map(|m| m.text)
        .collect();
    assert_eq!(texts[0], "before the disk was full");
    assert_eq!(texts.last().unwrap(), "You said: after");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_survives_a_disk_that_is_full_while_it_is_written() {
    let Some(disk) = SmallDisk::mount(1024) else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(disk.path(), home.path().join("data")).unwrap();
    let test = TestApp::start_in(home);
    let chat = test.chats().create().await.unwrap();
    let words = "word ".repeat(150);
    test.chats()
        .send(&chat.id, &format!("!slow 2 {words}"), None)
        .await
        .unwrap();
    let filler = disk.path().join("filler");
    let _ = std::fs::write(&filler, vec![1; 2 * 1024 * 1024]);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    std::fs::remove_file(&filler).unwrap();
    let answer = test.answer(&chat.id).await;
    assert_eq!(
        (answer.text, answer.status),
        (words.trim_end().to_owned(), MessageStatus::Complete)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_apps_do_not_share_a_folder() {
    let test = TestApp::start();
    let second = open(
        test.home.path(),
        std::sync::Arc::new(hearth_app::inference::FakeEngines { in_child: false }),
    );
    assert_eq!(second.open_chats().err().unwrap().code, Code::Busy);
    assert_eq!(second.chats().err().unwrap().code, Code::Busy);
    // What needs no chats still works.
    assert!(second.models().list().await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_that_is_a_file_is_said_and_the_app_starts() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("data"), b"not a folder").unwrap();
    let app = open(
        home.path(),
        std::sync::Arc::new(hearth_app::inference::FakeEngines { in_child: false }),
    );
    let error = app.open_chats().err().unwrap();
    assert!(
        matches!(error.code, Code::Storage | Code::StorageReadOnly),
        "{error:?}"
    );
    assert!(app.models().list().await.is_ok());
}
