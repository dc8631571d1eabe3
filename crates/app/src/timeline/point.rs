//! The figures of a stretch of time: which there are, how those of many moments become one, and how they lie on the disk.
//!
//! One table says all of it, so that a new figure is a line here and a field of [`Series`].

use super::{History, Moment, Series};

/// How the figures of many moments become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    /// The mean of the moments in which it was measured.
    Mean,
    /// The highest: what would be lost in a mean and still has consequences.
    Peak,
}

/// A kind of figure.
pub(super) struct Figure {
    /// Name of its column in exports, with the unit.
    pub(super) name: &'static str,
    whole: Whole,
    of: fn(&Moment) -> Option<f32>,
    pub(super) list: fn(&mut Series) -> &mut Vec<Option<f32>>,
}

const fn figure(
    name: &'static str,
    whole: Whole,
    of: fn(&Moment) -> Option<f32>,
    list: fn(&mut Series) -> &mut Vec<Option<f32>>,
) -> Figure {
    Figure {
        name,
        whole,
        of,
        list,
    }
}

/// Where the figures that are asked for by name stand in [`FIGURES`].
pub(super) const TOKENS_PER_SECOND: usize = 0;
pub(super) const COOL_TOKENS_PER_SECOND: usize = 1;
pub(super) const RUNNING: usize = 3;
pub(super) const WAITING: usize = 4;
pub(super) const SYSTEM_WATTS: usize = 5;
pub(super) const CPU_CELSIUS: usize = 8;
pub(super) const GPU_CELSIUS: usize = 9;
pub(super) const DUTY: usize = 17;

/// All figures in the order in which they lie on the disk: new ones come last, and none may ever change its place.
///
/// The share of time in which engines compute is a mean although its dips matter: it is work done, and the marks keep the dips.
#[rustfmt::skip]
pub(super) const FIGURES: [Figure; 18] = [
    figure("tokens_per_second", Whole::Mean, |m| m.work.tokens_per_second, |s| &mut s.tokens_per_second),
    figure("cool_tokens_per_second", Whole::Mean, |m| m.work.cool_tokens_per_second, |s| &mut s.cool_tokens_per_second),
    figure("ttft_ms", Whole::Peak, |m| m.work.ttft_ms, |s| &mut s.ttft_ms),
    figure("running_answers", Whole::Mean, |m| Some(m.work.running as f32), |s| &mut s.running),
    figure("waiting_requests", Whole::Peak, |m| Some(m.work.waiting as f32), |s| &mut s.waiting),
    figure("system_watts", Whole::Mean, |m| m.reading.system_watts, |s| &mut s.system_watts),
    figure("cpu_watts", Whole::Mean, |m| m.reading.cpu_watts, |s| &mut s.cpu_watts),
    figure("gpu_watts", Whole::Mean, |m| m.reading.gpu_watts, |s| &mut s.gpu_watts),
    figure("cpu_celsius", Whole::Peak, |m| m.reading.cpu_celsius, |s| &mut s.cpu_celsius),
    figure("gpu_celsius", Whole::Peak, |m| m.reading.gpu_celsius, |s| &mut s.gpu_celsius),
    figure("cpu_usage_0_to_1", Whole::Mean, |m| m.reading.cpu_usage, |s| &mut s.cpu_usage),
    figure("gpu_usage_0_to_1", Whole::Mean, |m| m.reading.gpu_usage, |s| &mut s.gpu_usage),
    figure("memory_used_bytes", Whole::Mean, |m| m.reading.memory.map(|m| m.used_bytes as f32), |s| &mut s.memory_used_bytes),
    figure("swap_used_bytes", Whole::Mean, |m| m.reading.memory.map(|m| m.swap_used_bytes as f32), |s| &mut s.swap_used_bytes),
    figure("thermal_state_0_to_3", Whole::Peak, |m| m.reading.thermal.map(|t| f32::from(t as u8)), |s| &mut s.thermal),
    figure("memory_pressure_0_to_2", Whole::Peak, |m| m.reading.pressure.map(|p| f32::from(p as u8)), |s| &mut s.pressure),
    figure("battery_percent", Whole::Mean, |m| m.reading.battery.map(|b| b.percent), |s| &mut s.battery_percent),
    figure("duty_0_to_1", Whole::Mean, |m| Some(m.decision.limits.duty), |s| &mut s.duty),
];

/// Bytes of a figure on the disk: in how many moments it was measured, then its value.
const FIGURE_BYTES: usize = 6;

/// One figure of a stretch.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Part {
    /// Moments in which it was measured.
    count: u32,
    /// Sum of a mean's values, else the highest.
    value: f64,
}

