//! What is asked of a model that turns text into vectors or scores, the limits of every number, and what comes back.
//!
//! Apart from [`crate::request`] because nothing is generated: there is no prompt, no sampler and no stream of text. How the
//! work is ordered is in [`schedule`], what a model must offer in [`encoder`]. It must not know llama.cpp or the pipe.

pub mod encoder;
pub mod fake;
mod jobs;
pub mod pooling;
pub mod schedule;
pub mod vectors;
mod windows;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::request::{MAX_PROMPT_BYTES, invalid};
use crate::{Error, Event, FinishReason, Generation, Priority};

pub use encoder::{Encoder, EncoderInfo};
pub use vectors::Vectors;

/// Upper limit of the texts in one request; that of the OpenAI API.
pub const MAX_INPUTS: usize = 2048;
/// Upper limit of one text in bytes: about a thousand pages.
pub const MAX_TEXT_BYTES: usize = 2 * 1024 * 1024;

/// How the vectors of a text's tokens become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// The mean over all tokens, special ones included.
    Mean,
    /// The first token's.
    Cls,
    /// The last token's.
    Last,
    /// A score from a classification head; only for reranking.
    Rank,
}

/// What happens to a text that does not fit the model's window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LongText {
    /// It is cut into windows of equal length; the vector is their mean, weighted by tokens.
    #[default]
    Split,
    /// Only its beginning counts, as in sentence-transformers.
    Truncate,
    /// The request fails with both numbers.
    Refuse,
}

/// Texts to turn into vectors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmbedRequest {
    pub inputs: Vec<String>,
    /// Scales each vector to length 1.
    pub normalize: bool,
    /// `None` takes what the model was trained with.
    pub pooling: Option<Pooling>,
    pub long: LongText,
    pub priority: Priority,
}

impl EmbedRequest {
    pub fn new(inputs: Vec<String>) -> Self {
        Self {
            inputs,
            normalize: true,
            pooling: None,
            long: LongText::default(),
            priority: Priority::default(),
        }
    }
}

/// Documents to score against a query. A document longer than the window gets the best score of its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RerankRequest {
    pub query: String,
    pub documents: Vec<String>,
    pub priority: Priority,
}

impl RerankRequest {
    pub fn new(query: impl Into<String>, documents: Vec<String>) -> Self {
        Self {
            query: query.into(),
            documents,
            priority: Priority::default(),
        }
    }
}

/// One piece of work for a model that was loaded for [`crate::Purpose::Embed`] or [`crate::Purpose::Rerank`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum Task {
    Embed(EmbedRequest),
    Rerank(RerankRequest),
}

impl Task {
    /// The texts that each get a vector or a score, and the field they came in.
    pub fn texts(&self) -> (&'static str, &[String]) {
        match self {
            Self::Embed(request) => ("inputs", &request.inputs),
            Self::Rerank(request) => ("documents", &request.documents),
        }
    }

    pub fn priority(&self) -> Priority {
        match self {
            Self::Embed(request) => request.priority,
            Self::Rerank(request) => request.priority,
        }
    }

    /// Checks every number and length against its limit.
    pub fn validate(&self) -> Result<(), Error> {
        let (field, texts) = self.texts();
        if texts.is_empty() {
            return Err(invalid(field, "must hold at least one text"));
        }
        if texts.len() > MAX_INPUTS {
            let reason = format!("has {} entries, the limit is {MAX_INPUTS}", texts.len());
            return Err(invalid(field, reason));
        }
        for (i, text) in texts.iter().enumerate() {
            check_text(&format!("{field}[{i}]"), text)?;
        }
        let mut bytes: usize = texts.iter().map(String::len).sum();
        match self {
            Self::Rerank(request) => {
                check_text("query", &request.query)?;
                bytes += request.query.len();
            }
            Self::Embed(EmbedRequest {
                pooling: Some(Pooling::Rank),
                ..
            }) => {
                let reason = "`rank` gives scores, not vectors: ask for a reranking instead";
                return Err(invalid("pooling", reason));
            }
            Self::Embed(_) => {}
        }
        if bytes > MAX_PROMPT_BYTES {
            let reason = format!("is {bytes} bytes long in all, the limit is {MAX_PROMPT_BYTES}");
            return Err(invalid(field, reason));
        }
        Ok(())
    }
}

