//! How many files this process may have open: every connection is one, and models, chats and logs need some too.
//!
//! A program that is started from the desktop of a Mac may open 256, fewer than the connections we take. It must not know what a
//! connection is for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For everything that is not a connection.
const OTHERS: u64 = 256;

/// Asks the system for as many as these connections need; how many connections there may be then.
pub(super) fn room_for(connections: usize) -> usize {
    let wanted = connections as u64 + OTHERS;
    let limit = getrlimit(Resource::Nofile);
    let (Some(now), Some(raised)) = (limit.current, raised(limit, wanted)) else {
        return connections;
    };
    let files = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => raised.current.unwrap_or(now),
        Err(error) => {
            tracing::warn!(%error, now, "the system does not let more files be open");
            now
        }
    };
    fitting(connections, files)
}

/// The limit to ask for; `None` when there are enough.
fn raised(limit: Rlimit, wanted: u64) -> Option<Rlimit> {
    limit.current.filter(|now| *now < wanted)?;
    Some(Rlimit {
        current: Some(limit.maximum.map_or(wanted, |most| most.min(wanted))),
        maximum: limit.maximum,
    })
}

/// How many connections there may be when so many files may be open: never all of them, and never none.
fn fitting(connections: usize, files: u64) -> usize {
    let room = files.saturating_sub(OTHERS).max(files / 4);
    connections.min(room as usize).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_asked_for_when_there_are_too_few_and_no_more_than_there_may_be() {
        let asked = |current, maximum| {
            let raised = raised(Rlimit { current, maximum }, 1_280);
            raised.map(|limit| (limit.current, limit.maximum))
        };
        assert_eq!(asked(Some(256), None), Some((Some(1_280), None)));
        assert_eq!(
            asked(Some(256), Some(4_096)),
            Some((Some(1_280), Some(4_096)))
        );
        assert_eq!(
            asked(Some(256), Some(1_000)),
            Some((Some(1_000), Some(1_000)))
        );
        assert_eq!(asked(Some(20_000), Some(20_000)), None);
        assert_eq!(asked(None, None), None);
    }

    #[test]
    fn others_keep_their_share() {
        assert_eq!(fitting(1_024, 1_280), 1_024);
        assert_eq!(fitting(1_024, 1_000), 744);
        assert_eq!(fitting(1_024, 256), 64);
        assert_eq!(fitting(1_024, 0), 1);
    }
}
