//! Answers that are not left to chance: the events of a generation, to be played again.

use std::sync::Arc;

use hearth_engine::{
    Cancel, Event, FinishReason, Generation, Priority, Request, Summary, TokenLogprob,
};
use moka::sync::Cache;
use tokio::sync::mpsc;

use super::{CacheCounts, Key, Tally, key};

/// Most that all answers may take, in bytes.
const CAPACITY_BYTES: u64 = 64 << 20;
/// A longer answer is not kept, in bytes.
const MAX_ANSWER_BYTES: usize = 1 << 20;
/// What an event takes beside its text, in bytes.
const EVENT_BYTES: usize = 96;

/// The answers that are kept. A clone refers to the same.
#[derive(Debug, Clone)]
pub(in crate::inference) struct Answers {
    held: Cache<Key, Arc<Vec<Event>>>,
    tally: Arc<Tally>,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            held: Cache::builder()
                .max_capacity(CAPACITY_BYTES)
                .weigher(|_, events: &Arc<Vec<Event>>| {
                    u32::try_from(events.iter().map(bytes).sum::<usize>()).unwrap_or(u32::MAX)
                })
                .build(),
            tally: Arc::default(),
        }
    }
}

impl Answers {
    /// The name of the answer to a request; `None` when there may be more than one answer.
    pub(in crate::inference) fn key(fingerprint: Option<&str>, request: &Request) -> Option<Key> {
        if !request.sampling.is_repeatable() || request.read_ahead {
            return None;
        }
        // Whose request it is and where its state is kept do not change the answer.
        let request = Request {
            priority: Priority::Api,
            conversation: None,
            ..request.clone()
        };
        key(&(fingerprint?, request))
    }

    /// A kept answer as a generation that has already happened.
    pub(in crate::inference) fn play(&self, key: &Key) -> Option<Generation> {
        let found = self.held.get(key);
        self.tally.count(found.is_some());
        let (sender, events) = mpsc::unbounded_channel();
        for event in found?.iter() {
            let _ = sender.send(event.clone());
        }
        Some(Generation {
            events: events.into(),
            cancel: Cancel::new(|| {}),
        })
    }

