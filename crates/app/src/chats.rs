//! Chats: every message is safe on disk before it is acknowledged, and an answer goes on whether or not a view looks at it.

mod export;
mod generation;
mod live;
mod read_ahead;
mod title;
mod types;

use std::collections::HashMap;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hearth_models::lock::FileLock;
use hearth_store::{Db, MessageRow, NewAnswer, NewTurn, Role as RowRole};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use self::export::ExportFormat;
pub use self::live::Follow;
pub use self::types::{
    AnswerStats, Branch, ChatEvent, ChatSummary, ChatView, FinishReason, Message, MessageStatus,
    Role, SendReceipt,
};

use self::live::Live;
use self::read_ahead::Reading;
use crate::error::{Code, Error, Result};
use crate::events::{AppEvent, Events};
use crate::inference::Inference;
use crate::paths::Paths;
use crate::settings::{Settings, SettingsStore};

/// Most chats in a list; the search finds the others.
const LIST_LIMIT: usize = 2_000;
/// Longest message a user can send, in bytes.
const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;
/// A deleted chat can be taken back for this long, then its text is removed from the disk.
const UNDO_WINDOW: Duration = Duration::from_secs(24 * 3600);

/// A message that is on disk, and the answer to it that is being written.
#[derive(Debug)]
pub struct Sent {
    pub receipt: SendReceipt,
    pub follow: Follow,
}

/// The chats of this installation.
pub struct Chats {
    db: Arc<Db>,
    paths: Paths,
    settings: Arc<SettingsStore>,
    inference: Arc<Inference>,
    events: Events,
    /// Answers being written, by chat; `None` while the message is still being stored.
    running: Mutex<HashMap<String, Option<Arc<Live>>>>,
    /// The message that is read while it is being typed.
    reading: Mutex<Option<Reading>>,
    /// Ends the wait for a full disk when the program closes.
    closing: CancellationToken,
    /// Held for as long as the database is open.
    _lock: FileLock,
    opened: Vec<String>,
}

impl Chats {
    /// Opens the database. Blocks on the disk. Must be called inside a tokio runtime.
    pub(crate) fn open(
        paths: &Paths,
        settings: Arc<SettingsStore>,
        inference: Arc<Inference>,
        events: Events,
    ) -> Result<Arc<Self>> {
        let folder = |e| Error::from(hearth_store::Error::io(&paths.data, e));
        std::fs::create_dir_all(&paths.data).map_err(folder)?;
        // Chats are for their owner alone. On a volume that knows no permissions this changes nothing.
        let _ = std::fs::set_permissions(&paths.data, std::fs::Permissions::from_mode(0o700));
        let lock = FileLock::take(&paths.lock()).map_err(folder)?;
        let lock = lock.ok_or_else(|| {
            Error::new(Code::Busy, "Another Hearth is using this data folder.")
                .hint("Quit the other one, or set HEARTH_HOME to another folder.")
        })?;
        let (db, report) = match Db::open(&paths.database()) {
            Err(hearth_store::Error::ReadOnly) => (Db::open_read_only(&paths.database())?, None),
            opened => opened.map(|(db, report)| (db, Some(report)))?,
        };
        let mut opened = Vec::new();
        let mut purged = Vec::new();
        match report {
            Some(report) => {
                if report.interrupted > 0 {
                    tracing::info!(
                        answers = report.interrupted,
                        "answers were interrupted by the last end of the program"
                    );
                }
                opened.extend(report.repaired);
                let before = now_ms() - UNDO_WINDOW.as_millis() as i64;
                match db.chats().purge_deleted(before) {
                    Ok(ids) => purged = ids,
                    Err(error) => tracing::warn!(%error, "deleted chats could not be removed yet"),
                }
            }
            None => opened.push(
                "The data folder cannot be written, so chats can be read but not continued.".into(),
            ),
        }
        if settings.get().keep_chats_ready {
            // Before anybody can ask for a model.
            inference.begin_keeping_in(paths.states());
        }
        let closing = CancellationToken::new();
        tokio::spawn(keep_ready(
            inference.clone(),
            settings.subscribe(),
            paths.states(),
            purged,
            closing.clone(),
        ));
        Ok(Arc::new(Self {
            db: Arc::new(db),
            paths: paths.clone(),
            settings,
            inference,
            events,
            running: Mutex::default(),
            reading: Mutex::default(),
            closing,
            _lock: lock,
            opened,
        }))
    }

