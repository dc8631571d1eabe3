//! The task that sees each second through: takes the reading, measures the work, decides, lets it hold, and tells.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use hearth_hardware::awake;
use hearth_hardware::clock::SleepWatch;
use hearth_hardware::sampler::Readings;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::alerts::{Alerts, Totals};
use super::awake::KeepAwake;
use super::clock::{minute_of_day, unix_ms};
use super::elsewhere::Elsewhere;
use super::work::{Meter, Second};
use super::{Seen, Shared};
use crate::App;
use crate::events::AppEvent;
use crate::hardware::Reading;
use crate::inference::{EngineState, Held};
use crate::settings::Settings;
use crate::throttle::{Decision, Input, Policy, State, decide, is_cool};
use crate::timeline::{Alert, Happening, Moment};

/// Readings that stay away for so long are gone: the task goes on without them.
const SILENCE: Duration = Duration::from_secs(3);
/// The pace of the task while no readings come.
const ALONE: Duration = Duration::from_secs(1);
/// How long nothing must have been held back before a speed counts as that of the cool machine, in seconds.
const SETTLED_S: f32 = 3.0;
/// How often what was learnt is written to the disk.
const SAVE_EVERY: Duration = Duration::from_secs(60);
/// Most programs that are told apart.
const CLIENTS: usize = 1000;

struct Task {
    shared: Arc<Shared>,
    moments: watch::Sender<Arc<Moment>>,
    meter: Meter,
    state: State,
    /// What holds, and what of it was told.
    decision: Decision,
    told: Decision,
    alerts: Alerts,
    awake: KeepAwake,
    sleep: SleepWatch,
    settled_s: f32,
    loaded: BTreeSet<String>,
    clients: HashSet<String>,
    /// Other programs whose models have answered.
    others: HashSet<String>,
    last_request: u64,
    last_at_ms: i64,
    last_tick: Instant,
    saved: Instant,
    cores: u32,
    elsewhere: Elsewhere,
}

/// Runs until the app is dropped.
pub(super) fn start(
    app: &Arc<App>,
    readings: Option<Readings>,
    shared: Arc<Shared>,
    moments: watch::Sender<Arc<Moment>>,
) {
    let now = Instant::now();
    let task = Task {
        shared,
        moments,
        meter: Meter::default(),
        state: State::default(),
        decision: Decision::default(),
        told: Decision::default(),
        alerts: Alerts::default(),
        awake: KeepAwake::start(|| awake::hold("Hearth is writing an answer")),
        sleep: SleepWatch::start(),
        settled_s: 0.0,
        loaded: BTreeSet::new(),
        clients: HashSet::new(),
        others: HashSet::new(),
        last_request: 0,
        last_at_ms: 0,
        last_tick: now,
        saved: now,
        cores: crate::hardware::read().logical_cores,
        elsewhere: Elsewhere::default(),
    };
    tokio::spawn(task.run(Arc::downgrade(app), readings));
}

impl Task {
    async fn run(mut self, app: Weak<App>, mut readings: Option<Readings>) {
        let mut due = Instant::now() + SILENCE;
        loop {
            let reading = tokio::select! {
                reading = next(&mut readings) => reading,
                () = sleep_until(due) => None,
            };
            let pause = if reading.is_some() { SILENCE } else { ALONE };
            due = Instant::now() + pause;
            let Some(app) = app.upgrade() else {
                return;
            };
            self.second(&app, &reading.unwrap_or_else(no_reading));
            if self.saved.elapsed() >= SAVE_EVERY {
                self.saved = Instant::now();
                self.shared.cool.save().await;
            }
        }
    }

    /// One second, from the reading to everybody who wants to know.
    fn second(&mut self, app: &App, reading: &Reading) {
        let seconds = self.seconds_since(reading);
        let settings = self.shared.settings.get();
        let counts = app.inference().meters().counts();
        let totals = totals(counts.values());
        let (_, waiting) = app.inference().admitted();
        let second = self
            .meter
            .second(counts, waiting, &self.shared.cool.known());
        let threads = if second.work.running > 0 {
            self.shared.threads
        } else {
            0
        };
        let guess = threads as f32 / self.cores.max(1) as f32;
        let clocks = app.inference().cpu_clocks();
        self.elsewhere
            .second(reading.cpu_usage, clocks, guess, (seconds, self.cores));
        self.learn(reading, &second, seconds);
        self.decide(reading, &second, &settings, seconds);
        self.hold(app, reading, &second);
        self.awake
            .want(settings.keep_awake && second.work.running > 0);
        let alerts = self
            .alerts
            .second(reading, &second, totals, &settings, seconds);
        for alert in alerts {
            self.alert(app, alert, &settings);
        }
        self.notice(app);
        let moment = Arc::new(Moment {
            reading: reading.clone(),
            work: second.work,
            decision: self.decision.clone(),
        });
        if let Some(timeline) = &self.shared.timeline {
            timeline.record(&moment);
        }
        self.shared.recent().record(Arc::clone(&moment));
        self.moments.send_replace(moment);
    }

    /// By the clock of the readings, which a recording may run faster, else by our own.
    fn seconds_since(&mut self, reading: &Reading) -> f32 {
        let by_reading = reading.at_ms - std::mem::replace(&mut self.last_at_ms, reading.at_ms);
        let by_clock = std::mem::replace(&mut self.last_tick, Instant::now()).elapsed();
        if (1..=5000).contains(&by_reading) {
            by_reading as f32 / 1000.0
        } else {
            by_clock.as_secs_f32().min(5.0)
        }
    }

