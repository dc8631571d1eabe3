//! Which files of a repository make up the model that somebody wants.
//!
//! Pure. A model is one file or all parts of a split one, and the vision part that lies beside it. It must not look at a network.

use std::collections::BTreeMap;

use super::{Error, FilePath, Listing, RepoFile, Result};

/// Quantisations, the best first for somebody who names none: small enough for most machines, and hardly worse than the original.
const PREFERRED: [&str; 21] = [
    "Q4_K_M", "Q4_K_XL", "Q4_K_S", "MXFP4", "Q4_K_L", "IQ4_NL", "IQ4_XS", "Q4_1", "Q4_0", "Q5_K_M",
    "Q5_K_S", "Q5_0", "Q6_K", "Q8_0", "Q3_K_L", "Q3_K_M", "Q3_K_S", "Q2_K", "F16", "BF16", "F32",
];
/// Number formats of a vision part, the one to be preferred first.
const PROJECTORS: [&str; 4] = ["F16", "BF16", "Q8_0", "F32"];
/// Longest wish in bytes.
const MAX_TAG_BYTES: usize = 40;
/// Most parts of a split model.
const MAX_PARTS: u32 = 1000;

/// Which model of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// None is named.
    Best,
    /// The one with this word in its name, such as `Q4_K_M`.
    Quantisation(String),
    /// The one of this file, or all parts if it is one of several.
    File(FilePath),
}

impl Choice {
    pub(super) fn quantisation(tag: &str) -> Result<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if tag.is_empty() || tag.len() > MAX_TAG_BYTES || !tag.chars().all(plain) {
            return Err(Error::name(tag, "this is no quantisation such as `Q4_K_M`"));
        }
        Ok(Self::Quantisation(tag.to_owned()))
    }
}

/// The files of one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFiles {
    /// Name without ending, folders and number of the part.
    pub stem: String,
    /// The parts of the model in their order, and after them its vision part if it has one.
    pub files: Vec<RepoFile>,
}

impl ModelFiles {
    /// The files that hold the model itself, in their order.
    pub fn parts(&self) -> &[RepoFile] {
        match self.files.split_last() {
            Some((last, parts)) if is_projector(last) => parts,
            _ => &self.files,
        }
    }

    /// How large what it sees with is, in bytes; 0 when it sees nothing.
    pub fn projector_bytes(&self) -> u64 {
        let beside = &self.files[self.parts().len()..];
        beside.iter().map(|file| file.size_bytes).sum()
    }

    /// All files together, in bytes.
    pub fn total_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size_bytes).sum()
    }
}

/// The one model that is wanted.
///
/// # Errors
/// [`Error::NoModel`], or [`Error::NoChoice`] when it is none or several; it names what there is.
pub fn choose(listing: &Listing, choice: &Choice) -> Result<ModelFiles> {
    let sets = sets(listing);
    if sets.is_empty() {
        return Err(Error::NoModel {
            repo: listing.repo.to_string(),
        });
    }
    let found = match choice {
        Choice::File(path) => sets
            .iter()
            .find(|set| set.files.iter().any(|file| file.path == *path)),
        Choice::Quantisation(tag) => shortest(&sets, tag),
        Choice::Best if sets.len() == 1 => sets.first(),
        Choice::Best => PREFERRED.iter().find_map(|tag| shortest(&sets, tag)),
    };
    let Some(found) = found else {
        return Err(Error::NoChoice {
            repo: listing.repo.to_string(),
            wanted: match choice {
                Choice::Best => "the best one".to_owned(),
                Choice::Quantisation(tag) => tag.clone(),
                Choice::File(path) => path.as_str().to_owned(),
            },
            available: available(&sets),
        });
    };
    let mut model = found.clone();
    // Parts differ in their numbers and this one in a word, so no two have one name on a disk without capitals.
    model.files.extend(projector(listing).cloned());
    Ok(model)
}

/// The quantisations of a repository in the order in which they are offered; the names of files that show none.
pub fn quantisations(listing: &Listing) -> Vec<String> {
    available(&sets(listing))
}

