//! What the scheduler needs from a model: tokens in, tokens out, one KV cache that many sequences share. Implemented by llama.cpp,
//! by the fake and by the model of costs that the scheduler is tested with.

use std::time::Instant;

use crate::event::TokenLogprob;
use crate::output::Syntax;
use crate::picture::Pixels;
use crate::request::invalid;
use crate::template::Template;
use crate::{Error, ModelInfo, Request};

/// A token id of the model's vocabulary.
pub type Token = i32;

/// Names a sequence of KV cache entries, 0 to [`Backend::sequences`] - 1.
pub type Sequence = u32;

/// One token to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    pub token: Token,
    /// Place in its sequence, from 0.
    pub position: u32,
    pub sequence: Sequence,
    /// Whether [`Backend::sample`] follows.
    pub wants_logits: bool,
}

/// How much of one sequence another one can begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// Any prefix.
    Prefix,
    /// All of it or nothing: recurrent models keep one state, not one per position.
    Whole,
}

/// Why a batch was not computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecodeError {
    /// The KV cache has no room for the batch; nothing was changed.
    Full,
    /// The sequences of the batch are in an unknown state now.
    Failed(Error),
}

/// The first positions of a sequence, computed somewhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Computed {
    pub length: usize,
    /// As [`Backend::export`] gives it.
    pub state: Vec<u8>,
}

/// How far [`Aside`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// So many tokens are computed.
    On(usize),
    /// Nothing is being read any more: what was, or `None` when that failed or nothing was asked for.
    Ended(Option<Computed>),
}

/// Computes a prompt beside the scheduler's steps, one at a time, in the time between two of them.
pub trait Aside {
    /// Fewest tokens for which it is worth it.
    fn worth_tokens(&self) -> usize;

    /// Most tokens that it can hold.
    fn most_tokens(&self) -> usize;

    /// Begins to compute `tokens`, of which `begin` is computed already; `false` when that cannot be.
    fn start(&mut self, tokens: Vec<Token>, begin: Option<Computed>) -> bool;

    /// How far it is. What was computed is given once.
    fn poll(&mut self) -> Reading;

    /// Ends soon, with as much as is computed by then.
    fn stop(&mut self);
}

/// A loaded model. All calls come from one thread.
pub trait Backend {
    fn info(&self) -> &ModelInfo;

    fn template(&self) -> &Template;

    /// Text to tokens, special tokens included; adds the begin token where the model wants one and the text has none, if
    /// the text `begins` the prompt.
    fn tokenize(&mut self, text: &str, begins: bool) -> Result<Vec<Token>, Error>;

    /// The bytes of tokens, special ones included. Tokens that are none are an error.
    fn detokenize(&mut self, tokens: &[Token]) -> Result<Vec<u8>, Error>;

    /// Appends the bytes of a token; may end inside a character. Special tokens have none, but for those whose text is in
    /// `visible`.
    fn piece(&mut self, token: Token, visible: &[&str], bytes: &mut Vec<u8>);

    /// Whether the token ends the model's turn.
    fn is_end(&self, token: Token) -> bool;

    /// Most tokens that [`Backend::decode`] takes at once.
    fn batch_tokens(&self) -> usize;

    /// How many sequences there are, at most 64.
    fn sequences(&self) -> u32;

    /// How many positions the KV cache holds over all sequences; a position that sequences share counts once.
    fn cells(&self) -> usize;

    fn reuse(&self) -> Reuse;

    /// Whether attention takes time over every position up to the highest one in use, whoever it belongs to, so that a few idle ones in
    /// a bad place make each token slower. So it is on a CPU.
    fn scans_cells(&self) -> bool {
        false
    }

    /// Lets the empty sequence `to` begin with the first `length` positions of `from`, at no cost.
    fn copy(&mut self, from: Sequence, to: Sequence, length: usize);

    /// Drops everything from position `length` on. When the model cannot cut there the sequence is emptied and the result is `false`.
    fn truncate(&mut self, sequence: Sequence, length: usize) -> bool;

    /// Drops the positions `from..to` and moves what follows down to `from`; `false` when the model cannot (nothing changed then).
    fn shift(&mut self, sequence: Sequence, from: usize, to: usize) -> bool;

    /// Computes a batch.
    fn decode(&mut self, batch: &[Input]) -> Result<(), DecodeError>;

    /// The names of the places that a picture takes; see [`crate::picture`]. An error when the model cannot see.
    fn image(&mut self, _image: &Pixels) -> Result<Vec<Token>, Error> {
        let reason = "cannot be shown to this model, which only reads text";
        Err(invalid("images", reason))
    }

    /// Computes a whole picture at the end of a sequence, which has `position` entries. On an error the sequence is as before.
    fn decode_image(
        &mut self,
        _image: &Pixels,
        _sequence: Sequence,
        _position: usize,
    ) -> Result<(), DecodeError> {
        let reason = "this model cannot see".into();
        Err(DecodeError::Failed(Error::Backend { reason }))
    }

    /// Starts the sampler of `slot` for a request whose answer is written in `syntax`; `prompt` feeds the penalties. It may be
    /// used once [`Backend::poll_sampling`] says so.
    fn start_sampling(
        &mut self,
        slot: usize,
        request: &Request,
        syntax: &Syntax,
        prompt: &[Token],
    ) -> Result<(), Error>;

    /// Whether the sampler of `slot` is ready; a constraint takes a while to compile and may turn out not to be one.
    fn poll_sampling(&mut self, _slot: usize) -> Option<Result<(), Error>> {
        Some(Ok(()))
    }

    /// Chooses the next token for `slot` from the logits of entry `index` of the last batch, and tells the sampler.
    fn sample(&mut self, slot: usize, index: usize) -> Result<Token, Error>;

    /// How likely the token was that [`Backend::sample`] has just chosen, when the request asked for it.
    fn logprobs(&mut self, _slot: usize, _token: Token) -> Option<TokenLogprob> {
        None
    }

    /// Names everything besides the weights that the bytes of [`Backend::export`] depend on.
    fn state_layout(&self) -> String;

    /// How many bytes [`Backend::export`] would give, or 0 when it cannot.
    fn export_bytes(&self, sequence: Sequence) -> u64;

    /// The KV entries of a sequence as bytes; `None` when the model cannot give them.
    fn export(&mut self, sequence: Sequence) -> Option<Vec<u8>>;

    /// Fills an empty sequence with what [`Backend::export`] gave for `length` positions; `false` leaves it empty.
    fn import(&mut self, sequence: Sequence, state: &[u8], length: usize) -> bool;

    /// What reads long prompts beside running streams; `None` where that gains nothing.
    fn aside(&mut self) -> Option<&mut dyn Aside> {
        None
    }

    /// Computes with another number of threads from the next batch on.
    fn set_threads(&mut self, threads: u32) -> Result<(), Error>;

    /// The time by which steps are measured.
    fn now(&self) -> Instant {
        Instant::now()
    }
}
