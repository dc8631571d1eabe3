//! When the user is told: each threshold of SPEC row H10 once when it is crossed, and again only after it was left clearly.

use std::collections::VecDeque;
use std::time::Duration;

use super::work::Second;
use crate::hardware::{Reading, ThermalState};
use crate::settings::Settings;
use crate::timeline::Alert;

/// Over how much time failures and read prompts are counted, in seconds.
const WINDOW_S: f32 = 600.0;
/// Fewer answers than this in that time say nothing about how many fail.
const ANSWERS: u64 = 20;
/// Fewer tokens of prompts than this in that time say nothing about how much had been read.
const PROMPT_TOKENS: u64 = 4000;
/// How long a machine must have been cool before heat is news again, in seconds.
const COOL_FOR_S: f32 = 120.0;

/// Sums over all models since the program began.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) finished: u64,
    pub(super) failed: u64,
    pub(super) follow_up_tokens: u64,
    pub(super) follow_up_cached: u64,
}

/// Which thresholds are crossed.
#[derive(Default)]
pub(super) struct Alerts {
    memory: bool,
    long_answer: bool,
    cache_hits: bool,
    errors: bool,
    queue: bool,
    disk: bool,
    heat: Option<ThermalState>,
    cool_for_s: f32,
    /// Sums of earlier moments, with how many seconds ago they were taken.
    earlier: VecDeque<(f32, Totals)>,
}

/// Turns a switch on beyond one threshold and off beyond another; whether it was just turned on.
fn crossed(switch: &mut bool, on: bool, off: bool) -> bool {
    let was = *switch;
    *switch = on || (was && !off);
    *switch && !was
}

impl Alerts {
    /// What is news in this second.
    pub(super) fn second(
        &mut self,
        reading: &Reading,
        second: &Second,
        totals: Totals,
        settings: &Settings,
        seconds: f32,
    ) -> Vec<Alert> {
        let mut news = Vec::new();
        news.extend(self.memory(reading, settings.alert_memory_percent as f32));
        news.extend(self.disk(reading, settings.alert_disk_percent as f32));
        news.extend(self.heat(reading.thermal, seconds));
        news.extend(self.long_answer(second.longest, settings.alert_answer_seconds));
        let (waiting, most) = (second.work.waiting, settings.alert_queue);
        if crossed(&mut self.queue, waiting > most, waiting <= most / 2) {
            news.push(Alert::Queue { waiting });
        }
        let before = self.window(totals, seconds);
        news.extend(self.errors(before, totals, settings.alert_errors_percent as f32));
        news.extend(self.cache_hits(before, totals, settings.alert_cache_percent as f32));
        news
    }

    fn memory(&mut self, reading: &Reading, threshold: f32) -> Option<Alert> {
        let memory = reading.memory.filter(|memory| memory.total_bytes > 0)?;
        let percent = (100.0 * memory.used_bytes as f64 / memory.total_bytes as f64) as f32;
        let news = crossed(
            &mut self.memory,
            percent > threshold,
            percent < threshold - 3.0,
        );
        news.then_some(Alert::Memory { percent })
    }

    fn disk(&mut self, reading: &Reading, threshold: f32) -> Option<Alert> {
        let disk = reading.disk.filter(|disk| disk.total_bytes > 0)?;
        let percent = (100.0 * disk.free_bytes as f64 / disk.total_bytes as f64) as f32;
        let news = crossed(
            &mut self.disk,
            percent < threshold,
            percent > threshold + 1.0,
        );
        news.then_some(Alert::Disk { percent })
    }

    /// Serious and critical are news, each once until the machine was cool for a while.
    fn heat(&mut self, state: Option<ThermalState>, seconds: f32) -> Option<Alert> {
        let state = state?;
        if state < ThermalState::Serious {
            self.cool_for_s += seconds;
            if self.cool_for_s >= COOL_FOR_S {
                self.heat = None;
            }
            return None;
        }
        self.cool_for_s = 0.0;
        let is_news = self.heat.is_none_or(|told| state > told);
        is_news.then(|| {
            self.heat = Some(state);
            Alert::Heat { state }
        })
    }

    fn long_answer(&mut self, longest: Option<Duration>, threshold: u32) -> Option<Alert> {
        let seconds = longest.map_or(0, |longest| longest.as_secs() as u32);
        let news = crossed(
            &mut self.long_answer,
            seconds > threshold,
            seconds < threshold,
        );
        news.then_some(Alert::LongAnswer { seconds })
    }

