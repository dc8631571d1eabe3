//! The child side: one process that owns one model and answers the parent over its standard input and output.
//!
//! Every executable of Hearth calls [`run_if_asked`] before anything else. It must not read settings, open the database or
//! touch the network: it gets one file to load and then requests.

mod log;

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::backend::Backend;
use crate::embed::fake::FakeEncoder;
use crate::embed::{self, Encoder};
use crate::fake::Fake;
use crate::kvstore::KvStore;
use crate::protocol::{self, FromChild, ToChild};
use crate::quantise::{QUANTISE_ARGUMENT, Step};
use crate::request::invalid;
use crate::scheduler::{self, Progress, Work};
use crate::{Error, Event, LoadSpec, Purpose, llama};

/// First argument of a child process.
pub const WORKER_ARGUMENT: &str = "--engine-worker";
/// Second argument of a child that runs the fake model; for tests.
pub const FAKE_ARGUMENT: &str = "--fake";

/// How often the parent hears from an otherwise silent child.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long the step in progress may take after the parent is gone.
const LAST_STEP: Duration = Duration::from_millis(1500);
/// Context window of the fake model, in bytes.
const FAKE_CONTEXT: u32 = 16_384;
/// Window of the fake encoder, in bytes.
const FAKE_WINDOW: u32 = 64;

/// Serves the parent when this process was started as a child; returns at once otherwise.
pub fn run_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != WORKER_ARGUMENT {
        return None;
    }
    let ended = match arguments.next() {
        Some(what) if what == QUANTISE_ARGUMENT => quantise(),
        what => run(what.is_some_and(|a| a == FAKE_ARGUMENT)),
    };
    Some(match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the engine process ends");
            ExitCode::FAILURE
        }
    })
}

/// The pipe to the parent, shared by the engine thread and the heartbeat.
#[derive(Clone)]
struct Output(Arc<Mutex<File>>);

impl Output {
    /// Takes over standard output: whatever libraries print from now on goes to standard error.
    fn take() -> io::Result<Self> {
        let pipe = rustix::io::dup(io::stdout())?;
        rustix::stdio::dup2_stdout(io::stderr())?;
        Ok(Self(Arc::new(Mutex::new(File::from(pipe)))))
    }

    fn send(&self, message: &impl Serialize) -> io::Result<()> {
        self.write(&protocol::encode(message)?)
    }

    /// Sends events in one piece, so that the parent wakes once. A broken pipe means that the parent is gone; the reader has seen the
    /// end of the input then.
    fn send_events(&self, events: impl IntoIterator<Item = (u64, Event)>) {
        let frames = events
            .into_iter()
            .filter_map(|(id, event)| protocol::encode(&FromChild::Event { id, event }).ok());
        let _ = self.write(&frames.collect::<Vec<_>>().concat());
    }

    fn write(&self, frames: &[u8]) -> io::Result<()> {
        let mut pipe = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pipe.write_all(frames)?;
        pipe.flush()
    }
}

fn run(fake: bool) -> io::Result<()> {
    let started = Instant::now();
    let output = Output::take()?;
    GARBAGE
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .replace(output.clone());
    log::init();
    output.send(&FromChild::Hello {
        version: protocol::VERSION,
    })?;
    let mut input = BufReader::new(io::stdin());
    let spec = match protocol::read(&mut input)? {
        Some(ToChild::Load { spec }) => spec,
        Some(_) => {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the first message must be `load`",
            ));
        }
        None => return Ok(()),
    };
    let parent_gone = Arc::new(AtomicBool::new(false));
    let (work, mailbox) = mpsc::channel();
    std::thread::spawn({
        let (output, parent_gone) = (output.clone(), parent_gone.clone());
        move || read_requests(&mut input, &work, &output, &parent_gone)
    });
    let progress = Arc::new(Progress::default());
    std::thread::spawn({
        let (output, progress) = (output.clone(), progress.clone());
        move || beat(&output, &progress, started)
    });
    let serve = |backend: &mut dyn Backend| {
        let info = backend.info().clone();
        if output.send(&FromChild::Ready { info }).is_ok() && !spec.measure_only {
            serve(backend, &spec, &mailbox, &progress, started, &output);
        }
    };
    let encode = |encoder: &mut dyn Encoder| {
        let info = encoder.info().clone();
        if output.send(&FromChild::Ready { info }).is_ok() && !spec.measure_only {
            let mut emit = |id, event| output.send_events([(id, event)]);
            embed::schedule::run(encoder, &mailbox, &progress, started, &mut emit);
        }
    };
    let on_progress = report_progress(output.clone(), parent_gone);
    let loaded = match (fake, spec.purpose) {
        (true, _) => load_fake(&spec, serve, encode),
        (false, Purpose::Generate) => llama::with_model(&spec, on_progress, log::last_error, serve),
        (false, Purpose::Embed | Purpose::Rerank) => {
            llama::with_encoder(&spec, on_progress, log::last_error, encode)
        }
    };
    match loaded {
        Ok(()) => Ok(()),
        Err(error) => output.send(&FromChild::LoadFailed { error }),
    }
}

