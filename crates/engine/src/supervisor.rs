//! The parent side of an engine: starts the child, passes requests on, watches it, and starts it again when it ends.
//!
//! One task owns the child and its whole life. A crash, a kill or a hang costs the requests that the child was working on;
//! requests that had not been sent yet wait for the next child.

pub(crate) mod child;

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

use self::child::Child;
use crate::protocol::{self, FromChild, ToChild};
use crate::worker::{FAKE_ARGUMENT, WORKER_ARGUMENT};
use crate::{
    Cancel, CpuClock, Engine, Error, Event, Generation, Limits, LoadSpec, ModelInfo, Request,
    State, TokenTask, embed,
};

/// How a child process is started and when it counts as lost.
#[derive(Debug, Clone)]
pub struct Launch {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    /// A child that says nothing for this long is ended. It sends a heartbeat every second.
    pub silence_limit: Duration,
    /// A child whose step in progress takes this long is ended.
    pub step_limit: Duration,
    /// This many crashes within the window, and the child is not started again until the window has passed.
    pub crash_limit: usize,
    pub crash_window: Duration,
}

impl Launch {
    /// This executable again, as a child.
    pub fn this_executable() -> io::Result<Self> {
        Ok(Self::program(std::env::current_exe()?))
    }

    /// Another executable that calls [`crate::worker::run_if_asked`] first; for tests.
    pub fn program(program: PathBuf) -> Self {
        Self {
            program,
            arguments: vec![WORKER_ARGUMENT.into()],
            silence_limit: Duration::from_secs(10),
            step_limit: Duration::from_secs(120),
            crash_limit: 3,
            crash_window: Duration::from_secs(60),
        }
    }

    /// Runs the fake model in the child.
    #[must_use]
    pub fn fake(mut self) -> Self {
        self.arguments.push(FAKE_ARGUMENT.into());
        self
    }
}

/// An engine in a child process.
pub struct Supervisor {
    commands: mpsc::UnboundedSender<Command>,
    state: watch::Receiver<State>,
    child_id: watch::Receiver<Option<u32>>,
    cpu_ms: CpuClock,
    next_id: AtomicU64,
}

enum Command {
    /// `message` is what the child gets.
    Ask {
        id: u64,
        message: ToChild,
        events: mpsc::UnboundedSender<Event>,
    },
    Cancel {
        id: u64,
    },
    Limit(Limits),
    ShutDown,
}

impl Supervisor {
    /// Starts the child and begins to load. Must be called inside a tokio runtime.
    pub fn start(launch: Launch, spec: LoadSpec) -> Arc<Self> {
        let (commands, inbox) = mpsc::unbounded_channel();
        let (state_sender, state) = watch::channel(State::Loading { progress: None });
        let (id_sender, child_id) = watch::channel(None);
        let cpu_ms = CpuClock::default();
        let task = Task {
            cpu_ms: Arc::clone(&cpu_ms),
            launch,
            spec,
            inbox,
            state: state_sender,
            child_id: id_sender,
            flights: BTreeMap::new(),
            crashes: VecDeque::new(),
            limits: Limits::default(),
        };
        tokio::spawn(task.run());
        Arc::new(Self {
            commands,
            state,
            child_id,
            cpu_ms,
            next_id: AtomicU64::new(1),
        })
    }

    /// Process id of the child, for diagnosis and tests; `None` while there is none.
    pub fn child_id(&self) -> Option<u32> {
        *self.child_id.borrow()
    }

    fn ask(&self, message: impl FnOnce(u64) -> ToChild) -> Generation {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, events) = mpsc::unbounded_channel();
        let command = Command::Ask {
            id,
            message: message(id),
            events: sender,
        };
        if let Err(mpsc::error::SendError(Command::Ask { events, .. })) =
            self.commands.send(command)
        {
            let _ = events.send(Event::Failed(Error::ShutDown));
        }
        let commands = self.commands.clone();
        Generation {
            events: events.into(),
            cancel: Cancel::new(move || {
                let _ = commands.send(Command::Cancel { id });
            }),
        }
    }
}

impl Engine for Supervisor {
    fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    fn generate(&self, request: Request) -> Generation {
        let request = Box::new(request);
        self.ask(|id| ToChild::Generate { id, request })
    }

    fn encode(&self, task: embed::Task) -> Generation {
        let task = Box::new(task);
        self.ask(|id| ToChild::Encode { id, task })
    }

    fn ask_tokens(&self, task: TokenTask) -> Generation {
        self.ask(|id| ToChild::Tokens { id, task })
    }

    fn limit(&self, limits: Limits) {
        let _ = self.commands.send(Command::Limit(limits));
    }

    fn cpu_clock(&self) -> Option<CpuClock> {
        Some(Arc::clone(&self.cpu_ms))
    }

    fn shut_down(&self) {
        let _ = self.commands.send(Command::ShutDown);
    }
}

/// A request that has not ended.
struct Flight {
    /// Present until it is sent to the child.
    message: Option<ToChild>,
    events: mpsc::UnboundedSender<Event>,
}

