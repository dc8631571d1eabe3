//! What the scheduler needs from a model: tokens in, tokens out, one KV cache. Implemented by llama.cpp and by the fake.

use crate::{Error, ModelInfo, Sampling, template::Template};

/// A token id of the model's vocabulary.
pub type Token = i32;

/// A loaded model with one sequence of KV cache. All calls come from one thread.
pub trait Backend {
    fn info(&self) -> &ModelInfo;

    fn template(&self) -> &Template;

    /// Text to tokens, special tokens included; adds the begin token where the model wants one and the text has none.
    fn tokenize(&mut self, text: &str) -> Result<Vec<Token>, Error>;

    /// Appends the bytes of a token; may end inside a character.
    fn piece(&mut self, token: Token, bytes: &mut Vec<u8>);

    /// Whether the token ends the model's turn.
    fn is_end(&self, token: Token) -> bool;

    /// Most tokens that [`Backend::decode`] takes at once; also the grain of cancelling a prefill.
    fn chunk_tokens(&self) -> usize;

    /// Drops everything from position `length` on; returns how many positions are left (less when the model cannot cut there).
    fn truncate(&mut self, length: usize) -> usize;

    /// Computes `tokens` at `position`. When `want_logits`, [`Backend::sample`] may follow.
    fn decode(&mut self, tokens: &[Token], position: usize, want_logits: bool)
    -> Result<(), Error>;

    /// Starts a new sampler; `prompt` feeds the penalties.
    fn start_sampling(&mut self, sampling: &Sampling, prompt: &[Token]);

    /// Chooses the next token from the last logits.
    fn sample(&mut self) -> Result<Token, Error>;
}
