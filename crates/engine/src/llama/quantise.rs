//! The child's side of a smaller copy: which numbers matter, the conversion, and how both models do on a text.
//!
//! It speaks to llama.cpp's C interface directly, because the safe crate wraps neither the conversion nor the callback that sees a
//! graph being computed.
#![allow(unsafe_code)]

mod convert;
mod importance;
mod log;
mod text;

use std::ffi::CString;
use std::path::Path;

use llama_cpp_sys_2 as sys;

use crate::Error;
use crate::quantise::{Job, Made, Stage, Step};

/// Does a job; what it says on its way goes to `say`.
pub(crate) fn run(job: &Job, say: impl Fn(Step) + Clone + Send + 'static) -> Result<Made, Error> {
    log::take();
    // SAFETY: the first call into llama.cpp in this process, and the last one below.
    unsafe { sys::llama_backend_init() };
    let made = make(job, &say);
    unsafe { sys::llama_backend_free() };
    made
}

fn make(job: &Job, say: &(impl Fn(Step) + Clone + Send + 'static)) -> Result<Made, Error> {
    if job.dry_run {
        return Ok(Made {
            target_bytes: convert::size(job)?,
            source_perplexity: None,
            target_perplexity: None,
        });
    }
    let progress = |stage| {
        let say = say.clone();
        move |done, total| say(Step::Progress { stage, done, total })
    };
    let matters = match &job.importance_text {
        Some(text) => importance::find(job, text, progress(Stage::Importance))?,
        None => Vec::new(),
    };
    // The original first: when it cannot be run, the hours of a conversion are not spent for a comparison with nothing.
    let measured = job.measured_text.as_deref();
    let source_perplexity = measured.and_then(|text| {
        text::perplexity(job, &job.source, text, progress(Stage::MeasureSource)).ok()
    });
    convert::convert(job, &matters, progress(Stage::Convert))?;
    let target_perplexity = measured.filter(|_| source_perplexity.is_some());
    let target_perplexity = target_perplexity
        .map(|text| text::perplexity(job, &job.target, text, progress(Stage::MeasureCopy)))
        .transpose()?;
    let size = std::fs::metadata(&job.target).map_err(|error| Error::Backend {
        reason: error.to_string(),
    })?;
    Ok(Made {
        target_bytes: size.len(),
        source_perplexity,
        target_perplexity,
    })
}

fn threads(job: &Job) -> i32 {
    let cores = || std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    job.threads.unwrap_or_else(cores).clamp(1, 512) as i32
}

fn c_path(path: &Path) -> Result<CString, Error> {
    CString::new(path.as_os_str().as_encoded_bytes()).map_err(|_| Error::LoadFailed {
        reason: "the path has a NUL byte".into(),
    })
}
