//! `hearth monitor`: what happens now, what happened, and why it was slow.

mod feed;
mod view;

use std::io::{IsTerminal, Stdout, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use hearth_app::monitor::Span;
use hearth_app::timeline::{self, Moment, Timeline};
use hearth_app::{App, Error, Result};
use tokio::signal::unix::{SignalKind, signal};

use self::feed::Feed;
use crate::arguments::{Monitor, Range};

/// Keeps long lines from being continued on the next one, which would be left behind when the view is drawn again.
const WRAP_OFF: &str = "\x1b[?7l";
const WRAP_ON: &str = "\x1b[?7h";

pub(crate) async fn run(app: &Arc<App>, monitor: &Monitor, json: bool) -> Result<ExitCode> {
    if let Some(range) = monitor.history {
        return history(app, range, json);
    }
    if let Some(time) = &monitor.explain {
        return explain(app, timeline::time_of(time)?, json);
    }
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::internal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::internal)?;
    let mut feed = Feed::open(app, monitor.replay.as_deref()).await?;
    let mut screen = Screen::new(json, monitor.once);
    // Use and flow are differences, so the very first moment of our own sensors has none.
    let mut first = monitor.once && monitor.replay.is_none();
    let ended = loop {
        let moment = tokio::select! {
            _ = interrupt.recv() => break Ok(()),
            _ = terminate.recv() => break Ok(()),
            moment = feed.next() => moment,
        };
        match moment {
            Ok(Some(moment)) => {
                if std::mem::take(&mut first) && moment.reading.cpu_usage.is_none() {
                    continue;
                }
                // Whoever reads may stop at any time, as `head` does.
                if screen.show(&moment).is_err() || monitor.once {
                    break Ok(());
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    screen.leave();
    ended.map(|()| ExitCode::SUCCESS)
}

/// Where moments are shown.
struct Screen {
    out: Stdout,
    how: How,
    /// Lines that are on the screen.
    drawn: usize,
}

enum How {
    Json,
    /// A line a moment, for pipes.
    Line,
    /// The whole view once, one below the other.
    Once,
    /// The whole view, always in the same place.
    InPlace,
}

impl Screen {
    fn new(json: bool, once: bool) -> Self {
        let out = std::io::stdout();
        let how = match (json, once) {
            (true, _) => How::Json,
            (_, true) => How::Once,
            _ if out.is_terminal() => How::InPlace,
            _ => How::Line,
        };
        Self { out, how, drawn: 0 }
    }

    fn show(&mut self, moment: &Moment) -> std::io::Result<()> {
        let mut out = self.out.lock();
        match self.how {
            How::Json => writeln!(out, "{}", serde_json::json!(moment))?,
            How::Line => writeln!(out, "{}", view::line(moment))?,
            How::Once => {
                for line in view::lines(moment) {
                    writeln!(out, "{line}")?;
                }
            }
            How::InPlace => {
                if self.drawn > 0 {
                    write!(out, "\x1b[{}A", self.drawn)?;
                }
                write!(out, "{WRAP_OFF}")?;
                let lines = view::lines(moment);
                for line in &lines {
                    writeln!(out, "\x1b[2K{line}")?;
                }
                // Below, what a longer view left.
                write!(out, "\x1b[J{WRAP_ON}")?;
                self.drawn = lines.len();
            }
        }
        out.flush()
    }

    /// Leaves the last view standing, and what the terminal printed for Ctrl+C on a line of its own.
    fn leave(mut self) {
        if matches!(self.how, How::InPlace) {
            // Nobody is left to tell when this fails.
            let _ = writeln!(self.out);
        }
    }
}

fn history(app: &App, range: Range, json: bool) -> Result<ExitCode> {
    let timeline = Timeline::open_read_only(app.paths())?;
    let hours: i64 = match range {
        Range::Hour => 1,
        Range::Day => 24,
        Range::Month => 30 * 24,
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let to_ms = now.map_or(0, |now| now.as_millis() as i64);
    let history = timeline.history(Span {
        from_ms: to_ms - hours * 3_600_000,
        to_ms,
        points: 1_500,
    })?;
    let text = if json {
        serde_json::json!(history).to_string() + "\n"
    } else {
        timeline::csv(&history)
    };
    // A reader that stops early has what it wanted.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

fn explain(app: &App, at_ms: i64, json: bool) -> Result<ExitCode> {
    let explanation = Timeline::open_read_only(app.paths())?.explain(at_ms)?;
    if json {
        println!("{}", serde_json::json!(explanation));
    } else {
        println!("{}", explanation.sentence);
    }
    Ok(ExitCode::SUCCESS)
}
