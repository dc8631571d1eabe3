//! Writes a stretch of the time line to a file: CSV for tables, JSON for programs.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use hearth_store::Error as StoreError;
use jiff::Timestamp;

use super::keep::Timeline;
use super::point::FIGURES;
use super::words::in_words;
use super::{History, Mark};
use crate::error::{Error, Result};
use crate::monitor::{ExportAs, Span};

/// Names that are tried for one stretch before giving up.
const MAX_NAMES: u32 = 1_000;

impl Timeline {
    /// Writes a stretch to a new file in the folder of exports, and says where it is; blocks on the disk.
    ///
    /// # Errors
    /// Those of [`Timeline::history`], or that the file cannot be written.
    pub fn export(&self, span: Span, format: ExportAs) -> Result<PathBuf> {
        let history = self.with_every_mark(span)?;
        let (text, kind) = match format {
            ExportAs::Csv => (csv(&history), "csv"),
            ExportAs::Json => (json(&history)?, "json"),
        };
        let begin = time(span.from_ms).replace(':', "-");
        let (path, mut file) = new_file(&self.exports, &format!("timeline-{begin}"), kind)?;
        let written = file
            .write_all(text.as_bytes())
            .and_then(|()| file.sync_all());
        written.map_err(|error| StoreError::io(&path, error))?;
        Ok(path)
    }
}

/// A file that was not there before.
fn new_file(folder: &Path, name: &str, kind: &str) -> Result<(PathBuf, File)> {
    std::fs::create_dir_all(folder).map_err(|error| StoreError::io(folder, error))?;
    for number in 1..=MAX_NAMES {
        let numbered = match number {
            1 => format!("{name}.{kind}"),
            _ => format!("{name}-{number}.{kind}"),
        };
        let path = folder.join(numbered);
        match File::create_new(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(StoreError::io(&path, error).into()),
        }
    }
    let full = std::io::Error::from(ErrorKind::AlreadyExists);
    Err(StoreError::io(&folder.join(format!("{name}.{kind}")), full).into())
}

fn json(history: &History) -> Result<String> {
    let document =
        serde_json::json!({ "format": "hearth-timeline", "version": 1, "history": history });
    let text = serde_json::to_string_pretty(&document).map_err(Error::internal)?;
    Ok(text + "\n")
}

/// A line a point, after a line with the names and units: RFC 4180 but for the plain line ends. What was not measured is empty; what
/// happened stands with the last point that begins before it.
pub fn csv(history: &History) -> String {
    let mut text = String::from("time,at_ms");
    for figure in &FIGURES {
        let _ = write!(text, ",{}", figure.name);
    }
    text.push_str(",happened\n");
    let mut series = history.series.clone();
    let columns = FIGURES
        .each_ref()
        .map(|figure| std::mem::take((figure.list)(&mut series)));
    for (index, at_ms) in history.at_ms.iter().enumerate() {
        let _ = write!(text, "{},{at_ms}", time(*at_ms));
        for column in &columns {
            match column.get(index).copied().flatten() {
                Some(value) => {
                    let _ = write!(text, ",{value}");
                }
                None => text.push(','),
            }
        }
        let until = history.at_ms.get(index + 1).copied().unwrap_or(i64::MAX);
        let from = if index == 0 { i64::MIN } else { *at_ms };
        let _ = writeln!(text, ",{}", quoted(&happened(&history.marks, from, until)));
    }
    text
}

fn happened(marks: &[Mark], from_ms: i64, until_ms: i64) -> String {
    let within = marks
        .iter()
        .filter(|mark| (from_ms..until_ms).contains(&mark.at_ms));
    within
        .map(|mark| in_words(&mark.what))
        .collect::<Vec<_>>()
        .join("; ")
}

/// Names of models and programs come from strangers: quoted where CSV needs it, and never the begin of a formula.
fn quoted(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if formula || text.contains([',', '"', '\n', '\r']) {
        let mark = if formula { "'" } else { "" };
        format!("\"{mark}{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// ISO 8601 in UTC.
fn time(unix_ms: i64) -> String {
    Timestamp::from_millisecond(unix_ms).map_or_else(|_| unix_ms.to_string(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths::Paths;
    use crate::timeline::point::tests::full;
    use crate::timeline::{Happening, Moment};

    const BEGIN_MS: i64 = 1_790_087_520_000;

    fn mark(at_ms: i64, what: Happening) -> Mark {
        Mark { at_ms, what }
    }

    #[test]
    fn files_have_every_figure_with_its_unit_and_are_never_overwritten() {
        let home = tempfile::tempdir().unwrap();
        let timeline = Timeline::open(&Paths::under(home.path())).unwrap();
        let mut first = full(1.0);
        first.reading.at_ms = BEGIN_MS;
        timeline.record(&first);
        let mut second = Moment::default();
        second.reading.at_ms = BEGIN_MS + 1_000;
        timeline.record(&second);
        let model = "one, \"two\"".to_owned();
        timeline.mark(mark(BEGIN_MS - 500, Happening::Started));
        timeline.mark(mark(BEGIN_MS + 1_200, Happening::Loaded { model }));
        let span = Span {
            from_ms: BEGIN_MS - 1_000,
            to_ms: BEGIN_MS + 5_000,
            points: 100,
        };
        let path = timeline.export(span, ExportAs::Csv).unwrap();
        assert_eq!(
            path,
            home.path()
                .join("data/exports/timeline-2026-09-22T14-31-59Z.csv")
        );
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            "time,at_ms,tokens_per_second,cool_tokens_per_second,ttft_ms,running_answers,waiting_requests,system_watts,cpu_watts,\
             gpu_watts,cpu_celsius,gpu_celsius,cpu_usage_0_to_1,gpu_usage_0_to_1,memory_used_bytes,swap_used_bytes,\
             thermal_state_0_to_3,memory_pressure_0_to_2,battery_percent,duty_0_to_1,happened\n\
             2026-09-22T14:32:00Z,1790087520000,40,44,120,2,3,41,11,22,90,80,0.5,0.9,12884902000,1073741800,2,1,77,0.6,Hearth started\n\
             2026-09-22T14:32:01Z,1790087521000,,,,0,0,,,,,,,,,,,,,1,\"loaded one, \"\"two\"\"\"\n"
        );
        let again = timeline.export(span, ExportAs::Csv).unwrap();
        assert!(
            again.ends_with("timeline-2026-09-22T14-31-59Z-2.csv"),
            "{again:?}"
        );
        let json = timeline.export(span, ExportAs::Json).unwrap();
        let json: serde_json::Value =
            serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
        assert_eq!(json["format"], "hearth-timeline");
        let history: History = serde_json::from_value(json["history"].clone()).unwrap();
        assert_eq!(history, timeline.history(span).unwrap());
    }

    #[test]
    fn no_name_becomes_a_formula() {
        assert_eq!(quoted("=1+1"), "\"'=1+1\"");
        assert_eq!(quoted("plain words"), "plain words");
    }
}
