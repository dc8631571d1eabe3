//! Recordings that play, and files that are none.

use super::*;

fn parsed(text: &str) -> Result<Replay, ReplayError> {
    parse(Path::new("afternoon.jsonl"), text)
}

#[test]
fn lines_are_readings_or_what_the_monitor_prints() {
    let text = r#"{"atMs": 1000, "cpuCelsius": 71.5, "from the future": true}

{"reading": {"atMs": 1100, "thermal": "serious"}, "work": {"running": 1}, "decision": {"level": "held"}}
"#;
    let mut replay = parsed(text).unwrap();
    assert_eq!(replay.remaining(), 2);
    let before = clock::wall_ms();
    let started = Instant::now();
    let first = replay.read().unwrap();
    assert_eq!(first.cpu_celsius, Some(71.5));
    assert!((before..before + 5000).contains(&first.at_ms));
    let second = replay.read().unwrap();
    assert!(started.elapsed() >= Duration::from_millis(100));
    assert_eq!(second.thermal, Some(crate::reading::ThermalState::Serious));
    assert_eq!(second.at_ms - first.at_ms, 100);
    assert_eq!(replay.read(), None);
}

#[test]
fn a_factor_changes_the_speed_and_not_the_times() {
    let text = "{\"atMs\": 0}\n{\"atMs\": 60000}\n";
    let mut replay = parsed(text)
        .unwrap()
        .at_speed(600.0)
        .at_speed(-1.0)
        .at_speed(f64::NAN);
    let started = Instant::now();
    let first = replay.read().unwrap();
    let second = replay.read().unwrap();
    assert!((Duration::from_millis(100)..Duration::from_secs(20)).contains(&started.elapsed()));
    assert_eq!(second.at_ms - first.at_ms, 60_000);
}

#[test]
fn errors_name_the_line_and_nothing_is_played() {
    let good = r#"{"atMs": 5}"#;
    for (text, line) in [
        ("{", 1),
        ("[1]", 1),
        ("{}", 1),
        (r#"{"reading": {}}"#, 1),
        (r#"{"atMs": "now"}"#, 1),
        (r#"{"atMs": 1.5}"#, 1),
        (r#"{"atMs": 6, "thermal": "boiling"}"#, 1),
        (r#"{"atMs": 6, "cpuUsage": "full"}"#, 1),
        (r#"{"atMs": 4}"#, 2),
    ] {
        let (text, line) = if line == 2 {
            (format!("{good}\n{text}"), 2)
        } else {
            (text.to_owned(), line)
        };
        let error = parsed(&text).unwrap_err();
        assert!(
            matches!(&error, ReplayError::Line { line: found, .. } if *found == line),
            "{text}: {error}"
        );
        assert!(
            error
                .to_string()
                .starts_with(&format!("afternoon.jsonl, line {line}: "))
        );
    }
    assert!(matches!(parsed(" \n"), Err(ReplayError::Empty { .. })));
    let missing = open(Path::new("/not/there.jsonl")).unwrap_err();
    assert!(
        missing.to_string().contains("/not/there.jsonl"),
        "{missing}"
    );
}

#[test]
fn times_that_no_clock_holds_end_the_recording() {
    let text = format!("{{\"atMs\": {}}}\n{{\"atMs\": {}}}\n", i64::MIN, i64::MAX);
    let mut replay = parsed(&text).unwrap().at_speed(1e-300);
    assert!(replay.read().is_some());
    assert_eq!(replay.read(), None);
}

/// The scripted afternoon, as other crates play it in their tests.
#[test]
fn the_hot_afternoon_and_the_machine_that_lies_about_it() {
    use crate::reading::ThermalState::{Critical, Fair, Nominal, Serious};
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data");
    let told = |name: &str| {
        let mut replay = open(&data.join(name)).unwrap().at_speed(1e6);
        let mut readings: Vec<Reading> = std::iter::from_fn(|| replay.read()).collect();
        let whole = readings.clone();
        readings.dedup_by_key(|reading| reading.thermal);
        let states: Vec<_> = readings.iter().filter_map(|r| r.thermal).collect();
        (whole, states)
    };
    let (readings, states) = told("hot-afternoon.jsonl");
    assert_eq!(readings.len(), 121);
    assert_eq!(
        states,
        [Nominal, Fair, Serious, Critical, Serious, Fair, Nominal]
    );
    assert!(readings.iter().all(|r| r.cpu_celsius.is_some()));
    let (lies, states) = told("hot-afternoon-lying.jsonl");
    assert_eq!((lies.len(), states), (121, vec![Nominal]));
    assert!(lies.iter().all(|r| r.hottest_celsius().is_none()));
    assert_eq!(lies[60].system_watts, readings[60].system_watts);
}
