//! Reads prompts in a context of their own, on a thread of its own, and gives the entries back as bytes.
//!
//! On a CPU llama.cpp computes a prompt at its full speed only in pieces that take longer than a running stream may wait
//! (`docs/decisions/0006`). So the piece is computed here, at a lower priority than the streams' steps have.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{Builder, Scope};
use std::time::Instant;

use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;

use super::state;
use crate::backend::{Aside, Computed, Reading, Token};

/// Most tokens that are computed at once. llama.cpp's threads compute some tiles of attention twice, the more of them the smaller a
/// piece is.
const PIECE_TOKENS: usize = 512;
/// About how long a piece may take: a reader that is told to stop ends after it.
const PIECE_SECONDS: f64 = 2.5;
/// Tokens in a tile; fewer at once are computed in another way (see [`crate::scheduler`]).
const TILE: usize = 64;
/// A prompt shorter than this is read beside the streams in about the same time.
const WORTH_TOKENS: usize = 256;
/// Most bytes of entries: they exist twice, and three times for a moment.
const MOST_BYTES: u64 = 128 * 1024 * 1024;

/// See the module text.
pub(super) struct Reader<'m> {
    spawn: Box<dyn Fn(Job) -> bool + 'm>,
    params: LlamaContextParams,
    /// Of the entries of one token.
    token_bytes: u64,
    reading: Option<Handle>,
}

/// What the thread is to do.
struct Job {
    tokens: Vec<Token>,
    begin: Option<Computed>,
    params: LlamaContextParams,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    result: Sender<Computed>,
}

struct Handle {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    result: Receiver<Computed>,
}

impl<'m> Reader<'m> {
    /// `params` are those of the context whose entries are read; one token takes `token_bytes` of it.
    pub(super) fn new<'e: 'm>(
        scope: &'m Scope<'m, 'e>,
        model: &'m LlamaModel,
        backend: &'m LlamaBackend,
        params: LlamaContextParams,
        token_bytes: u64,
    ) -> Self {
        let spawn = move |mut job: Job| {
            let thread = Builder::new().name("aside".into());
            let read = move || {
                yield_to_others();
                // Whoever asked sees that nothing came.
                if let Some(computed) = read(model, backend, &mut job) {
                    let _ = job.result.send(computed);
                }
            };
            thread.spawn_scoped(scope, read).is_ok()
        };
        Self {
            spawn: Box::new(spawn),
            params,
            token_bytes,
            reading: None,
        }
    }

    pub(super) fn set_params(&mut self, params: LlamaContextParams) {
        self.params = params;
    }
}

impl Aside for Reader<'_> {
    fn worth_tokens(&self) -> usize {
        WORTH_TOKENS
    }

    fn most_tokens(&self) -> usize {
        (MOST_BYTES / self.token_bytes.max(1)) as usize
    }

    fn start(&mut self, tokens: Vec<Token>, begin: Option<Computed>) -> bool {
        let (result, receiver) = channel();
        let job = Job {
            tokens,
            begin,
            params: self.params.clone(),
            stop: Arc::default(),
            done: Arc::default(),
            result,
        };
        let handle = Handle {
            stop: Arc::clone(&job.stop),
            done: Arc::clone(&job.done),
            result: receiver,
        };
        let started = (self.spawn)(job);
        self.reading = started.then_some(handle);
        started
    }

    fn poll(&mut self) -> Reading {
        let Some(reading) = &self.reading else {
            return Reading::Ended(None);
        };
        match reading.result.try_recv() {
            Err(TryRecvError::Empty) => Reading::On(reading.done.load(Ordering::Relaxed)),
            ended => {
                self.reading = None;
                Reading::Ended(ended.ok())
            }
        }
    }

    fn stop(&mut self) {
        if let Some(reading) = &self.reading {
            reading.stop.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Lets the streams' steps, which are short and awaited, have the processor first. On Linux a priority belongs to a thread, and those
/// that compute for it take it over; elsewhere it would be that of the whole process.
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, LOWER_PRIORITY) {
        tracing::debug!(%error, "the priority of a reader could not be lowered");
    }
}

/// Three quarters of a processor go to a thread of the usual priority, a quarter to this: a busy machine still gets on with a prompt.
#[cfg(target_os = "linux")]
const LOWER_PRIORITY: i32 = 5;

fn read(model: &LlamaModel, backend: &LlamaBackend, job: &mut Job) -> Option<Computed> {
    // Not kept for longer than it takes to copy it.
    let begin = job.begin.take();
    let tokens = &job.tokens;
    let params = job
        .params
        .clone()
        .with_n_ctx(NonZeroU32::new(tokens.len().next_multiple_of(256) as u32))
        .with_n_batch(PIECE_TOKENS as u32)
        .with_n_ubatch(PIECE_TOKENS as u32)
        .with_n_seq_max(1);
    let mut context = model
        .new_context(backend, params)
        .inspect_err(|error| tracing::warn!(%error, "no second context to read a prompt"))
        .ok()?;
    let mut length = 0;
    if let Some(begin) = begin {
        if !state::import(&mut context, 0, &begin.state) {
            return None;
        }
        length = begin.length;
    }
    let mut batch = LlamaBatch::new(PIECE_TOKENS, 1);
    // How fast this is shows in a small piece.
    let mut most = TILE;
    while length < tokens.len() && !job.stop.load(Ordering::Relaxed) {
        let (end, began) = (length + piece(tokens.len() - length, most), Instant::now());
        batch.clear();
        for (token, position) in tokens[length..end].iter().zip(length as i32..) {
            batch.add(LlamaToken(*token), position, &[0], false).ok()?;
        }
        context
            .decode(&mut batch)
            .inspect_err(|error| tracing::warn!(%error, "a prompt could not be read aside"))
            .ok()?;
        let fitting = PIECE_SECONDS * (end - length) as f64 / began.elapsed().as_secs_f64();
        most = (fitting as usize / TILE * TILE).clamp(TILE, PIECE_TOKENS);
        length = end;
        job.done.store(length, Ordering::Relaxed);
    }
    let state = state::export(&context, 0)?;
    Some(Computed { length, state })
}

/// How many of `left` tokens to compute next, at most `most`: never so that less than a tile is left for the end.
fn piece(left: usize, most: usize) -> usize {
    match left.saturating_sub(most) {
        0 => left,
        TILE.. => most,
        _ if most > TILE => most - TILE,
        _ => left,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_piece_is_less_than_a_tile() {
        for most in (TILE..=PIECE_TOKENS).step_by(TILE) {
            for all in TILE..3 * PIECE_TOKENS {
                let mut left = all;
                while left > 0 {
                    let next = piece(left, most);
                    let all_right = (TILE..=PIECE_TOKENS).contains(&next);
                    assert!(all_right, "{next} of {left} of {all}, at most {most}");
                    left -= next;
                }
            }
        }
    }
}
