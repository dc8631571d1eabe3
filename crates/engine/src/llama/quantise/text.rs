//! Runs a text through a model, piece by piece, and measures how well the model foresees it.

use std::path::Path;
use std::ptr::{self, NonNull};

use llama_cpp_sys_2 as sys;

use super::{c_path, log, threads};
use crate::Error;
use crate::quantise::Job;

/// Tokens that a model sees at once.
const WINDOW: usize = 512;
/// Tokens computed in one call; a row of scores for each of them is kept, which is 4 bytes for each word the model knows.
const CHUNK: usize = 128;

/// Called for each tensor of a graph: see `ggml_backend_sched_eval_callback`.
pub(super) type Seen = (sys::ggml_backend_sched_eval_callback, *mut std::ffi::c_void);

/// A model and a context for one text after the other.
pub(super) struct Reader {
    model: NonNull<sys::llama_model>,
    context: NonNull<sys::llama_context>,
    window: usize,
}

impl Reader {
    /// What `seen` points to must outlive the reader.
    pub(super) fn open(job: &Job, path: &Path, seen: Option<Seen>) -> Result<Self, Error> {
        let failed = |what: &str| {
            let reason = log::first_error().unwrap_or_else(|| what.to_owned());
            Error::LoadFailed { reason }
        };
        let path = c_path(path)?;
        // SAFETY: the path lives through the call; what comes back is checked and freed once, the context before the model.
        unsafe {
            let mut params = sys::llama_model_default_params();
            params.n_gpu_layers = if job.offload { i32::MAX >> 1 } else { 0 };
            let model = sys::llama_model_load_from_file(path.as_ptr(), params);
            let model = NonNull::new(model).ok_or_else(|| failed("llama.cpp refused the file"))?;
            let trained = usize::try_from(sys::llama_model_n_ctx_train(model.as_ptr()));
            let window = trained
                .ok()
                .filter(|n| *n > 1)
                .unwrap_or(WINDOW)
                .min(WINDOW);
            let mut params = sys::llama_context_default_params();
            params.n_ctx = window as u32;
            params.n_batch = CHUNK as u32;
            params.n_ubatch = CHUNK as u32;
            params.n_threads = threads(job);
            params.n_threads_batch = threads(job);
            params.no_perf = true;
            if let Some((call, data)) = seen {
                params.cb_eval = call;
                params.cb_eval_user_data = data;
            }
            let Some(context) = NonNull::new(sys::llama_init_from_model(model.as_ptr(), params))
            else {
                sys::llama_model_free(model.as_ptr());
                return Err(failed("no context could be made"));
            };
            Ok(Self {
                model,
                context,
                window,
            })
        }
    }

    fn vocabulary(&self) -> *const sys::llama_vocab {
        // SAFETY: the model lives as long as the reader.
        unsafe { sys::llama_model_get_vocab(self.model.as_ptr()) }
    }

    /// The tokens of a text.
    pub(super) fn tokens(&self, text: &str) -> Result<Vec<sys::llama_token>, Error> {
        let length = i32::try_from(text.len()).map_err(|_| Error::InvalidRequest {
            field: "text".into(),
            reason: "is longer than 2 GB".into(),
        })?;
        // No text has more tokens than bytes, beside those at both ends.
        let mut tokens = vec![0; text.len() + 8];
        // SAFETY: the buffer is as long as is said, and the text need not end with NUL.
        let count = unsafe {
            sys::llama_tokenize(
                self.vocabulary(),
                text.as_ptr().cast(),
                length,
                tokens.as_mut_ptr(),
                tokens.len() as i32,
                true,
                false,
            )
        };
        let count = usize::try_from(count).map_err(|_| Error::Backend {
            reason: "the text could not be turned into tokens".into(),
        })?;
        tokens.truncate(count);
        Ok(tokens)
    }

