//! What all dialects do with the engine: begin generations, follow their events, collect whole answers.
//!
//! A dialect turns a request into an [`Ask`] and events into its own words: whole through [`Whole`], piece by piece through a [`Wire`].
//! When the client goes away the handler or the body is dropped, with it the generation, and with that the work is cancelled. It
//! must not know a dialect.

mod flow;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hearth_app::Error;
use hearth_app::engine::{
    self, Event, Generation, Priority, Request, Summary, TokenLogprob, ToolCall,
};
use hearth_app::inference::KeepAlive;

pub(crate) use self::flow::{Wire, frames};
use crate::metrics::{Labels, Metrics};
use crate::refusal::Refusal;
use crate::state::ServerState;
use crate::traffic::Trace;

/// What is asked of a model.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    /// Which dialect asks, for the metrics.
    pub(crate) dialect: &'static str,
    /// As `app.models()` names it.
    pub(crate) model: String,
    /// Its priority is set here.
    pub(crate) request: Request,
    /// How long the model stays loaded afterwards; `None` leaves it as it is.
    pub(crate) keep_alive: Option<KeepAlive>,
    /// Whether an answer that was given before may be given again; see [`crate::caching`].
    pub(crate) caching: bool,
}

/// A generation that has its slot: from here on the status is 200.
pub(crate) struct Answer {
    /// The model that answers.
    pub(crate) model: String,
    /// Tokens of the prompt, cached ones included.
    pub(crate) prompt_tokens: u32,
    /// Prompt tokens that were already in the KV cache.
    pub(crate) cached_tokens: u32,
    /// A warning of the engine, such as a missing chat template.
    pub(crate) notice: Option<String>,
    /// `None` when it was let go.
    generation: Option<Generation>,
    ended: bool,
    measure: Measure,
}

/// An answer that is complete.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Whole {
    pub(crate) text: String,
    /// What the model thought before; empty when it did not.
    pub(crate) reasoning: String,
    pub(crate) tool_calls: Vec<ToolCall>,
    /// Empty unless asked for.
    pub(crate) logprobs: Vec<TokenLogprob>,
    pub(crate) summary: Summary,
}

/// What is reported when a generation ends.
struct Measure {
    metrics: Arc<Metrics>,
    trace: Trace,
    labels: Labels,
    asked: Instant,
    waited: Duration,
}

impl Measure {
    fn ended(&self, summary: &Summary) {
        let took = self.asked.elapsed();
        self.trace.answered(summary);
        self.metrics
            .generation(&self.labels, summary, self.waited, took);
    }

    fn failed(&self, refusal: &Refusal) {
        self.trace.broke_off(refusal.code);
        self.metrics.failure(self.labels.dialect, refusal.code);
    }
}

/// Asks the model and waits for the slot, so that whatever can be refused is refused with a status.
pub(crate) async fn begin(state: &ServerState, ask: Ask) -> Result<Answer, Refusal> {
    let dialect = ask.dialect;
    let begun = try_begin(state, ask).await;
    begun.inspect_err(|refusal| state.metrics.failure(dialect, refusal.code))
}

async fn try_begin(state: &ServerState, ask: Ask) -> Result<Answer, Refusal> {
    let asked = Instant::now();
    let request = Request {
        priority: Priority::Api,
        ..ask.request
    };
    request.validate()?;
    let inference = state.app.inference();
    let started = match (ask.caching, ask.keep_alive) {
        (true, time) => inference.generate_once(&ask.model, request, time).await,
        (false, Some(time)) => inference.generate_keeping(&ask.model, request, time).await,
        (false, None) => inference.generate(&ask.model, request).await,
    }?;
    let mut generation = started.generation;
    let first = generation.events.recv().await;
    let mut answer = Answer {
        measure: Measure {
            metrics: Arc::clone(&state.metrics),
            trace: Trace::current(),
            labels: Labels {
                dialect: ask.dialect,
                model: started.model.clone(),
            },
            asked,
            waited: Duration::ZERO,
        },
        model: started.model,
        prompt_tokens: 0,
        cached_tokens: 0,
        notice: None,
        generation: Some(generation),
        ended: false,
    };
    match first {
        Some(Event::Started {
            prompt_tokens,
            cached_tokens,
            notice,
            ..
        }) => {
            answer.measure.waited = asked.elapsed();
            (answer.prompt_tokens, answer.cached_tokens) = (prompt_tokens, cached_tokens);
            answer.notice = notice;
            answer.measure.trace.began(&answer.model);
            Ok(answer)
        }
        Some(Event::Failed(error)) => Err(error.into()),
        // The first event is one of these two.
        _ => Err(engine::Error::ShutDown.into()),
    }
}

