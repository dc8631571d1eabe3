//! Which models of the list suit a machine: the quantisation for each, whether it fits, and in which order they are offered.
//!
//! Rules over plain numbers; the real verdict comes from the header once a model is chosen. It must not know where the numbers come from.

use super::{BITS, Catalog, Listed, bits};

/// What counts of a machine.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Place {
    /// What all models together may take, in bytes; `None` when it is not known.
    pub budget_bytes: Option<u64>,
    /// Bandwidth of the memory in GB/s, where it is known.
    pub bandwidth_gb_s: Option<u32>,
}

/// A model with what suits this machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Pick<'c> {
    pub model: &'c Listed,
    pub quantisation: &'c str,
    /// Of the file, without its vision part.
    pub approximate_bytes: u64,
    /// `None` when it is not known what models may take.
    pub fits: Option<bool>,
    /// A guess for a short context.
    pub tokens_per_second: Option<f64>,
    /// About what it takes when it is loaded.
    pub takes_bytes: u64,
    pub reason: Standing,
}

/// Why a model stands where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    Fits { would_not: Option<&'static str> },
}

impl Pick<'_> {
    /// About what it takes, loaded with a context of so many tokens: weights, keys and values, and the rest, in bytes.
    pub fn parts_at(&self, context: u32) -> [u64; 3] {
        parts(self.model, self.quantisation, context.into())
    }
}

/// Context that is counted with, in tokens.
const CONTEXT: u64 = 8192;
/// Scratch space, output and copies of a usual model, in bytes.
const BESIDE: u64 = 900_000_000;
/// Below this an answer is slower than people read.
const READING_SPEED: f64 = 12.0;
/// Decoding reaches so much of the memory's bandwidth; see `hearth-app`, `fit/speed.rs`.
const LOSS: f64 = 1.1;
const TOKEN_SECONDS: f64 = 5e-3;

/// SPEC row M2: up to so many thousand million parameters, this quantisation.
const WANTED: &[(f64, &str)] = &[
    (4.5, "Q8_0"),
    (7.9, "Q5_K_M"),
    (60.0, "Q4_K_M"),
    (f64::INFINITY, "Q4_K_S"),
];

/// All models of the list, the best for this machine first: those that fit and answer as fast as people read, the largest first; then
/// slower ones; then what does not fit, the smallest first.
pub fn rank<'c>(catalog: &'c Catalog, place: &Place) -> Vec<Pick<'c>> {
    let mut picks: Vec<Pick<'c>> = catalog
        .models
        .iter()
        .filter_map(|m| pick(m, place))
        .collect();
    let order = |pick: &Pick<'_>| {
        let size = pick.model.parameters as i64;
        match (pick.fits, is_quick(pick)) {
            (Some(false), _) => (3, size),
            // Vectors and scores serve for something else, whatever their size.
            _ if !pick.model.chats() => (2, -size),
            (_, true) => (0, -size),
            (_, false) => (1, size),
        }
    };
    // Among equals the list's own order stays.
    picks.sort_by_key(order);
    picks
}

fn is_quick(pick: &Pick<'_>) -> bool {
    pick.tokens_per_second
        .is_none_or(|speed| speed >= READING_SPEED)
}

fn pick<'c>(model: &'c Listed, place: &Place) -> Option<Pick<'c>> {
    let wanted = wanted(model.parameters);
    let finest = bits(wanted)?;
    // The wanted one or, where there is none or it is too large, the next coarser.
    let offered = |name: &str| model.quantisations.iter().find(|q| *q == name);
    let coarser = BITS.iter().filter(|(_, bits)| *bits <= finest);
    let candidates: Vec<&'c str> = coarser
        .filter_map(|(name, _)| offered(name))
        .map(String::as_str)
        .collect();
    let fits = |name: &str| {
        place
            .budget_bytes
            .map(|budget| takes(model, name) <= budget)
    };
    let fitting = candidates.iter().find(|name| fits(name) != Some(false));
    let (finer, coarsest) = (model.quantisations.first()?, candidates.last());
    let quantisation = fitting.or(coarsest).copied().unwrap_or(finer);
    let speed = place
        .bandwidth_gb_s
        .map(|bandwidth| tokens_per_second(model, quantisation, bandwidth));
    let mut pick = Pick {
        model,
        quantisation,
        approximate_bytes: model.approximate_bytes(quantisation),
        fits: fits(quantisation),
        tokens_per_second: speed,
        takes_bytes: takes(model, quantisation),
        reason: Standing::Unknown,
    };
    pick.reason = reason(&pick, wanted);
    Some(pick)
}

fn wanted(parameters: u64) -> &'static str {
    let thousand_millions = parameters as f64 / 1e9;
    let found = WANTED.iter().find(|(most, _)| thousand_millions <= *most);
    found.map_or("Q4_K_S", |(_, name)| name)
}

