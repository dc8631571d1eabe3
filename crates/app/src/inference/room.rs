//! Decides which loaded models must go so that another one can be loaded.
//!
//! Apart from the registry because it is a rule over plain numbers. It must not know engines, and it changes nothing.

use tokio::time::Instant;

/// How many models may be loaded, and how much memory they may take together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Space {
    pub(super) models: usize,
    /// In bytes; `None` when the machine's memory could not be read, and then only the count limits.
    pub(super) budget_bytes: Option<u64>,
}

impl Space {
    /// Models loaded at the same time: SPEC row E14.
    pub(super) const MODELS: usize = 3;

    /// The space on a machine whose models may take this much together, in bytes.
    pub(super) fn with_budget(budget_bytes: Option<u64>) -> Self {
        Self {
            models: Self::MODELS,
            budget_bytes,
        }
    }

    /// Whether this many bytes are within the budget.
    pub(super) fn holds(&self, bytes: u64) -> bool {
        self.budget_bytes.is_none_or(|budget| bytes <= budget)
    }
}

/// Why a loaded model must stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    Answering,
    Pinned,
}

/// A loaded model.
#[derive(Debug, Clone)]
pub(super) struct Occupant {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) last_used: Instant,
    pub(super) hold: Option<Hold>,
}

/// There is no room, and these models hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoRoom {
    pub(super) holders: Vec<(String, Hold)>,
    /// The number of models is what is exceeded, not their memory.
    pub(super) by_count: bool,
}

/// Names the occupants to unload, least recently used first, so that `need_bytes` more fit. A model that is too large even alone
/// is let through once nothing else is loaded: somebody wants it anyway, or it would have been refused before.
pub(super) fn plan(
    need_bytes: u64,
    occupants: &[Occupant],
    space: &Space,
) -> Result<Vec<String>, NoRoom> {
    let mut free: Vec<&Occupant> = occupants.iter().filter(|o| o.hold.is_none()).collect();
    free.sort_by_key(|occupant| std::cmp::Reverse(occupant.last_used));
    let mut count = occupants.len();
    let mut used: u64 = occupants.iter().map(|o| o.bytes).sum();
    let mut leave = Vec::new();
    while count > 0 && (count >= space.models || !space.holds(used.saturating_add(need_bytes))) {
        let Some(oldest) = free.pop() else {
            let held = |o: &Occupant| o.hold.map(|hold| (o.name.clone(), hold));
            return Err(NoRoom {
                holders: occupants.iter().filter_map(held).collect(),
                by_count: count >= space.models,
            });
        };
        leave.push(oldest.name.clone());
        count -= 1;
        used -= oldest.bytes;
    }
    Ok(leave)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SPACE: Space = Space {
        models: 3,
        budget_bytes: Some(100),
    };

    fn occupants(list: &[(&str, u64, u64, Option<Hold>)]) -> Vec<Occupant> {
        let now = Instant::now();
        list.iter()
            .map(|(name, bytes, age_s, hold)| Occupant {
                name: (*name).into(),
                bytes: *bytes,
                last_used: now + Duration::from_secs(1000 - age_s),
                hold: *hold,
            })
            .collect()
    }

    #[test]
    fn the_longest_unused_go_until_there_is_room_and_no_further() {
        let loaded = occupants(&[("old", 30, 90, None), ("new", 30, 10, None)]);
        assert_eq!(plan(40, &loaded, &SPACE), Ok(vec![]));
        assert_eq!(plan(41, &loaded, &SPACE), Ok(vec!["old".into()]));
        assert_eq!(
            plan(71, &loaded, &SPACE),
            Ok(vec!["old".into(), "new".into()])
        );
        let full = occupants(&[("a", 1, 1, None), ("b", 1, 3, None), ("c", 1, 2, None)]);
        assert_eq!(plan(1, &full, &SPACE), Ok(vec!["b".into()]));
    }

    #[test]
    fn busy_and_pinned_models_stay_and_are_named() {
        let (busy, pinned) = (Some(Hold::Answering), Some(Hold::Pinned));
        let loaded = occupants(&[
            ("a", 40, 90, busy),
            ("b", 30, 80, pinned),
            ("c", 30, 1, None),
        ]);
        assert_eq!(plan(30, &loaded, &SPACE), Ok(vec!["c".into()]));
        let holders = vec![
            ("a".to_owned(), Hold::Answering),
            ("b".to_owned(), Hold::Pinned),
        ];
        let by_count = false;
        assert_eq!(plan(31, &loaded, &SPACE), Err(NoRoom { holders, by_count }));
        let full = occupants(&[("a", 1, 1, busy), ("b", 1, 3, busy), ("c", 1, 2, pinned)]);
        assert!(plan(1, &full, &SPACE).unwrap_err().by_count);
    }

    #[test]
    fn alone_a_model_may_be_larger_than_the_budget() {
        assert_eq!(plan(500, &[], &SPACE), Ok(vec![]));
        let loaded = occupants(&[("a", 40, 90, None)]);
        assert_eq!(plan(500, &loaded, &SPACE), Ok(vec!["a".into()]));
        let unknown = Space {
            budget_bytes: None,
            ..SPACE
        };
        assert_eq!(plan(500, &loaded, &unknown), Ok(vec![]));
    }
}