/// Makes a smaller copy of a model: gets one job, tells how far it is and what came of it. The parent ends it to cancel.
fn quantise() -> io::Result<()> {
    let output = Output::take()?;
    log::init();
    let mut input = BufReader::new(io::stdin());
    let Some(job) = protocol::read(&mut input)? else {
        return Ok(());
    };
    std::thread::spawn(move || {
        // The parent says no more; the end of the input is its end.
        let _ = io::copy(&mut input, &mut io::sink());
        #[allow(clippy::exit)] // The other thread is in C++, which nothing else would end.
        std::process::exit(0);
    });
    let say = output.clone();
    let made = llama::quantise::run(&job, move |step| {
        let _ = say.send(&step);
    });
    output.send(&match made {
        Ok(made) => Step::Made { made },
        Err(error) => Step::Failed { error },
    })
}

/// The fake model has no file, but a path that does not exist fails as it would for a real one.
fn load_fake(
    spec: &LoadSpec,
    serve: impl FnOnce(&mut dyn Backend),
    encode: impl FnOnce(&mut dyn Encoder),
) -> Result<(), Error> {
    if spec.path.as_os_str() != "fake" {
        return Err(Error::LoadFailed {
            reason: format!(
                "the fake engine loads only `fake`, not `{}`",
                spec.path.display()
            ),
        });
    }
    match spec.purpose {
        Purpose::Generate => serve(&mut Fake::new(spec.context_tokens.unwrap_or(FAKE_CONTEXT))),
        purpose => {
            let window = spec.context_tokens.unwrap_or(FAKE_WINDOW);
            encode(&mut FakeEncoder::new(purpose, window));
        }
    }
    Ok(())
}

fn serve(
    backend: &mut dyn Backend,
    spec: &LoadSpec,
    mailbox: &Receiver<Work>,
    progress: &Progress,
    started: Instant,
    output: &Output,
) {
    let store = spec.state.as_ref().and_then(|state| {
        KvStore::open(state, backend.state_layout())
            .inspect_err(|error| tracing::warn!(%error, "states of conversations are not kept"))
            .ok()
    });
    let mut send = |events: Vec<(u64, Event)>| output.send_events(events);
    scheduler::run(
        backend, spec.slots, store, mailbox, progress, started, &mut send,
    );
}

/// Passes messages on until the input ends; then the process has [`LAST_STEP`] left.
fn read_requests(
    input: &mut impl io::Read,
    work: &Sender<Work>,
    output: &Output,
    parent_gone: &AtomicBool,
) {
    while let Ok(Some(frame)) = protocol::read_frame(input) {
        let message = match serde_json::from_slice(&frame) {
            Ok(ToChild::Generate { id, request }) => {
                // Here nobody waits for it but who asked; what cannot be read is said when the request is prepared.
                request.images().for_each(|image| drop(image.pixels()));
                Work::Generate { id, request }
            }
            Ok(ToChild::Encode { id, task }) => Work::Encode { id, task },
            Ok(ToChild::Tokens { id, task }) => Work::Tokens { id, task },
            Ok(ToChild::Cancel { id }) => Work::Cancel { id },
            Ok(ToChild::Limit { limits }) => Work::Limit { limits },
            Ok(ToChild::Load { .. }) => continue,
            Ok(ToChild::ShutDown) => break,
            Err(error) => {
                refuse(&frame, &error, output);
                continue;
            }
        };
        if work.send(message).is_err() {
            return;
        }
    }
    parent_gone.store(true, Ordering::Relaxed);
    let _ = work.send(Work::ShutDown);
    std::thread::sleep(LAST_STEP);
    #[allow(clippy::exit)] // The engine thread may be stuck in C++; nothing else would end it.
    std::process::exit(0);
}

/// Answers a message that is none. A number that JSON cannot write, such as one that is not a number, comes as `null`.
fn refuse(frame: &[u8], error: &serde_json::Error, output: &Output) {
    #[derive(Deserialize)]
    struct Addressed {
        id: u64,
    }
    if let Ok(Addressed { id }) = serde_json::from_slice(frame) {
        let event = Event::Failed(invalid("request", error.to_string()));
        output.send_events([(id, event)]);
    } else {
        tracing::warn!(%error, "a message of the parent was left out");
    }
}

fn beat(output: &Output, progress: &Progress, started: Instant) {
    loop {
        std::thread::sleep(HEARTBEAT);
        let beat = FromChild::Heartbeat {
            step_ms: progress.step_ms(started),
            cpu_ms: cpu_ms(),
        };
        if output.send(&beat).is_err() {
            return;
        }
    }
}

/// Processor time of this process over all its threads.
fn cpu_ms() -> u64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let ms = used.tv_sec * 1000 + used.tv_nsec / 1_000_000;
    u64::try_from(ms).unwrap_or_default()
}

/// Sends at most fifty progress messages; gives up the load when the parent is gone.
fn report_progress(
    output: Output,
    parent_gone: Arc<AtomicBool>,
) -> impl FnMut(f32) -> bool + 'static {
    let mut sent = -1.0;
    move |progress| {
        if progress - sent >= 0.02 {
            sent = progress;
            let _ = output.send(&FromChild::Loading { progress });
        }
        !parent_gone.load(Ordering::Relaxed)
    }
}

/// The pipe, for the fake model's `!garbage`.
static GARBAGE: Mutex<Option<Output>> = Mutex::new(None);

/// Breaks the protocol on purpose; for tests of the parent.
pub(crate) fn write_garbage() {
    if let Some(output) = &*GARBAGE.lock().unwrap_or_else(PoisonError::into_inner) {
        let mut pipe = output.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = pipe.write_all(b"\xff\xff\xff\xffthis is not a frame");
    }
}