    /// What was found and put right when the database was opened, in plain sentences.
    pub fn opening_notices(&self) -> &[String] {
        &self.opened
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Db) -> hearth_store::Result<T> + Send + 'static,
    ) -> Result<T> {
        let db = Arc::clone(&self.db);
        tokio::task::spawn_blocking(move || work(&db))
            .await
            .map_err(Error::internal)?
            .map_err(Error::from)
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, Option<Arc<Live>>>> {
        // The map is changed in single steps, so it is sound even after a panic of a holder.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live(&self, chat_id: &str) -> Option<Arc<Live>> {
        self.running().get(chat_id).cloned().flatten()
    }

    fn announce(&self) {
        self.events.send(AppEvent::ChatsChanged);
    }

    fn summary(&self, row: &hearth_store::ChatRow) -> ChatSummary {
        types::summary(row, self.live(&row.id).is_some())
    }

    /// Chats whose title contains `query`, newest first.
    pub async fn list(&self, query: &str) -> Result<Vec<ChatSummary>> {
        let query = query.trim().to_owned();
        let rows = self
            .on_disk(move |db| db.chats().list(&query, LIST_LIMIT))
            .await?;
        Ok(rows.iter().map(|row| self.summary(row)).collect())
    }

    /// A new, empty chat. It gets its title from its first message.
    pub async fn create(&self) -> Result<ChatSummary> {
        let row = self
            .on_disk(|db| db.chats().create("", true, now_ms()))
            .await?;
        self.announce();
        Ok(self.summary(&row))
    }

    /// A chat with the branch that is shown.
    pub async fn view(&self, chat_id: &str) -> Result<ChatView> {
        let id = chat_id.to_owned();
        let (row, entries) = self
            .on_disk(move |db| Ok((db.chats().get(&id)?, db.messages().branch_entries(&id)?)))
            .await?;
        let live = self.live(chat_id);
        let messages = entries
            .into_iter()
            .map(types::message)
            .map(|message| match &live {
                // What is on the screen is ahead of what is on disk.
                Some(live) if live.message_id == message.id => Message {
                    branch: message.branch,
                    ..live.message()
                },
                _ => message,
            });
        Ok(ChatView {
            messages: messages.collect(),
            chat: self.summary(&row),
            draft: row.draft,
        })
    }

    pub async fn rename(&self, chat_id: &str, title: &str) -> Result<ChatSummary> {
        let Some(title) = title::given(title) else {
            return Err(Error::new(Code::InvalidInput, "A chat needs a name."));
        };
        let id = chat_id.to_owned();
        let row = self
            .on_disk(move |db| db.chats().rename(&id, &title, false))
            .await?;
        self.announce();
        Ok(self.summary(&row))
    }

    /// Hides a chat; [`Chats::restore`] takes it back for a day.
    pub async fn delete(&self, chat_id: &str) -> Result<()> {
        self.stop(chat_id);
        let id = chat_id.to_owned();
        self.on_disk(move |db| db.chats().soft_delete(&id, now_ms()))
            .await?;
        self.announce();
        // Again when the chat is removed for good: an answer that is just being stopped may be kept once more.
        let forgotten = self
            .inference
            .forget(self.paths.states(), vec![chat_id.to_owned()]);
        if let Err(error) = forgotten.await {
            tracing::warn!(%error, "what is kept of a deleted chat could not be removed yet");
        }
        Ok(())
    }

    pub async fn restore(&self, chat_id: &str) -> Result<ChatSummary> {
        let id = chat_id.to_owned();
        let row = self.on_disk(move |db| db.chats().restore(&id)).await?;
        self.announce();
        Ok(self.summary(&row))
    }

    /// Removes every chat for good, with all that models keep of them; returns how many there were. Ends all engines, because they
    /// hold the text too.
    pub async fn delete_all(&self) -> Result<u32> {
        self.stop_all().await;
        let count = self.on_disk(|db| db.chats().delete_all()).await?;
        self.announce();
        self.inference
            .clear_states(self.paths.states(), true)
            .await?;
        Ok(count as u32)
    }

    /// Removes what models keep of chats, which makes the next answer in each of them slower; returns how many bytes that were.
    pub async fn clear_kept(&self) -> Result<u64> {
        self.inference
            .clear_states(self.paths.states(), false)
            .await
    }

    /// Keeps what was typed but not sent.
    pub async fn save_draft(&self, chat_id: &str, text: &str) -> Result<()> {
        check_length(text)?;
        let (id, text) = (chat_id.to_owned(), text.to_owned());
        self.on_disk(move |db| db.chats().save_draft(&id, &text))
            .await
    }

    /// Stores a message and starts the answer to it. `replaces` names a message of the user that this is a new version of.
    pub async fn send(
        self: &Arc<Self>,
        chat_id: &str,
        text: &str,
        replaces: Option<&str>,
    ) -> Result<Sent> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Error::new(Code::InvalidInput, "The message is empty."));
        }
        check_length(text)?;
        let replaces = replaces.map(str::to_owned);
        let model = Some(self.settings.get().model);
        let (id, question) = (chat_id.to_owned(), text.to_owned());
        let slot = self.reserve(chat_id)?;
        let (turn, history) = self
            .on_disk(move |db| {
                let chat = db.chats().get(&id)?;
                let parent_id = match replaces {
                    Some(message) => db.messages().get(&message)?.parent_id,
                    None => chat.head_id,
                };
                let title = title::from_text(&question);
                let turn = NewTurn {
                    chat_id: id,
                    parent_id,
                    text: question,
                    model,
                    now_ms: now_ms(),
                };
                let turn = db.messages().insert_turn(&turn)?;
                if chat.title.is_empty() && chat.title_is_auto {
                    db.chats().rename(&chat.id, &title, true)?;
                }
                let history = db.messages().branch_to(&turn.user.id)?;
                let user = db.messages().entry(&turn.user.id)?;
                let assistant = db.messages().entry(&turn.assistant.id)?;
                Ok(((user, assistant), history))
            })
            .await?;
        let (user, assistant) = (types::message(turn.0), types::message(turn.1));
        let follow = slot.start(assistant.clone(), history);
        let receipt = SendReceipt {
            user: Some(user),
            assistant,
        };
        Ok(Sent { receipt, follow })
    }

    /// Makes another answer beside the one named (or to the question named); the old one stays.
    pub async fn regenerate(self: &Arc<Self>, chat_id: &str, message_id: &str) -> Result<Sent> {
        let model = Some(self.settings.get().model);
        let (id, message_id) = (chat_id.to_owned(), message_id.to_owned());
        let slot = self.reserve(chat_id)?;
        let (assistant, history) = self
            .on_disk(move |db| {
                let named = db.messages().get(&message_id)?;
                let question = match (named.role, named.parent_id) {
                    (RowRole::User, _) => named.id,
                    (RowRole::Assistant, Some(parent)) => parent,
                    (RowRole::Assistant, None) => {
                        return Err(hearth_store::Error::NotFound {
                            what: "question to",
                            id: named.id,
                        });
                    }
                };
                let history = db.messages().branch_to(&question)?;
                let answer = NewAnswer {
                    chat_id: id,
                    parent_id: question,
                    model,
                    now_ms: now_ms(),
                };
                let row = db.messages().insert_assistant(&answer)?;
                Ok((db.messages().entry(&row.id)?, history))
            })
            .await?;
        let assistant = types::message(assistant);
        let follow = slot.start(assistant.clone(), history);
        let receipt = SendReceipt {
            user: None,
            assistant,
        };
        Ok(Sent { receipt, follow })
    }

    /// Follows the answer being written in a chat; `None` when there is none.
    pub fn follow(&self, chat_id: &str) -> Option<Follow> {
        self.live(chat_id).map(Follow::new)
    }

    /// Asks the answer being written to stop; what was written stays.
    pub fn stop(&self, chat_id: &str) {
        if let Some(live) = self.live(chat_id) {
            live.ask_to_stop();
        }
    }

    /// Shows the branch that goes through the named message.
    pub async fn select_branch(&self, chat_id: &str, message_id: &str) -> Result<ChatView> {
        let (id, message_id) = (chat_id.to_owned(), message_id.to_owned());
        self.on_disk(move |db| {
            let leaf = db.messages().leaf_below(&message_id)?;
            db.chats().set_head(&id, &leaf.id)
        })
        .await?;
        self.view(chat_id).await
    }

    /// Writes all chats into a new folder and returns its path for display.
    pub async fn export(&self, format: ExportFormat) -> Result<String> {
        let folder = self.paths.exports();
        self.on_disk(move |db| export::write(db, &folder, format, now_ms()))
            .await
    }

    /// Takes the chat's one place for a running answer; it is free again when the reservation is dropped unused.
    fn reserve(self: &Arc<Self>, chat_id: &str) -> Result<Reservation> {
        let mut running = self.running();
        if running.contains_key(chat_id) {
            return Err(
                Error::new(Code::Busy, "An answer is still being written in this chat.")
                    .hint("Stop it first, or wait for its end."),
            );
        }
        running.insert(chat_id.to_owned(), None);
        drop(running);
        self.stop_reading();
        Ok(Reservation {
            chats: Arc::clone(self),
            chat_id: chat_id.to_owned(),
            started: false,
        })
    }

    fn generation_ended(&self, chat_id: &str, message_id: &str) {
        let mut running = self.running();
        let live = running.get(chat_id).and_then(Option::as_ref);
        if live.is_some_and(|live| live.message_id == message_id) {
            running.remove(chat_id);
        }
        drop(running);
        self.announce();
    }

    /// Stops what is being written and waits until it is stored.
    pub(crate) async fn shut_down(&self) {
        self.closing.cancel();
        self.stop_all().await;
    }

    /// Stops every answer and waits until all are stored.
    async fn stop_all(&self) {
        self.stop_reading();
        let running: Vec<(String, Arc<Live>)> = {
            let map = self.running();
            let live = map
                .iter()
                .filter_map(|(id, live)| Some((id.clone(), live.clone()?)));
            live.collect()
        };
        running.iter().for_each(|(_, live)| live.ask_to_stop());
        for (id, _) in running {
            let done = async {
                while self.live(&id).is_some() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            if tokio::time::timeout(Duration::from_secs(3), done)
                .await
                .is_err()
            {
                tracing::warn!("an answer was not stored in time");
            }
        }
    }
}