    /// Takes the speed of this second as that of the cool machine, if it was cool and nothing held the engines back.
    fn learn(&mut self, reading: &Reading, second: &Second, seconds: f32) {
        let cool = is_cool(reading, &self.decision) && !self.elsewhere.is_busy();
        self.settled_s = if cool { self.settled_s + seconds } else { 0.0 };
        let Some((speed, load)) = second.speed.as_ref().zip(second.load) else {
            return;
        };
        if !second.is_plain {
            return;
        }
        let mut known = self.shared.cool.known();
        if self.settled_s >= SETTLED_S {
            known.learn(&speed.model, load, speed.tokens_per_second, reading.at_ms);
        } else if self.decision.limits.duty < 1.0 {
            let whole = speed.tokens_per_second / self.decision.limits.duty;
            known.compare(&speed.model, load, whole);
        }
    }

    fn decide(&mut self, reading: &Reading, second: &Second, settings: &Settings, seconds: f32) {
        let policy = Policy::of(settings, minute_of_day());
        let busy_elsewhere = self.elsewhere.is_busy();
        let input = Input {
            reading,
            speed: second.speed.as_ref(),
            policy: &policy,
            threads: self.shared.threads,
            duty: self.decision.limits.duty,
            seconds,
            busy_elsewhere,
        };
        (self.decision, self.state) = decide(&input, &self.state);
        *self.shared.seen() = Seen {
            reading: reading.clone(),
            speed: second.speed.clone(),
            state: self.state.clone(),
            duty: self.decision.limits.duty,
            busy_elsewhere,
        };
    }

    /// Lets the decision hold, and tells when it is another one.
    fn hold(&mut self, app: &App, reading: &Reading, second: &Second) {
        let cool = second.speed.as_ref().and_then(|speed| {
            let cool = second.work.cool_tokens_per_second?;
            Some((speed.model.clone(), cool))
        });
        app.inference().hold(Held {
            decision: self.decision.clone(),
            memory: reading.memory,
            cool,
        });
        if !self.decision.differs_from(&self.told) {
            return;
        }
        self.told = self.decision.clone();
        let work = &second.work;
        let sentence = self
            .decision
            .sentence(work.tokens_per_second, work.cool_tokens_per_second)
            .unwrap_or_else(|| "Nothing is held back.".to_owned());
        tracing::info!(level = ?self.decision.level, limits = ?self.decision.limits, "{sentence}");
        let decision = self.decision.clone();
        self.shared
            .mark(now_of(reading), Happening::Limits { decision });
        app.events().send(AppEvent::LimitsChanged);
    }

    fn alert(&self, app: &App, alert: Alert, settings: &Settings) {
        let name = alert.name();
        tracing::warn!(alert = name, "{}", alert.sentence());
        self.shared.mark(unix_ms(), Happening::Alert { alert });
        let mut muted = settings.alerts_muted.split_whitespace();
        if settings.alerts && !muted.any(|muted| muted == name) {
            app.events().send(AppEvent::Alerted { alert });
        }
    }

    /// What happened besides: sleep, models that came and went, programs that ask for the first time.
    fn notice(&mut self, app: &App) {
        let now = unix_ms();
        if let Some(slept) = self.sleep.slept() {
            let asleep_s = u32::try_from(slept.as_secs()).unwrap_or(u32::MAX);
            tracing::info!(asleep_s, "the machine slept");
            let since = now - slept.as_millis() as i64;
            self.shared.mark(since, Happening::Slept);
            self.shared.mark(now, Happening::Woke { asleep_s });
        }
        let models = app.inference().loaded().into_iter();
        let usable = models.filter(|model| {
            let state = &model.state;
            matches!(
                state,
                EngineState::Ready { .. } | EngineState::Generating { .. }
            )
        });
        let loaded: BTreeSet<String> = usable.map(|model| model.name).collect();
        for model in loaded.difference(&self.loaded).cloned() {
            self.shared.mark(now, Happening::Loaded { model });
        }
        for model in self.loaded.difference(&loaded).cloned() {
            self.shared.mark(now, Happening::Unloaded { model });
        }
        self.loaded = loaded;
        for (model, counts) in app.inference().meters().counts() {
            let Some((_, name)) = model.rsplit_once('@').filter(|_| counts.elsewhere) else {
                continue;
            };
            if self.others.insert(name.to_owned()) {
                let name = name.to_owned();
                self.shared.mark(now, Happening::OtherEngine { name });
            }
        }
        for request in app.server().requests_after(self.last_request) {
            self.last_request = request.id;
            let Some(name) = request.client else {
                continue;
            };
            if self.clients.len() < CLIENTS && self.clients.insert(name.clone()) {
                self.shared.mark(request.at_ms, Happening::Client { name });
            }
        }
    }
}

/// The next reading; never, once there will be none.
async fn next(readings: &mut Option<Readings>) -> Option<Reading> {
    if let Some(receiver) = readings {
        if receiver.changed().await.is_ok() {
            return Some(Reading::clone(&receiver.borrow_and_update()));
        }
        *readings = None;
    }
    std::future::pending().await
}

/// What is known while the sensors are silent.
fn no_reading() -> Reading {
    Reading {
        at_ms: unix_ms(),
        failed: vec!["sensors".to_owned()],
        ..Reading::default()
    }
}

/// When a reading was taken.
fn now_of(reading: &Reading) -> i64 {
    if reading.at_ms > 0 {
        reading.at_ms
    } else {
        unix_ms()
    }
}

fn totals<'a>(counts: impl Iterator<Item = &'a crate::inference::Counts>) -> Totals {
    counts.fold(Totals::default(), |sum, model| Totals {
        finished: sum.finished + model.finished,
        failed: sum.failed + model.failed,
        follow_up_tokens: sum.follow_up_tokens + model.follow_up_tokens,
        follow_up_cached: sum.follow_up_cached + model.follow_up_cached,
    })
}