/// How the time with one child ended.
enum End {
    ShutDown,
    /// The child reported that it cannot load, or could not be started; trying again at once would not help.
    Refused(Error),
    Lost(Error),
}

struct Task {
    launch: Launch,
    spec: LoadSpec,
    inbox: mpsc::UnboundedReceiver<Command>,
    state: watch::Sender<State>,
    child_id: watch::Sender<Option<u32>>,
    cpu_ms: CpuClock,
    flights: BTreeMap<u64, Flight>,
    crashes: VecDeque<Instant>,
    /// Kept for the next child too.
    limits: Limits,
}

impl Task {
    async fn run(mut self) {
        loop {
            self.state.send_replace(State::Loading { progress: None });
            let end = self.with_child().await;
            self.child_id.send_replace(None);
            let stopped = match end {
                End::ShutDown => break,
                End::Refused(error) => {
                    self.fail_all(&error);
                    error
                }
                End::Lost(error) => {
                    tracing::warn!(%error, "the engine process was lost");
                    self.fail_sent(&error);
                    match self.count_crash() {
                        None => continue,
                        Some(gave_up) => {
                            self.fail_all(&gave_up);
                            gave_up
                        }
                    }
                }
            };
            self.state.send_replace(State::Failed(stopped.clone()));
            if !self.wait_for_request(&stopped).await {
                break;
            }
        }
        self.fail_all(&Error::ShutDown);
        // Requests that came while the child ended: nobody else will answer them.
        self.inbox.close();
        while let Some(command) = self.inbox.recv().await {
            if let Command::Ask { events, .. } = command {
                let _ = events.send(Event::Failed(Error::ShutDown));
            }
        }
        self.state.send_replace(State::ShutDown);
    }

    /// Remembers a crash; the error when there were too many of them.
    fn count_crash(&mut self) -> Option<Error> {
        self.forget_old_crashes();
        self.crashes.push_back(Instant::now());
        (self.crashes.len() >= self.launch.crash_limit).then_some(Error::GaveUp {
            crashes: self.crashes.len() as u32,
            within_s: self.launch.crash_window.as_secs(),
        })
    }

    fn forget_old_crashes(&mut self) {
        let window = self.launch.crash_window;
        self.crashes.retain(|at| at.elapsed() < window);
    }

    /// Without a child: refuses requests while the crash window lasts; `true` when a child is worth a try again.
    async fn wait_for_request(&mut self, stopped: &Error) -> bool {
        loop {
            match self.inbox.recv().await {
                None | Some(Command::ShutDown) => return false,
                Some(Command::Cancel { .. }) => {}
                Some(Command::Limit(limits)) => self.limits = limits,
                Some(Command::Ask {
                    id,
                    message,
                    events,
                }) => {
                    self.forget_old_crashes();
                    if self.crashes.len() >= self.launch.crash_limit {
                        let _ = events.send(Event::Failed(stopped.clone()));
                    } else {
                        self.flights.insert(
                            id,
                            Flight {
                                message: Some(message),
                                events,
                            },
                        );
                        return true;
                    }
                }
            }
        }
    }

