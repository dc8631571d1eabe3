//! The registry's rules, on engines that do what the test says and on a clock that the test moves.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use hearth_engine::embed::Task;
use hearth_engine::{
    Cancel, Engine, Error as EngineError, Event, Generation, Limits, Message, ModelInfo, Role,
    State, TokenTask,
};
use tokio::time::Instant;

use super::task::END_LIMIT;
use super::*;
use crate::error::Code;
use crate::events::AppEvent;

const GB: u64 = 1_000_000_000;

/// An engine whose state the test sets.
struct Scripted {
    state: watch::Sender<State>,
    limits: Mutex<Vec<Limits>>,
    requests: Mutex<Vec<mpsc::UnboundedSender<Event>>>,
    /// Stays when told to end, until the test lets it.
    lingers: bool,
}

impl Engine for Scripted {
    fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    fn ask_tokens(&self, _: TokenTask) -> Generation {
        self.accept()
    }

    fn encode(&self, _: Task) -> Generation {
        self.accept()
    }

    fn generate(&self, _: Request) -> Generation {
        self.accept()
    }

    fn limit(&self, limits: Limits) {
        self.limits.lock().unwrap().push(limits);
    }

    fn shut_down(&self) {
        self.requests.lock().unwrap().clear();
        if !self.lingers {
            self.state.send_replace(State::ShutDown);
        }
    }
}

impl Scripted {
    fn accept(&self) -> Generation {
        let (sender, events) = mpsc::unbounded_channel();
        self.requests.lock().unwrap().push(sender);
        let cancel = Cancel::new(|| {});
        Generation {
            events: events.into(),
            cancel,
        }
    }

    fn ready(&self) {
        let info = ModelInfo::without_weights(4096);
        self.state.send_replace(State::Ready { info, active: 0 });
    }

    fn fail(&self, error: EngineError) {
        self.state.send_replace(State::Failed(error));
    }

    fn is_ended(&self) -> bool {
        matches!(*self.state.borrow(), State::ShutDown)
    }
}

/// Makes scripted engines and remembers them by the name of their file.
#[derive(Default)]
struct Workshop {
    made: Mutex<HashMap<String, Vec<Arc<Scripted>>>>,
    /// Engines are ready as soon as they are made.
    at_once: bool,
    linger: bool,
    broken: Mutex<bool>,
}

impl Engines for Workshop {
    fn start(&self, spec: LoadSpec) -> io::Result<Arc<dyn Engine>> {
        if *self.broken.lock().unwrap() {
            return Err(io::Error::other("no more processes"));
        }
        let engine = Arc::new(Scripted {
            state: watch::channel(State::Loading { progress: None }).0,
            limits: Mutex::default(),
            requests: Mutex::default(),
            lingers: self.linger,
        });
        if self.at_once {
            engine.ready();
        }
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let name = spec.path.display().to_string();
        made.entry(name).or_default().push(engine.clone());
        Ok(engine)
    }
}

struct Bench {
    registry: Registry,
    workshop: Arc<Workshop>,
    events: Events,
}

impl Bench {
    fn new(workshop: Workshop) -> Self {
        let workshop = Arc::new(workshop);
        let events = Events::default();
        let space = Space {
            models: 3,
            budget_bytes: Some(10 * GB),
        };
        Self {
            registry: Registry::start(workshop.clone(), space, events.clone()),
            workshop,
            events,
        }
    }

    fn quick() -> Self {
        Self::new(Workshop {
            at_once: true,
            ..Workshop::default()
        })
    }

    async fn ask(&self, name: &str, gb: u64) -> Result<Started> {
        self.registry.generate(model(name, gb), hello(), None).await
    }

    /// Asks and lets the generation go at once.
    async fn touch(&self, name: &str, gb: u64) {
        drop(self.ask(name, gb).await.unwrap());
        self.settle().await;
        tokio::time::advance(Duration::from_secs(1)).await;
    }

