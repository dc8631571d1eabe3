//! An encoder without weights, for tests of everything around it.
//!
//! Each byte of text is a token and the vector counts bytes, so equal texts have equal vectors and unlike ones differ. A score is
//! the number of the query's bytes that the document has. A window that begins with `!abort`, `!exit`, `!hang` or `!error` fails in
//! that way, and `!slow 20` makes it take 20 ms.

use std::time::Duration;

use super::encoder::{BatchLimits, Encoder, EncoderInfo, Framing, Sequence};
use super::{Pooling, pooling};
use crate::backend::Token;
use crate::{Error, ModelInfo, Purpose};

const DIMENSIONS: usize = 16;
const BEGIN: Token = 256;
const BETWEEN: Token = 257;
const END: Token = 258;

/// The fake encoder; see the module text for its commands.
#[derive(Debug)]
pub struct FakeEncoder {
    info: ModelInfo,
    encoder: EncoderInfo,
    purpose: Purpose,
    framing: Framing,
}

impl FakeEncoder {
    /// An encoder whose window holds `window_tokens` bytes, those of three special tokens included.
    pub fn new(purpose: Purpose, window_tokens: u32) -> Self {
        let encoder = EncoderInfo {
            dimensions: DIMENSIONS as u32,
            window_tokens,
            pooling: Pooling::Mean,
        };
        Self {
            info: ModelInfo {
                encoder: Some(encoder),
                ..ModelInfo::without_weights(window_tokens)
            },
            encoder,
            purpose,
            framing: Framing {
                before: vec![BEGIN],
                between: vec![BETWEEN],
                after: vec![END],
            },
        }
    }

    fn obey(sequence: &Sequence) -> Result<(), Error> {
        let bytes: Vec<u8> = text_of(&sequence.tokens);
        let text = String::from_utf8_lossy(&bytes);
        let mut words = text.split_whitespace();
        match words.next() {
            Some("!abort") => std::process::abort(),
            #[allow(clippy::exit)] // Stands for a crash.
            Some("!exit") => std::process::exit(3),
            Some("!hang") => loop {
                std::thread::sleep(Duration::from_secs(3600));
            },
            Some("!slow") => {
                let ms = words.next().and_then(|ms| ms.parse().ok()).unwrap_or(10);
                std::thread::sleep(Duration::from_millis(ms));
                Ok(())
            }
            Some("!error") => Err(Error::Backend {
                reason: "asked for by the text".into(),
            }),
            _ => Ok(()),
        }
    }
}

/// The bytes of a sequence without its special tokens.
fn text_of(tokens: &[Token]) -> Vec<u8> {
    let bytes = tokens.iter().filter(|token| **token < BEGIN);
    bytes.map(|token| *token as u8).collect()
}

/// The vector of one token: a 1 at its place.
fn row(token: Token) -> [f32; DIMENSIONS] {
    let mut row = [0.0; DIMENSIONS];
    row[token.unsigned_abs() as usize % DIMENSIONS] = 1.0;
    row
}

fn score(tokens: &[Token]) -> f32 {
    let mut parts = tokens.split(|token| *token == BETWEEN);
    let query = text_of(parts.next().unwrap_or_default());
    let document = text_of(parts.next().unwrap_or_default());
    query.iter().filter(|byte| document.contains(byte)).count() as f32
}

impl Encoder for FakeEncoder {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn purpose(&self) -> Purpose {
        self.purpose
    }

    fn encoder_info(&self) -> EncoderInfo {
        self.encoder
    }

    fn batch_limits(&self) -> BatchLimits {
        BatchLimits {
            tokens: 64,
            sequences: 4,
        }
    }

    fn framing(&self) -> &Framing {
        &self.framing
    }

    fn tokenize(&mut self, text: &str) -> Result<Vec<Token>, Error> {
        Ok(text.bytes().map(Token::from).collect())
    }

    fn encode(&mut self, batch: &[Sequence]) -> Result<Vec<Vec<f32>>, Error> {
        batch
            .iter()
            .map(|sequence| {
                Self::obey(sequence)?;
                if self.purpose == Purpose::Rerank {
                    return Ok(vec![score(&sequence.tokens)]);
                }
                let rows: Vec<f32> = sequence.tokens.iter().flat_map(|t| row(*t)).collect();
                Ok(pooling::pool(&rows, DIMENSIONS, sequence.pooling))
            })
            .collect()
    }

    fn set_threads(&mut self, threads: u32) -> Result<(), Error> {
        self.info.threads = threads;
        Ok(())
    }
}
