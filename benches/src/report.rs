//! Figures in rows: a table for people, JSON for programs.

use serde_json::{Value, json};

/// Collects rows and prints them as they come.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Value>,
    missed: usize,
}

/// Which side of its bound a figure must be on.
pub(crate) enum Must {
    AtLeast(f64),
    AtMost(f64),
}

impl Report {
    /// One figure with what it must be, and how it came about in words.
    pub(crate) fn row(&mut self, name: &str, unit: &str, value: f64, must: &Must, how: &str) {
        let (sign, bound, ok) = match must {
            Must::AtLeast(bound) => ("≥", *bound, value >= *bound),
            Must::AtMost(bound) => ("≤", *bound, value <= *bound),
        };
        self.missed += usize::from(!ok);
        let mark = if ok { "ok" } else { "MISSED" };
        eprintln!("{name:<46} {value:>9.3} {unit:<3} {sign} {bound:<8.3} {mark:<7} {how}");
        self.rows.push(json!({ "name": name, "unit": unit, "value": value, "must": format!("{sign} {bound}"), "ok": ok, "how": how }));
    }

    /// A figure that has no bound.
    pub(crate) fn note(&mut self, name: &str, unit: &str, value: f64) {
        eprintln!("{name:<46} {value:>9.3} {unit}");
        self.rows
            .push(json!({ "name": name, "unit": unit, "value": value }));
    }

    /// Prints the JSON.
    pub(crate) fn finish(self) {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        println!(
            "{:#}",
            json!({ "rows": self.rows, "missed": self.missed, "load_average": load.split_whitespace().next() })
        );
    }
}

/// The value below which `share` of the values lie.
pub(crate) fn percentile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * share) as usize;
    values
        .get(at)
        .or(values.last())
        .copied()
        .unwrap_or(f64::NAN)
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
