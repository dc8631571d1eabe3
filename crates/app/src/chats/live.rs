//! An answer while it is being written: what is known of it, and how views follow it.
//!
//! The writer never waits for a view. A view keeps its own place in the text and takes what is new when it is ready, at most
//! every [`FLUSH`]; so a slow view gets longer pieces and no view can lose one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::types::{ChatEvent, Message};

/// Shortest time between two events to one view.
const FLUSH: Duration = Duration::from_millis(33);

/// The answer in the making, shared by its writer and its readers.
pub(super) struct Live {
    pub(super) message_id: String,
    state: Mutex<State>,
    version: watch::Sender<u64>,
    stop: Notify,
}

struct State {
    /// The message as it was when writing began; its text is in `text`.
    message: Message,
    text: String,
    phase: Phase,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Phase {
    Waiting,
    Loading {
        model: String,
        progress: Option<f32>,
    },
    Prefill {
        done: u32,
        total: u32,
    },
    Writing,
    /// The final state.
    Done(Box<Message>),
}

impl Live {
    pub(super) fn new(message: Message) -> Arc<Self> {
        Arc::new(Self {
            message_id: message.id.clone(),
            state: Mutex::new(State {
                text: message.text.clone(),
                message,
                phase: Phase::Waiting,
            }),
            version: watch::channel(0).0,
            stop: Notify::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Changed in single steps, so it is sound even after a panic of a holder.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.version.send_modify(|version| *version += 1);
    }

    pub(super) fn set_phase(&self, phase: Phase) {
        self.update(|state| state.phase = phase);
    }

    pub(super) fn append(&self, text: &str) {
        self.update(|state| {
            state.text.push_str(text);
            state.phase = Phase::Writing;
        });
    }

    /// Shows a trouble that may pass, such as a full disk, without ending the answer; `None` when it has passed.
    pub(super) fn set_error(&self, error: Option<crate::Error>) {
        if self.lock().message.error != error {
            self.update(|state| state.message.error = error);
        }
    }

    /// How many messages the model does not see.
    pub(super) fn set_cut_messages(&self, count: u32) {
        if self.lock().message.cut_messages != count {
            self.update(|state| state.message.cut_messages = count);
        }
    }

    pub(super) fn text(&self) -> String {
        self.lock().text.clone()
    }

    /// The message with the text so far.
    pub(super) fn message(&self) -> Message {
        let state = self.lock();
        Message {
            text: state.text.clone(),
            ..state.message.clone()
        }
    }

    /// Asks the writer to stop; remembered when it is not listening yet.
    pub(super) fn ask_to_stop(&self) {
        self.stop.notify_one();
    }

    pub(super) async fn stop_asked(&self) {
        self.stop.notified().await;
    }
}

/// A view's place in a running answer.
pub struct Follow {
    live: Arc<Live>,
    version: watch::Receiver<u64>,
    shown: usize,
    last: Option<Seen>,
    next_flush: Instant,
}

/// What the view has been told.
#[derive(PartialEq)]
struct Seen {
    phase: Phase,
    error: Option<crate::Error>,
    cut_messages: u32,
}

impl Seen {
    /// Whether the view must be told the whole message again.
    fn differs_in_facts(&self, now: &Self) -> bool {
        self.error != now.error || self.cut_messages != now.cut_messages
    }
}

impl std::fmt::Debug for Follow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follow")
            .field("message_id", &self.live.message_id)
            .finish_non_exhaustive()
    }
}

impl Follow {
    pub(super) fn new(live: Arc<Live>) -> Self {
        let mut version = live.version.subscribe();
        version.mark_changed();
        Self {
            live,
            version,
            shown: 0,
            last: None,
            next_flush: Instant::now(),
        }
    }

    /// The next event; `None` after [`ChatEvent::Finished`].
    pub async fn next(&mut self) -> Option<ChatEvent> {
        loop {
            if matches!(
                self.last,
                Some(Seen {
                    phase: Phase::Done(_),
                    ..
                })
            ) {
                return None;
            }
            // The sender lives in `live`, so this cannot fail.
            self.version.changed().await.ok()?;
            tokio::time::sleep_until(self.next_flush).await;
            self.version.mark_unchanged();
            if let Some(event) = self.take() {
                self.next_flush = Instant::now() + FLUSH;
                return Some(event);
            }
        }
    }

