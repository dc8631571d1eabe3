//! Smaller copies of models: checks the wish, lets a child of the engine make the file, validates it and gives it its name.
//!
//! A copy under way has a name that no list shows, so nothing half made is ever a model. It must not know llama.cpp.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use hearth_engine::quantise::{self, Job, Made};
pub use hearth_engine::quantise::{Quantisation, Stage};
use hearth_engine::supervisor::Launch;
use hearth_models::{ModelFile, Purpose, own};
use serde::Serialize;

use super::{Models, details, on_disk};
use crate::error::{Code, Error, Result};

/// What both models are measured with: prose, code, figures and minutes of a meeting, written for this.
const MEASURED_TEXT: &str = include_str!("../../data/measured.txt");
/// Longest text that is read to find out what matters, in bytes: far more than the engine uses of it.
const MAX_TEXT_BYTES: usize = 16 << 20;

/// A copy that somebody wants.
#[derive(Debug, Clone, PartialEq)]
pub struct CopyWish {
    /// Name of the original.
    pub model: String,
    pub to: Quantisation,
    /// Text like what the copy will be used for; what matters in it is rounded least.
    pub text: Option<String>,
    /// Whether original and copy are measured, for which both must fit in memory one after the other.
    pub measure: bool,
}

/// What a copy would be like.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct CopyPreview {
    /// Name of the copy.
    pub name: String,
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub source_bytes: u64,
    /// To some kilobytes.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub bytes: u64,
    /// The original has been rounded already, so the copy loses more than one of the original weights would.
    pub rounded_twice: bool,
}

/// A copy that was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct CopyMade {
    pub name: String,
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub source_bytes: u64,
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub bytes: u64,
    /// How surprised each is by the same text: 1 at best, a few per cent more is hardly noticed. Absent when it was not measured.
    pub source_perplexity: Option<f64>,
    pub perplexity: Option<f64>,
}

/// A wish that can be fulfilled.
struct Planned {
    preview: CopyPreview,
    job: Job,
}

impl Models {
    /// What a copy would be like, without making it.
    pub async fn preview_copy(&self, wish: &CopyWish) -> Result<CopyPreview> {
        Ok(self.plan(wish).await?.preview)
    }

    /// Makes a smaller copy in the user's folder. `on_progress` gets the stage and how many of its pieces are done. Dropping the future
    /// gives the copy up and leaves nothing behind.
    ///
    /// # Errors
    /// When there is no such model or it does not chat, when the copy would not be smaller, exists already or does not fit on the disk,
    /// and when the conversion fails or what it wrote is no sound model.
    pub async fn make_copy(
        &self,
        wish: &CopyWish,
        on_progress: impl FnMut(Stage, u32, u32),
    ) -> Result<CopyMade> {
        let Planned { preview, job } = self.plan(wish).await?;
        let unfinished = Unfinished(job.target.clone());
        let launch = Launch::this_executable().map_err(Error::internal)?;
        let made = quantise::run(&launch, &job, on_progress).await;
        let made = made.map_err(|error| failed(&wish.model, &error, &job))?;
        let (library, name) = (Arc::clone(&self.library), preview.name.clone());
        on_disk(move || Ok(own::adopt(&library, &unfinished.0, &name)?)).await?;
        Ok(copy_made(preview, &made))
    }

    async fn plan(&self, wish: &CopyWish) -> Result<Planned> {
        if wish.text.as_ref().is_some_and(|t| t.len() > MAX_TEXT_BYTES) {
            let message = format!("The text is longer than {} MB.", MAX_TEXT_BYTES >> 20);
            return Err(Error::new(Code::InvalidInput, message).hint("Use a part of it."));
        }
        let (library, model) = (Arc::clone(&self.library), wish.model.clone());
        let file = on_disk(move || Ok(details::resolve(&library, &model)?)).await?;
        let header = file.header.clone()?;
        if header.purpose() != Purpose::Chat {
            let message = format!("The model `{}` does not chat.", file.name);
            return Err(Error::new(Code::ModelUnsupported, message)
                .hint("Smaller copies are made of models that chat."));
        }
        let name = self.copy_name(&file, wish.to).await?;
        let (library, copy) = (Arc::clone(&self.library), name.clone());
        let place = on_disk(move || Ok(own::place_for(&library, &copy)?)).await?;
        let job = Job {
            source: file.path.clone(),
            target: place.clone(),
            to: wish.to,
            threads: None,
            offload: true,
            importance_text: wish.text.clone(),
            dry_run: false,
            measured_text: wish.measure.then(|| MEASURED_TEXT.to_owned()),
        };
        let launch = Launch::this_executable().map_err(Error::internal)?;
        let dry = Job {
            dry_run: true,
            importance_text: None,
            measured_text: None,
            ..job.clone()
        };
        let weights = quantise::run(&launch, &dry, |_, _, _| {}).await;
        let weights = weights.map_err(|error| failed(&file.name, &error, &job))?;
        let preview = CopyPreview {
            name,
            source_bytes: file.size_bytes,
            bytes: weights.target_bytes + header.data_offset,
            rounded_twice: !matches!(header.quantisation, Some("F32" | "F16" | "BF16")),
        };
        must_be_smaller(&preview, wish.to)?;
        let (room, bytes) = (self.room(), preview.bytes);
        on_disk(move || Ok(room.check(&place, bytes)?)).await?;
        Ok(Planned { preview, job })
    }