/// The same request `count` times. A seed is counted up, so that the answers differ and can be had again.
pub(crate) fn copies(ask: &Ask, count: u32) -> Vec<Ask> {
    let copies = (0..count).map(|at| {
        let mut ask = ask.clone();
        let sampling = &mut ask.request.sampling;
        sampling.seed = sampling.seed.map(|seed| seed.wrapping_add(at));
        ask
    });
    copies.collect()
}

/// Several answers to one request of a client, one after the other: two such requests that each held some places and waited for more
/// would wait for ever. What the prompts share is in the KV cache from the first one on.
pub(crate) struct Answers {
    /// The one that is being written; the first one after [`Answers::begin`].
    pub(crate) current: Answer,
    index: usize,
    rest: VecDeque<Ask>,
    state: ServerState,
}

impl Answers {
    /// Waits for the slot of the first one; see [`begin`]. `asks` holds at least one.
    pub(crate) async fn begin(state: &ServerState, asks: Vec<Ask>) -> Result<Self, Refusal> {
        let mut rest = VecDeque::from(asks);
        let Some(first) = rest.pop_front() else {
            return Err(Refusal::from(Error::internal("nothing was asked")));
        };
        Ok(Self {
            current: begin(state, first).await?,
            index: 0,
            rest,
            state: state.clone(),
        })
    }

    /// The next event and the place of its answer; `None` after the last one of all.
    pub(crate) async fn next(&mut self) -> Option<(usize, Result<Event, Refusal>)> {
        loop {
            if let Some(event) = self.current.next().await {
                return Some((self.index, event));
            }
            let ask = self.rest.pop_front()?;
            // Its place is given back before another one is asked for.
            self.current.let_go();
            self.index += 1;
            // The body is sent after the handler has returned, so the record is handed on.
            let trace = self.current.measure.trace.clone();
            match trace.follow(begin(&self.state, ask)).await {
                Ok(answer) => self.current = answer,
                Err(refusal) => {
                    self.rest.clear();
                    return Some((self.index, Err(refusal)));
                }
            }
        }
    }

    /// How many events of the current answer were made and not asked for yet.
    fn ahead(&self) -> usize {
        let generation = self.current.generation.as_ref();
        generation.map_or(0, |generation| generation.events.len())
    }

    /// Waits for the end of all.
    pub(crate) async fn wholes(self) -> Result<Vec<Whole>, Refusal> {
        let mut wholes = vec![self.current.whole().await?];
        for ask in self.rest {
            wholes.push(begin(&self.state, ask).await?.whole().await?);
        }
        Ok(wholes)
    }
}

impl Answer {
    /// The next event; `None` after the last one. An error is the last one too.
    pub(crate) async fn next(&mut self) -> Option<Result<Event, Refusal>> {
        if self.ended {
            return None;
        }
        let event = match self.generation.as_mut()?.events.recv().await {
            Some(Event::Failed(error)) => Err(error.into()),
            Some(event) => Ok(event),
            None => Err(engine::Error::ShutDown.into()),
        };
        match &event {
            Ok(Event::Finished(summary)) => self.measure.ended(summary),
            Ok(Event::Prefill { .. }) => return Some(event),
            Ok(_) => {
                self.measure.trace.piece();
                return Some(event);
            }
            Err(refusal) => self.measure.failed(refusal),
        }
        self.ended = true;
        Some(event)
    }

    /// Gives the slot back; nothing comes any more.
    fn let_go(&mut self) {
        self.generation = None;
    }