/// All figures of a stretch.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Point([Part; FIGURES.len()]);

impl Point {
    pub(super) fn of(moment: &Moment) -> Self {
        let mut point = Self::default();
        for (part, figure) in point.0.iter_mut().zip(&FIGURES) {
            // What is not a number was not measured.
            if let Some(value) = (figure.of)(moment).filter(|value| value.is_finite()) {
                *part = Part {
                    count: 1,
                    value: f64::from(value),
                };
            }
        }
        point
    }

    /// A figure by its place in [`FIGURES`]; `None` when it was never measured.
    pub(super) fn get(&self, index: usize) -> Option<f32> {
        let part = self.0[index];
        let value = match FIGURES[index].whole {
            _ if part.count == 0 => return None,
            Whole::Mean => part.value / f64::from(part.count),
            Whole::Peak => part.value,
        };
        Some(value as f32)
    }

    /// Takes in another stretch.
    pub(super) fn add(&mut self, other: &Self) {
        for (index, part) in other.0.iter().enumerate() {
            self.add_part(index, *part);
        }
    }

    /// Takes in a stretch as it lies on the disk. Figures that this version does not know are passed over.
    pub(super) fn add_bytes(&mut self, bytes: &[u8]) {
        let parts = bytes.as_chunks::<FIGURE_BYTES>().0.iter();
        for (index, [low, high, value @ ..]) in parts.enumerate().take(FIGURES.len()) {
            let value = f64::from(f32::from_le_bytes(*value));
            let count = u32::from(u16::from_le_bytes([*low, *high]));
            if count > 0 && value.is_finite() {
                let value = match FIGURES[index].whole {
                    Whole::Mean => value * f64::from(count),
                    Whole::Peak => value,
                };
                self.add_part(index, Part { count, value });
            }
        }
    }

    fn add_part(&mut self, index: usize, other: Part) {
        let part = &mut self.0[index];
        part.value = match FIGURES[index].whole {
            _ if part.count == 0 => other.value,
            _ if other.count == 0 => part.value,
            Whole::Mean => part.value + other.value,
            Whole::Peak => part.value.max(other.value),
        };
        part.count += other.count;
    }

    /// As it lies on the disk, without what was not measured at the end.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let measured = self.0.iter().rposition(|part| part.count > 0);
        let mut bytes = Vec::with_capacity(self.0.len() * FIGURE_BYTES);
        for index in 0..measured.map_or(0, |last| last + 1) {
            // Half an hour has 1,800 moments; only a clock that is set back again and again gets beyond this.
            let count = u16::try_from(self.0[index].count).unwrap_or(u16::MAX);
            bytes.extend(count.to_le_bytes());
            bytes.extend(self.get(index).unwrap_or_default().to_le_bytes());
        }
        bytes
    }

    /// Adds the figures to the ends of their lists.
    pub(super) fn push_to(&self, series: &mut Series) {
        for (index, figure) in FIGURES.iter().enumerate() {
            (figure.list)(series).push(self.get(index));
        }
    }
}

impl History {
    /// With figures of four digits, which is more than a plot can show, and a third less for a web view to read.
    #[must_use]
    pub(crate) fn rounded(mut self) -> Self {
        for figure in FIGURES {
            let list = (figure.list)(&mut self.series);
            for value in list.iter_mut().flatten() {
                *value = rounded(*value);
            }
        }
        self
    }
}

fn rounded(value: f32) -> f32 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10_f64.powi(3 - f64::from(value).abs().log10().floor() as i32);
    ((f64::from(value) * scale).round() / scale) as f32
}