fn available(sets: &[ModelFiles]) -> Vec<String> {
    let rank = |stem: &str| PREFERRED.iter().position(|tag| has_word(stem, tag));
    let mut ranked: Vec<(usize, String)> = sets
        .iter()
        .map(|set| match rank(&set.stem) {
            Some(rank) => (rank, PREFERRED[rank].to_owned()),
            None => (PREFERRED.len(), set.stem.clone()),
        })
        .collect();
    ranked.sort();
    ranked.dedup();
    ranked.into_iter().map(|(_, name)| name).collect()
}

/// The models whose parts are all there, by stem. What is no model by its name is left out.
fn sets(listing: &Listing) -> Vec<ModelFiles> {
    let mut split: BTreeMap<(&str, u32), BTreeMap<u32, &RepoFile>> = BTreeMap::new();
    let mut sets = Vec::new();
    let whole = |stem: &str, files| ModelFiles {
        stem: stem.to_owned(),
        files,
    };
    let models = listing
        .files
        .iter()
        .filter(|file| !is_projector(file) && !has_word(file_stem(file), "imatrix"));
    for file in models {
        let stem = file_stem(file);
        match part(stem) {
            Some((_, number, count)) => {
                let path = file.path.as_str();
                let place = &path[..path.len() - file.path.file_name().len() + stem.len() - 15];
                let parts = split.entry((place, count)).or_default();
                parts.insert(number, file);
            }
            None => sets.push(whole(stem, vec![file.clone()])),
        }
    }
    for ((place, count), parts) in split {
        if parts.len() as u32 == count && parts.keys().copied().eq(1..=count) {
            let stem = place.rsplit('/').next().unwrap_or(place);
            sets.push(whole(stem, parts.into_values().cloned().collect()));
        }
    }
    sets
}

/// The model with this word in its name; of several the one that says least besides.
fn shortest<'s>(sets: &'s [ModelFiles], tag: &str) -> Option<&'s ModelFiles> {
    let says = |set: &&ModelFiles| {
        has_word(&set.stem, tag)
            || set
                .files
                .iter()
                .all(|file| has_word(file.path.as_str(), tag))
    };
    let fitting = sets.iter().filter(says);
    fitting.min_by_key(|set| (set.stem.len(), set.stem.as_str()))
}

fn projector(listing: &Listing) -> Option<&RepoFile> {
    let rank = |file: &&RepoFile| {
        let format = PROJECTORS
            .iter()
            .position(|format| has_word(file_stem(file), format));
        (
            format.unwrap_or(PROJECTORS.len()),
            file.path.as_str().to_owned(),
        )
    };
    listing
        .files
        .iter()
        .filter(|f| is_projector(f))
        .min_by_key(rank)
}

fn is_projector(file: &RepoFile) -> bool {
    file_stem(file).to_ascii_lowercase().contains("mmproj")
}

fn file_stem(file: &RepoFile) -> &str {
    let name = file.path.file_name();
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// Takes `name-00002-of-00003` apart.
fn part(stem: &str) -> Option<(&str, u32, u32)> {
    let (rest, count) = stem.rsplit_once("-of-")?;
    let (name, part) = rest.rsplit_once('-')?;
    let number = |text: &str| {
        let digits = text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse::<u32>().ok()).flatten()
    };
    let (part, count) = (number(part)?, number(count)?);
    (!name.is_empty() && (1..=MAX_PARTS).contains(&count)).then_some((name, part, count))
}

/// Whether a name holds a word that is not a piece of a longer one: `Q4_K` is not in `Q4_K_M`.
fn has_word(name: &str, word: &str) -> bool {
    let (name, word) = (name.to_ascii_lowercase(), word.to_ascii_lowercase());
    let inner = |c: char| c.is_alphanumeric() || c == '_';
    name.match_indices(&word).any(|(at, _)| {
        let before = name[..at].chars().next_back();
        let after = name[at + word.len()..].chars().next();
        !before.is_some_and(inner) && !after.is_some_and(inner)
    })
}

#[cfg(test)]
mod tests {
    use super::super::{RepoId, Revision};
    use super::*;