    /// What is new, if anything. Text first: a phase that ends the answer comes after its last words.
    fn take(&mut self) -> Option<ChatEvent> {
        let state = self.live.lock();
        let now = Seen {
            phase: state.phase.clone(),
            error: state.message.error.clone(),
            cut_messages: state.message.cut_messages,
        };
        let told = self
            .last
            .as_ref()
            .is_some_and(|seen| !seen.differs_in_facts(&now));
        if !matches!(now.phase, Phase::Done(_)) && !told {
            self.shown = state.text.len();
            // The phase is told next, unless it is the plain one.
            self.last = Some(Seen {
                phase: Phase::Writing,
                ..now
            });
            if !matches!(state.phase, Phase::Writing) {
                self.version.mark_changed();
            }
            return Some(ChatEvent::Snapshot {
                message: Message {
                    text: state.text.clone(),
                    ..state.message.clone()
                },
            });
        }
        let done = matches!(now.phase, Phase::Done(_));
        if state.text.len() > self.shown && !done {
            let text = state.text[self.shown..].to_owned();
            self.shown = state.text.len();
            self.last = Some(now);
            return Some(ChatEvent::Delta {
                message_id: self.live.message_id.clone(),
                text,
            });
        }
        if self.last.as_ref() == Some(&now) {
            return None;
        }
        let event = match &now.phase {
            Phase::Waiting | Phase::Writing => None,
            Phase::Loading { model, progress } => Some(ChatEvent::Loading {
                model: model.clone(),
                progress: *progress,
            }),
            Phase::Prefill { done, total } => Some(ChatEvent::Prefill {
                done: *done,
                total: *total,
            }),
            Phase::Done(message) => Some(ChatEvent::Finished {
                message: (**message).clone(),
            }),
        };
        self.last = Some(now);
        event
    }
}

#[cfg(test)]
mod tests {
    use super::super::types::{Branch, MessageStatus, Role};
    use super::*;

    fn message() -> Message {
        Message {
            id: "m".into(),
            chat_id: "c".into(),
            role: Role::Assistant,
            text: String::new(),
            status: MessageStatus::Streaming,
            created_at_ms: 0,
            branch: Branch {
                index: 0,
                count: 1,
                previous_id: None,
                next_id: None,
            },
            stats: None,
            error: None,
            notice: None,
            cut_messages: 0,
        }
    }

    /// Adds up what a view would show.
    async fn shown(mut follow: Follow) -> (String, usize) {
        let (mut text, mut events) = (String::new(), 0);
        while let Some(event) = follow.next().await {
            events += 1;
            match event {
                ChatEvent::Snapshot { message } | ChatEvent::Finished { message } => {
                    text = message.text
                }
                ChatEvent::Delta { text: more, .. } => text.push_str(&more),
                _ => {}
            }
        }
        (text, events)
    }

    #[tokio::test(start_paused = true)]
    async fn early_late_and_slow_views_see_the_whole_text() {
        let live = Live::new(message());
        let early = tokio::spawn(shown(Follow::new(live.clone())));
        let writer = live.clone();
        tokio::spawn(async move {
            for i in 0..300 {
                writer.append(&format!("{i} "));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let done = Message {
                status: MessageStatus::Complete,
                ..writer.message()
            };
            writer.set_phase(Phase::Done(Box::new(done)));
        });
        tokio::time::sleep(Duration::from_millis(700)).await;
        let late = tokio::spawn(shown(Follow::new(live.clone())));
        let expected: String = (0..300).map(|i| format!("{i} ")).collect();
        let (text, events) = early.await.unwrap();
        assert_eq!(text, expected);
        // 1.5 s at 30 a second, and a few for the start and the end.
        assert!((30..=50).contains(&events), "{events}");
        assert_eq!(late.await.unwrap().0, expected);
        assert_eq!(shown(Follow::new(live)).await, (expected, 1));
    }
}
