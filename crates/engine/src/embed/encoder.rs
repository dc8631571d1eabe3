//! What the embedding loop needs from a model: tokens in, one vector per sequence out. Implemented by llama.cpp and by the fake.

use serde::{Deserialize, Serialize};

use super::Pooling;
use crate::backend::Token;
use crate::{Error, ModelInfo, Purpose};

/// What a model that was loaded for vectors or scores can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncoderInfo {
    /// Length of a vector.
    pub dimensions: u32,
    /// Most tokens of one window, special ones included; longer texts are split.
    pub window_tokens: u32,
    /// What the model was trained with.
    pub pooling: Pooling,
}

/// How much one call of [`Encoder::encode`] may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Most tokens when there is more than one sequence. A single sequence may fill the model's window.
    pub tokens: usize,
    /// Most sequences.
    pub sequences: usize,
}

/// The special tokens round a text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Framing {
    pub before: Vec<Token>,
    /// Between query and document; only for reranking.
    pub between: Vec<Token>,
    pub after: Vec<Token>,
}

/// One window of a text, special tokens included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence {
    pub tokens: Vec<Token>,
    pub pooling: Pooling,
}

/// A loaded model without generation. All calls come from one thread.
pub trait Encoder {
    /// What is in force; [`ModelInfo::encoder`] is present.
    fn info(&self) -> &ModelInfo;

    /// Either [`Purpose::Embed`] or [`Purpose::Rerank`].
    fn purpose(&self) -> Purpose;

    /// The numbers that hold for this model.
    fn encoder_info(&self) -> EncoderInfo;

    fn batch_limits(&self) -> BatchLimits;

    fn framing(&self) -> &Framing;

    /// Text to tokens, without those of [`Encoder::framing`].
    fn tokenize(&mut self, text: &str) -> Result<Vec<Token>, Error>;

    /// One vector per sequence, or one score when the purpose is [`Purpose::Rerank`]. Not normalised.
    ///
    /// # Errors
    /// When the batch does not keep to the limits, or the computation failed. The encoder stays usable.
    fn encode(&mut self, batch: &[Sequence]) -> Result<Vec<Vec<f32>>, Error>;

    /// Computes with another number of threads from now on.
    ///
    /// # Errors
    /// When that cannot be; then the old number stays.
    fn set_threads(&mut self, threads: u32) -> Result<(), Error>;
}