    /// Waits for the end.
    pub(crate) async fn whole(mut self) -> Result<Whole, Refusal> {
        let (mut text, mut reasoning) = (String::new(), String::new());
        let mut tool_calls: Vec<ToolCall> = Vec::new();
        let mut all_logprobs = Vec::new();
        while let Some(event) = self.next().await {
            match event? {
                Event::Text {
                    text: more,
                    logprobs,
                } => {
                    text.push_str(&more);
                    all_logprobs.extend(logprobs);
                }
                Event::Reasoning { text } => reasoning.push_str(&text),
                Event::ToolCall { id, name, .. } => tool_calls.push(ToolCall {
                    id,
                    name,
                    arguments: String::new(),
                }),
                Event::ToolArguments { index, text } => {
                    if let Some(call) = tool_calls.get_mut(index as usize) {
                        call.arguments.push_str(&text);
                    }
                }
                Event::Finished(summary) => {
                    return Ok(Whole {
                        text,
                        reasoning,
                        tool_calls,
                        logprobs: all_logprobs,
                        summary,
                    });
                }
                _ => {}
            }
        }
        Err(engine::Error::ShutDown.into())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use hearth_app::engine::{FinishReason, Message, Role};

    use super::*;
    use crate::testing::TestServer;

    fn ask(text: &str) -> Ask {
        let request = Request::chat(vec![Message::new(Role::User, text)]);
        Ask {
            dialect: "test",
            model: "starter".into(),
            request: Request {
                parse: true,
                ..request
            },
            keep_alive: None,
            caching: true,
        }
    }

    /// Frames that show the order of the calls.
    struct Plain;

    impl Wire for Plain {
        fn open(&mut self, out: &mut Vec<String>) {
            out.push("open\n".into());
        }

        fn event(&mut self, index: usize, event: Event, out: &mut Vec<String>) {
            match event {
                Event::Text { text, .. } => out.push(format!("{index}:{text}\n")),
                Event::Finished(_) => out.push(format!("{index}.\n")),
                _ => {}
            }
        }

        fn failed(&mut self, refusal: &Refusal, out: &mut Vec<String>) {
            out.push(format!("failed {}\n", refusal.status));
        }

        fn close(&mut self, out: &mut Vec<String>) {
            out.push("close\n".into());
        }
    }

    async fn frames_of(text: &str, count: u32) -> Vec<String> {
        let server = TestServer::start();
        let state = ServerState::new(server.app.clone());
        let asks = copies(&ask(text), count);
        let answers = Answers::begin(&state, asks).await.unwrap();
        let pieces: Vec<_> = frames(answers, Plain).collect().await;
        let text = String::from_utf8(pieces.concat()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn whole_answers_have_text_and_figures() {
        let server = TestServer::start();
        let state = ServerState::new(server.app.clone());
        let answer = begin(&state, ask("!say hello")).await.unwrap();
        assert_eq!(
            (answer.model.as_str(), answer.cached_tokens),
            ("starter", 0)
        );
        let prompt_tokens = answer.prompt_tokens;
        let whole = answer.whole().await.unwrap();
        assert_eq!((whole.text.as_str(), whole.summary.tokens), ("hello", 5));
        assert_eq!(whole.summary.reason, FinishReason::Stop);
        assert_eq!(whole.summary.prompt_tokens, prompt_tokens);
        let metrics = state.metrics.render();
        let labels = r#"{dialect="test",model="starter"}"#;
        assert!(metrics.contains(&format!("hearth_generations_total{labels} 1")));
        assert!(metrics.contains(&format!("hearth_generated_tokens_total{labels} 5")));
    }

    #[tokio::test]
    async fn what_can_be_refused_is_refused_before_the_stream() {
        let server = TestServer::start();
        let state = ServerState::new(server.app.clone());
        let mut bad = ask("hi");
        bad.request.sampling.top_p = 3.0;
        let refusal = begin(&state, bad).await.err().unwrap();
        assert_eq!(refusal.param.as_deref(), Some("top_p"));
        let refusal = begin(&state, ask(&"long ".repeat(10_000))).await.err();
        assert_eq!(refusal.unwrap().code, "context_overflow");
        let mut missing = ask("hi");
        missing.model = "nothing".into();
        assert_eq!(begin(&state, missing).await.err().unwrap().status, 404);
        assert!(state.metrics.render().contains("code=\"model_missing\""));
    }

    #[tokio::test]
    async fn frames_come_in_order_and_several_answers_one_after_the_other() {
        let one = frames_of("!say ab", 1).await;
        assert_eq!(one.first().unwrap(), "open");
        assert_eq!(one.last().unwrap(), "close");
        let text: String = one.iter().filter_map(|f| f.strip_prefix("0:")).collect();
        assert_eq!(text, "ab");
        let three = frames_of("!say ab", 3).await;
        let ends: Vec<&String> = three.iter().filter(|f| f.ends_with('.')).collect();
        assert_eq!(ends, ["0.", "1.", "2."]);
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_says_so_and_ends() {
        let frames = frames_of("!error", 2).await;
        assert_eq!(frames.last().unwrap(), "failed 500 Internal Server Error");
        assert!(!frames.contains(&"close".to_owned()));
    }

    #[tokio::test]
    async fn a_client_that_hangs_up_stops_the_work() {
        let server = TestServer::start();
        let state = ServerState::new(server.app.clone());
        let text = format!("!slow 20 {}", "word ".repeat(400));
        let asks = copies(&ask(&text), 2);
        let answers = Answers::begin(&state, asks).await.unwrap();
        let mut frames = Box::pin(frames(answers, Plain));
        for _ in 0..3 {
            frames.next().await.unwrap();
        }
        drop(frames);
        for _ in 0..200 {
            if server.app.inference().loaded()[0].active_requests == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the work went on");
    }
}
