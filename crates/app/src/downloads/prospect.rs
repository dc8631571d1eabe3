//! A model at the hub, looked at before it is fetched: how large it is, and whether it would fit.
//!
//! Only the beginning of its first file is asked for, by the rules of a download. It must not begin one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hearth_models::Header;
use hearth_models::download::Job;
use hearth_models::hub::{Wanted, choose};
use serde::Serialize;

use super::{Downloads, is_hub_name};
use crate::error::Result;
use crate::fit::Fit;

/// Headers that are remembered, so that who looks twice asks once.
const MOST: usize = 64;

/// What is known of a model before it is fetched.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct Prospect {
    /// Name of the model's files.
    pub title: String,
    /// All files together.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub bytes: u64,
    pub fit: Fit,
}

/// The same, without what this machine makes of it.
pub(crate) struct Found {
    pub(crate) title: String,
    pub(crate) bytes: u64,
    pub(crate) projector_bytes: u64,
    pub(crate) header: Arc<Header>,
}

/// Headers by the hash of the file that they begin.
#[derive(Debug, Default)]
pub(super) struct Headers(Mutex<HashMap<String, Arc<Header>>>);

impl Headers {
    fn get(&self, sha256: &str) -> Option<Arc<Header>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(sha256).cloned()
    }

    fn keep(&self, sha256: String, header: &Arc<Header>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(sha256, Arc::clone(header));
    }
}

impl Downloads {
    /// Looks at a model at the hub; `None` when it is here, or on its way, and there is nothing left to decide.
    pub(crate) async fn find(&self, name: &str) -> Result<Option<Found>> {
        if !is_hub_name(name) {
            return Ok(None);
        }
        let wanted = Wanted::parse(name)?;
        if self.here(&wanted).await?.is_some() {
            return Ok(None);
        }
        let listing = self.listing(&wanted).await?;
        let model = choose(&listing, &wanted.choice)?;
        let id = Job::id_for(&wanted.repo, &model.stem);
        if self.list().await.iter().any(|download| download.id == id) {
            return Ok(None);
        }
        let sha256 = model.files.first().map(|file| file.sha256.clone());
        let sha256 = sha256.unwrap_or_default();
        let header = if let Some(header) = self.headers.get(&sha256) {
            header
        } else {
            let (repo, commit, files) = (&wanted.repo, &listing.commit, &model);
            let ask =
                |hub: hearth_models::hub::Hub| async move { hub.header(repo, commit, files).await };
            let header = Arc::new(self.asking(ask).await?);
            self.headers.keep(sha256, &header);
            header
        };
        Ok(Some(Found {
            bytes: model.total_bytes(),
            projector_bytes: model.projector_bytes(),
            title: model.stem,
            header,
        }))
    }
}
