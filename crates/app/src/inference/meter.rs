//! Counts what generations do while their events pass: tokens, their speed, first tokens, prompts that had been read before.
//!
//! On the way of every token, so it only adds to numbers; locks are taken at the begin and the end of an answer. It must not judge.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hearth_engine::{Error as EngineError, Event, Events, Prompt, Request, Role};

/// Tokens that come closer together than this, in microseconds, were made in one step: guessed ahead, or of several answers.
const ONE_STEP_US: u64 = 200;

/// The meters of all models that have answered.
#[derive(Clone, Default)]
pub(crate) struct Meters(Arc<Mutex<BTreeMap<String, Arc<Meter>>>>);

/// What one model did since the program began. Numbers only grow, but for those that say what is going on now.
pub(crate) struct Meter {
    since: Instant,
    elsewhere: AtomicBool,
    /// Times between two tokens while anything was written, their sum in microseconds, and how many steps they were.
    gaps: AtomicU64,
    gap_us: AtomicU64,
    steps: AtomicU64,
    last_token_us: AtomicU64,
    first_tokens: AtomicU64,
    ttft_us: AtomicU64,
    prompt_tokens: AtomicU64,
    cached_tokens: AtomicU64,
    follow_up_tokens: AtomicU64,
    follow_up_cached: AtomicU64,
    finished: AtomicU64,
    failed: AtomicU64,
    /// Now: answers that have a place in the engine, those that have written a token, and the tokens behind these.
    placed: AtomicU32,
    writing: AtomicU32,
    depth: AtomicU64,
    /// When each answer that is not over was asked for.
    open: Mutex<BTreeMap<u64, Instant>>,
    next: AtomicU64,
}

/// The numbers of a meter at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Counts {
    /// It runs in another program, so its speed says nothing about our engines.
    pub(crate) elsewhere: bool,
    pub(crate) gaps: u64,
    pub(crate) gap_us: u64,
    pub(crate) steps: u64,
    /// Since the last token; `None` while nothing is written.
    pub(crate) silent: Option<Duration>,
    pub(crate) first_tokens: u64,
    pub(crate) ttft_us: u64,
    pub(crate) prompt_tokens: u64,
    pub(crate) cached_tokens: u64,
    /// Prompts of conversations that go on, which have mostly been read before.
    pub(crate) follow_up_tokens: u64,
    pub(crate) follow_up_cached: u64,
    pub(crate) finished: u64,
    /// Only what went wrong here, not requests that could not be answered.
    pub(crate) failed: u64,
    pub(crate) writing: u32,
    /// Answers that have a place in the engine.
    pub(crate) running: u32,
    /// Answers that wait in the engine, or for it.
    pub(crate) waiting: u32,
    pub(crate) depth: u64,
    /// How long the longest of the open answers has been going on.
    pub(crate) longest: Option<Duration>,
}

impl Meters {
    /// The numbers of every model that has answered.
    pub(crate) fn counts(&self) -> BTreeMap<String, Counts> {
        let meters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = meters.iter().map(|(name, m)| (name.clone(), m.counts()));
        counts.collect()
    }

    /// Counts an answer of another program's model.
    pub(super) fn watch_elsewhere(&self, model: &str, request: &Request) -> Option<Watch> {
        let watch = self.watch(model, request)?;
        watch.meter.elsewhere.store(true, Relaxed);
        Some(watch)
    }

    /// Counts what passes from now on. What is only read ahead is no answer.
    pub(super) fn watch(&self, model: &str, request: &Request) -> Option<Watch> {
        if request.read_ahead {
            return None;
        }
        let meter = {
            let mut meters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            meters.entry(model.to_owned()).or_default().clone()
        };
        let id = meter.next.fetch_add(1, Relaxed);
        let began = Instant::now();
        meter.open().insert(id, began);
        Some(Watch {
            meter,
            id,
            began,
            is_follow_up: is_follow_up(request),
            placed: false,
            written: 0,
            depth: 0,
        })
    }
}

/// Whether a conversation goes on, so that all but its end was read before.
fn is_follow_up(request: &Request) -> bool {
    match &request.prompt {
        Prompt::Chat(messages) => messages.iter().any(|m| m.role == Role::Assistant),
        Prompt::Text(_) | Prompt::Tokens(_) => false,
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            elsewhere: AtomicBool::default(),
            gaps: AtomicU64::default(),
            gap_us: AtomicU64::default(),
            steps: AtomicU64::default(),
            last_token_us: AtomicU64::default(),
            first_tokens: AtomicU64::default(),
            ttft_us: AtomicU64::default(),
            prompt_tokens: AtomicU64::default(),
            cached_tokens: AtomicU64::default(),
            follow_up_tokens: AtomicU64::default(),
            follow_up_cached: AtomicU64::default(),
            finished: AtomicU64::default(),
            failed: AtomicU64::default(),
            placed: AtomicU32::default(),
            writing: AtomicU32::default(),
            depth: AtomicU64::default(),
            open: Mutex::default(),
            next: AtomicU64::default(),
        }
    }
}