fn check_text(field: &str, text: &str) -> Result<(), Error> {
    if text.is_empty() {
        return Err(invalid(field, "is empty"));
    }
    if text.len() > MAX_TEXT_BYTES {
        let reason = format!(
            "is {} bytes long, the limit is {MAX_TEXT_BYTES}",
            text.len()
        );
        return Err(invalid(field, reason));
    }
    Ok(())
}

/// The vectors of an [`EmbedRequest`], in the order of its inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    pub vectors: Vec<Vec<f32>>,
    /// Tokens computed for each input, special ones included.
    pub tokens: Vec<u32>,
}

/// The scores of a [`RerankRequest`], in the order of its documents.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// As the model's head gives them: higher is more relevant; most models need a sigmoid to reach 0 to 1.
    pub scores: Vec<f32>,
    /// Tokens computed for each document, query and special ones included.
    pub tokens: Vec<u32>,
}

/// Waits for the vectors. Dropping the future cancels the work.
pub fn embeddings(generation: Generation) -> BoxFuture<'static, Result<Embeddings, Error>> {
    Box::pin(async move {
        let (vectors, tokens) = collect(generation).await?;
        Ok(Embeddings { vectors, tokens })
    })
}

/// Waits for the scores. Dropping the future cancels the work.
pub fn ranking(generation: Generation) -> BoxFuture<'static, Result<Ranking, Error>> {
    Box::pin(async move {
        let (rows, tokens) = collect(generation).await?;
        let scores = rows.into_iter().flatten().collect();
        Ok(Ranking { scores, tokens })
    })
}

async fn collect(mut generation: Generation) -> Result<(Vec<Vec<f32>>, Vec<u32>), Error> {
    let (mut rows, mut tokens) = (Vec::new(), Vec::new());
    while let Some(event) = generation.events.recv().await {
        match event {
            Event::Vectors(part) => {
                rows.extend(part.rows().map(<[f32]>::to_vec));
                tokens.extend_from_slice(&part.tokens);
            }
            Event::Finished(summary) if summary.reason == FinishReason::Stop => {
                return Ok((rows, tokens));
            }
            Event::Finished(_) => return Err(Error::ShutDown),
            Event::Failed(error) => return Err(error),
            _ => {}
        }
    }
    Err(Error::ShutDown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(task: &Task) -> (String, String) {
        match task.validate() {
            Err(Error::InvalidRequest { field, reason }) => (field, reason),
            other => panic!("{other:?}"),
        }
    }

    fn embed(inputs: Vec<String>) -> Task {
        Task::Embed(EmbedRequest::new(inputs))
    }

    #[test]
    fn every_limit_names_the_field_and_the_number() {
        assert_eq!(embed(vec!["a".into()]).validate(), Ok(()));
        assert_eq!(refused(&embed(vec![])).0, "inputs");
        assert!(
            refused(&embed(vec![String::new(); 5000]))
                .1
                .contains("5000")
        );
        let (field, reason) = refused(&embed(vec!["a".into(), String::new()]));
        assert_eq!((field.as_str(), reason.as_str()), ("inputs[1]", "is empty"));
        let long = "a".repeat(MAX_TEXT_BYTES);
        assert_eq!(embed(vec![long.clone()]).validate(), Ok(()));
        assert_eq!(refused(&embed(vec![format!("{long}a")])).0, "inputs[0]");
        assert_eq!(refused(&embed(vec![long; 9])).0, "inputs");
        let mut ranked = EmbedRequest::new(vec!["a".into()]);
        ranked.pooling = Some(Pooling::Rank);
        assert_eq!(refused(&Task::Embed(ranked)).0, "pooling");
        let query = Task::Rerank(RerankRequest::new("", vec!["a".into()]));
        assert_eq!(refused(&query).0, "query");
        let nothing = Task::Rerank(RerankRequest::new("a", vec![]));
        assert_eq!(refused(&nothing).0, "documents");
    }
}
