//! Writes one answer: asks the engine, keeps the text on disk within a second, and leaves a final state whatever happens.

use std::sync::Arc;
use std::time::Duration;

use hearth_engine::{self as engine, Event, Overflow, Priority, Request, Sampling, State, Summary};
use hearth_store::{AnswerFinish, FinishReason, MessageRow, Role, Status};
use tokio::time::{Instant, sleep, timeout};

use super::Chats;
use super::live::{Live, Phase};
use super::types::{self, Message};
use crate::error::{Code, Error, Result};
use crate::inference::{EngineState, Started};
use crate::settings::Settings;
use crate::throttle::{Level, Reason, Slowed};

/// How often streamed text is written to disk. Half of the second that is promised.
const FLUSH_TO_DISK: Duration = Duration::from_millis(500);
/// How long the engine may take to confirm a stop before the answer is closed without it.
const STOP_LIMIT: Duration = Duration::from_secs(1);
/// Pause between two tries to store a finished answer on a full disk.
const STORE_RETRY: Duration = Duration::from_secs(2);

/// How an answer ended.
enum End {
    Finished(Summary),
    Stopped,
    Failed(Error),
}

/// What is known about an answer beside its text.
#[derive(Default)]
struct Facts {
    model: Option<String>,
    notice: Option<String>,
    cut_messages: u32,
    slowed: Option<(Level, Slowed)>,
}

/// Runs until the answer has its final state on disk (or the program ends).
pub(super) async fn write_answer(
    chats: Arc<Chats>,
    live: Arc<Live>,
    chat_id: String,
    history: Vec<MessageRow>,
) {
    let mut writer = Writer {
        chats: &chats,
        live: &live,
        stored: 0,
        facts: Facts::default(),
    };
    let end = match writer.answer(history).await {
        Ok(end) => end,
        Err(error) => End::Failed(error),
    };
    let message = writer.close(end).await;
    // The chat's place is free before anybody hears of the end, so that the next message is not refused.
    chats.generation_ended(&chat_id, &live.message_id);
    if let Some(message) = message {
        live.set_phase(Phase::Done(Box::new(message)));
    }
}

struct Writer<'a> {
    chats: &'a Arc<Chats>,
    live: &'a Arc<Live>,
    /// How much of the text is on disk, in bytes.
    stored: usize,
    facts: Facts,
}

