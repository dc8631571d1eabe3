//! Models worth having on this machine, the best first, from the list of well-known ones.
//!
//! Figures are approximate: the real ones come from the file itself, once it is chosen. It must not fetch anything.

use hearth_models::catalog::rank::{Pick, Place, rank};
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
    /// Why it stands where it does.
    pub reason: String,
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
        let suggestion = |pick| suggestion(pick, &room, most_context_tokens);
        Ok(picks.iter().map(suggestion).collect())
    })
    .await
}

fn suggestion(pick: &Pick<'_>, room: &Room, most_context_tokens: u32) -> Suggested {
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
        reason: pick.reason.clone(),
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
