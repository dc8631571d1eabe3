//! Where engines come from: a child process in the program, a thread in tests.

use std::io;
use std::sync::Arc;

use hearth_engine::embed::fake::FakeEncoder;
use hearth_engine::fake::Fake;
use hearth_engine::local::Local;
use hearth_engine::supervisor::{Launch, Supervisor};
use hearth_engine::{Engine, LoadSpec, Purpose};

/// Starts an engine for a model file.
pub trait Engines: Send + Sync + 'static {
    fn start(&self, spec: LoadSpec) -> io::Result<Arc<dyn Engine>>;
}

/// llama.cpp in a child process.
#[derive(Debug)]
pub struct ChildEngines;

impl Engines for ChildEngines {
    fn start(&self, spec: LoadSpec) -> io::Result<Arc<dyn Engine>> {
        Ok(Supervisor::start(Launch::this_executable()?, spec))
    }
}

/// The fake model, whatever file is asked for.
#[derive(Debug)]
pub struct FakeEngines {
    /// In a child process, so that it can crash, or on a thread.
    pub in_child: bool,
}

impl Engines for FakeEngines {
    fn start(&self, mut spec: LoadSpec) -> io::Result<Arc<dyn Engine>> {
        spec.path = "fake".into();
        // It was trained for nothing, so what the file was trained for is no limit to it.
        spec.context_tokens = None;
        Ok(if self.in_child {
            Supervisor::start(Launch::this_executable()?.fake(), spec)
        } else {
            match spec.purpose {
                Purpose::Generate => Local::start(|| Ok(Fake::new(16_384))),
                purpose => Local::start_encoder(move || Ok(FakeEncoder::new(purpose, 256))),
            }
        })
    }
}