/// Removes what models keep of chats that are gone, and follows the setting that says whether they keep anything.
async fn keep_ready(
    inference: Arc<Inference>,
    mut settings: watch::Receiver<Settings>,
    folder: PathBuf,
    gone: Vec<String>,
    closing: CancellationToken,
) {
    if !gone.is_empty()
        && let Err(error) = inference.forget(folder.clone(), gone).await
    {
        tracing::warn!(%error, "what is kept of deleted chats could not be removed yet");
    }
    loop {
        let wanted = settings.borrow_and_update().keep_chats_ready;
        inference
            .keep_states_in(wanted.then(|| folder.clone()))
            .await;
        if !wanted && let Err(error) = inference.clear_states(folder.clone(), false).await {
            tracing::warn!(%error, "what is kept of chats could not be removed yet");
        }
        let changed = settings.wait_for(|now| now.keep_chats_ready != wanted);
        tokio::select! {
            changed = changed => if changed.is_err() { return },
            () = closing.cancelled() => return,
        }
    }
}

/// A chat's place for a running answer.
struct Reservation {
    chats: Arc<Chats>,
    chat_id: String,
    started: bool,
}

impl Reservation {
    /// Begins to write the answer. The view's place in it is taken first, so that it cannot miss an end that comes at once.
    fn start(mut self, message: Message, history: Vec<MessageRow>) -> Follow {
        self.started = true;
        let live = Live::new(message);
        let follow = Follow::new(live.clone());
        let chat_id = self.chat_id.clone();
        self.chats
            .running()
            .insert(chat_id.clone(), Some(live.clone()));
        self.chats.announce();
        tokio::spawn(generation::write_answer(
            Arc::clone(&self.chats),
            live,
            chat_id,
            history,
        ));
        follow
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.started {
            self.chats.running().remove(&self.chat_id);
        }
    }
}

fn check_length(text: &str) -> Result<()> {
    if text.len() <= MAX_MESSAGE_BYTES {
        return Ok(());
    }
    let mib = |bytes: usize| bytes as f64 / (1024.0 * 1024.0);
    Err(Error::new(
        Code::InvalidInput,
        format!(
            "The message is {:.1} MiB long; the limit is {:.0} MiB.",
            mib(text.len()),
            mib(MAX_MESSAGE_BYTES)
        ),
    )
    .hint("Send it in parts."))
}

/// Unix milliseconds by the system clock; for display, never for order.
fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_millis() as i64)
}