    /// Computes these tokens anew, at most a window of them. `row` gets the place of each token and the scores of what may follow it.
    pub(super) fn read(
        &mut self,
        tokens: &mut [sys::llama_token],
        mut row: impl FnMut(usize, &[f32]),
    ) -> Result<(), Error> {
        // SAFETY: everything that is pointed to lives through the calls, the lengths are those of the slices, and a row of scores is as
        // long as the vocabulary.
        unsafe {
            let words = sys::llama_vocab_n_tokens(self.vocabulary()) as usize;
            let context = self.context.as_ptr();
            sys::llama_memory_clear(sys::llama_get_memory(context), true);
            for (number, chunk) in tokens.chunks_mut(CHUNK).enumerate() {
                let mut wanted = [1; CHUNK];
                let status = sys::llama_decode(
                    context,
                    sys::llama_batch {
                        n_tokens: chunk.len() as i32,
                        token: chunk.as_mut_ptr(),
                        embd: ptr::null_mut(),
                        pos: ptr::null_mut(),
                        n_seq_id: ptr::null_mut(),
                        seq_id: ptr::null_mut(),
                        logits: wanted.as_mut_ptr(),
                    },
                );
                if status != 0 {
                    let reason = log::first_error().unwrap_or(format!("decoding gave {status}"));
                    return Err(Error::Backend { reason });
                }
                for at in 0..chunk.len() {
                    let scores = sys::llama_get_logits_ith(context, at as i32);
                    if scores.is_null() {
                        let reason = "the model gives no scores for words".into();
                        return Err(Error::Backend { reason });
                    }
                    let scores = std::slice::from_raw_parts(scores, words);
                    row(number * CHUNK + at, scores);
                }
            }
        }
        Ok(())
    }

    /// Tokens that are seen at once.
    pub(super) fn window(&self) -> usize {
        self.window
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // SAFETY: both were made by `open` and are used by nobody else.
        unsafe {
            sys::llama_free(self.context.as_ptr());
            sys::llama_model_free(self.model.as_ptr());
        }
    }
}

/// e to the mean negative log probability of each token after the first. Windows overlap by half, and of each but the first only the
/// second half counts, so that every token is foreseen from at least that much.
pub(super) fn perplexity(
    job: &Job,
    path: &Path,
    text: &str,
    mut on_window: impl FnMut(u32, u32),
) -> Result<f64, Error> {
    let mut reader = Reader::open(job, path, None)?;
    let mut tokens = reader.tokens(text)?;
    let windows = windows(tokens.len(), reader.window());
    let total = windows.len() as u32;
    let (mut sum, mut count) = (0.0, 0);
    for (done, (begin, end, counted)) in windows.into_iter().enumerate() {
        let following = tokens.clone();
        reader.read(&mut tokens[begin..end], |at, scores| {
            let next = begin + at + 1;
            if next >= counted && next < end {
                sum -= log_probability(scores, following[next]);
                count += 1;
            }
        })?;
        on_window(done as u32 + 1, total);
    }
    if count == 0 {
        return Err(Error::Backend {
            reason: "the text is too short to measure with".into(),
        });
    }
    let mean: f64 = sum / f64::from(count);
    if mean.is_finite() {
        Ok(mean.exp())
    } else {
        Err(Error::Backend {
            reason: "the model computes no numbers for the measured text".into(),
        })
    }
}

/// Begin and end of each window over `count` tokens, and from which token on it counts.
fn windows(count: usize, window: usize) -> Vec<(usize, usize, usize)> {
    let mut all = Vec::new();
    let (mut begin, mut counted) = (0, 1);
    while counted < count {
        let end = count.min(begin + window);
        all.push((begin, end, counted));
        counted = end;
        begin += window.div_ceil(2);
    }
    all
}

fn log_probability(scores: &[f32], token: sys::llama_token) -> f64 {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = scores.iter().map(|s| f64::from(s - most).exp()).sum();
    let of_token = usize::try_from(token).ok().and_then(|t| scores.get(t));
    of_token.map_or(f64::NEG_INFINITY, |s| f64::from(s - most) - sum.ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_but_the_first_counts_once() {
        for (count, window) in [
            (2, 512),
            (512, 512),
            (513, 512),
            (1400, 512),
            (9, 3),
            (5, 2),
        ] {
            let mut next = 1;
            for (begin, end, counted) in windows(count, window) {
                assert_eq!(counted, next, "{count} by {window}");
                assert!(begin < counted && end - begin <= window);
                next = end;
            }
            assert_eq!(next, count, "{count} by {window}");
        }
        assert!(windows(1, 512).is_empty() && windows(0, 512).is_empty());
    }

    #[test]
    fn probabilities_are_the_softmax() {
        let scores = [0.0, (3.0_f32).ln(), f32::NEG_INFINITY];
        assert!((log_probability(&scores, 0) - 0.25_f64.ln()).abs() < 1e-6);
        assert!((log_probability(&scores, 1) - 0.75_f64.ln()).abs() < 1e-6);
        assert!(log_probability(&scores, 2).is_infinite());
        assert!(log_probability(&scores, -1).is_infinite());
    }
}