    /// Passes a generation on and keeps it when it ends well.
    pub(in crate::inference) fn record(&self, key: Key, generation: Generation) -> Generation {
        let Generation { mut events, cancel } = generation;
        let (sender, passed) = mpsc::unbounded_channel();
        let held = self.held.clone();
        tokio::spawn(async move {
            let (mut kept, mut size) = (Vec::new(), 0);
            while let Some(event) = events.recv().await {
                size += bytes(&event);
                if size <= MAX_ANSWER_BYTES {
                    kept.extend(replayed(&event));
                }
                let is_whole =
                    matches!(&event, Event::Finished(s) if s.reason != FinishReason::Cancelled);
                if is_whole && size <= MAX_ANSWER_BYTES {
                    held.insert(key, Arc::new(std::mem::take(&mut kept)));
                }
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        Generation {
            events: passed.into(),
            cancel,
        }
    }

    pub(super) fn clear(&self) {
        self.held.invalidate_all();
    }

    pub(in crate::inference) fn counts(&self) -> CacheCounts {
        self.held.run_pending_tasks();
        self.tally.counts(self.held.weighted_size())
    }
}

/// The event as it is when nothing is computed: the whole prompt is known, and nothing takes time.
fn replayed(event: &Event) -> Option<Event> {
    match event {
        Event::Prefill { .. } | Event::Failed(_) => None,
        Event::Started {
            prompt_tokens,
            cut_messages,
            notice,
            ..
        } => Some(Event::Started {
            prompt_tokens: *prompt_tokens,
            cached_tokens: *prompt_tokens,
            cut_messages: *cut_messages,
            notice: notice.clone(),
        }),
        Event::Finished(summary) => Some(Event::Finished(Summary {
            cached_tokens: summary.prompt_tokens,
            ttft_ms: 0.0,
            prefill_ms: 0.0,
            decode_ms: 0.0,
            ..summary.clone()
        })),
        other => Some(other.clone()),
    }
}

fn bytes(event: &Event) -> usize {
    let odds = |list: &[TokenLogprob]| -> usize {
        let sizes = list.iter().map(|t| EVENT_BYTES * (1 + t.top.len()));
        sizes.sum()
    };
    EVENT_BYTES
        + match event {
            Event::Text { text, logprobs } => text.len() + odds(logprobs),
            Event::Reasoning { text } | Event::ToolArguments { text, .. } => text.len(),
            Event::ToolCall { id, name, .. } => id.len() + name.len(),
            _ => 0,
        }
}

#[cfg(test)]
mod tests {
    use hearth_engine::{Message, Role};

    use super::*;

    fn request(temperature: f32, seed: Option<u32>) -> Request {
        let mut request = Request::chat(vec![Message::new(Role::User, "hi")]);
        request.sampling.temperature = temperature;
        request.sampling.seed = seed;
        request
    }

    #[test]
    fn only_what_has_one_answer_has_a_name() {
        let key = |request: &Request| Answers::key(Some("weights"), request);
        assert!(key(&request(0.7, None)).is_none());
        assert!(Answers::key(None, &request(0.0, None)).is_none());
        let greedy = key(&request(0.0, None)).unwrap();
        assert_eq!(key(&request(0.0, None)), Some(greedy));
        assert_ne!(
            Answers::key(Some("others"), &request(0.0, None)),
            Some(greedy)
        );
        let seeded = key(&request(0.7, Some(1))).unwrap();
        assert_ne!(key(&request(0.7, Some(2))), Some(seeded));
        let mut window = request(0.0, None);
        window.priority = Priority::Interactive;
        window.conversation = Some("chat".into());
        assert_eq!(key(&window), Some(greedy));
        let mut longer = request(0.0, None);
        longer.max_tokens = Some(5);
        assert_ne!(key(&longer), Some(greedy));
    }

    fn summary(reason: FinishReason) -> Summary {
        Summary {
            reason,
            stop: None,
            prompt_tokens: 9,
            cached_tokens: 0,
            tokens: 1,
            ttft_ms: 5.0,
            prefill_ms: 4.0,
            decode_ms: 3.0,
        }
    }

    /// Records an answer with this end and plays it.
    async fn played(end: Event) -> Option<Vec<Event>> {
        let answers = Answers::default();
        let key = Answers::key(Some("weights"), &request(0.0, None)).unwrap();
        let (sender, events) = mpsc::unbounded_channel();
        let text = Event::Text {
            text: "hello".into(),
            logprobs: vec![],
        };
        for event in [text, end] {
            sender.send(event).unwrap();
        }
        drop(sender);
        let cancel = Cancel::new(|| {});
        let mut passed = answers.record(
            key,
            Generation {
                events: events.into(),
                cancel,
            },
        );
        while passed.events.recv().await.is_some() {}
        let mut again = answers.play(&key)?;
        let mut events = Vec::new();
        while let Some(event) = again.events.recv().await {
            events.push(event);
        }
        Some(events)
    }

    #[tokio::test]
    async fn a_whole_answer_is_played_again_and_no_other() {
        let events = played(Event::Finished(summary(FinishReason::Stop))).await;
        let events = events.unwrap();
        assert!(matches!(&events[0], Event::Text { text, .. } if text == "hello"));
        assert!(
            matches!(&events[1], Event::Finished(s) if s.cached_tokens == 9 && s.ttft_ms == 0.0)
        );
        let cancelled = Event::Finished(summary(FinishReason::Cancelled));
        assert!(played(cancelled).await.is_none());
        let failed = Event::Failed(hearth_engine::Error::ShutDown);
        assert!(played(failed).await.is_none());
    }
}
