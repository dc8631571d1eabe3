//! The log of the program: a file a day in the log folder, a week kept. Never a prompt, an answer or a secret.

use tracing_appender::rolling::{Builder, Rotation};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::env::Env;
use crate::paths::Paths;

/// Days of log files that are kept.
const KEPT_FILES: usize = 7;

/// Starts logging. When the folder cannot be written, logs go to standard error and the returned line says so.
pub fn start(env: &Env, paths: &Paths) -> Option<String> {
    let filter = EnvFilter::try_new(env.log.as_deref().unwrap_or("info"))
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let files = std::fs::create_dir_all(&paths.logs)
        .map_err(|e| e.to_string())
        .and_then(|()| {
            Builder::new()
                .rotation(Rotation::DAILY)
                .filename_prefix("hearth")
                .filename_suffix("log")
                .max_log_files(KEPT_FILES)
                .build(&paths.logs)
                .map_err(|e| e.to_string())
        });
    let lines = || tracing_subscriber::fmt::layer().with_ansi(false);
    let registry = tracing_subscriber::registry().with(filter);
    match files {
        Ok(files) => {
            // Already started by an earlier call: the first one stays.
            let _ = registry
                .with(lines().with_writer(std::sync::Mutex::new(files)))
                .try_init();
            None
        }
        Err(error) => {
            let _ = registry
                .with(lines().with_writer(std::io::stderr))
                .try_init();
            Some(format!(
                "Log files cannot be written to {}: {error}.",
                paths.logs.display()
            ))
        }
    }
}