impl Writer<'_> {
    async fn answer(&mut self, history: Vec<MessageRow>) -> Result<End> {
        let settings = self.chats.settings.get();
        let inference = Arc::clone(&self.chats.inference);
        if let EngineState::Unloaded | EngineState::Loading { .. } =
            inference.state_of(&settings.model)
        {
            // Also while another model has its turn to load.
            self.live.set_phase(Phase::Loading {
                model: settings.model.clone(),
                progress: None,
            });
        }
        let request = Request {
            priority: Priority::Interactive,
            conversation: settings
                .keep_chats_ready
                .then(|| self.live.message().chat_id),
            ..request(conversation(&history, &settings), &settings)
        };
        let started = tokio::select! {
            started = inference.generate(&settings.model, request) => started?,
            () = self.live.stop_asked() => return Ok(End::Stopped),
        };
        self.facts.model = Some(started.model.clone());
        self.listen(started).await
    }

    async fn listen(&mut self, started: Started) -> Result<End> {
        let Started {
            model,
            mut state,
            mut generation,
        } = started;
        let mut flush = tokio::time::interval(FLUSH_TO_DISK);
        let mut stopping: Option<Instant> = None;
        loop {
            let deadline = stopping.map_or(Duration::from_secs(3600), |at| {
                STOP_LIMIT.saturating_sub(at.elapsed())
            });
            tokio::select! {
                event = generation.events.recv() => match event {
                    Some(Event::Started { notice, cached_tokens, prompt_tokens, cut_messages }) => {
                        self.facts.notice = notice;
                        self.facts.cut_messages = cut_messages;
                        self.live.set_cut_messages(cut_messages);
                        self.live.set_phase(Phase::Prefill { done: cached_tokens, total: prompt_tokens });
                    }
                    Some(Event::Prefill { done, total }) => self.live.set_phase(Phase::Prefill { done, total }),
                    Some(Event::Text { text, .. }) => self.live.append(&text),
                    // Only for requests that ask for them.
                    Some(Event::Reasoning { .. } | Event::ToolCall { .. } | Event::ToolArguments { .. } | Event::Vectors(_) | Event::Tokens(_)) => {}
                    Some(Event::Finished(summary)) => return Ok(End::Finished(summary)),
                    Some(Event::Failed(error)) => return Ok(End::Failed(error.into())),
                    None => return Ok(End::Failed(engine::Error::ShutDown.into())),
                },
                Ok(()) = state.changed() => {
                    let loading = match &*state.borrow_and_update() {
                        State::Loading { progress } => Some(*progress),
                        _ => None,
                    };
                    if let Some(progress) = loading {
                        self.live.set_phase(Phase::Loading { model: model.clone(), progress });
                    }
                }
                () = self.live.stop_asked() => {
                    generation.cancel.cancel();
                    stopping.get_or_insert_with(Instant::now);
                }
                () = sleep(deadline), if stopping.is_some() => return Ok(End::Stopped),
                _ = flush.tick() => {
                    self.look_at_limits(&model);
                    self.store_text().await;
                }
            }
        }
    }

    /// Remembers what holds the answer back most of all that has held it back so far.
    fn look_at_limits(&mut self, model: &str) {
        let held = self.chats.inference.held();
        let level = held.decision.level;
        let cool = held.cool.as_ref().filter(|(of, _)| of == model);
        let cool = cool.map(|(_, speed)| *speed);
        if let Some((_, slowed)) = &mut self.facts.slowed {
            slowed.cool_tokens_per_second = cool.or(slowed.cool_tokens_per_second);
        }
        let worst = self.facts.slowed.as_ref().map_or(Level::Eased, |(l, _)| *l);
        // Short memory alone does not slow an answer.
        let paces = |reason: &&Reason| !matches!(reason, Reason::Memory { .. });
        let reason = held.decision.reasons.iter().find(paces);
        let is_paced = held.decision.limits.duty < 1.0;
        if let Some(reason) = reason.filter(|_| is_paced && level > worst) {
            let slowed = Slowed {
                reason: reason.clone(),
                cool_tokens_per_second: cool,
            };
            self.facts.slowed = Some((level, slowed));
        }
    }

    /// Appends what is new to the stored text. On failure the text stays in memory and the next flush tries again.
    async fn store_text(&mut self) {
        let text = self.live.text();
        let Some(new) = text
            .get(self.stored..)
            .filter(|new| !new.is_empty())
            .map(str::to_owned)
        else {
            return;
        };
        let (id, length) = (self.live.message_id.clone(), new.len());
        match self
            .chats
            .on_disk(move |db| db.messages().append_text(&id, &new))
            .await
        {
            Ok(()) => {
                self.stored += length;
                self.live.set_error(None);
            }
            Err(error) => {
                tracing::warn!(%error, "streamed text could not be stored yet");
                self.live.set_error(Some(error));
            }
        }
    }

    /// Stores the final state, and does not give up while the program runs: the text exists nowhere else. `None` when the
    /// program ends first.
    async fn close(&mut self, end: End) -> Option<Message> {
        let finish = self.finish(end);
        loop {
            let (id, finish) = (self.live.message_id.clone(), finish.clone());
            let stored = self
                .chats
                .on_disk(move |db| {
                    db.messages().finish(&id, &finish)?;
                    db.messages().entry(&id)
                })
                .await;
            match stored {
                Ok(entry) => return Some(types::message(entry)),
                // The chat was deleted meanwhile: nothing is left to store.
                Err(error) if error.code == Code::NotFound => return Some(self.live.message()),
                Err(error) => {
                    tracing::error!(%error, "a finished answer could not be stored yet");
                    self.live.set_error(Some(error));
                    let _ = timeout(STORE_RETRY, self.chats.closing.cancelled()).await;
                    if self.chats.closing.is_cancelled() {
                        return None;
                    }
                }
            }
        }
    }

    fn finish(&self, end: End) -> AnswerFinish {
        let text = self.live.text();
        let mut finish = AnswerFinish::new(Status::Complete);
        match end {
            End::Finished(summary) => {
                finish.status = match summary.reason {
                    engine::FinishReason::Cancelled => Status::Stopped,
                    _ => Status::Complete,
                };
                finish.prompt_tokens = Some(summary.prompt_tokens);
                finish.cached_tokens = Some(summary.cached_tokens);
                finish.tokens = Some(summary.tokens);
                finish.ttft_ms = (summary.tokens > 0).then_some(summary.ttft_ms);
                finish.tokens_per_second = summary.tokens_per_second();
                finish.finish_reason = Some(match summary.reason {
                    engine::FinishReason::Stop | engine::FinishReason::ToolCalls => {
                        FinishReason::Stop
                    }
                    engine::FinishReason::Length => FinishReason::Length,
                    engine::FinishReason::Cancelled => FinishReason::Cancelled,
                });
                // An empty answer is never a success.
                if finish.status == Status::Complete && text.trim().is_empty() {
                    let error = Error::new(Code::EngineCrashed, "The model gave an empty answer.")
                        .hint("Ask again, or say it differently.");
                    finish.status = Status::Failed;
                    set_error(&mut finish, error);
                }
            }
            End::Stopped => {
                finish.status = Status::Stopped;
                finish.finish_reason = Some(FinishReason::Cancelled);
            }
            End::Failed(error) => {
                finish.status = if text.is_empty() {
                    Status::Failed
                } else {
                    Status::Interrupted
                };
                set_error(&mut finish, error);
            }
        }
        finish.text = Some(text);
        finish.model.clone_from(&self.facts.model);
        finish.notice.clone_from(&self.facts.notice);
        let slowed = self.facts.slowed.as_ref();
        finish.slowed = slowed.and_then(|(_, slowed)| serde_json::to_string(slowed).ok());
        finish.cut_messages = (self.facts.cut_messages > 0).then_some(self.facts.cut_messages);
        finish
    }
}