    /// The sums at the begin of the window.
    fn window(&mut self, totals: Totals, seconds: f32) -> Totals {
        self.earlier.iter_mut().for_each(|(age, _)| *age += seconds);
        self.earlier.push_back((0.0, totals));
        // The youngest that is old enough stays as the begin of the window. Moments may come faster than once a second.
        while self.earlier.get(1).is_some_and(|(age, _)| *age >= WINDOW_S)
            || self.earlier.len() > 2 * WINDOW_S as usize
        {
            self.earlier.pop_front();
        }
        self.earlier.front().map_or(totals, |(_, first)| *first)
    }

    fn errors(&mut self, before: Totals, now: Totals, threshold: f32) -> Option<Alert> {
        let failed = now.failed - before.failed;
        let all = failed + now.finished - before.finished;
        let percent = 100.0 * failed as f32 / all.max(1) as f32;
        let on = all >= ANSWERS && percent > threshold;
        let news = crossed(&mut self.errors, on, percent <= threshold / 2.0);
        news.then_some(Alert::Errors { percent })
    }

    fn cache_hits(&mut self, before: Totals, now: Totals, threshold: f32) -> Option<Alert> {
        let read = now.follow_up_tokens - before.follow_up_tokens;
        let had = now.follow_up_cached - before.follow_up_cached;
        let percent = 100.0 * had as f32 / read.max(1) as f32;
        let enough = read >= PROMPT_TOKENS;
        let on = enough && percent < threshold;
        let off = enough && percent > threshold + 5.0;
        let news = crossed(&mut self.cache_hits, on, off);
        news.then_some(Alert::CacheHits { percent })
    }
}

