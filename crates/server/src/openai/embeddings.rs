//! `/v1/embeddings`: texts to vectors.

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hearth_app::engine::{EmbedRequest, Priority, embed};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::error::{Failure, Result};
use super::output::ReadUsage;
use super::tools::short;
use crate::body::Body;
use crate::caching::Caching;
use crate::refusal::Refusal;
use crate::state::ServerState;
use crate::traffic::Trace;

/// The body of `/v1/embeddings`. Fields that are not here are ignored and counted.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(crate) struct EmbeddingsRequest {
    /// A name of `/v1/models`; `embedder` comes with Hearth.
    model: String,
    input: InputSpec,
    /// `float`, or `base64` of little-endian 32-bit floats.
    encoding_format: Option<String>,
    /// Keeps this many numbers of each vector, scaled to length 1 again.
    dimensions: Option<u32>,
}

/// One text or several.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected a string or a list of strings")]
pub(crate) enum InputSpec {
    One(String),
    Many(Vec<String>),
    /// Known by its length only.
    Tokens(Vec<Value>),
}

impl InputSpec {
    fn texts(self) -> std::result::Result<Vec<String>, Refusal> {
        match self {
            Self::One(text) if text.is_empty() => Err(Refusal::invalid("input", "is empty")),
            Self::One(text) => Ok(vec![text]),
            Self::Many(texts) => Ok(texts),
            Self::Tokens(list) => {
                let count = list.len();
                let reason = format!("must be text; a list of {count} tokens is not taken");
                // Most who send tokens made them with the vocabulary of an OpenAI model: nonsense for every other one.
                Err(Refusal::invalid("input", reason).hint(
                    "Send the texts. In LangChain that is `check_embedding_ctx_length=False`.",
                ))
            }
        }
    }
}

/// How the numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Float,
    Base64,
}

impl Encoding {
    fn of(name: Option<&str>) -> std::result::Result<Self, Refusal> {
        match name {
            None | Some("float") => Ok(Self::Float),
            Some("base64") => Ok(Self::Base64),
            Some(other) => {
                let other = short(other);
                let reason = format!("must be \"float\" or \"base64\", not {other:?}");
                Err(Refusal::invalid("encoding_format", reason))
            }
        }
    }

    fn write(self, vector: Vec<f32>) -> Numbers {
        match self {
            Self::Float => Numbers::Float(vector),
            Self::Base64 => {
                let bytes: Vec<u8> = vector.iter().flat_map(|v| v.to_le_bytes()).collect();
                Numbers::Base64(STANDARD.encode(bytes))
            }
        }
    }
}

/// The numbers of a vector, as they were asked for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::Numbers)]
#[serde(untagged)]
pub(crate) enum Numbers {
    Float(Vec<f32>),
    Base64(String),
}

/// Vectors of texts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::Embeddings)]
pub(crate) struct Embeddings {
    object: &'static str,
    data: Vec<Entry>,
    model: String,
    usage: ReadUsage,
}

/// The vector of one text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::Embedding)]
pub(crate) struct Entry {
    object: &'static str,
    index: usize,
    embedding: Numbers,
}

/// Turns texts into vectors of length 1.
#[utoipa::path(post, path = "/v1/embeddings", tag = "openai", operation_id = "openai_embeddings", request_body = EmbeddingsRequest,
    responses((status = 200, description = "The vectors, in the order of the texts", body = Embeddings), Failure))]
pub(crate) async fn create(
    State(state): State<ServerState>,
    caching: Caching,
    body: std::result::Result<Body<EmbeddingsRequest>, Refusal>,
) -> Result<Json<Embeddings>> {
    let Body(request) = body?;
    let encoding = Encoding::of(request.encoding_format.as_deref())?;
    if request.dimensions == Some(0) {
        return Err(Refusal::invalid("dimensions", "must be at least 1").into());
    }
    let ask = EmbedRequest {
        priority: Priority::Api,
        ..EmbedRequest::new(request.input.texts()?)
    };
    embed::Task::Embed(ask.clone()).validate()?;
    let inference = state.app.inference();
    let encoded = inference
        .embed(&request.model, ask, None, caching.0)
        .await?;
    let tokens: u64 = encoded.result.tokens.iter().map(|n| u64::from(*n)).sum();
    Trace::current().read(&encoded.model, tokens);
    let mut data = Vec::with_capacity(encoded.result.vectors.len());
    for (index, mut vector) in encoded.result.vectors.into_iter().enumerate() {
        if let Some(count) = request.dimensions {
            shorten(&mut vector, count)?;
        }
        data.push(Entry {
            object: "embedding",
            index,
            embedding: encoding.write(vector),
        });
    }
    Ok(Json(Embeddings {
        object: "list",
        data,
        model: encoded.model,
        usage: ReadUsage::of(&encoded.result.tokens),
    }))
}

/// Keeps the first numbers and scales them to length 1 (Matryoshka embeddings: Kusupati et al., arXiv 2205.13147). Only models that
/// were trained for it keep most of their sense.
pub(crate) fn shorten(vector: &mut Vec<f32>, count: u32) -> std::result::Result<(), Refusal> {
    let most = vector.len();
    if count as usize > most {
        let reason = format!("must be at most {most}, which is what this model has, not {count}");
        return Err(Refusal::invalid("dimensions", reason));
    }
    vector.truncate(count as usize);
    let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|v| *v /= length);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_the_bytes_of_the_numbers() {
        let Numbers::Base64(text) = Encoding::Base64.write(vec![1.0, -2.5]) else {
            panic!("numbers")
        };
        let bytes = STANDARD.decode(text).unwrap();
        assert_eq!(bytes, [0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0]);
    }

    #[test]
    fn shortened_vectors_have_length_1() {
        let mut vector = vec![3.0, 4.0, 12.0];
        shorten(&mut vector, 2).unwrap();
        assert_eq!(vector, [0.6, 0.8]);
        assert_eq!(
            shorten(&mut vector, 3).unwrap_err().param.unwrap(),
            "dimensions"
        );
        let mut zero = vec![0.0, 1.0];
        shorten(&mut zero, 1).unwrap();
        assert_eq!(zero, [0.0]);
    }
}
