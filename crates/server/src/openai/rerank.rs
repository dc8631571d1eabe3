//! `/v1/rerank`: documents in the order of their use for a query, in the shape that Jina and Cohere have.

use axum::Json;
use axum::extract::State;
use hearth_app::engine::{Priority, RerankRequest, embed};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{Failure, Result};
use super::output::ReadUsage;
use crate::body::Body;
use crate::refusal::Refusal;
use crate::state::ServerState;
use crate::traffic::Trace;

/// The body of `/v1/rerank`. Fields that are not here are ignored and counted.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(crate) struct RerankSpec {
    /// A name of `/v1/models` whose purpose is reranking.
    model: String,
    query: String,
    documents: Vec<DocumentSpec>,
    /// How many of the best to return; all unless said.
    top_n: Option<usize>,
    /// Whether the documents come back with their scores.
    return_documents: Option<bool>,
}

/// A text, bare or in an object.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected a string or {\"text\": …}")]
pub(crate) enum DocumentSpec {
    Bare(String),
    Object { text: String },
}

impl DocumentSpec {
    fn text(self) -> String {
        match self {
            Self::Bare(text) | Self::Object { text } => text,
        }
    }
}

/// Scores documents against a query, best first.
#[utoipa::path(post, path = "/v1/rerank", tag = "openai", operation_id = "rerank", request_body = RerankSpec,
    responses((status = 200, description = "Places of the documents and their scores, best first", body = Ranking), Failure))]
pub(crate) async fn create(
    State(state): State<ServerState>,
    body: std::result::Result<Body<RerankSpec>, Refusal>,
) -> Result<Json<Ranking>> {
    let Body(spec) = body?;
    if spec.top_n == Some(0) {
        return Err(Refusal::invalid("top_n", "must be at least 1").into());
    }
    let documents: Vec<String> = spec.documents.into_iter().map(DocumentSpec::text).collect();
    let shown = (spec.return_documents == Some(true)).then(|| documents.clone());
    let ask = RerankRequest {
        priority: Priority::Api,
        ..RerankRequest::new(spec.query, documents)
    };
    embed::Task::Rerank(ask.clone()).validate()?;
    let ranked = state.app.inference().rerank(&spec.model, ask, None).await?;
    let tokens: u64 = ranked.result.tokens.iter().map(|n| u64::from(*n)).sum();
    Trace::current().read(&ranked.model, tokens);
    let order = best(&ranked.result.scores, spec.top_n);
    let text = |index: usize| {
        let text = shown.as_ref()?.get(index)?.clone();
        Some(RankedText { text })
    };
    let results = order.into_iter().map(|(index, relevance_score)| Ranked {
        index,
        relevance_score,
        document: text(index),
    });
    Ok(Json(Ranking {
        model: ranked.model,
        object: "list",
        results: results.collect(),
        usage: ReadUsage::of(&ranked.result.tokens),
    }))
}

/// Documents in the order of their use.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ranking {
    model: String,
    object: &'static str,
    results: Vec<Ranked>,
    usage: ReadUsage,
}

/// One of them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ranked {
    /// Its place in the request.
    index: usize,
    /// 0 to 1.
    relevance_score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    document: Option<RankedText>,
}

/// Its text, when that was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RankedText {
    text: String,
}

/// Places and scores, best first, equals in the order of the documents. The scores go through the sigmoid, so that they are between 0
/// and 1 as clients expect; what the model's head gives has no bounds.
fn best(scores: &[f32], most: Option<usize>) -> Vec<(usize, f32)> {
    let sigmoid = |score: &f32| 1.0 / (1.0 + (-score).exp());
    let mut order: Vec<(usize, f32)> = scores.iter().map(sigmoid).enumerate().collect();
    order.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    order.truncate(most.unwrap_or(usize::MAX));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_come_first_and_equals_keep_their_order() {
        let places = |most| -> Vec<usize> {
            let order = best(&[0.0, 5.0, -3.0, 5.0], most);
            order.into_iter().map(|(at, _)| at).collect()
        };
        assert_eq!(places(None), [1, 3, 0, 2]);
        assert_eq!(places(Some(2)), [1, 3]);
        assert_eq!(best(&[0.0], None), [(0, 0.5)]);
    }
}
