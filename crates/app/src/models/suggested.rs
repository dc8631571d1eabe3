//! Models worth having on this machine, the best first, from the list of well-known ones.
//!
//! Figures are approximate: the real ones come from the file itself, once it is chosen. It must not fetch anything.

use hearth_models::catalog::rank::{self, Pick, Place, rank};
use hearth_models::catalog::{Ability, Catalog};
use serde::Serialize;

use super::on_disk;
use crate::error::{Error, Result};
use crate::fit::{self, Brief, Room, Sum};
use crate::paths::Paths;

/// A model that could be fetched.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "camelCase")]
pub struct Suggested {
    pub title: String,
    /// What it is fetched by.
    pub wanted: String,
    pub licence: String,
    pub quantisation: String,
    pub context_tokens: u32,
    /// Of the file, about.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub bytes: u64,
    pub calls_tools: bool,
    pub sees: bool,
    pub thinks: bool,
    /// It answers; else it makes vectors or scores.
    pub chats: bool,
    /// By about what it takes.
    pub fit: Brief,
    pub tokens_per_second: Option<f64>,
    /// About what it takes when it is loaded.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub takes_bytes: u64,
    /// What all models together may take; absent when it is not known.
    #[cfg_attr(feature = "specta", specta(type = Option<u32>))]
    pub budget_bytes: Option<u64>,
    pub reason: Standing,
}

/// Why a model stands where it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(
    tag = "kind",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum Standing {
    /// It takes more than models may.
    TooBig,
    /// It is not known what models may take.
    Unknown,
    /// It is for search and documents.
    NoChat,
    /// It fits, and answers slower than people read.
    Slow,
    /// It fits; a finer quantisation that is offered would not.
    Fits { would_not: Option<String> },
}

impl From<rank::Standing> for Standing {
    fn from(reason: rank::Standing) -> Self {
        match reason {
            rank::Standing::TooBig => Self::TooBig,
            rank::Standing::Unknown => Self::Unknown,
            rank::Standing::NoChat => Self::NoChat,
            rank::Standing::Slow => Self::Slow,
            rank::Standing::Fits { would_not } => Self::Fits {
                would_not: would_not.map(str::to_owned),
            },
        }
    }
}

/// The best for this machine first.
pub(crate) async fn suggested(
    paths: &Paths,
    place: Place,
    room: Room,
    most_context_tokens: u32,
) -> Result<Vec<Suggested>> {
    let newer = paths.catalog();
    on_disk(move || {
        let (catalog, unused) = Catalog::newest(&newer).map_err(Error::internal)?;
        if let Some(why) = unused {
            tracing::warn!(%why, "the newer list of models is not used");
        }
        let picks = rank(&catalog, &place);
        let suggestion = |pick| suggestion(pick, &place, &room, most_context_tokens);
        Ok(picks.iter().map(suggestion).collect())
    })
    .await
}

fn suggestion(pick: &Pick<'_>, place: &Place, room: &Room, most_context_tokens: u32) -> Suggested {
    let model = pick.model;
    let at = |context| {
        let [weights, cache, compute] = pick.parts_at(context);
        Sum {
            weights,
            cache,
            compute,
            ..Sum::default()
        }
    };
    let fit = fit::judge_roughly(model.context.min(most_context_tokens), room, at);
    let can = |ability| model.abilities.contains(&ability);
    Suggested {
        title: model.name.clone(),
        wanted: format!("{}:{}", model.repo, pick.quantisation),
        licence: model.licence.clone(),
        quantisation: pick.quantisation.to_owned(),
        context_tokens: model.context,
        bytes: pick.approximate_bytes,
        calls_tools: can(Ability::Tools),
        sees: can(Ability::Vision),
        thinks: can(Ability::Reasoning),
        chats: model.chats(),
        fit,
        tokens_per_second: pick.tokens_per_second,
        takes_bytes: pick.takes_bytes,
        budget_bytes: place.budget_bytes,
        reason: pick.reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::Verdict;

    #[tokio::test]
    async fn what_is_suggested_can_be_asked_for_by_its_name() {
        let home = tempfile::tempdir().unwrap();
        let place = Place {
            budget_bytes: Some(12 << 30),
            bandwidth_gb_s: Some(100),
        };
        let room = Room {
            budget_bytes: place.budget_bytes,
            ..Room::default()
        };
        let paths = Paths::under(home.path());
        let all = suggested(&paths, place, room, 8192).await.unwrap();
        assert!(all.len() > 10);
        for one in &all {
            let wanted = hearth_models::hub::Wanted::parse(&one.wanted);
            assert!(wanted.is_ok(), "{}", one.wanted);
        }
        let first = &all[0];
        assert!(
            first.chats && first.fit.verdict == Some(Verdict::Fits),
            "{first:?}"
        );
        let last = all.last().unwrap();
        assert_eq!(last.fit.verdict, Some(Verdict::TooBig), "{last:?}");
    }
}