/// About what a model takes when it is loaded, in bytes.
fn takes(model: &Listed, quantisation: &str) -> u64 {
    let parts = parts(model, quantisation, CONTEXT);
    parts.into_iter().fold(0, u64::saturating_add)
}

fn parts(model: &Listed, quantisation: &str, context: u64) -> [u64; 3] {
    let context = context.min(model.context.into());
    [
        model.approximate_bytes(quantisation),
        model.cache_bytes_per_token.saturating_mul(context),
        BESIDE.min(model.approximate_bytes("Q8_0")),
    ]
}

fn tokens_per_second(model: &Listed, quantisation: &str, bandwidth_gb_s: u32) -> f64 {
    let read = model.active_parameters.unwrap_or(model.parameters) as f64;
    let bytes = read * bits(quantisation).unwrap_or(16.0) / 8.0;
    1.0 / (bytes / (f64::from(bandwidth_gb_s) * 1e9) * LOSS + TOKEN_SECONDS)
}

fn reason(pick: &Pick<'_>, wanted: &'static str) -> Standing {
    let is_slow = !is_quick(pick);
    match pick.fits {
        Some(false) => Standing::TooBig,
        None => Standing::Unknown,
        Some(true) if !pick.model.chats() => Standing::NoChat,
        Some(true) if is_slow => Standing::Slow,
        Some(true) => {
            let finest = bits(pick.quantisation).zip(bits(wanted));
            let coarser = finest.is_some_and(|(used, wanted)| used < wanted);
            let offered = pick.model.quantisations.iter().any(|q| q == wanted);
            let would_not = (coarser && offered).then_some(wanted);
            Standing::Fits { would_not }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(gigabytes: u64, bandwidth_gb_s: u32) -> Place {
        Place {
            budget_bytes: Some(gigabytes * 1_000_000_000),
            bandwidth_gb_s: Some(bandwidth_gb_s),
        }
    }

    fn named<'p, 'c>(picks: &'p [Pick<'c>], name: &str) -> &'p Pick<'c> {
        picks.iter().find(|pick| pick.model.name == name).unwrap()
    }

    #[test]
    fn quantisations_follow_the_table() {
        let catalog = Catalog::own().unwrap();
        let picks = rank(&catalog, &place(100, 400));
        for (name, quantisation) in [
            ("Llama 3.2 3B Instruct", "Q8_0"),
            ("Mistral 7B Instruct v0.3", "Q5_K_M"),
            ("Llama 3.1 8B Instruct", "Q4_K_M"),
            ("Mistral Nemo 12B Instruct", "Q4_K_M"),
            ("Qwen3 32B", "Q4_K_M"),
            ("Llama 3.3 70B Instruct", "Q4_K_S"),
            ("gpt-oss 20B", "MXFP4"),
        ] {
            assert_eq!(named(&picks, name).quantisation, quantisation, "{name}");
        }
    }

    #[test]
    fn a_coarser_quantisation_is_taken_before_a_model_is_given_up() {
        let catalog = Catalog::own().unwrap();
        let picks = rank(&catalog, &place(6, 100));
        let llama = named(&picks, "Llama 3.1 8B Instruct");
        assert_eq!((llama.quantisation, llama.fits), ("Q3_K_M", Some(true)));
        let would_not = Some("Q4_K_M");
        assert_eq!(llama.reason, Standing::Fits { would_not });
        let large = named(&picks, "Llama 3.3 70B Instruct");
        assert_eq!((large.fits, large.reason), (Some(false), Standing::TooBig));
        assert!(large.takes_bytes > 35_000_000_000);
        let picks = rank(&catalog, &place(100, 20));
        let large = named(&picks, "Llama 3.3 70B Instruct");
        assert_eq!(large.reason, Standing::Slow);
        let silent = picks.iter().find(|pick| !pick.model.chats());
        assert_eq!(silent.map(|pick| pick.reason), Some(Standing::NoChat));
    }

    #[test]
    fn the_largest_that_is_quick_comes_first_and_what_does_not_fit_last() {
        let catalog = Catalog::own().unwrap();
        // An M3 Max with 64 GB.
        let picks = rank(&catalog, &place(48, 400));
        let first = &picks[0];
        assert!(first.fits == Some(true) && is_quick(first), "{first:?}");
        assert_eq!(first.model.name, "Qwen3 32B");
        // An M1 with 8 GB: small models, and none that does not fit before one that does.
        let picks = rank(&catalog, &place(5, 68));
        assert!(picks[0].model.parameters < 9_000_000_000, "{:?}", picks[0]);
        let fits: Vec<bool> = picks.iter().map(|pick| pick.fits == Some(true)).collect();
        assert!(fits.is_sorted_by(|one, other| one >= other), "{fits:?}");
        // Nothing is known: nothing is claimed.
        let picks = rank(&catalog, &Place::default());
        assert!(picks.iter().all(|pick| pick.fits.is_none()));
        assert_eq!(picks.len(), catalog.models.len());
    }
}