    async fn with_child(&mut self) -> End {
        let spawned = Child::spawn(&self.launch);
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) => {
                return End::Refused(Error::Spawn {
                    reason: error.to_string(),
                });
            }
        };
        self.child_id.send_replace(child.id());
        if let Err(error) = child.send(&ToChild::Load {
            spec: self.spec.clone(),
        }) {
            return End::Refused(Error::Protocol {
                reason: error.to_string(),
            });
        }
        match self.talk(&mut child).await {
            Outcome::ShutDown => {
                child.end().await;
                End::ShutDown
            }
            Outcome::Refused(error) => {
                child.end().await;
                End::Refused(error)
            }
            Outcome::Exited(status) => {
                let how = describe(status);
                let stderr_tail = child.stderr_tail().await;
                End::Lost(Error::Crashed { how, stderr_tail })
            }
            Outcome::Broken(error) => {
                child.kill().await;
                End::Lost(error)
            }
        }
    }

    async fn talk(&mut self, child: &mut Child<FromChild>) -> Outcome {
        let mut watch = Watch {
            heard: Instant::now(),
            info: None,
        };
        let mut tick = interval(Duration::from_millis(500));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // Frames first: an ended child's last words still count.
                biased;
                frame = child.frames.recv() => match frame {
                    Some(Ok(frame)) => {
                        if let Some(outcome) = self.on_frame(child, frame, &mut watch) {
                            return outcome;
                        }
                    }
                    Some(Err(error)) => return Outcome::Broken(Error::Protocol { reason: error.to_string() }),
                    None => return match tokio::time::timeout(self.launch.silence_limit, child.wait()).await {
                        Ok(Ok(status)) => Outcome::Exited(status),
                        _ => Outcome::Broken(Error::Protocol { reason: "it closed its output".into() }),
                    },
                },
                command = self.inbox.recv() => match command {
                    None | Some(Command::ShutDown) => return Outcome::ShutDown,
                    Some(command) => self.on_command(child, command, watch.info.as_ref()),
                },
                _ = tick.tick() => {
                    let silent = watch.heard.elapsed();
                    if silent > self.launch.silence_limit {
                        return Outcome::Broken(Error::Unresponsive { after_ms: silent.as_millis() as u64 });
                    }
                }
            }
        }
    }

    fn on_frame(
        &mut self,
        child: &Child<FromChild>,
        frame: FromChild,
        watch: &mut Watch,
    ) -> Option<Outcome> {
        watch.heard = Instant::now();
        match frame {
            FromChild::Hello { version } if version == protocol::VERSION => {}
            FromChild::Hello { version } => {
                let reason = format!("it speaks version {version}, not {}", protocol::VERSION);
                return Some(Outcome::Refused(Error::Protocol { reason }));
            }
            FromChild::Loading { progress } => {
                self.state.send_replace(State::Loading {
                    progress: Some(progress),
                });
            }
            FromChild::LoadFailed { error } => return Some(Outcome::Refused(error)),
            FromChild::Ready { info } => {
                watch.info = Some(info);
                if self.limits != Limits::default() {
                    self.send_limits(child);
                }
                self.send_waiting(child);
                self.publish(watch.info.as_ref());
            }
            FromChild::Heartbeat { step_ms, cpu_ms } => {
                self.cpu_ms.store(cpu_ms, Ordering::Relaxed);
                if step_ms > self.launch.step_limit.as_millis() as u64 {
                    return Some(Outcome::Broken(Error::Unresponsive { after_ms: step_ms }));
                }
            }
            FromChild::Event { id, event } => {
                let last = event.is_last();
                let gone = self
                    .flights
                    .get(&id)
                    .is_some_and(|f| f.events.send(event).is_err());
                if last {
                    self.flights.remove(&id);
                    self.publish(watch.info.as_ref());
                } else if gone {
                    let _ = child.send(&ToChild::Cancel { id });
                }
            }
        }
        None
    }

    fn on_command(&mut self, child: &Child<FromChild>, command: Command, info: Option<&ModelInfo>) {
        match command {
            Command::Ask {
                id,
                message,
                events,
            } => {
                self.flights.insert(
                    id,
                    Flight {
                        message: Some(message),
                        events,
                    },
                );
                if info.is_some() {
                    self.send_waiting(child);
                }
                self.publish(info);
            }
            Command::Cancel { id } => match self.flights.get(&id) {
                Some(flight) if flight.message.is_some() => {
                    let _ = flight
                        .events
                        .send(Event::Finished(crate::scheduler::cancelled_before_start()));
                    self.flights.remove(&id);
                }
                Some(_) => {
                    let _ = child.send(&ToChild::Cancel { id });
                }
                None => {}
            },
            Command::Limit(limits) => {
                self.limits = limits;
                if info.is_some() {
                    self.send_limits(child);
                }
            }
            Command::ShutDown => {}
        }
    }

    fn send_limits(&self, child: &Child<FromChild>) {
        let limits = self.limits;
        let _ = child.send(&ToChild::Limit { limits });
    }

    /// Sends what has not been sent. A request that does not fit a frame fails here.
    fn send_waiting(&mut self, child: &Child<FromChild>) {
        self.flights.retain(|_, flight| {
            let Some(message) = flight.message.take() else {
                return true;
            };
            match child.send(&message) {
                Ok(()) => true,
                Err(error) => {
                    let reason = error.to_string();
                    let _ = flight.events.send(Event::Failed(Error::InvalidRequest {
                        field: "request".into(),
                        reason,
                    }));
                    false
                }
            }
        });
    }

    fn publish(&self, info: Option<&ModelInfo>) {
        if let Some(info) = info {
            self.state.send_replace(State::Ready {
                info: info.clone(),
                active: self.flights.len() as u32,
            });
        }
    }

    /// Fails the requests that the lost child had.
    fn fail_sent(&mut self, error: &Error) {
        self.flights.retain(|_, flight| {
            let waiting = flight.message.is_some();
            if !waiting {
                let _ = flight.events.send(Event::Failed(error.clone()));
            }
            waiting
        });
    }

    fn fail_all(&mut self, error: &Error) {
        for flight in std::mem::take(&mut self.flights).into_values() {
            let _ = flight.events.send(Event::Failed(error.clone()));
        }
    }
}

/// What the supervisor knows of the child it talks to.
struct Watch {
    heard: Instant,
    /// Present once the model is loaded.
    info: Option<ModelInfo>,
}

enum Outcome {
    ShutDown,
    Refused(Error),
    Exited(ExitStatus),
    Broken(Error),
}

/// An exit status in words.
fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.signal(), status.code()) {
        // Linux and macOS agree on these numbers.
        (Some(6), _) => "signal 6, it stopped itself".into(),
        (Some(9), _) => "signal 9, it was killed".into(),
        (Some(11), _) => "signal 11, a memory fault".into(),
        (Some(10 | 7), _) => "a bus error; was the model file changed or its disk removed?".into(),
        (Some(signal), _) => format!("signal {signal}"),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => "unknown status".into(),
    }
}
