//! The governor from readings to what engines, doors and chats do about them, on scripted readings and the fake engine.
//!
//! A script runs twenty times as fast as the clock: a reading comes every 50 ms, and each says that a second has passed. Speeds are
//! compared, so the tests run one after the other.
#![allow(clippy::unwrap_used, clippy::panic)] // A test may stop anywhere and say why.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hearth_app::chats::{ChatEvent, Follow};
use hearth_app::engine::{Message, Priority, Request, Role};
use hearth_app::events::AppEvent;
use hearth_app::hardware::{Disk, Memory, MemoryPressure, Reading, ThermalState};
use hearth_app::inference::EngineState;
use hearth_app::monitor::{Monitor, Span};
use hearth_app::settings::{OnBattery, SettingChange};
use hearth_app::throttle::{Level, Reason};
use hearth_app::timeline::{Alert, Happening, Mark, Moment};
use hearth_app::{App, Code};
use hearth_tests::{TestApp, starter_path};
use tokio::sync::{Mutex, MutexGuard, watch};

/// How often a scripted reading comes.
const EVERY: Duration = Duration::from_millis(50);
/// As long as several rests of a hot engine: a shorter second may hold tokens and no rest, or only a rest.
const LONG: Duration = Duration::from_millis(300);
/// How long ago scripts begin, in milliseconds, so that they end before now.
const AGO_MS: i64 = 600_000;

static ALONE: Mutex<()> = Mutex::const_new(());

/// The app of one test, while no other test runs.
async fn start_alone() -> (MutexGuard<'static, ()>, TestApp) {
    (ALONE.lock().await, TestApp::start())
}

/// Readings that the test chooses.
struct Script {
    sender: watch::Sender<Arc<Reading>>,
    at_ms: i64,
    every: Duration,
}

impl Script {
    fn open(app: &Arc<App>) -> (Self, Arc<Monitor>) {
        let (sender, readings) = watch::channel(Arc::default());
        let monitor = app.open_monitor_on(readings);
        let at_ms = unix_ms() - AGO_MS;
        let every = EVERY;
        let script = Self {
            sender,
            at_ms,
            every,
        };
        (script, monitor)
    }

    /// One scripted second.
    async fn second(&mut self, reading: &Reading) {
        self.at_ms += 1000;
        let at_ms = self.at_ms;
        self.sender.send_replace(Arc::new(Reading {
            at_ms,
            ..reading.clone()
        }));
        tokio::time::sleep(self.every).await;
    }

    async fn seconds(&mut self, count: usize, reading: &Reading) {
        for _ in 0..count {
            self.second(reading).await;
        }
    }

    /// The speed that is shown in each of `count` seconds, in tokens a second.
    async fn speeds(&mut self, monitor: &Monitor, count: usize, reading: &Reading) -> Vec<f32> {
        let mut speeds = Vec::new();
        for _ in 0..count {
            self.second(reading).await;
            speeds.extend(monitor.now().work.tokens_per_second);
        }
        speeds
    }
}

fn nominal() -> Reading {
    Reading {
        thermal: Some(ThermalState::Nominal),
        cpu_celsius: Some(60.0),
        ..Reading::default()
    }
}

fn hot(state: ThermalState, celsius: f32) -> Reading {
    Reading {
        thermal: Some(state),
        cpu_celsius: Some(celsius),
        ..Reading::default()
    }
}

fn short_of_memory(pressure: MemoryPressure) -> Reading {
    Reading {
        pressure: Some(pressure),
        memory: Some(Memory {
            total_bytes: 16_000_000_000,
            used_bytes: 15_600_000_000,
            ..Memory::default()
        }),
        ..nominal()
    }
}

/// Waits until a moment is as it should be, for 5 s at most, and says how long it took.
async fn until(monitor: &Monitor, what: &str, check: impl Fn(&Moment) -> bool) -> Duration {
    let began = Instant::now();
    let mut moments = monitor.subscribe();
    let wait = async {
        while !check(&monitor.now()) {
            moments.changed().await.unwrap();
        }
    };
    if tokio::time::timeout(Duration::from_secs(5), wait)
        .await
        .is_err()
    {
        panic!("waited for: {what}; it is {:?}", monitor.now());
    }
    began.elapsed()
}