impl Meter {
    fn open(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Instant>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_us(&self) -> u64 {
        self.since.elapsed().as_micros() as u64
    }

    fn counts(&self) -> Counts {
        let (open, oldest) = {
            let open = self.open();
            (open.len() as u32, open.values().min().copied())
        };
        let (running, writing) = (self.placed.load(Relaxed), self.writing.load(Relaxed));
        let silent = self
            .now_us()
            .saturating_sub(self.last_token_us.load(Relaxed));
        Counts {
            elsewhere: self.elsewhere.load(Relaxed),
            gaps: self.gaps.load(Relaxed),
            gap_us: self.gap_us.load(Relaxed),
            steps: self.steps.load(Relaxed),
            silent: (writing > 0).then(|| Duration::from_micros(silent)),
            first_tokens: self.first_tokens.load(Relaxed),
            ttft_us: self.ttft_us.load(Relaxed),
            prompt_tokens: self.prompt_tokens.load(Relaxed),
            cached_tokens: self.cached_tokens.load(Relaxed),
            follow_up_tokens: self.follow_up_tokens.load(Relaxed),
            follow_up_cached: self.follow_up_cached.load(Relaxed),
            finished: self.finished.load(Relaxed),
            failed: self.failed.load(Relaxed),
            writing,
            running,
            waiting: open.saturating_sub(running),
            depth: self.depth.load(Relaxed),
            longest: oldest.map(|oldest| oldest.elapsed()),
        }
    }

    /// A token of an answer that has written before, or writes beside others, ends a gap.
    fn token(&self, others_write: bool, is_first: bool) {
        let now = self.now_us();
        let last = self.last_token_us.swap(now, Relaxed);
        if !is_first || others_write {
            let gap = now.saturating_sub(last);
            self.gaps.fetch_add(1, Relaxed);
            self.gap_us.fetch_add(gap, Relaxed);
            self.steps.fetch_add(u64::from(gap > ONE_STEP_US), Relaxed);
        }
    }
}

/// Counts one answer. Its drop ends the answer, however that came about.
pub(super) struct Watch {
    meter: Arc<Meter>,
    id: u64,
    began: Instant,
    is_follow_up: bool,
    placed: bool,
    written: u64,
    depth: u64,
}

impl Watch {
    /// Counts these events.
    pub(super) fn over(mut self, events: Events) -> Events {
        events.watched_by(move |event| self.event(event))
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Started {
                prompt_tokens,
                cached_tokens,
                ..
            } => self.started(u64::from(*prompt_tokens), u64::from(*cached_tokens)),
            Event::Text { .. } | Event::Reasoning { .. } | Event::ToolArguments { .. } => {
                self.token();
            }
            Event::Finished(_) => {
                self.meter.finished.fetch_add(1, Relaxed);
                self.end();
            }
            Event::Failed(error) => {
                let asked_wrongly = matches!(
                    error,
                    EngineError::InvalidRequest { .. } | EngineError::ContextOverflow { .. }
                );
                let failed = u64::from(!asked_wrongly);
                self.meter.failed.fetch_add(failed, Relaxed);
                self.end();
            }
            Event::Prefill { .. }
            | Event::ToolCall { .. }
            | Event::Vectors(_)
            | Event::Tokens(_) => {}
        }
    }

    fn started(&mut self, prompt_tokens: u64, cached_tokens: u64) {
        let meter = &self.meter;
        // Once more after the engine was started again.
        if !std::mem::replace(&mut self.placed, true) {
            meter.placed.fetch_add(1, Relaxed);
        }
        meter.prompt_tokens.fetch_add(prompt_tokens, Relaxed);
        meter.cached_tokens.fetch_add(cached_tokens, Relaxed);
        if self.is_follow_up {
            meter.follow_up_tokens.fetch_add(prompt_tokens, Relaxed);
            meter.follow_up_cached.fetch_add(cached_tokens, Relaxed);
        }
        self.depth = prompt_tokens;
    }

    fn token(&mut self) {
        let is_first = self.written == 0;
        self.written += 1;
        if is_first {
            let others = self.meter.writing.fetch_add(1, Relaxed);
            self.meter.token(others > 0, true);
            self.meter.depth.fetch_add(self.depth, Relaxed);
            let ttft = self.began.elapsed().as_micros() as u64;
            self.meter.ttft_us.store(ttft, Relaxed);
            self.meter.first_tokens.fetch_add(1, Relaxed);
        } else {
            self.meter.token(true, false);
            self.meter.depth.fetch_add(1, Relaxed);
            self.depth += 1;
        }
    }

