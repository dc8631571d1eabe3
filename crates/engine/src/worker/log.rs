//! The child's log: warnings and errors to standard error, where the parent collects them, and the last error kept for the
//! message to the user, because llama.cpp returns only "null" when a load fails. What llama.cpp says of its buffers is passed on.

use std::fmt::{Debug, Write};
use std::sync::{Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::llama::memory;

/// Target of what llama.cpp says, in the binding's words.
const LLAMA: &str = "llama-cpp-2";
/// Longest message kept, in characters.
const MAX_CHARS: usize = 300;

static LAST_ERROR: Mutex<Option<String>> = Mutex::new(None);

/// Starts logging; called once.
pub(super) fn init() {
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .without_time();
    // A second call can only come from a test in the same process; the first subscriber stays.
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(LevelFilter::WARN))
        .with(Keep.with_filter(LevelFilter::INFO))
        .try_init();
}

/// The last error line of llama.cpp, without its function name.
pub(super) fn last_error() -> Option<String> {
    LAST_ERROR
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

struct Keep;

impl<S: Subscriber> Layer<S> for Keep {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = *event.metadata().level();
        let counts = level == Level::INFO && event.metadata().target() == LLAMA;
        if level != Level::ERROR && !counts {
            return;
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        if counts {
            return memory::note(&message.0);
        }
        let mut last = LAST_ERROR.lock().unwrap_or_else(PoisonError::into_inner);
        // The first error names the cause; the ones that follow only say that loading failed.
        if last.is_none() {
            *last = Some(plain(&message.0));
        }
    }
}

/// `llama_model_load: error loading model: X` to `X`.
fn plain(line: &str) -> String {
    let line = line.trim();
    let text = line
        .split_once(": ")
        .filter(|(name, _)| !name.contains(' '))
        .map_or(line, |(_, rest)| rest);
    let text = text.strip_prefix("error loading model: ").unwrap_or(text);
    text.chars().take(MAX_CHARS).collect()
}

struct Message(String);

impl Visit for Message {
    fn record_str(&mut self, field: &Field, value: &str) {
        // As it is, without the quotes that `Debug` puts round it.
        if field.name() == "message" {
            self.0.push_str(value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            let _ = write!(self.0, "{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn keeps_the_cause() {
        assert_eq!(
            plain("llama_model_load: error loading model: unknown model architecture: 'x'\n"),
            "unknown model architecture: 'x'"
        );
        assert_eq!(plain("no colon here"), "no colon here");
    }
}