/// An answer of `words` words, a token every `ms` milliseconds.
async fn begin_answer(test: &TestApp, ms: u32, words: usize) -> Follow {
    let chat = test.chats().create().await.unwrap();
    let text = format!("!slow {ms} {}", "word ".repeat(words));
    let mut follow = test
        .chats()
        .send(&chat.id, &text, None)
        .await
        .unwrap()
        .follow;
    while !matches!(follow.next().await, Some(ChatEvent::Delta { .. })) {}
    follow
}

async fn end_of(mut follow: Follow) -> hearth_app::chats::Message {
    loop {
        if let ChatEvent::Finished { message } = follow.next().await.unwrap() {
            return message;
        }
    }
}

fn unix_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_millis() as i64
}

/// Everything that was marked, the oldest first.
async fn marks(monitor: &Monitor) -> Vec<Mark> {
    let span = Span {
        from_ms: unix_ms() - 2 * AGO_MS,
        to_ms: unix_ms() + AGO_MS,
        points: 10,
    };
    monitor.history(span).await.unwrap().marks
}

/// The levels that were told, in their order, with the sentence of each.
async fn told(monitor: &Monitor) -> Vec<(Level, String)> {
    let marks = marks(monitor).await;
    let decisions = marks.into_iter().filter_map(|mark| match mark.what {
        Happening::Limits { decision } => Some(decision),
        _ => None,
    });
    decisions
        .map(|d| (d.level, d.sentence(None, None).unwrap_or_default()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hot_afternoon_paces_the_answer_and_the_chat_says_so() {
    use Level::{Eased, Free, Held, Slowed};
    let (_alone, test) = start_alone().await;
    // Nothing is guessed ahead, so that each token is a step.
    let greedy = SettingChange::Temperature(0.0);
    test.app.settings().set(greedy).await.unwrap();
    let (mut script, monitor) = Script::open(&test.app);
    script.seconds(5, &nominal()).await;
    let follow = begin_answer(&test, 5, 420).await;
    script.seconds(20, &nominal()).await;
    let mut speeds = script.speeds(&monitor, 20, &nominal()).await;
    speeds.sort_by(f32::total_cmp);
    let cool = speeds[10];
    assert!((100.0..205.0).contains(&cool), "{cool}");

    script.seconds(5, &hot(ThermalState::Fair, 85.0)).await;
    assert_eq!(monitor.now().decision.level, Level::Eased);
    let serious = hot(ThermalState::Serious, 96.0);
    let began = Instant::now();
    script.second(&serious).await;
    assert_eq!(monitor.now().decision.level, Level::Slowed);
    while monitor.now().work.tokens_per_second.unwrap() > 0.7 * cool {
        script.second(&serious).await;
        assert!(began.elapsed() < Duration::from_secs(2), "paced within 2 s");
    }
    script.seconds(10, &serious).await;
    let known = monitor.now().work.cool_tokens_per_second.unwrap();
    assert!((known / cool - 1.0).abs() < 0.15, "{known} of {cool}");
    let critical = hot(ThermalState::Critical, 104.0);
    script.seconds(5, &critical).await;
    script.every = LONG;
    let speeds = script.speeds(&monitor, 6, &critical).await;
    script.every = EVERY;
    assert_eq!(monitor.now().decision.level, Level::Held);
    let speed = speeds.iter().sum::<f32>() / speeds.len() as f32;
    assert!((0.15..0.35).contains(&(speed / cool)), "{speed} of {cool}");

    script.seconds(50, &nominal()).await;
    assert_eq!(monitor.now().decision.level, Level::Free);
    let levels: Vec<Level> = told(&monitor).await.into_iter().map(|(l, _)| l).collect();
    assert_eq!(levels, [Eased, Slowed, Held, Slowed, Eased, Free]);
    let sentences = told(&monitor).await;
    assert_eq!(sentences[1].1, "Slowed by heat (serious, 96 °C).");

    let cool_again = nominal();
    let waits = script.seconds(200, &cool_again);
    let message = tokio::select! {
        message = end_of(follow) => message,
        () = waits => panic!("the answer has an end"),
    };
    let slowed = message.stats.unwrap().slowed.unwrap();
    let critical = Reason::Heat {
        state: ThermalState::Critical,
        celsius: Some(104.0),
    };
    assert_eq!(slowed.reason, critical);
    let cool_then = slowed.cool_tokens_per_second.unwrap();
    assert!((cool_then / cool - 1.0).abs() < 0.15);
    // An answer on the cool machine says nothing of it.
    let after = test.ask("hello").await;
    assert_eq!(after.stats.unwrap().slowed, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_says_nothing_of_its_heat_is_found_out() {
    let (_alone, test) = start_alone().await;
    // Nothing is guessed ahead: there is no speed to learn from what comes several tokens a step.
    let greedy = SettingChange::Temperature(0.0);
    test.app.settings().set(greedy).await.unwrap();
    let (mut script, monitor) = Script::open(&test.app);
    script.seconds(5, &nominal()).await;
    let cool = begin_answer(&test, 5, 80).await;
    script.seconds(35, &nominal()).await;
    assert!(monitor.now().work.cool_tokens_per_second.is_some());
    assert_eq!(told(&monitor).await, []);
    end_of(cool).await;

    // The same model, as it writes on a hot machine whose system stays silent.
    let slow = begin_answer(&test, 10, 80).await;
    let began = Instant::now();
    while monitor.now().decision.level < Level::Slowed {
        script.second(&nominal()).await;
        assert!(began.elapsed() < Duration::from_secs(3), "it is found out");
    }
    let decision = monitor.now().decision.clone();
    assert!((decision.limits.duty - 0.6).abs() < 0.001);
    let [Reason::SlowerThanCool { model, now, cool }] = decision.reasons.as_slice() else {
        panic!("{decision:?}");
    };
    assert_eq!(model, "starter");
    assert!(*now < 0.8 * cool, "{now} of {cool}");
    script.seconds(20, &nominal()).await;
    let message = end_of(slow).await;
    let slowed = message.stats.unwrap().slowed.unwrap();
    assert!(matches!(slowed.reason, Reason::SlowerThanCool { .. }));
    assert_eq!(told(&monitor).await.len(), 1);
    // With nothing to do it cools, and is free again.
    script.seconds(65, &nominal()).await;
    assert_eq!(monitor.now().decision.level, Level::Free);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_unloads_what_is_idle_and_a_critical_state_refuses_loads() {
    let (_alone, test) = start_alone().await;
    let folder = test.home.path().join("models");
    std::fs::create_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink(starter_path(), folder.join("second.gguf")).unwrap();
    let (mut script, monitor) = Script::open(&test.app);
    test.app.inference().prepare("second").await.unwrap();
    let follow = begin_answer(&test, 5, 60).await;
    script.seconds(2, &nominal()).await;
    assert_eq!(test.app.inference().loaded().len(), 2);

    let warned = Instant::now();
    while test.app.inference().loaded().len() > 1 {
        script
            .second(&short_of_memory(MemoryPressure::Warning))
            .await;
        assert!(warned.elapsed() < Duration::from_secs(1), "within 1 s");
    }
    assert_eq!(
        test.app.inference().state_of("second"),
        EngineState::Unloaded
    );

    script
        .second(&short_of_memory(MemoryPressure::Critical))
        .await;
    let refused = test.app.inference().prepare("second").await.unwrap_err();
    assert_eq!(refused.code, Code::InsufficientMemory);
    assert!(
        refused.message.contains("about 0.6 GB") && refused.message.contains("15.6 GB are used"),
        "{refused}"
    );
    let message = end_of(follow).await;
    assert_eq!(message.text, "word ".repeat(60).trim());
    assert_eq!(message.stats.unwrap().slowed, None);
    script.seconds(40, &nominal()).await;
    test.app.inference().prepare("second").await.unwrap();
    let marks = marks(&monitor).await;
    let gone =
        |what: &Happening| matches!(what, Happening::Unloaded { model } if model == "second");
    assert!(marks.iter().any(|mark| gone(&mark.what)));
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_are_let_in_as_the_power_allows() {
    let (_alone, test) = start_alone().await;
    let (mut script, _monitor) = Script::open(&test.app);
    let least = SettingChange::OnBattery(OnBattery::Least);
    test.app.settings().set(least).await.unwrap();
    let away = Reading {
        on_mains: Some(false),
        battery: Some(hearth_app::hardware::Battery {
            percent: 40.0,
            charging: false,
            watts: None,
            minutes_left: None,
        }),
        ..nominal()
    };
    script.second(&away).await;
    let request = |priority| Request {
        priority,
        ..Request::chat(vec![Message::new(Role::User, "hello")])
    };
    let inference = test.app.inference();
    let refused = inference.generate("starter", request(Priority::Api)).await;
    assert_eq!(refused.err().unwrap().code, Code::Busy);
    assert_eq!(test.ask("hello").await.text, "You said: hello");
    script.seconds(16, &nominal()).await;
    let let_in = inference.generate("starter", request(Priority::Api)).await;
    assert!(let_in.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_sensor_work_goes_on_and_it_is_said_once() {
    let (_alone, test) = start_alone().await;
    let (script, monitor) = Script::open(&test.app);
    // The thread of the sensors hangs from the begin: no reading ever comes.
    until(&monitor, "it goes on alone", |moment| {
        moment.reading.failed == ["sensors"]
    })
    .await;
    let now = monitor.now();
    assert_eq!(now.decision.level, Level::Free);
    assert_eq!(now.decision.reasons, [Reason::NoSensors]);
    assert_eq!(test.ask("hello").await.text, "You said: hello");
    drop(script);
    let mut moments = monitor.subscribe();
    for _ in 0..2 {
        moments.changed().await.unwrap();
    }
    assert_eq!(told(&monitor).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_speed_that_is_shown_is_the_one_that_the_client_measures() {
    let (_alone, test) = start_alone().await;
    let (mut script, monitor) = Script::open(&test.app);
    let mut follow = begin_answer(&test, 5, 120).await;
    // What is shown holds for as long as the moment was, which is more than 50 ms on a busy machine.
    let (began, mut moment) = (Instant::now(), Instant::now());
    let (mut shown, mut shown_for, mut letters) = (0.0, 0.0, 0);
    while began.elapsed() < Duration::from_secs(2) {
        script.second(&nominal()).await;
        let seconds = std::mem::replace(&mut moment, Instant::now()).elapsed();
        if let Some(speed) = monitor.now().work.tokens_per_second {
            shown += speed * seconds.as_secs_f32();
            shown_for += seconds.as_secs_f32();
        }
        while let Ok(Some(event)) =
            tokio::time::timeout(Duration::from_millis(1), follow.next()).await
        {
            if let ChatEvent::Delta { text, .. } = event {
                letters += text.len();
            }
        }
    }
    let measured = letters as f32 / began.elapsed().as_secs_f32();
    let shown = shown / shown_for;
    assert!(
        (shown / measured - 1.0).abs() < 0.05,
        "{shown} shown, {measured} measured"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_told_once_and_muted_ones_only_noted() {
    let (_alone, test) = start_alone().await;
    let (mut script, monitor) = Script::open(&test.app);
    let muted = SettingChange::AlertsMuted("disk".into());
    test.app.settings().set(muted).await.unwrap();
    let mut events = test.app.events().subscribe();
    let full = Reading {
        disk: Some(Disk {
            total_bytes: 100,
            free_bytes: 5,
        }),
        ..hot(ThermalState::Serious, 96.0)
    };
    script.seconds(5, &full).await;
    let state = ThermalState::Serious;
    let mut alerts = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let AppEvent::Alerted { alert } = event {
            alerts.push(alert);
        }
    }
    assert_eq!(alerts, [Alert::Heat { state }]);
    let marks = marks(&monitor).await;
    let noted: Vec<Alert> = marks
        .into_iter()
        .filter_map(|mark| match mark.what {
            Happening::Alert { alert } => Some(alert),
            _ => None,
        })
        .collect();
    assert_eq!(noted.len(), 2);
    assert!(noted.contains(&Alert::Disk { percent: 5.0 }));
}