    fn engines(&self, name: &str) -> Vec<Arc<Scripted>> {
        let made = self.workshop.made.lock().unwrap();
        made.get(name).cloned().unwrap_or_default()
    }

    fn engine(&self, name: &str) -> Arc<Scripted> {
        self.engines(name).pop().unwrap()
    }

    fn names(&self) -> Vec<String> {
        let rows = self.registry.rows();
        rows.iter().map(|row| row.model.name.clone()).collect()
    }

    /// Lets the task do what it has been told.
    async fn settle(&self) {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
}

fn model(name: &str, gb: u64) -> Arc<Model> {
    Arc::new(Model {
        fingerprint: None,
        name: name.into(),
        spec: LoadSpec::new(name),
        bytes: gb * GB,
    })
}

fn hello() -> Request {
    Request::chat(vec![Message::new(Role::User, "hello")])
}

async fn minutes(count: u64) {
    tokio::time::sleep(Duration::from_secs(60 * count)).await;
}

#[tokio::test(start_paused = true)]
async fn ten_requests_start_one_engine() {
    let bench = Bench::new(Workshop::default());
    let model = model("a", 1);
    let asks = (0..10).map(|_| bench.registry.generate(model.clone(), hello(), None));
    let started = futures_util::future::join_all(asks).await;
    assert!(started.iter().all(Result::is_ok));
    assert_eq!(bench.engines("a").len(), 1);
    assert_eq!(bench.engine("a").requests.lock().unwrap().len(), 10);
    bench.settle().await;
    assert_eq!(bench.registry.rows()[0].active, 10);
}

#[tokio::test(start_paused = true)]
async fn another_model_leaves_the_answer_of_the_first_alone() {
    let bench = Bench::quick();
    let mut first = bench.ask("a", 4).await.unwrap();
    let _second = bench.ask("b", 4).await.unwrap();
    bench.engine("a").requests.lock().unwrap()[0]
        .send(Event::Text {
            text: "on".into(),
            logprobs: Vec::new(),
        })
        .unwrap();
    assert!(matches!(
        first.generation.events.recv().await,
        Some(Event::Text { .. })
    ));
    assert_eq!(bench.names(), ["a", "b"]);
    assert!(!bench.engine("a").is_ended());
}

#[tokio::test(start_paused = true)]
async fn the_least_recently_used_model_makes_room() {
    let bench = Bench::quick();
    for name in ["a", "b", "c", "a"] {
        bench.touch(name, 2).await;
    }
    // By count: three are loaded, `b` was not used for the longest time.
    bench.touch("d", 2).await;
    assert_eq!(bench.names(), ["a", "c", "d"]);
    assert!(bench.engine("b").is_ended());
    // By memory: 6 GB of 10 are taken.
    bench.touch("e", 5).await;
    assert_eq!(bench.names(), ["a", "d", "e"]);
}

#[tokio::test(start_paused = true)]
async fn a_model_in_use_or_pinned_is_not_unloaded_and_the_error_names_it() {
    let bench = Bench::quick();
    let answering = bench.ask("a", 4).await.unwrap();
    bench.touch("b", 4).await;
    bench.registry.pin("b", true).await.unwrap();
    let error = bench.ask("c", 4).await.err().unwrap();
    assert_eq!(error.code, Code::InsufficientMemory);
    assert_eq!(
        error.message,
        "There is no room for the model `c`, which needs about 4.0 GB: `a` is answering and `b` is pinned."
    );
    let hint = error.hint.unwrap();
    assert!(hint.contains("unload `a` or `b`"), "{hint}");
    bench.settle().await;
    assert_eq!(bench.names(), ["a", "b"]);
    // What does not stick: once the answer has ended there is room.
    drop(answering);
    bench.touch("c", 4).await;
    assert_eq!(bench.names(), ["b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_model_is_unloaded_when_nobody_used_it_for_its_time() {
    let bench = Bench::quick();
    let mut heard = bench.events.subscribe();
    let answering = bench.ask("a", 1).await.unwrap();
    minutes(120).await;
    assert_eq!(bench.names(), ["a"], "an answer of two hours is in use");
    drop(answering);
    minutes(29).await;
    assert_eq!(bench.names(), ["a"]);
    assert!(bench.registry.rows()[0].expires_at.is_some());
    minutes(2).await;
    assert!(bench.names().is_empty());
    assert!(bench.engine("a").is_ended());
    // Loaded, unloaded.
    assert_eq!(heard.try_recv(), Ok(AppEvent::LoadedModelsChanged));
    assert_eq!(heard.try_recv(), Ok(AppEvent::LoadedModelsChanged));
    assert!(heard.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn each_request_may_say_how_long_its_model_stays() {
    let bench = Bench::quick();
    let ask = async |name: &str, seconds: Option<f64>| {
        let keep = Some(KeepAlive::from_seconds(seconds));
        let asked = bench.registry.generate(model(name, 1), hello(), keep);
        drop(asked.await.unwrap());
        bench.settle().await;
    };
    ask("now", Some(0.0)).await;
    assert!(bench.names().is_empty());
    ask("always", Some(-1.0)).await;
    ask("hour", Some(3600.0)).await;
    minutes(59).await;
    assert_eq!(bench.names(), ["always", "hour"]);
    minutes(2).await;
    assert_eq!(bench.names(), ["always"]);
    minutes(60 * 24 * 30).await;
    assert_eq!(bench.names(), ["always"]);
}

#[tokio::test(start_paused = true)]
async fn a_pinned_model_stays_until_it_is_let_go() {
    let bench = Bench::quick();
    bench.touch("a", 1).await;
    bench.registry.pin("a", true).await.unwrap();
    minutes(600).await;
    assert_eq!(bench.names(), ["a"]);
    bench.registry.pin("a", false).await.unwrap();
    minutes(1).await;
    assert!(bench.names().is_empty());
    let error = bench.registry.pin("a", true).await.unwrap_err();
    assert_eq!(error.code, Code::NotFound);
}

#[tokio::test(start_paused = true)]
async fn models_load_one_after_the_other() {
    let bench = Bench::new(Workshop::default());
    let _a = bench.ask("a", 1).await.unwrap();
    let (registry, b) = (&bench.registry, model("b", 1));
    let second = registry.generate(b, hello(), None);
    tokio::pin!(second);
    let waited = tokio::time::timeout(Duration::from_secs(5), &mut second).await;
    assert!(waited.is_err() && bench.engines("b").is_empty());
    assert!(bench.registry.rows()[1].state.is_none());
    bench.engine("a").ready();
    assert!(second.await.is_ok());
    assert_eq!(bench.engines("b").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_next_load_waits_for_the_memory_of_the_one_that_leaves() {
    let bench = Bench::new(Workshop {
        at_once: true,
        linger: true,
        ..Workshop::default()
    });
    bench.touch("a", 8).await;
    let registry = &bench.registry;
    let second = registry.load(model("b", 8));
    tokio::pin!(second);
    let waited = tokio::time::timeout(Duration::from_secs(2), &mut second).await;
    assert!(waited.is_err() && bench.engines("b").is_empty());
    bench.engine("a").state.send_replace(State::ShutDown);
    second.await.unwrap();
    // A third fits beside nothing either, and an engine that never ends is not waited for without end.
    let began = Instant::now();
    bench.registry.load(model("c", 8)).await.unwrap();
    assert!(began.elapsed() >= END_LIMIT && began.elapsed() < END_LIMIT * 2);
}

#[tokio::test(start_paused = true)]
async fn a_failed_load_does_not_stick() {
    let bench = Bench::new(Workshop::default());
    let _first = bench.ask("a", 1).await.unwrap();
    let reason = "the file is cut".to_owned();
    bench.engine("a").fail(EngineError::LoadFailed { reason });
    bench.settle().await;
    let state = bench.registry.rows()[0].state.clone().unwrap();
    assert!(matches!(*state.borrow(), State::Failed(_)));
    // It does not keep others from loading either.
    let b = bench.ask("b", 10).await.unwrap();
    bench.engine("b").ready();
    assert!(bench.ask("a", 1).await.is_err());
    assert_eq!(bench.engines("a").len(), 1, "`b` is answering, all is full");
    drop(b);

    *bench.workshop.broken.lock().unwrap() = true;
    let error = bench.ask("c", 0).await.err().unwrap();
    assert_eq!(error.code, Code::EngineUnavailable);
    *bench.workshop.broken.lock().unwrap() = false;
    assert!(bench.ask("c", 0).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_failed_model_is_started_anew_but_an_engine_that_gave_up_is_asked_itself() {
    let bench = Bench::new(Workshop::default());
    drop(bench.ask("a", 1).await.unwrap());
    let reason = "the file is cut".to_owned();
    bench.engine("a").fail(EngineError::LoadFailed { reason });
    let _again = bench.ask("a", 1).await.unwrap();
    assert_eq!(bench.engines("a").len(), 2);
    assert!(bench.engines("a")[0].is_ended());
    bench.engine("a").fail(EngineError::GaveUp {
        crashes: 3,
        within_s: 60,
    });
    let _third = bench.ask("a", 1).await.unwrap();
    assert_eq!(bench.engines("a").len(), 2, "it counts its crashes");
    assert_eq!(bench.engine("a").requests.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_crash_of_one_model_leaves_the_others() {
    let bench = Bench::quick();
    let _a = bench.ask("a", 1).await.unwrap();
    let mut b = bench.ask("b", 1).await.unwrap();
    bench.engine("a").fail(EngineError::GaveUp {
        crashes: 3,
        within_s: 60,
    });
    bench.settle().await;
    bench.engine("b").requests.lock().unwrap()[0]
        .send(Event::Text {
            text: "on".into(),
            logprobs: Vec::new(),
        })
        .unwrap();
    assert!(b.generation.events.recv().await.is_some());
    assert!(!bench.engine("b").is_ended());
    assert!(bench.ask("c", 1).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn unloading_by_name_is_refused_while_in_use() {
    let bench = Bench::quick();
    let answering = bench.ask("a", 1).await.unwrap();
    let error = bench.registry.unload("a").await.unwrap_err();
    assert_eq!(error.code, Code::Busy);
    drop(answering);
    bench.registry.pin("a", true).await.unwrap();
    bench.registry.unload("a").await.unwrap();
    assert!(bench.engine("a").is_ended() && bench.names().is_empty());
    let error = bench.registry.unload("a").await.unwrap_err();
    assert_eq!(error.code, Code::NotFound);
}

#[tokio::test(start_paused = true)]
async fn limits_reach_every_engine_and_those_that_come_later() {
    let bench = Bench::quick();
    let _a = bench.ask("a", 1).await.unwrap();
    let limits = Limits {
        duty: 0.5,
        ..Limits::default()
    };
    bench.registry.restrain(Restraint {
        engine: limits,
        ..Restraint::default()
    });
    let _b = bench.ask("b", 1).await.unwrap();
    for name in ["a", "b"] {
        assert_eq!(*bench.engine(name).limits.lock().unwrap(), [limits]);
    }
}

#[tokio::test(start_paused = true)]
async fn reading_ahead_never_loads_a_model() {
    let bench = Bench::new(Workshop::default());
    assert!(bench.registry.try_generate("a", hello()).await.is_none());
    bench.registry.load(model("a", 1)).await.unwrap();
    assert!(bench.registry.try_generate("a", hello()).await.is_none());
    bench.engine("a").ready();
    assert!(bench.registry.try_generate("a", hello()).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn shutting_down_waits_for_every_engine_and_refuses_what_comes_after() {
    let bench = Bench::new(Workshop {
        at_once: true,
        linger: true,
        ..Workshop::default()
    });
    let mut a = bench.ask("a", 1).await.unwrap();
    let _b = bench.ask("b", 1).await.unwrap();
    let end = bench.registry.shut_down();
    tokio::pin!(end);
    let second = Duration::from_secs(1);
    assert!(tokio::time::timeout(second, &mut end).await.is_err());
    assert!(a.generation.events.recv().await.is_none());
    bench.engine("a").state.send_replace(State::ShutDown);
    assert!(tokio::time::timeout(second, &mut end).await.is_err());
    assert!(bench.ask("c", 1).await.is_err());
    bench.engine("b").state.send_replace(State::ShutDown);
    tokio::time::timeout(second, &mut end).await.unwrap();
    assert_eq!(bench.engines("c").len(), 0);
    let error = bench.ask("a", 1).await.err().unwrap();
    assert_eq!(error.code, Code::EngineUnavailable);
}

#[tokio::test(start_paused = true)]
async fn engines_end_when_nobody_can_ask_any_more() {
    let bench = Bench::quick();
    let started = bench.ask("a", 1).await.unwrap();
    let engine = bench.engine("a");
    drop(bench.registry);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(engine.is_ended());
    drop(started);
}

#[test]
fn keep_alive_as_apis_say_it() {
    let seconds = |s| KeepAlive::For(Duration::from_secs(s));
    assert_eq!(KeepAlive::from_seconds(Some(0.0)), seconds(0));
    assert_eq!(KeepAlive::from_seconds(Some(90.0)), seconds(90));
    for forever in [Some(-1.0), Some(f64::NAN), Some(f64::INFINITY), None] {
        assert_eq!(KeepAlive::from_seconds(forever), KeepAlive::Forever);
    }
}

fn short_of_memory(no_load: bool) -> Restraint {
    let reason = crate::throttle::Reason::Memory {
        pressure: crate::hardware::MemoryPressure::Critical,
        used: Some(0.97),
    };
    Restraint {
        drop_idle: true,
        no_load: no_load.then_some(crate::inference::held::NoLoad {
            reason,
            memory: None,
        }),
        ..Restraint::default()
    }
}

#[tokio::test(start_paused = true)]
async fn short_memory_ends_idle_models_at_once_and_used_ones_soon_after() {
    let bench = Bench::quick();
    bench.touch("idle", 1).await;
    bench.touch("pinned", 1).await;
    bench.registry.pin("pinned", true).await.unwrap();
    let answering = bench.ask("busy", 1).await.unwrap();
    bench.registry.restrain(short_of_memory(false));
    bench.settle().await;
    assert_eq!(bench.names(), ["pinned", "busy"]);
    drop(answering);
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(bench.names(), ["pinned", "busy"]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(bench.names(), ["pinned"]);
    // Said once more it ends nothing: what was loaded since is somebody's.
    bench.touch("new", 1).await;
    bench.registry.restrain(short_of_memory(false));
    bench.settle().await;
    assert_eq!(bench.names(), ["pinned", "new"]);
}

#[tokio::test(start_paused = true)]
async fn loads_are_refused_with_the_reason_and_what_is_loaded_goes_on() {
    let bench = Bench::quick();
    let _answering = bench.ask("a", 1).await.unwrap();
    bench.registry.restrain(short_of_memory(true));
    let refused = bench.ask("b", 4).await.err().unwrap();
    assert_eq!(refused.code, Code::InsufficientMemory);
    assert!(refused.message.contains("about 4.0 GB"), "{refused}");
    assert!(bench.engines("b").is_empty());
    assert!(bench.ask("a", 1).await.is_ok());
    bench.registry.restrain(Restraint::default());
    assert!(bench.ask("b", 4).await.is_ok());
}