    /// The answer is over; may be called twice.
    fn end(&mut self) {
        if self.written > 0 {
            self.meter.writing.fetch_sub(1, Relaxed);
            self.meter.depth.fetch_sub(self.depth, Relaxed);
            self.written = 0;
        }
        if std::mem::take(&mut self.placed) {
            self.meter.placed.fetch_sub(1, Relaxed);
        }
        self.meter.open().remove(&self.id);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use hearth_engine::{FinishReason, Message, Summary};
    use tokio::sync::mpsc;

    use super::*;

    fn text() -> Event {
        Event::Text {
            text: "a".into(),
            logprobs: vec![],
        }
    }

    fn started(prompt_tokens: u32, cached_tokens: u32) -> Event {
        Event::Started {
            prompt_tokens,
            cached_tokens,
            cut_messages: 0,
            notice: None,
        }
    }

    fn finished() -> Event {
        Event::Finished(Summary {
            reason: FinishReason::Stop,
            stop: None,
            prompt_tokens: 0,
            cached_tokens: 0,
            tokens: 0,
            ttft_ms: 0.0,
            prefill_ms: 0.0,
            decode_ms: 0.0,
        })
    }

    /// An answer whose events the test sends.
    fn answer(meters: &Meters, request: &Request) -> (mpsc::UnboundedSender<Event>, Events) {
        let (sender, events) = mpsc::unbounded_channel();
        let watch = meters.watch("m", request).unwrap();
        (sender, watch.over(events.into()))
    }

    fn question() -> Request {
        Request::chat(vec![Message::new(Role::User, "why")])
    }

    #[tokio::test]
    async fn speed_is_that_of_the_gaps_between_tokens() {
        let meters = Meters::default();
        let (sender, mut events) = answer(&meters, &question());
        assert_eq!(meters.counts()["m"].waiting, 1);
        sender.send(started(10, 4)).unwrap();
        events.recv().await;
        let counts = meters.counts()["m"];
        assert_eq!((counts.waiting, counts.running, counts.writing), (0, 1, 0));
        for _ in 0..11 {
            sender.send(text()).unwrap();
            events.recv().await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let counts = meters.counts()["m"];
        assert_eq!((counts.gaps, counts.steps, counts.writing), (10, 10, 1));
        assert!(counts.gap_us >= 50_000);
        assert_eq!(counts.depth, 20);
        assert_eq!((counts.prompt_tokens, counts.cached_tokens), (10, 4));
        assert_eq!((counts.first_tokens, counts.follow_up_tokens), (1, 0));
        sender.send(finished()).unwrap();
        events.recv().await;
        drop(events);
        let counts = meters.counts()["m"];
        assert_eq!((counts.finished, counts.running, counts.writing), (1, 0, 0));
        assert_eq!((counts.depth, counts.longest), (0, None));
    }

    #[tokio::test]
    async fn a_pause_between_answers_is_no_gap_and_two_at_once_share_the_time() {
        let meters = Meters::default();
        let pass = async |sender: &mpsc::UnboundedSender<Event>, events: &mut Events| {
            sender.send(text()).unwrap();
            events.recv().await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let (one, mut of_one) = answer(&meters, &question());
        pass(&one, &mut of_one).await;
        drop(of_one);
        tokio::time::sleep(Duration::from_millis(50)).await;
        let (one, mut of_one) = answer(&meters, &question());
        let (two, mut of_two) = answer(&meters, &question());
        let began = Instant::now();
        for _ in 0..5 {
            pass(&one, &mut of_one).await;
            pass(&two, &mut of_two).await;
        }
        let took_us = began.elapsed().as_micros() as u64;
        let counts = meters.counts()["m"];
        // Ten tokens but the first.
        assert_eq!((counts.gaps, counts.writing), (9, 2));
        assert!((45_000..=took_us).contains(&counts.gap_us));
    }

    #[tokio::test]
    async fn failures_count_unless_the_request_was_wrong_and_follow_ups_are_known() {
        let meters = Meters::default();
        let errors = [
            EngineError::Unresponsive { after_ms: 1 },
            EngineError::ContextOverflow {
                prompt_tokens: 9,
                context_tokens: 8,
            },
        ];
        for error in errors {
            let (sender, mut events) = answer(&meters, &question());
            sender.send(Event::Failed(error)).unwrap();
            events.recv().await;
        }
        let mut request = question();
        if let Prompt::Chat(messages) = &mut request.prompt {
            messages.push(Message::new(Role::Assistant, "because"));
        }
        let (sender, mut events) = answer(&meters, &request);
        sender.send(started(10, 8)).unwrap();
        events.recv().await;
        drop(events);
        let counts = meters.counts()["m"];
        assert_eq!((counts.failed, counts.running, counts.waiting), (1, 0, 0));
        assert_eq!((counts.follow_up_tokens, counts.follow_up_cached), (10, 8));
        let ahead = Request {
            read_ahead: true,
            ..question()
        };
        assert!(meters.watch("m", &ahead).is_none());
    }
}
