//! `/v1/embeddings`: texts to vectors.

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hearth_app::engine::{EmbedRequest, Priority, embed};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::error::Result;
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
                Err(Refusal::invalid("input", reason))
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

    fn write(self, vector: &[f32]) -> Value {
        match self {
            Self::Float => vector.into(),
            Self::Base64 => {
                let bytes: Vec<u8> = vector.iter().flat_map(|v| v.to_le_bytes()).collect();
                STANDARD.encode(bytes).into()
            }
        }
    }
}

/// Turns texts into vectors of length 1.
#[utoipa::path(post, path = "/v1/embeddings", tag = "openai", request_body = EmbeddingsRequest,
    responses((status = 200, description = "The vectors, in the order of the texts"), (status = "4XX", description = "What is wrong with the request")))]
pub(crate) async fn create(
    State(state): State<ServerState>,
    caching: Caching,
    body: std::result::Result<Body<EmbeddingsRequest>, Refusal>,
) -> Result<Json<Value>> {
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
        data.push(json!({
            "object": "embedding",
            "index": index,
            "embedding": encoding.write(&vector),
        }));
    }
    Ok(Json(json!({
        "object": "list",
        "data": data,
        "model": encoded.model,
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
    })))
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
        let text = Encoding::Base64.write(&[1.0, -2.5]);
        let bytes = STANDARD.decode(text.as_str().unwrap()).unwrap();
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