impl Alert {
    /// Its name in the setting `alerts.muted`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Memory { .. } => "memory",
            Self::LongAnswer { .. } => "long_answer",
            Self::CacheHits { .. } => "cache_hits",
            Self::Errors { .. } => "errors",
            Self::Queue { .. } => "queue",
            Self::Disk { .. } => "disk",
            Self::Heat { .. } => "heat",
        }
    }

    /// What happened and what to do, in plain English.
    pub fn sentence(&self) -> String {
        match self {
            Self::Memory { percent } => format!(
                "{percent:.0} % of the memory is used. Close other programs or unload a model."
            ),
            Self::LongAnswer { seconds } => {
                format!(
                    "An answer has been going on for {seconds} s. It can be stopped in its chat or by its program."
                )
            }
            Self::CacheHits { percent } => format!(
                "Only {percent:.0} % of what conversations repeat had been read before. A program may change the beginning of its prompts."
            ),
            Self::Errors { percent } => {
                format!(
                    "{percent:.0} % of the answers failed in the last ten minutes. The log has the reasons."
                )
            }
            Self::Queue { waiting } => format!(
                "{waiting} requests wait for their turn. Ask for less at a time, or raise the limits of the server."
            ),
            Self::Disk { percent } => {
                format!("Only {percent:.0} % of the disk is free. Remove models or other files.")
            }
            Self::Heat { state } => {
                let how = match state {
                    ThermalState::Critical => "critically hot",
                    _ => "hot",
                };
                format!("The machine is {how}. Hearth slows down until it has cooled.")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::{Disk, Memory};

    struct Bench {
        alerts: Alerts,
        reading: Reading,
        second: Second,
        totals: Totals,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                alerts: Alerts::default(),
                reading: Reading::default(),
                second: Second::default(),
                totals: Totals::default(),
            }
        }

        fn second(&mut self) -> Vec<Alert> {
            let settings = Settings::default();
            self.alerts
                .second(&self.reading, &self.second, self.totals, &settings, 1.0)
        }

        fn memory(&mut self, used_bytes: u64) -> Vec<Alert> {
            self.reading.memory = Some(Memory {
                total_bytes: 100,
                used_bytes,
                ..Memory::default()
            });
            self.second()
        }
    }

    #[test]
    fn each_is_told_once_for_each_crossing() {
        let mut bench = Bench::new();
        assert!(bench.memory(95).is_empty());
        assert_eq!(bench.memory(96), [Alert::Memory { percent: 96.0 }]);
        for noise in [95, 96, 93, 99, 92] {
            assert!(bench.memory(noise).is_empty(), "{noise}");
        }
        assert!(bench.memory(91).is_empty());
        assert_eq!(bench.memory(97), [Alert::Memory { percent: 97.0 }]);
    }

    #[test]
    fn disk_queue_and_long_answers_have_their_thresholds() {
        let mut bench = Bench::new();
        let disk = |free_bytes| {
            Some(Disk {
                total_bytes: 100,
                free_bytes,
            })
        };
        bench.reading.disk = disk(20);
        assert!(bench.second().is_empty());
        bench.reading.disk = disk(19);
        assert_eq!(bench.second(), [Alert::Disk { percent: 19.0 }]);
        bench.reading.disk = disk(21);
        assert!(bench.second().is_empty());
        bench.second.work.waiting = 11;
        assert_eq!(bench.second(), [Alert::Queue { waiting: 11 }]);
        bench.second.work.waiting = 6;
        assert!(bench.second().is_empty());
        bench.second.work.waiting = 11;
        assert!(bench.second().is_empty());
        bench.second.longest = Some(Duration::from_secs(121));
        assert_eq!(bench.second(), [Alert::LongAnswer { seconds: 121 }]);
        bench.second.longest = Some(Duration::from_secs(200));
        assert!(bench.second().is_empty());
        bench.second.longest = None;
        bench.second();
        bench.second.longest = Some(Duration::from_secs(121));
        assert_eq!(bench.second(), [Alert::LongAnswer { seconds: 121 }]);
    }

    #[test]
    fn heat_is_told_when_it_begins_and_when_it_gets_worse() {
        use ThermalState::{Critical, Fair, Nominal, Serious};
        let mut bench = Bench::new();
        let mut at = |state, seconds| -> Vec<Alert> {
            bench.reading.thermal = Some(state);
            (0..seconds).flat_map(|_| bench.second()).collect()
        };
        assert!(at(Fair, 5).is_empty());
        assert_eq!(at(Serious, 5), [Alert::Heat { state: Serious }]);
        assert!(at(Fair, 60).is_empty() && at(Serious, 5).is_empty());
        assert_eq!(at(Critical, 5), [Alert::Heat { state: Critical }]);
        assert!(at(Serious, 5).is_empty() && at(Nominal, 120).is_empty());
        assert_eq!(at(Serious, 5), [Alert::Heat { state: Serious }]);
    }

    #[test]
    fn failures_and_unread_prompts_need_a_number_that_says_something() {
        let mut bench = Bench::new();
        bench.second();
        bench.totals.failed = 1;
        bench.totals.finished = 9;
        assert!(bench.second().is_empty(), "ten answers say nothing");
        bench.totals.finished = 24;
        assert_eq!(bench.second(), [Alert::Errors { percent: 4.0 }]);
        assert!(bench.second().is_empty());
        bench.totals.follow_up_tokens = 5000;
        bench.totals.follow_up_cached = 1000;
        assert_eq!(bench.second(), [Alert::CacheHits { percent: 20.0 }]);
        // Ten minutes later all of that is forgotten.
        (0..700).for_each(|_| assert!(bench.second().is_empty()));
        bench.totals.failed += 1;
        bench.totals.finished += 30;
        assert_eq!(bench.second().len(), 1);
    }

    #[test]
    fn what_cannot_be_read_alarms_nobody() {
        assert!(Bench::new().second().is_empty());
        let mut zero = Bench::new();
        zero.reading.memory = Some(Memory::default());
        zero.reading.disk = Some(Disk {
            total_bytes: 0,
            free_bytes: 0,
        });
        assert!(zero.second().is_empty());
    }

    #[test]
    fn every_alert_can_be_muted_by_its_name_and_says_what_to_do() {
        let state = ThermalState::Serious;
        let all = [
            Alert::Memory { percent: 96.0 },
            Alert::LongAnswer { seconds: 121 },
            Alert::CacheHits { percent: 20.0 },
            Alert::Errors { percent: 4.0 },
            Alert::Queue { waiting: 11 },
            Alert::Disk { percent: 19.0 },
            Alert::Heat { state },
        ];
        let names = all.map(|alert| alert.name());
        assert_eq!(names, crate::settings::ALERTS);
        for alert in all {
            assert!(alert.sentence().matches('.').count() >= 2, "{alert:?}");
        }
    }
}
