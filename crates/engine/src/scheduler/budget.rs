//! How many prompt tokens a step may read so that nobody waits too long: a pure function of measured step times.

/// Weight of the newest measurement in the running averages.
const NEW: f64 = 0.25;
/// Fewest prompt tokens in a step beside running streams, so that a prompt always gets on.
const LEAST: usize = 16;
/// How long a step may take when no stream runs, in milliseconds: a cancel waits for one step (SPEC row E7).
const ALONE_MS: f64 = 200.0;
/// From this many tokens on llama.cpp computes attention on a CPU in tiles (`ggml_compute_forward_flash_attn_ext_tiled`), which
/// costs half as much a token once there is some text. So no smaller batch is made when no stream runs.
pub const WIDE: usize = 64;
/// How much longer than the limit a wide step may take beside running streams, where narrow ones cost [`DEARER`].
const STRETCH: f64 = 2.2;
/// How many times the cost of a token in a wide step one in a narrow step may have.
const DEARER: f64 = 1.2;
/// A step with fewer prompt tokens says little about the cost of one.
const MEASURABLE: usize = 8;

/// Running averages of what steps cost, in milliseconds.
#[derive(Debug, Clone)]
pub struct Budget {
    batch_tokens: usize,
    /// A step that computes one token for each running stream and nothing else.
    decode_ms: Option<f64>,
    /// One more prompt token in a step of fewer than [`WIDE`].
    narrow_ms: Option<f64>,
    /// One more prompt token in a larger step.
    wide_ms: Option<f64>,
}

impl Budget {
    /// `batch_tokens` is the most that one step can hold.
    pub fn new(batch_tokens: usize) -> Self {
        Self {
            batch_tokens,
            decode_ms: None,
            narrow_ms: None,
            wide_ms: None,
        }
    }

    /// Prompt tokens for the next step, when running streams must not wait longer than `step_ms` for theirs.
    pub fn beside(&self, streams: usize, step_ms: u32) -> usize {
        let most = self.batch_tokens.saturating_sub(streams);
        let Some(narrow_ms) = self.narrow_ms.or(self.wide_ms) else {
            return (4 * LEAST).min(most);
        };
        let wide_ms = self.wide_ms.unwrap_or(narrow_ms);
        let limit_ms = f64::from(step_ms);
        let left_ms = limit_ms - self.decode_ms.unwrap_or(narrow_ms);
        let fits = |token_ms: f64| (left_ms / token_ms).max(0.0) as usize;
        let wide = WIDE.saturating_sub(streams);
        let tokens = if fits(wide_ms) >= wide {
            fits(wide_ms)
        } else if narrow_ms > DEARER * wide_ms && WIDE as f64 * wide_ms <= STRETCH * limit_ms {
            wide
        } else {
            fits(narrow_ms).min(wide)
        };
        tokens.max(LEAST).min(most)
    }

    /// Prompt tokens for the next step when no stream runs: a power of two, so that a prompt is read in the same pieces each time. The
    /// first step is a small one: how long it takes is not known, and a cancel waits for it.
    pub fn alone(&self) -> usize {
        let token_ms = self.token_ms();
        if token_ms <= 0.0 {
            return WIDE.min(self.batch_tokens);
        }
        let mut tokens = self.batch_tokens;
        while tokens > WIDE && token_ms * tokens as f64 > ALONE_MS {
            tokens /= 2;
        }
        tokens
    }

    /// One prompt token, in milliseconds; 0 as long as nothing was measured.
    pub fn token_ms(&self) -> f64 {
        self.wide_ms.or(self.narrow_ms).unwrap_or_default()
    }

    /// Learns from a step of `decoded` tokens for running streams and `read` prompt tokens.
    pub fn record(&mut self, decoded: usize, read: usize, step_ms: f64) {
        if read == 0 {
            blend(&mut self.decode_ms, step_ms);
        } else if read >= MEASURABLE {
            let base = if decoded == 0 {
                0.0
            } else {
                self.decode_ms.unwrap_or_default()
            };
            // In one batch a stream's token costs no more than a prompt's does.
            let low = step_ms / (read + decoded) as f64;
            let average = if read + decoded < WIDE {
                &mut self.narrow_ms
            } else {
                &mut self.wide_ms
            };
            blend(average, ((step_ms - base) / read as f64).max(low));
        }
    }
}

fn blend(average: &mut Option<f64>, value: f64) {
    *average = Some(average.map_or(value, |old| old + NEW * (value - old)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_beside_streams_gets_what_the_limit_leaves() {
        let mut budget = Budget::new(512);
        assert_eq!(budget.alone(), WIDE, "nothing is known");
        for _ in 0..50 {
            budget.record(2, 0, 12.0);
            budget.record(0, 256, 410.0);
        }
        // (100 - 12) / 1.6
        assert_eq!(budget.beside(2, 100), 54);
        assert_eq!(budget.beside(2, 5), LEAST);
        assert_eq!(budget.alone(), 64);
        // A fast machine is held by the batch only.
        let mut fast = Budget::new(512);
        fast.record(0, 512, 51.2);
        assert_eq!((fast.beside(4, 100), fast.alone()), (508, 512));
    }

    #[test]
    fn a_step_is_wide_where_narrow_ones_cost_much_more() {
        let mut budget = Budget::new(512);
        let mut learn = |narrow_ms: f64, wide_ms: f64| {
            for _ in 0..50 {
                budget.record(1, 0, 10.0);
                budget.record(0, 16, 16.0 * narrow_ms);
                budget.record(0, 64, 64.0 * wide_ms);
            }
            budget.beside(1, 100)
        };
        assert_eq!(learn(2.4, 2.4), 37, "no dearer");
        assert_eq!(learn(4.5, 3.0), 63, "192 ms are within the stretch");
        assert_eq!(learn(9.0, 5.0), LEAST, "320 ms are not");
        assert_eq!(learn(2.0, 0.99), 90, "more than wide fits the limit");
    }
}
