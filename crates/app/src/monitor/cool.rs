//! The cool speeds on the disk, so that a start on a hot machine does not learn its speed as the cool one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::throttle::Baselines;

/// A larger file is none of ours, in bytes.
const MAX_BYTES: u64 = 8 << 20;

/// What is known, and where it is kept.
pub(super) struct CoolSpeeds {
    known: Mutex<Baselines>,
    saved: Arc<Mutex<Baselines>>,
    file: PathBuf,
}

impl CoolSpeeds {
    /// A file that is missing or damaged is learnt anew.
    pub(super) fn open(file: PathBuf) -> Self {
        let known = read(&file).unwrap_or_default();
        Self {
            saved: Arc::new(Mutex::new(known.clone())),
            known: Mutex::new(known),
            file,
        }
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Baselines> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what has changed.
    pub(super) async fn save(&self) {
        let known = self.known().clone();
        let (file, saved) = (self.file.clone(), Arc::clone(&self.saved));
        let written = tokio::task::spawn_blocking(move || {
            let mut saved = saved.lock().unwrap_or_else(PoisonError::into_inner);
            if *saved != known {
                write(&file, &known)?;
                *saved = known;
            }
            Ok::<(), std::io::Error>(())
        });
        if let Ok(Err(error)) = written.await {
            tracing::warn!(%error, "the speeds of the cool machine could not be kept");
        }
    }
}

fn read(file: &Path) -> Option<Baselines> {
    if std::fs::metadata(file).ok()?.len() > MAX_BYTES {
        return None;
    }
    let read = serde_json::from_slice(&std::fs::read(file).ok()?);
    read.inspect_err(
        |error| tracing::warn!(%error, "the speeds of the cool machine are learnt anew"),
    )
    .ok()
}

/// All or nothing: whoever reads meanwhile finds the old file or the new one. Not synced, for it can be learnt again.
fn write(file: &Path, known: &Baselines) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let part = file.with_extension(format!("{}.part", std::process::id()));
    std::fs::write(&part, serde_json::to_vec(known)?)?;
    std::fs::rename(part, file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::throttle::Load;

    #[tokio::test]
    async fn they_survive_the_program_and_a_damaged_file_is_forgotten() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("data/speeds.json");
        let cool = CoolSpeeds::open(file.clone());
        cool.save().await;
        assert!(!file.exists(), "there was nothing to keep");
        let load = Load::new(1, 100);
        for _ in 0..10 {
            cool.known().learn("m", load, 40.0, 1);
        }
        cool.save().await;
        let again = CoolSpeeds::open(file.clone());
        assert_eq!(again.known().cool("m", load), Some(40.0));
        std::fs::write(&file, "{\"models\": 7").unwrap();
        assert_eq!(*CoolSpeeds::open(file).known(), Baselines::default());
    }
}
