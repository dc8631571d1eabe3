//! The governor on the real engine: what heat takes from the processor time of the engine's child, and whether the speed that is shown
//! is the one that a client sees.
//!
//! Readings are scripted, one a second; everything behind them is the program itself.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hearth_app::engine::{Event, Priority, Request, Sampling};
use hearth_app::hardware::{Reading, ThermalState};
use hearth_app::inference::{ChildEngines, Started};
use hearth_app::monitor::Monitor;
use hearth_app::paths::Paths;
use hearth_app::{App, Options};
use tokio::sync::watch;

use crate::report::{Must, Report};

/// The share of the time that serious heat leaves an engine, by the table in `throttle/table.rs`.
const SERIOUS_DUTY: f64 = 0.6;
/// How soon that must show: what is measured begins then.
const WITHIN_S: u64 = 5;
/// How long each state is measured.
const MEASURED_S: u64 = 8;
/// How long it takes until a cool state is believed, with some room.
const COOL_AFTER_S: u64 = 18;
/// Ticks of the kernel's processor times in a second: fixed for programs on Linux.
const TICKS: f64 = 100.0;

/// What one state was like.
struct Phase {
    /// Processor time of the engine's child, in seconds for each second.
    cpu: f64,
    /// Tokens a second that the client counted, and that were shown.
    counted: f64,
    shown: f64,
}

/// Runs for about a minute.
pub(crate) fn measure(report: &mut Report, model: &Path) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let [cool, hot, again] = runtime.block_on(phases(model));
    let part = |phase: &Phase| phase.cpu / cool.cpu;
    let how = format!(
        "{:.2} of {:.2} s of processor time a second",
        hot.cpu, cool.cpu
    );
    let name = "engine under serious heat, to the cool machine";
    let most = Must::AtMost(SERIOUS_DUTY * 1.1);
    report.row(name, "×", part(&hot), &most, &how);
    let least = Must::AtLeast(SERIOUS_DUTY * 0.8);
    report.row("  and no further down", "×", part(&hot), &least, &how);
    let how = format!("{COOL_AFTER_S} s after the heat");
    let name = "engine after it has cooled";
    report.row(name, "×", part(&again), &Must::AtLeast(0.85), &how);
    for (name, phase) in [("cool", &cool), ("hot", &hot)] {
        let off = (phase.shown / phase.counted - 1.0).abs();
        let how = format!("{:.1} shown, {:.1} counted", phase.shown, phase.counted);
        let name = format!("speed shown while {name}, off the client's");
        report.row(&name, "×", off, &Must::AtMost(0.05), &how);
    }
}

async fn phases(model: &Path) -> [Phase; 3] {
    let home = tempfile::tempdir().unwrap();
    let mut paths = Paths::under(home.path());
    paths.bundled = vec![model.parent().unwrap().to_owned()];
    let app = App::open(Options {
        paths,
        engines: Arc::new(ChildEngines),
    });
    let (script, readings) = watch::channel(Arc::default());
    let monitor = app.open_monitor_on(readings);
    let mut answer = Answer::begin(&app).await;
    while answer.tokens == 0 {
        answer.listen(Duration::from_millis(10)).await;
    }
    let mut phase = async |state, settle| {
        second_by_second(&script, state, &mut answer, settle, None).await;
        let before = (child_cpu_seconds(), answer.tokens, Instant::now());
        let mut shown = Vec::new();
        let seen = Some((&*monitor, &mut shown));
        second_by_second(&script, state, &mut answer, MEASURED_S, seen).await;
        let seconds = before.2.elapsed().as_secs_f64();
        Phase {
            cpu: (child_cpu_seconds() - before.0) / seconds,
            counted: (answer.tokens - before.1) as f64 / seconds,
            shown: shown.iter().sum::<f64>() / shown.len() as f64,
        }
    };
    let cool = phase(ThermalState::Nominal, 3).await;
    let hot = phase(ThermalState::Serious, WITHIN_S).await;
    let again = phase(ThermalState::Nominal, COOL_AFTER_S).await;
    drop(answer);
    app.shut_down().await;
    [cool, hot, again]
}

/// Says the same reading once a second, and takes tokens meanwhile.
async fn second_by_second(
    script: &watch::Sender<Arc<Reading>>,
    state: ThermalState,
    answer: &mut Answer,
    seconds: u64,
    mut seen: Option<(&Monitor, &mut Vec<f64>)>,
) {
    for _ in 0..seconds {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        script.send_replace(Arc::new(Reading {
            at_ms: now.as_millis() as i64,
            thermal: Some(state),
            ..Reading::default()
        }));
        answer.listen(Duration::from_secs(1)).await;
        if let Some((monitor, shown)) = &mut seen {
            shown.extend(monitor.now().work.tokens_per_second.map(f64::from));
        }
    }
}

/// A client that reads one long answer after the other.
struct Answer {
    app: Arc<App>,
    started: Started,
    tokens: u64,
}

impl Answer {
    async fn begin(app: &Arc<App>) -> Self {
        Self {
            started: Self::ask(app).await,
            app: Arc::clone(app),
            tokens: 0,
        }
    }

    async fn ask(app: &App) -> Started {
        let request = Request {
            // Greedy: nothing is guessed ahead, so that each token is a step.
            sampling: Sampling::greedy(),
            max_tokens: Some(6000),
            ignore_eos: true,
            priority: Priority::Interactive,
            ..Request::text("Once upon a time there was")
        };
        app.inference().generate("starter", request).await.unwrap()
    }

    /// Counts tokens for a while.
    async fn listen(&mut self, time: Duration) {
        let until = tokio::time::Instant::now() + time;
        while let Ok(event) =
            tokio::time::timeout_at(until, self.started.generation.events.recv()).await
        {
            match event {
                Some(Event::Text { .. }) => self.tokens += 1,
                Some(Event::Failed(error)) => panic!("the engine failed: {error}"),
                Some(_) => {}
                None => self.started = Self::ask(&self.app).await,
            }
        }
    }
}

/// Processor time of all children of this process, in seconds.
fn child_cpu_seconds() -> f64 {
    let own = std::process::id().to_string();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let stats = processes.filter_map(|p| fs::read_to_string(p.path().join("stat")).ok());
    let of_children = stats.filter_map(|stat| {
        // After the name, which may hold anything but ends with the last bracket: state, parent, …, user and system time.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        (fields.get(1)? == &own).then(|| {
            let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<f64>().ok());
            ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)
        })
    });
    of_children.sum::<f64>() / TICKS
}