    /// The original's name with the new type in place of the old.
    async fn copy_name(&self, file: &ModelFile, to: Quantisation) -> Result<String> {
        let stem = without_quantisation(&file.name);
        let name = format!("{stem}-{}", to.name().to_ascii_lowercase());
        let taken = self.list().await?.models;
        if taken.iter().any(|model| model.name == name) {
            let message = format!("There is a model `{name}` already.");
            return Err(Error::new(Code::InvalidInput, message)
                .hint("Use that one, or remove it first: `hearth rm`."));
        }
        Ok(name)
    }
}

/// `llama-3.2-1b-instruct-q4_k_m` to `llama-3.2-1b-instruct`. What is not at the end, or no type that files name, stays.
fn without_quantisation(name: &str) -> &str {
    let known = |end: &str| {
        let mut chars = end.chars();
        let float = ["f16", "f32", "bf16"].contains(&end);
        let first = chars.find(|c| *c != 'i');
        float || (first == Some('q') && chars.next().is_some_and(|c| c.is_ascii_digit()))
    };
    match name.rsplit_once(['-', '.']) {
        Some((stem, end)) if known(end) && !stem.is_empty() => stem,
        _ => name,
    }
}

fn must_be_smaller(preview: &CopyPreview, to: Quantisation) -> Result<()> {
    if preview.bytes < preview.source_bytes {
        return Ok(());
    }
    let message = format!(
        "A copy in {} would have {}, the original has {}.",
        to.name(),
        megabytes(preview.bytes),
        megabytes(preview.source_bytes)
    );
    let hint = match smaller_than(to) {
        Some(smaller) => format!("Choose a smaller type, for example {}.", smaller.name()),
        None => "There is no smaller type.".to_owned(),
    };
    Err(Error::new(Code::InvalidInput, message).hint(hint))
}

/// The next type in their order, which is by size.
fn smaller_than(to: Quantisation) -> Option<Quantisation> {
    let at = Quantisation::ALL.iter().position(|one| *one == to)?;
    Quantisation::ALL.get(at + 1).copied()
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes / 1_000_000)
}

fn copy_made(preview: CopyPreview, made: &Made) -> CopyMade {
    CopyMade {
        name: preview.name,
        source_bytes: preview.source_bytes,
        bytes: made.target_bytes,
        source_perplexity: made.source_perplexity,
        perplexity: made.target_perplexity,
    }
}

/// The words of the engine without paths of this machine.
fn failed(model: &str, error: &hearth_engine::Error, job: &Job) -> Error {
    let mut failed = Error::from(error.clone());
    let plain = |text: &str| {
        text.replace(&job.source.display().to_string(), model)
            .replace(&job.target.display().to_string(), "the copy")
    };
    failed.message = format!(
        "No copy of `{model}` could be made: {}",
        plain(&failed.message)
    );
    failed
}

/// The file that is being made; its drop removes what is left under that name.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_named_after_its_original() {
        for (name, stem) in [
            ("llama-3.2-1b-instruct-q4_k_m", "llama-3.2-1b-instruct"),
            ("model.q8_0", "model"),
            ("model-iq4_xs", "model"),
            ("model-bf16", "model"),
            ("starter", "starter"),
            ("qwen2.5-7b", "qwen2.5-7b"),
            ("model-quick", "model-quick"),
            ("-q4_0", "-q4_0"),
        ] {
            assert_eq!(without_quantisation(name), stem);
        }
    }
}
