//! Short names of the user's for models. What they mean is decided by the library.

use std::sync::Arc;

use serde::Serialize;

use super::{Models, on_disk};
use crate::error::Result;

/// A short name and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelAlias {
    pub alias: String,
    pub model: String,
    /// There is no such model now.
    pub is_missing: bool,
    /// A model has this name itself, so the alias means nothing.
    pub is_hidden: bool,
}

impl Models {
    /// All short names.
    pub async fn aliases(&self) -> Result<Vec<ModelAlias>> {
        let library = Arc::clone(&self.library);
        on_disk(move || {
            let all = library.aliases().into_iter();
            let alias = |one: hearth_models::Alias| ModelAlias {
                alias: one.alias,
                model: one.model,
                is_missing: one.is_missing,
                is_hidden: one.is_hidden,
            };
            Ok(all.map(alias).collect())
        })
        .await
    }

    /// Lets a short name stand for a model from now on; returns the model's name.
    pub async fn set_alias(&self, alias: &str, model: &str) -> Result<String> {
        let library = Arc::clone(&self.library);
        let (alias, model) = (alias.to_owned(), model.to_owned());
        on_disk(move || Ok(library.set_alias(&alias, &model)?)).await
    }

    /// Takes a short name away; returns the name of the model that it stood for.
    pub async fn remove_alias(&self, alias: &str) -> Result<String> {
        let (library, alias) = (Arc::clone(&self.library), alias.to_owned());
        on_disk(move || Ok(library.remove_alias(&alias)?)).await
    }
}
