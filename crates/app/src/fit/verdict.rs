//! What a sum means on this machine: whether it fits, what would have to go, or how much shorter the context would have to be.
//!
//! A rule over plain numbers. It must not know what a model is.

use serde::Serialize;

use super::Sum;

/// Shortest context that is offered, in tokens; less is of no use in a chat.
const LEAST_CONTEXT: u32 = 1024;
/// Contexts are offered in steps of this many tokens.
const STEP: u32 = 1024;

/// Whether a model fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Verdict {
    Fits,
    /// It does, but what is kept for peaks is used.
    Tight,
    /// Once these are unloaded.
    FitsIfUnloaded {
        models: Vec<String>,
    },
    /// With a context window of at most so many tokens.
    FitsAtContext {
        tokens: u32,
    },
    TooBig,
}

/// A model that is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    pub name: String,
    pub bytes: u64,
}

/// What models may take on this machine, and what they do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Room {
    /// For all models together, in bytes; `None` when the machine's memory could not be read.
    pub budget_bytes: Option<u64>,
    /// The part of it that is kept for peaks.
    pub reserve_bytes: u64,
    /// The one that would go first comes first.
    pub loaded: Vec<Loaded>,
}

impl Room {
    /// Bytes that loaded models take.
    pub fn loaded_bytes(&self) -> u64 {
        self.loaded.iter().map(|model| model.bytes).sum()
    }

    /// The room that a model has whose own place does not count.
    pub(crate) fn without(&self, name: &str) -> Self {
        let mut room = self.clone();
        room.loaded.retain(|model| model.name != name);
        room
    }
}

/// Judges a model that takes `at(context)`. `None` when it is not known what models may take.
pub(super) fn judge(context: u32, room: &Room, at: impl Fn(u32) -> Sum) -> Option<Verdict> {
    let budget = room.budget_bytes?;
    let need = at(context).total();
    if need > budget {
        let fits = |tokens: u32| at(tokens).total() <= budget;
        return Some(match longest(context, fits) {
            Some(tokens) => Verdict::FitsAtContext { tokens },
            None => Verdict::TooBig,
        });
    }
    let mut taken = room.loaded_bytes();
    let free = |taken: u64| budget.saturating_sub(taken);
    if need <= free(taken).saturating_sub(room.reserve_bytes) {
        return Some(Verdict::Fits);
    }
    if need <= free(taken) {
        return Some(Verdict::Tight);
    }
    let mut models = Vec::new();
    for model in &room.loaded {
        if need <= free(taken) {
            break;
        }
        taken -= model.bytes;
        models.push(model.name.clone());
    }
    Some(Verdict::FitsIfUnloaded { models })
}

/// The longest context below `context` that fits, in steps; a longer one never takes less.
fn longest(context: u32, fits: impl Fn(u32) -> bool) -> Option<u32> {
    let (mut least, mut most) = (LEAST_CONTEXT / STEP, context.saturating_sub(1) / STEP);
    if most < least || !fits(LEAST_CONTEXT) {
        return None;
    }
    while least < most {
        let middle = least + (most - least).div_ceil(2);
        if fits(middle * STEP) {
            least = middle;
        } else {
            most = middle - 1;
        }
    }
    Some(least * STEP)
}

/// The verdict in a sentence.
pub(super) fn sentence(verdict: Option<&Verdict>, sum: &Sum, context: u32, room: &Room) -> String {
    let takes = gigabytes(sum.total());
    let Some((verdict, budget)) = verdict.zip(room.budget_bytes) else {
        return format!(
            "It takes {takes}; how much models may use on this machine could not be found out."
        );
    };
    let budget = gigabytes(budget);
    match verdict {
        Verdict::Fits => format!("It fits: it takes {takes} of the {budget} that models may use."),
        Verdict::Tight => format!(
            "It fits with little to spare: it takes {takes} of the {budget} that models may use."
        ),
        Verdict::FitsIfUnloaded { models } => format!(
            "It fits once {} {} unloaded: it takes {takes}, and of the {budget} that models may use {} are taken.",
            listed(models),
            if models.len() == 1 { "is" } else { "are" },
            gigabytes(room.loaded_bytes()),
        ),
        Verdict::FitsAtContext { tokens } => format!(
            "With a context of {context} tokens it takes {takes}, more than the {budget} that models may use; it fits with at most {tokens} tokens."
        ),
        Verdict::TooBig => format!(
            "It is too big for this machine: it takes {takes}, and models may use {budget}."
        ),
    }
}

