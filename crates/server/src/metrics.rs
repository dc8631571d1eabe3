//! What the server counts and how long things took, for `/metrics` (Prometheus text format).
//!
//! The recorder belongs to one server and is not the process's global one, so that two servers (as in tests) do not mix. Labels
//! have few values: routes and dialects are ours, models are those on this machine. It must not know requests or their content.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hearth_app::engine::Summary;
use hearth_app::inference::LoadedModel;
use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

/// The counters of one server.
pub(crate) struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    /// Every model that was loaded so far.
    seen: Mutex<BTreeSet<String>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        Self {
            recorder,
            handle,
            seen: Mutex::default(),
        }
    }
}

/// Whose answer it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Labels {
    pub(crate) dialect: &'static str,
    pub(crate) model: String,
}

impl Metrics {
    /// Everything as text.
    pub(crate) fn render(&self) -> String {
        self.handle.run_upkeep();
        self.handle.render()
    }

    /// Fields of requests that were ignored, by route.
    pub(crate) fn ignored_fields(&self, route: &str, count: usize) {
        let route = route.to_owned();
        metrics::with_local_recorder(&self.recorder, || {
            counter!("hearth_ignored_fields_total", "route" => route).increment(count as u64);
        });
    }

    /// A request was answered with this status; `took` ends when the headers are sent.
    pub(crate) fn request(&self, route: &str, status: u16, took: Duration) {
        let route = route.to_owned();
        metrics::with_local_recorder(&self.recorder, || {
            let status = status.to_string();
            counter!("hearth_requests_total", "route" => route.clone(), "status" => status)
                .increment(1);
            histogram!("hearth_request_seconds", "route" => route).record(took);
        });
    }

    /// A generation came to its end. `waited` is the time from the request to its slot.
    pub(crate) fn generation(
        &self,
        labels: &Labels,
        summary: &Summary,
        waited: Duration,
        took: Duration,
    ) {
        metrics::with_local_recorder(&self.recorder, || {
            let labels = [
                ("dialect", labels.dialect.to_owned()),
                ("model", labels.model.clone()),
            ];
            counter!("hearth_generations_total", &labels).increment(1);
            counter!("hearth_prompt_tokens_total", &labels)
                .increment(u64::from(summary.prompt_tokens));
            counter!("hearth_cached_prompt_tokens_total", &labels)
                .increment(u64::from(summary.cached_tokens));
            counter!("hearth_generated_tokens_total", &labels).increment(u64::from(summary.tokens));
            // An answer from the cache took no time to compute; counted here it would make the engine look faster than it is.
            if summary.ttft_ms == 0.0 {
                return;
            }
            histogram!("hearth_queue_seconds", &labels).record(waited);
            histogram!("hearth_generation_seconds", &labels).record(took);
            histogram!("hearth_time_to_first_token_seconds", &labels)
                .record(summary.ttft_ms / 1000.0);
            if let Some(speed) = summary.tokens_per_second() {
                histogram!("hearth_tokens_per_second", &labels).record(speed);
            }
        });
    }

    /// A generation failed; `code` is that of the refusal.
    pub(crate) fn failure(&self, dialect: &'static str, code: &'static str) {
        metrics::with_local_recorder(&self.recorder, || {
            counter!("hearth_failures_total", "dialect" => dialect, "code" => code).increment(1);
        });
    }

    /// What the loaded models take and do now. One that was unloaded takes nothing.
    pub(crate) fn models(&self, loaded: &[LoadedModel]) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.extend(loaded.iter().map(|model| model.name.clone()));
        metrics::with_local_recorder(&self.recorder, || {
            for name in seen.iter() {
                let now = loaded.iter().find(|model| model.name == *name);
                let (bytes, active) = now.map_or((0, 0), |m| (m.bytes, m.active_requests));
                gauge!("hearth_model_bytes", "model" => name.clone()).set(bytes as f64);
                gauge!("hearth_model_active_requests", "model" => name.clone()).set(active);
            }
        });
    }

    /// How often a cache had what was asked for, and what it holds in bytes.
    pub(crate) fn cache(&self, cache: &'static str, hits: u64, misses: u64, bytes: u64) {
        metrics::with_local_recorder(&self.recorder, || {
            counter!("hearth_cache_hits_total", "cache" => cache).absolute(hits);
            counter!("hearth_cache_misses_total", "cache" => cache).absolute(misses);
            gauge!("hearth_cache_bytes", "cache" => cache).set(bytes as f64);
        });
    }
}
