//! Asks the hub what a repository has, again where the first answer was an accident.
//!
//! Somebody waits for this answer, so it is given up much sooner than a file: after a minute, and at once when there is no network.

use std::time::Duration;

use super::Tools;
use super::retry::Retries;
use crate::hub::{Error, Hub, Listing, RepoId, Result, Revision};

/// Longest time between the first question and the last.
const LIMIT: Duration = Duration::from_secs(60);

/// The model files of a repository. A hub that is busy, broken or silent is asked again, as often as a file is, for a minute at most.
///
/// # Errors
/// The last one, when no answer was one.
pub async fn list(hub: &Hub, repo: &RepoId, revision: &Revision, tools: &Tools) -> Result<Listing> {
    let (began, mut retries) = (tools.clock.now(), Retries::default());
    let mut waited = Duration::ZERO;
    loop {
        let error = match hub.files(repo, revision).await {
            Ok(listing) => return Ok(listing),
            Err(error) => error,
        };
        let wait = retries.next(0, error.wait(), tools.clock.chance());
        let Some(wait) = wait.filter(|_| is_accident(&error)) else {
            return Err(error);
        };
        waited += wait;
        if waited.max(tools.clock.now().saturating_sub(began) + wait) > LIMIT {
            return Err(error);
        }
        tracing::info!(%error, ?wait, "the hub is asked again what a repository has");
        tools.clock.sleep(wait).await;
    }
}

/// Whether the next answer may well be another. Where nobody can be reached at all, waiting seldom helps, and what is here already
/// needs no hub.
fn is_accident(error: &Error) -> bool {
    matches!(
        error,
        Error::Limited { .. }
            | Error::Unavailable { .. }
            | Error::Stalled { .. }
            | Error::Broken { .. }
    )
}
