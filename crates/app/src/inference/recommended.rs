//! Models worth having, as they suit this machine.
//!
//! Apart from the fit of a model because nothing of these is here yet: sizes are rough until a header was read.

use hearth_models::catalog::rank::{Pick, Place, rank};
use hearth_models::catalog::{Ability, Catalog};
use serde::Serialize;

use super::Inference;
use crate::error::{Error, Result};

/// A model that could be fetched.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recommendation {
    pub family: String,
    pub name: String,
    pub licence: String,
    pub parameters: u64,
    pub context_tokens: u32,
    pub abilities: Vec<Ability>,
    /// `owner/name` on the hub, and the files there.
    pub repo: String,
    pub file: String,
    pub projector: Option<String>,
    pub quantisation: String,
    /// Rough: parameters times bits per weight.
    pub approximate_bytes: u64,
    /// Absent when it is not known what models may take.
    pub fits: Option<bool>,
    /// A guess for a short context.
    pub tokens_per_second: Option<f64>,
    /// Why it stands where it does, in one line.
    pub reason: String,
}

impl Inference {
    /// The models of the list, the best for this machine first.
    pub async fn recommended(&self) -> Result<Vec<Recommendation>> {
        let place = self.place().await;
        let path = self.models.catalog_path();
        let ranked = move || {
            let (catalog, refused) = Catalog::newest(&path).map_err(Error::internal)?;
            if let Some(error) = refused {
                tracing::warn!(%error, "the list of models in the data folder is not used");
            }
            let picks = rank(&catalog, &place);
            Ok(picks.iter().map(recommendation).collect())
        };
        tokio::task::spawn_blocking(ranked)
            .await
            .map_err(Error::internal)?
    }

    async fn place(&self) -> Place {
        let limits = self.limits().await;
        Place {
            budget_bytes: limits.plan.map(|plan| plan.budget),
            bandwidth_gb_s: limits.bandwidth_gb_s,
        }
    }
}

fn recommendation(pick: &Pick<'_>) -> Recommendation {
    let model = pick.model;
    Recommendation {
        family: model.family.clone(),
        name: model.name.clone(),
        licence: model.licence.clone(),
        parameters: model.parameters,
        context_tokens: model.context,
        abilities: model.abilities.clone(),
        repo: model.repo.clone(),
        file: model.file_of(pick.quantisation),
        projector: model.projector.clone(),
        quantisation: pick.quantisation.to_owned(),
        approximate_bytes: pick.approximate_bytes,
        fits: pick.fits,
        tokens_per_second: pick.tokens_per_second,
        reason: pick.reason.clone(),
    }
}
