//! How fast each model writes on the cool machine, learnt while it runs.
//!
//! A high percentile of what was measured while nothing held the model back. What is clearly slower than that is not learnt, so that
//! a hot hour under a system that says nothing of heat does not become the measure; it only lowers it little by little, so that a
//! machine that has become slower for good is not judged for ever by what it was.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Measurements of a second that make a cool speed known.
const KNOWN: usize = 10;
/// Most measurements that are kept of one kind of load.
const KEPT: usize = 256;
/// The first ones are all kept; after them one of [`SPREAD`], so that those kept reach back half an hour of writing.
const DENSE: usize = 32;
const SPREAD: u32 = 8;
/// Which of the measurements in their order is the cool speed.
const PERCENTILE: f32 = 0.75;
/// What is below this part of the cool speed is not learnt.
const SUSPICIOUS: f32 = 0.8;
/// What a suspicious second takes from the cool speed: half of it in more than two hours of writing.
const DOUBT: f32 = 0.005 / 60.0;
/// Most models that are remembered, and kinds of load of each.
const MODELS: usize = 32;
const LOADS: usize = 24;

/// What a model was doing: its speed can only be compared with its speed under the same load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Load {
    /// Answers that were written at the same time.
    streams: u32,
    /// Tokens behind each of them: 0 is up to 512, and each further one twice as many.
    depth: u32,
}

impl Load {
    /// `depth` is the tokens behind all streams together.
    pub fn new(streams: u32, depth: u64) -> Self {
        let each = depth / u64::from(streams.max(1));
        Self {
            streams: streams.min(8),
            depth: (each.max(1).div_ceil(512) as f32).log2().ceil() as u32,
        }
    }
}

/// The measurements of one kind of load.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Cool {
    /// In the order in which they were taken; the oldest are overwritten first.
    measured: Vec<f32>,
    next: usize,
    skipped: u32,
}

impl Cool {
    fn speed(&self) -> Option<f32> {
        if self.measured.len() < KNOWN {
            return None;
        }
        let mut sorted = self.measured.clone();
        sorted.sort_by(f32::total_cmp);
        let at = (sorted.len() - 1) as f32 * PERCENTILE;
        sorted.get(at as usize).copied()
    }

    fn learn(&mut self, speed: f32) {
        if self.measured.len() >= DENSE {
            self.skipped += 1;
            if self.skipped < SPREAD {
                return;
            }
            self.skipped = 0;
        }
        if self.measured.len() < KEPT {
            self.measured.push(speed);
        } else if let Some(place) = self.measured.get_mut(self.next % KEPT) {
            *place = speed;
            self.next = (self.next + 1) % KEPT;
        }
    }

    fn doubt(&mut self) {
        self.measured.iter_mut().for_each(|m| *m *= 1.0 - DOUBT);
    }
}

/// One model: its loads, and when it was measured last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Model {
    /// A list, because keys of JSON objects are text.
    loads: Vec<(Load, Cool)>,
    /// Unix milliseconds.
    used_ms: i64,
}

/// The cool speeds of all models.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Baselines {
    models: BTreeMap<String, Model>,
}

impl Baselines {
    /// Tokens a second of a model under a load on the cool machine; `None` before that is known.
    pub fn cool(&self, model: &str, load: Load) -> Option<f32> {
        let loads = &self.models.get(model)?.loads;
        let (_, cool) = loads.iter().find(|(known, _)| *known == load)?;
        cool.speed()
    }

    /// Takes a measurement of one second in which nothing was known to hold the model back.
    pub fn learn(&mut self, model: &str, load: Load, speed: f32, now_ms: i64) {
        if !speed.is_finite() || speed <= 0.0 {
            return;
        }
        let cool = self.entry(model, load, now_ms);
        match cool.speed() {
            Some(known) if speed < SUSPICIOUS * known => cool.doubt(),
            _ => cool.learn(speed),
        }
    }

    /// Takes a measurement of one second in which the model was paced; `speed` is what it would have been without.
    pub fn compare(&mut self, model: &str, load: Load, speed: f32) {
        let known = self.models.get_mut(model);
        let found = known.and_then(|m| m.loads.iter_mut().find(|(known, _)| *known == load));
        if let Some((_, cool)) = found
            && cool.speed().is_some_and(|known| speed < SUSPICIOUS * known)
        {
            cool.doubt();
        }
    }