fn set_error(finish: &mut AnswerFinish, error: Error) {
    finish.error_code = Some(error.code.name().to_owned());
    finish.error_message = Some(error.message);
    finish.error_hint = error.hint;
}

/// The branch as the model sees it. Answers that failed without a word are left out together with nothing else.
pub(super) fn conversation(history: &[MessageRow], settings: &Settings) -> Vec<engine::Message> {
    let system = settings.system_prompt.trim();
    let system = (!system.is_empty()).then(|| engine::Message::new(engine::Role::System, system));
    let turns = history
        .iter()
        .filter(|row| !row.text.is_empty())
        .map(|row| {
            let role = match row.role {
                Role::User => engine::Role::User,
                Role::Assistant => engine::Role::Assistant,
            };
            engine::Message::new(role, row.text.clone())
        });
    system.into_iter().chain(turns).collect()
}

/// The oldest turns may go when the window is full, never the system prompt or the question itself; the answer says how many went.
pub(super) fn request(messages: Vec<engine::Message>, settings: &Settings) -> Request {
    let sampling = Sampling {
        temperature: settings.temperature as f32,
        top_p: settings.top_p as f32,
        ..Sampling::default()
    };
    Request {
        sampling,
        max_tokens: Some(settings.max_tokens),
        overflow: Overflow::Cut,
        ..Request::chat(messages)
    }
}