/// Two stretches on the disk as one.
pub(super) fn merge(one: &[u8], other: &[u8]) -> Vec<u8> {
    let mut point = Point::default();
    point.add_bytes(one);
    point.add_bytes(other);
    point.bytes()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::hardware::{Battery, Memory, MemoryPressure, ThermalState};

    /// A moment in which every figure was measured, each another number.
    pub(crate) fn full(scale: f32) -> Moment {
        let mut moment = Moment::default();
        moment.work.tokens_per_second = Some(40.0 * scale);
        moment.work.cool_tokens_per_second = Some(44.0);
        moment.work.ttft_ms = Some(120.0 * scale);
        moment.work.running = 2;
        moment.work.waiting = 3;
        moment.work.model = Some("starter".into());
        let reading = &mut moment.reading;
        reading.system_watts = Some(41.0 * scale);
        reading.cpu_watts = Some(11.0);
        reading.gpu_watts = Some(22.0);
        reading.cpu_celsius = Some(90.0 * scale);
        reading.gpu_celsius = Some(80.0 * scale);
        reading.cpu_usage = Some(0.5);
        reading.gpu_usage = Some(0.9);
        reading.memory = Some(Memory {
            total_bytes: 16 << 30,
            used_bytes: 12 << 30,
            swap_total_bytes: 2 << 30,
            swap_used_bytes: 1 << 30,
        });
        reading.thermal = Some(ThermalState::Serious);
        reading.pressure = Some(MemoryPressure::Warning);
        reading.battery = Some(Battery {
            percent: 77.0,
            charging: false,
            watts: None,
            minutes_left: None,
        });
        moment.decision.limits.duty = 0.6;
        moment
    }

    #[test]
    fn screens_get_four_digits() {
        for (value, shown) in [
            (43.385_437, 43.39),
            (10_537_724_000.0, 1.054e10),
            (0.070_012_3, 0.070_01),
            (-5.0, -5.0),
            (0.0, 0.0),
        ] {
            assert_eq!(rounded(value).to_bits(), f32::to_bits(shown), "{value}");
        }
    }

    #[test]
    fn every_figure_has_its_own_list_and_comes_back_from_the_disk() {
        let point = Point::of(&full(1.0));
        let mut again = Point::default();
        again.add_bytes(&point.bytes());
        let mut series = Series::default();
        again.push_to(&mut series);
        let json = serde_json::to_value(&series).unwrap();
        let lists = json.as_object().unwrap();
        assert_eq!(lists.len(), FIGURES.len());
        assert!(
            lists
                .values()
                .all(|list| list.as_array().unwrap().len() == 1),
            "{json}"
        );
        assert_eq!(series.tokens_per_second, [Some(40.0)]);
        assert_eq!(series.memory_used_bytes, [Some((12_u64 << 30) as f32)]);
        assert_eq!(series.thermal, [Some(2.0)]);
        assert_eq!(series.pressure, [Some(1.0)]);
        assert_eq!(series.duty, [Some(0.6)]);
        for (index, name) in [
            (TOKENS_PER_SECOND, "tokens_per_second"),
            (COOL_TOKENS_PER_SECOND, "cool_tokens_per_second"),
            (RUNNING, "running_answers"),
            (WAITING, "waiting_requests"),
            (SYSTEM_WATTS, "system_watts"),
            (CPU_CELSIUS, "cpu_celsius"),
            (GPU_CELSIUS, "gpu_celsius"),
            (DUTY, "duty_0_to_1"),
        ] {
            assert_eq!(FIGURES[index].name, name);
        }
    }

    #[test]
    fn means_are_of_moments_and_peaks_are_kept() {
        // Three moments with a speed, one without, in two stretches of unequal length.
        let mut early = Point::of(&full(1.0));
        early.add(&Point::of(&full(2.0)));
        early.add(&Point::of(&full(0.5)));
        let late = Point::of(&Moment::default());
        let bytes = merge(
            &early.bytes(),
            &merge(&late.bytes(), &Point::of(&full(3.0)).bytes()),
        );
        let mut point = Point::default();
        point.add_bytes(&bytes);
        assert_eq!(point.get(TOKENS_PER_SECOND), Some(40.0 * 6.5 / 4.0));
        assert_eq!(point.get(CPU_CELSIUS), Some(270.0));
        // Running is measured in all five moments.
        assert_eq!(point.get(RUNNING), Some(8.0 / 5.0));
        assert_eq!(point.get(WAITING), Some(3.0));
    }

    #[test]
    fn what_is_not_a_number_was_not_measured() {
        let mut moment = full(f32::NAN);
        moment.reading.cpu_celsius = Some(f32::INFINITY);
        let point = Point::of(&moment);
        assert_eq!(point.get(TOKENS_PER_SECOND), None);
        assert_eq!(point.get(CPU_CELSIUS), None);
        let mut damaged = point.bytes();
        damaged[2..6].copy_from_slice(&f32::NAN.to_le_bytes());
        damaged[0] = 3;
        let mut again = Point::default();
        again.add_bytes(&damaged);
        assert_eq!(again.get(TOKENS_PER_SECOND), None);
        assert_eq!(Point::default().bytes(), Vec::<u8>::new());
    }

    #[test]
    fn a_newer_version_may_have_more_figures() {
        let mut bytes = Point::of(&full(1.0)).bytes();
        bytes.extend([1, 0, 0, 0, 128, 63, 9]);
        let mut point = Point::default();
        point.add_bytes(&bytes);
        assert_eq!(
            point,
            Point::of(&full(1.0)),
            "what is not known is passed over"
        );
    }
}