    fn entry(&mut self, model: &str, load: Load, now_ms: i64) -> &mut Cool {
        if !self.models.contains_key(model) && self.models.len() >= MODELS {
            let oldest = self.models.iter().min_by_key(|(_, m)| m.used_ms);
            if let Some(name) = oldest.map(|(name, _)| name.clone()) {
                self.models.remove(&name);
            }
        }
        let entry = self.models.entry(model.to_owned()).or_default();
        entry.used_ms = now_ms;
        let at = entry.loads.iter().position(|(known, _)| *known == load);
        let at = at.unwrap_or_else(|| {
            if entry.loads.len() >= LOADS {
                // What was measured least is missed least.
                let least = entry.loads.iter().enumerate();
                let least = least.min_by_key(|(_, (_, cool))| cool.measured.len());
                let least = least.map_or(0, |(at, _)| at);
                entry.loads.remove(least);
            }
            entry.loads.push((load, Cool::default()));
            entry.loads.len() - 1
        });
        &mut entry.loads[at].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Load = Load {
        streams: 1,
        depth: 0,
    };

    fn learnt(speeds: impl IntoIterator<Item = f32>) -> Baselines {
        let mut known = Baselines::default();
        speeds
            .into_iter()
            .for_each(|speed| known.learn("m", ONE, speed, 0));
        known
    }

    #[test]
    fn it_is_known_after_ten_seconds_and_only_for_its_load() {
        assert_eq!(learnt([40.0; 9]).cool("m", ONE), None);
        let known = learnt([40.0; 10]);
        assert_eq!(known.cool("m", ONE), Some(40.0));
        assert_eq!(known.cool("other", ONE), None);
        assert_eq!(known.cool("m", Load::new(2, 100)), None);
        assert_eq!(known.cool("m", Load::new(1, 4000)), None);
        assert_eq!(known.cool("m", Load::new(1, 512)), Some(40.0));
        for (tokens, depth) in [(0, 0), (512, 0), (513, 1), (1024, 1), (1025, 2), (8192, 4)] {
            assert_eq!(Load::new(1, tokens).depth, depth, "{tokens}");
        }
        assert_eq!(Load::new(4, 8192).depth, Load::new(1, 2048).depth);
    }

    #[test]
    fn noise_and_single_bursts_do_not_move_it_far() {
        let noisy = (0..600).map(|n| match n % 10 {
            0 => 90.0,
            n => 38.0 + n as f32 * 0.5,
        });
        let cool = learnt(noisy).cool("m", ONE).unwrap();
        assert!((40.0..=43.0).contains(&cool), "{cool}");
    }

    #[test]
    fn heat_that_nobody_reports_is_not_learnt_as_cool() {
        // At once, and in a slow decline of ten minutes.
        let mut known = learnt([44.0; 120]);
        (0..1800).for_each(|_| known.learn("m", ONE, 25.0, 0));
        assert!(known.cool("m", ONE).unwrap() > 35.0);
        let mut known = learnt([44.0; 300]);
        (0..600).for_each(|n| known.learn("m", ONE, 44.0 - 0.032 * n as f32, 0));
        let cool = known.cool("m", ONE).unwrap();
        assert!(cool > 40.0, "{cool}");
    }

    #[test]
    fn a_machine_that_is_slower_for_good_is_believed_in_the_end() {
        let mut known = learnt([44.0; 300]);
        (0..3 * 3600).for_each(|_| known.learn("m", ONE, 30.0, 0));
        assert!(known.cool("m", ONE).unwrap() < 38.0);
        let mut paced = learnt([44.0; 300]);
        (0..3 * 3600).for_each(|_| paced.compare("m", ONE, 30.0));
        assert!(paced.cool("m", ONE).unwrap() < 38.0);
    }

    #[test]
    fn it_comes_back_from_the_disk_and_has_an_upper_size() {
        let mut known = Baselines::default();
        for model in 0..100 {
            for load in 0..40 {
                let load = Load {
                    streams: load % 8,
                    depth: load / 8,
                };
                (0..20).for_each(|_| known.learn(&format!("m{model}"), load, 40.0, model));
            }
        }
        assert_eq!(known.models.len(), MODELS);
        assert!(known.models.values().all(|m| m.loads.len() <= LOADS));
        assert!(known.models.contains_key("m99") && !known.models.contains_key("m1"));
        let text = serde_json::to_string(&known).unwrap();
        assert_eq!(serde_json::from_str::<Baselines>(&text).unwrap(), known);
        (0..5000).for_each(|_| known.learn("m99", ONE, f32::NAN, 0));
        (0..5000).for_each(|_| known.learn("m99", ONE, 40.0, 0));
        assert!(known.entry("m99", ONE, 0).measured.len() <= KEPT);
    }
}