    fn listing(names: &[&str]) -> Listing {
        let file = |name: &&str| RepoFile {
            path: FilePath::parse(name).unwrap(),
            size_bytes: 1,
            sha256: "00".repeat(32),
        };
        Listing {
            repo: RepoId::parse("a/b").unwrap(),
            commit: Revision::default(),
            files: names.iter().map(file).collect(),
        }
    }

    fn chosen(names: &[&str], choice: &Choice) -> Vec<String> {
        let model = choose(&listing(names), choice).unwrap();
        let paths = model.files.iter().map(|file| file.path.as_str().to_owned());
        paths.collect()
    }

    fn tag(text: &str) -> Choice {
        Choice::quantisation(text).unwrap()
    }

    #[test]
    fn a_quantisation_is_a_whole_word() {
        let names = [
            "M-Q4_K_M.gguf",
            "M-Q4_K_S.gguf",
            "M-UD-Q4_K_XL.gguf",
            "M-Q4_0.gguf",
            "m.q8_0.gguf",
            "M-IQ4_XS.gguf",
        ];
        for (wish, name) in [
            ("Q4_K_M", "M-Q4_K_M.gguf"),
            ("q4_k_s", "M-Q4_K_S.gguf"),
            ("Q8_0", "m.q8_0.gguf"),
            ("UD-Q4_K_XL", "M-UD-Q4_K_XL.gguf"),
            ("Q4_K_XL", "M-UD-Q4_K_XL.gguf"),
        ] {
            assert_eq!(chosen(&names, &tag(wish)), [name], "{wish}");
        }
        let error = choose(&listing(&names), &tag("Q4_K")).unwrap_err();
        let Error::NoChoice { available, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(available[0], "Q4_K_M");
        assert!(error.to_string().contains("Q8_0"), "{error}");
    }

    #[test]
    fn without_a_wish_the_middle_is_taken() {
        let many = ["M-Q8_0.gguf", "M-F16.gguf", "M-Q4_K_M.gguf", "M-Q2_K.gguf"];
        assert_eq!(chosen(&many, &Choice::Best), ["M-Q4_K_M.gguf"]);
        assert_eq!(chosen(&["odd.gguf"], &Choice::Best), ["odd.gguf"]);
        // The one that says less besides.
        let twins = ["M-Q4_K_M-imat.gguf", "M-Q4_K_M.gguf"];
        assert_eq!(chosen(&twins, &Choice::Best), ["M-Q4_K_M.gguf"]);
        assert!(choose(&listing(&["one.gguf", "two.gguf"]), &Choice::Best).is_err());
        let none = choose(&listing(&["mmproj-M-F16.gguf"]), &Choice::Best);
        assert!(matches!(none, Err(Error::NoModel { .. })));
    }

    #[test]
    fn parts_come_together_and_in_order() {
        let names = [
            "Q8_0/M-Q8_0-00002-of-00002.gguf",
            "Q8_0/M-Q8_0-00001-of-00002.gguf",
            "Q6_K/M-00001-of-00002.gguf",
            "Q6_K/M-00002-of-00002.gguf",
            "M-Q4_0-00001-of-00003.gguf",
            "M-Q4_0-00003-of-00003.gguf",
        ];
        let whole = [names[1], names[0]];
        assert_eq!(chosen(&names, &tag("Q8_0")), whole);
        let by_file = Choice::File(FilePath::parse(names[0]).unwrap());
        assert_eq!(chosen(&names, &by_file), whole);
        // Only the folder says it.
        assert_eq!(chosen(&names, &tag("Q6_K")), [names[2], names[3]]);
        // A part is missing at the hub.
        assert!(choose(&listing(&names), &tag("Q4_0")).is_err());
    }

    #[test]
    fn what_a_model_sees_with_comes_with_it() {
        let names = [
            "M-Q4_K_M.gguf",
            "mmproj-M-f32.gguf",
            "mmproj-M-f16.gguf",
            "M.imatrix.gguf",
        ];
        let seen = ["M-Q4_K_M.gguf", "mmproj-M-f16.gguf"];
        assert_eq!(chosen(&names, &Choice::Best), seen);
    }
}
