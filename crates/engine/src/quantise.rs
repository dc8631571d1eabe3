//! Makes a smaller copy of a model: GGUF to GGUF with other types of numbers, and measures what that costs.
//!
//! Runs in a child process of its own, which is ended to cancel. It gets paths that the caller has checked and writes only the target;
//! what becomes of the target is the caller's matter.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::supervisor::Launch;
use crate::supervisor::child::Child;

/// Second argument of a child that makes a copy.
pub const QUANTISE_ARGUMENT: &str = "--quantise";
/// A child that says nothing for so long is ended: one tensor of a large model takes minutes on a slow machine, not more.
const SILENCE: Duration = Duration::from_secs(15 * 60);

/// Types of numbers a copy can have, the largest first. Names and numbers are those of llama.cpp's `llama_ftype`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Quantisation {
    F16,
    #[serde(rename = "Q8_0")]
    Q8_0,
    #[serde(rename = "Q6_K")]
    Q6K,
    #[serde(rename = "Q5_K_M")]
    Q5KM,
    #[serde(rename = "Q4_K_M")]
    Q4KM,
    #[serde(rename = "Q4_K_S")]
    Q4KS,
    #[serde(rename = "IQ4_XS")]
    Iq4Xs,
    #[serde(rename = "Q3_K_M")]
    Q3KM,
    #[serde(rename = "Q2_K")]
    Q2K,
}

impl Quantisation {
    pub const ALL: [Self; 9] = [
        Self::F16,
        Self::Q8_0,
        Self::Q6K,
        Self::Q5KM,
        Self::Q4KM,
        Self::Q4KS,
        Self::Iq4Xs,
        Self::Q3KM,
        Self::Q2K,
    ];

    /// As files and people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F16 => "F16",
            Self::Q8_0 => "Q8_0",
            Self::Q6K => "Q6_K",
            Self::Q5KM => "Q5_K_M",
            Self::Q4KM => "Q4_K_M",
            Self::Q4KS => "Q4_K_S",
            Self::Iq4Xs => "IQ4_XS",
            Self::Q3KM => "Q3_K_M",
            Self::Q2K => "Q2_K",
        }
    }

    /// By its name, in capitals or not.
    pub fn named(name: &str) -> Option<Self> {
        let is_it = |this: &Self| this.name().eq_ignore_ascii_case(name);
        Self::ALL.into_iter().find(is_it)
    }
}

/// What is to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The model, or the first part of it.
    pub source: PathBuf,
    /// The new file. Whatever is there is replaced.
    pub target: PathBuf,
    pub to: Quantisation,
    /// `None` is as many as there are cores.
    pub threads: Option<u32>,
    /// Whether a GPU may be used to run texts; the conversion itself does not use one.
    pub offload: bool,
    /// Text like what the model will be used for; what matters in it is rounded least.
    pub importance_text: Option<String>,
    /// Only finds out how large the copy would be, to some kilobytes; nothing is written.
    pub dry_run: bool,
    /// Text to measure original and copy with; both must fit in memory. Only for models that write.
    pub measured_text: Option<String>,
}

/// What a job is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Finds out which numbers matter for the text.
    Importance,
    Convert,
    MeasureSource,
    MeasureCopy,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Made {
    /// Of the file; of a dry run, of its weights alone.
    pub target_bytes: u64,
    /// How surprised the model is by the measured text, token by token: e to the mean of the negative log probabilities, 1 at best.
    /// `None` when it was not measured or the model could not be run.
    pub source_perplexity: Option<f64>,
    pub target_perplexity: Option<f64>,
}

/// Child to parent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Step {
    /// `done` of `total` pieces of this stage.
    Progress {
        stage: Stage,
        done: u32,
        total: u32,
    },
    Made {
        made: Made,
    },
    Failed {
        error: Error,
    },
}

/// Does the job in a child. `on_progress` gets the stage and how many of its pieces are done. Dropping the future ends the child; the
/// target is then whatever was written so far.
///
/// # Errors
/// When the child cannot be started, says that it failed, ends without a word or makes no progress.
pub async fn run(
    launch: &Launch,
    job: &Job,
    mut on_progress: impl FnMut(Stage, u32, u32),
) -> Result<Made, Error> {
    let mut launch = launch.clone();
    launch.arguments.push(QUANTISE_ARGUMENT.into());
    let spawn = |error: std::io::Error| Error::Spawn {
        reason: error.to_string(),
    };
    let mut child = Child::<Step>::spawn(&launch).map_err(spawn)?;
    child.send(job).map_err(spawn)?;
    loop {
        let Ok(step) = tokio::time::timeout(SILENCE, child.frames.recv()).await else {
            let after_ms = SILENCE.as_millis() as u64;
            return Err(Error::Unresponsive { after_ms });
        };
        match step {
            Some(Ok(Step::Progress { stage, done, total })) => on_progress(stage, done, total),
            Some(Ok(Step::Made { made })) => return Ok(made),
            Some(Ok(Step::Failed { error })) => return Err(error),
            Some(Err(error)) => {
                let reason = error.to_string();
                return Err(Error::Protocol { reason });
            }
            None => {
                let how = child.wait().await;
                let how = how.map_or_else(|e| e.to_string(), |status| status.to_string());
                let stderr_tail = child.stderr_tail().await;
                return Err(Error::Crashed { how, stderr_tail });
            }
        }
    }
}