/// The parts of a sum in words, the largest first; what is less than a hundredth is left out.
pub(crate) fn parts_in_words(sum: &Sum) -> String {
    let mut parts = [
        (sum.weights, "weights"),
        (sum.projector, "vision part"),
        (sum.cache, "context"),
        (sum.copies, "copies of it"),
        (sum.compute, "scratch space"),
        (sum.output, "output"),
    ];
    parts.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
    let shown = parts.iter().filter(|(bytes, _)| *bytes > sum.total() / 100);
    let shown: Vec<String> = shown
        .map(|(bytes, what)| format!("{} {what}", gigabytes(*bytes)))
        .collect();
    shown.join(", ")
}

/// Decimal units, as macOS and disk makers count.
fn gigabytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

fn listed(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 4 GB and 1 MB for each token.
    fn sum(context: u32) -> Sum {
        Sum {
            weights: 4_000_000_000,
            cache: u64::from(context) * 1_000_000,
            ..Sum::default()
        }
    }

    fn room(gigabytes: u64, loaded: &[(&str, u64)]) -> Room {
        Room {
            budget_bytes: Some(gigabytes * 1_000_000_000),
            reserve_bytes: 1_000_000_000,
            loaded: loaded
                .iter()
                .map(|(name, gigabytes)| Loaded {
                    name: (*name).into(),
                    bytes: gigabytes * 1_000_000_000,
                })
                .collect(),
        }
    }

    fn said(context: u32, room: &Room) -> (Option<Verdict>, String) {
        let verdict = judge(context, room, sum);
        let words = sentence(verdict.as_ref(), &sum(context), context, room);
        (verdict, words)
    }

    #[test]
    fn room_and_what_is_loaded_decide() {
        assert_eq!(said(4000, &room(9, &[])).0, Some(Verdict::Fits));
        assert_eq!(said(4001, &room(9, &[])).0, Some(Verdict::Tight));
        let loaded = [("a", 3), ("b", 3), ("c", 3)];
        let (verdict, words) = said(4000, &room(12, &loaded));
        let models = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(verdict, Some(Verdict::FitsIfUnloaded { models }));
        assert_eq!(
            words,
            "It fits once `a` and `b` are unloaded: it takes 8.0 GB, and of the 12.0 GB that models may use 9.0 GB are taken."
        );
        assert_eq!(said(4000, &room(17, &loaded)).0, Some(Verdict::Tight));
        assert_eq!(said(4000, &room(18, &loaded)).0, Some(Verdict::Fits));
    }

    #[test]
    fn a_shorter_context_is_offered_where_it_helps() {
        let tokens = |verdict| match verdict {
            Some(Verdict::FitsAtContext { tokens }) => Some(tokens),
            _ => None,
        };
        for (budget, longest) in [
            (8, 3072),
            (9, 4096),
            (16, 11_264),
            (4, 0),
            (5, 0),
            (6, 1024),
        ] {
            let found = said(12_288, &room(budget, &[])).0;
            let expected = (longest > 0).then_some(longest);
            assert_eq!(tokens(found.clone()), expected, "{budget}: {found:?}");
            assert_eq!(found == Some(Verdict::TooBig), expected.is_none());
        }
        let (_, words) = said(12_288, &room(8, &[]));
        assert!(
            words.ends_with("it fits with at most 3072 tokens."),
            "{words}"
        );
        // A short context is not offered to one who asked for a shorter one.
        assert_eq!(said(512, &room(4, &[])).0, Some(Verdict::TooBig));
    }

    #[test]
    fn without_a_budget_nothing_is_claimed() {
        let (verdict, words) = said(1000, &Room::default());
        assert_eq!(verdict, None);
        assert!(words.contains("5.0 GB"), "{words}");
    }

    #[test]
    fn parts_that_matter_are_named() {
        let sum = Sum {
            output: 3,
            ..sum(2000)
        };
        assert_eq!(parts_in_words(&sum), "4.0 GB weights, 2.0 GB context");
    }
}
