//! Tells when something comes, goes or changes where models lie, and stays asleep while nothing does.
//!
//! One thread waits for what the system says of the folders, lets a burst of changes pass, and then tells once. A store that is not
//! there yet is found when it appears: until then the nearest folder above it is watched. Where the system watches no more folders, it is
//! said once, and whoever looks at the list sees what there is all the same. It must not look into a model file.

mod folders;
mod relevant;

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use self::folders::Folders;
use crate::library::Store;

/// A burst of changes is over when nothing came for so long.
const QUIET: Duration = Duration::from_millis(250);
/// Longest time from a change to the word of it, however much more happens.
const LONGEST_BURST: Duration = Duration::from_secs(1);

/// What the thread hears.
enum Message {
    Event(notify::Result<notify::Event>),
    Stores(Vec<Store>),
    End,
}

/// What the thread says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Something is other than before.
    Changed,
    /// The system watches no more folders; said at most once.
    Limit,
}

/// Watches until it is dropped.
#[derive(Debug)]
pub struct Watch(Sender<Message>);

impl Watch {
    /// Begins to watch these stores; `tell` is called on a thread of its own, which may take its time, and a first time as soon as every
    /// folder is watched.
    ///
    /// # Errors
    /// When the system watches no folder at all, or starts no thread.
    pub fn start(
        stores: Vec<Store>,
        tell: impl FnMut(Told) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = channel();
        let for_events = sender.clone();
        let watcher = notify::recommended_watcher(move |event| {
            // Nobody listens any more when the program ends.
            let _ = for_events.send(Message::Event(event));
        });
        let folders = Folders::new(watcher.map_err(std::io::Error::other)?);
        let follow = Follow {
            folders,
            stores,
            real: Vec::new(),
            said_limit: false,
            tell,
        };
        thread::Builder::new()
            .name("watch-models".into())
            .spawn(move || follow.run(&receiver))?;
        Ok(Self(sender))
    }

    /// From now on watches these stores instead.
    pub fn set(&self, stores: Vec<Store>) {
        let _ = self.0.send(Message::Stores(stores));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.0.send(Message::End);
    }
}

/// The thread.
struct Follow<T> {
    folders: Folders,
    stores: Vec<Store>,
    /// The same and, where links lead to them, by their real places, of which some systems speak.
    real: Vec<Store>,
    said_limit: bool,
    tell: T,
}

/// What a message means.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    Nothing,
    Changed,
    End,
}

impl<T: FnMut(Told)> Follow<T> {
    fn run(mut self, messages: &Receiver<Message>) {
        self.follow();
        // What changed before this is found now, and what changes from now on is heard.
        (self.tell)(Told::Changed);
        // Waits without end: a machine on which nothing happens is not woken.
        while let Ok(message) = messages.recv() {
            match self.hear(message) {
                Meaning::Nothing => continue,
                Meaning::Changed => {}
                Meaning::End => return,
            }
            if self.let_pass(messages) == Meaning::End {
                return;
            }
            // First the folders that are new, so that nothing that comes after the list was read is missed.
            self.follow();
            (self.tell)(Told::Changed);
        }
    }

    /// Hears what else comes in the same burst.
    fn let_pass(&mut self, messages: &Receiver<Message>) -> Meaning {
        let end = Instant::now() + LONGEST_BURST;
        let mut quiet_at = Instant::now() + QUIET;
        loop {
            let wait = quiet_at.min(end).saturating_duration_since(Instant::now());
            match messages.recv_timeout(wait) {
                Ok(message) => match self.hear(message) {
                    Meaning::Nothing => {}
                    Meaning::Changed => quiet_at = Instant::now() + QUIET,
                    Meaning::End => return Meaning::End,
                },
                Err(RecvTimeoutError::Timeout) => return Meaning::Changed,
                Err(RecvTimeoutError::Disconnected) => return Meaning::End,
            }
            if Instant::now() >= end {
                return Meaning::Changed;
            }
        }
    }

    fn hear(&mut self, message: Message) -> Meaning {
        match message {
            Message::End => Meaning::End,
            Message::Stores(stores) => {
                self.stores = stores;
                Meaning::Changed
            }
            Message::Event(Ok(event)) => {
                if event.need_rescan() {
                    // Some events were lost, perhaps those of folders that went.
                    self.folders.forget_all();
                    return Meaning::Changed;
                }
                if relevant::takes_away(event.kind) {
                    event
                        .paths
                        .iter()
                        .for_each(|path| self.folders.forget(path));
                }
                if relevant::is_relevant(&event, &self.real) {
                    Meaning::Changed
                } else {
                    Meaning::Nothing
                }
            }
            Message::Event(Err(error)) => {
                self.say(&error);
                Meaning::Nothing
            }
        }
    }

    fn follow(&mut self) {
        let real = self.stores.iter().filter_map(|store| {
            let root = std::fs::canonicalize(&store.root).ok()?;
            let source = store.source;
            (root != store.root).then_some(Store { source, root })
        });
        self.real = self.stores.iter().cloned().chain(real).collect();
        if let Err(error) = self.folders.follow(&self.stores) {
            self.say(&error);
        }
    }

    fn say(&mut self, error: &notify::Error) {
        if !folders::is_limit(error) {
            tracing::debug!(%error, "a folder of models cannot be watched");
            return;
        }
        if !std::mem::replace(&mut self.said_limit, true) {
            tracing::warn!(%error, "the system watches no more folders");
            (self.tell)(Told::Limit);
        }
    }
}
