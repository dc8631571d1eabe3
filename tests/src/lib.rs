//! What the integration tests share: a whole app in a folder of its own, on the fake engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Only tests use this crate.

pub mod hub;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hearth_app::chats::{ChatEvent, Chats, Follow, Message};
use hearth_app::inference::{Engines, FakeEngines};
use hearth_app::paths::Paths;
use hearth_app::{App, Options};

/// An app that touches nothing outside its temporary folder.
pub struct TestApp {
    pub app: Arc<App>,
    pub home: tempfile::TempDir,
}

impl TestApp {
    /// On the fake engine, with chats opened.
    pub fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap())
    }

    /// In a folder that an earlier app may have used.
    pub fn start_in(home: tempfile::TempDir) -> Self {
        let app = open(home.path(), Arc::new(FakeEngines { in_child: false }));
        app.open_chats().unwrap();
        Self { app, home }
    }

    pub fn chats(&self) -> Arc<Chats> {
        self.app.chats().unwrap()
    }

    /// Ends the app and starts a new one on the same folder.
    pub async fn restart(self) -> Self {
        self.app.shut_down().await;
        let chats = Arc::downgrade(&self.chats());
        let Self { app, home } = self;
        drop(app);
        // A task that has just ended may hold them for a moment, and with them the folder.
        for _ in 0..3000 {
            if chats.strong_count() == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Self::start_in(home)
    }

    /// Sends a message into a new chat and waits for the whole answer.
    pub async fn ask(&self, text: &str) -> Message {
        let chat = self.chats().create().await.unwrap();
        self.ask_in(&chat.id, text).await
    }

    pub async fn ask_in(&self, chat_id: &str, text: &str) -> Message {
        let sent = self.chats().send(chat_id, text, None).await.unwrap();
        end_of(sent.follow).await
    }

    /// Waits for the answer being written in a chat, or takes the last one.
    pub async fn answer(&self, chat_id: &str) -> Message {
        match self.chats().follow(chat_id) {
            Some(follow) => end_of(follow).await,
            None => self
                .chats()
                .view(chat_id)
                .await
                .unwrap()
                .messages
                .pop()
                .unwrap(),
        }
    }
}

async fn end_of(mut follow: Follow) -> Message {
    let wait = async {
        while let Some(event) = follow.next().await {
            if let ChatEvent::Finished { message } = event {
                return message;
            }
        }
        panic!("the answer had no end");
    };
    // A real model beside other tests that use every core is slow; that it answers at all is what counts.
    tokio::time::timeout(Duration::from_secs(180), wait)
        .await
        .expect("an answer within 180 s")
}

/// An app whose whole world is one folder. A stand-in for the starter model lies there, since the fake engine reads none.
pub fn open(home: &Path, engines: Arc<dyn Engines>) -> Arc<App> {
    let mut paths = Paths::under(home);
    paths.bundled = vec![home.join("bundled")];
    install_starter(&paths.bundled[0]);
    App::open(Options { paths, engines })
}

/// The starter model as a link, so that the library and the validator see the real file.
pub fn install_starter(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let link = folder.join("SmolLM2-135M-Instruct.Q4_1.gguf");
    if !link.exists() {
        std::os::unix::fs::symlink(starter_path(), link).unwrap();
    }
}

/// The embedding model as a link, beside the starter model.
pub fn install_embedder(folder: &Path) {
    let file_name = "all-MiniLM-L6-v2.F16.gguf";
    std::os::unix::fs::symlink(
        starter_path().with_file_name(file_name),
        folder.join(file_name),
    )
    .unwrap();
}

/// Where `make model` keeps the starter model.
pub fn starter_path() -> std::path::PathBuf {
    let cache = std::env::var_os("HEARTH_CACHE").map_or_else(
        || Path::new(&std::env::var_os("HOME").unwrap()).join(".cache/hearth"),
        std::path::PathBuf::from,
    );
    let path = cache.join("models/SmolLM2-135M-Instruct.Q4_1.gguf");
    assert!(
        path.exists(),
        "{} is missing; `make model` fetches it",
        path.display()
    );
    path
}
