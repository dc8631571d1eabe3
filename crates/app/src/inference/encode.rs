//! Vectors and scores: which model makes them, and which of them are known already.
//!
//! Beside [`super::Inference::generate`] because the models are others and nothing is streamed. It must not know how vectors are used.

use std::sync::Arc;

use hearth_engine::embed::{self, Task};
use hearth_engine::{EmbedRequest, Embeddings, Purpose, Ranking, RerankRequest};

use super::cache::{Vector, Vectors};
use super::registry::{KeepAlive, Model, Work};
use super::{Inference, Started};
use crate::error::Result;

/// What a model made, and its whole name.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded<T> {
    pub model: String,
    pub result: T,
}

impl Inference {
    /// Turns texts into vectors, loading the model when needed. With `caching`, texts whose vectors are known are not computed again.
    pub async fn embed(
        &self,
        model: &str,
        request: EmbedRequest,
        keep_alive: Option<KeepAlive>,
        caching: bool,
    ) -> Result<Encoded<Embeddings>> {
        let model = self.find_as(model, Purpose::Embed).await?;
        let name = model.name.clone();
        let keys = if caching && self.caches.keeps_vectors() {
            Vectors::keys(model.fingerprint.as_deref(), &request)
        } else {
            vec![None; request.inputs.len()]
        };
        let mut known: Vec<Option<Vector>> = keys
            .iter()
            .map(|key| self.caches.vectors.get(key.as_ref()?))
            .collect();
        let EmbedRequest { inputs, .. } = &request;
        let missing: Vec<String> = inputs
            .iter()
            .zip(&known)
            .filter(|(_, known)| known.is_none())
            .map(|(text, _)| text.clone())
            .collect();
        // A request without texts goes to the engine too, which says what is wrong with it.
        if !missing.is_empty() || inputs.is_empty() {
            let request = EmbedRequest {
                inputs: missing,
                ..request
            };
            let started = self.encode(model, Task::Embed(request), keep_alive).await?;
            let made = embed::embeddings(started.generation).await?;
            let made = made.vectors.into_iter().zip(made.tokens);
            let places = known
                .iter_mut()
                .zip(keys)
                .filter(|(place, _)| place.is_none());
            for ((place, key), (values, tokens)) in places.zip(made) {
                let vector = Vector {
                    values: Arc::from(values),
                    tokens,
                };
                if let Some(key) = key {
                    self.caches.vectors.keep(key, vector.clone());
                }
                *place = Some(vector);
            }
        }
        let all = known.into_iter().flatten();
        let (vectors, tokens) = all.map(|v| (v.values.to_vec(), v.tokens)).unzip();
        Ok(Encoded {
            model: name,
            result: Embeddings { vectors, tokens },
        })
    }

    /// Scores documents against a query, loading the model when needed.
    pub async fn rerank(
        &self,
        model: &str,
        request: RerankRequest,
        keep_alive: Option<KeepAlive>,
    ) -> Result<Encoded<Ranking>> {
        let model = self.find_as(model, Purpose::Rerank).await?;
        let name = model.name.clone();
        let started = self
            .encode(model, Task::Rerank(request), keep_alive)
            .await?;
        let result = embed::ranking(started.generation).await?;
        Ok(Encoded {
            model: name,
            result,
        })
    }

    async fn encode(
        &self,
        model: Arc<Model>,
        task: Task,
        keep_alive: Option<KeepAlive>,
    ) -> Result<Started> {
        let priority = task.priority();
        let work = Work::Encode(Box::new(task));
        self.start_admitted(model, work, priority, keep_alive).await
    }
}
