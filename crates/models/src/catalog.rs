//! Models worth having: a list inside the program, which a newer one in the data folder can replace.
//!
//! It names repositories and files, so a list from outside is checked before anything of it is believed. It must not fetch anything, nor
//! know this machine; [`rank`] is told its numbers.

pub mod rank;

use std::collections::HashSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The list inside the program.
const OWN: &str = include_str!("catalog/catalog.json");
/// The one format that can be read.
const FORMAT: u32 = 1;
/// Longest list that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// Most models of a list.
const MAX_MODELS: usize = 1000;
/// Stands for the quantisation in a file name.
const QUANT: &str = "{quant}";

/// Quantisations and their bits for each weight, the finest first: of Llama 3.1 8B, as llama.cpp's `tools/quantize/README.md` lists
/// them; `MXFP4` of gpt-oss 20B.
const BITS: &[(&str, f64)] = &[
    ("F16", 16.0),
    ("Q8_0", 8.50),
    ("Q6_K", 6.56),
    ("Q5_K_M", 5.70),
    ("Q5_K_S", 5.57),
    ("Q4_K_M", 4.89),
    ("Q4_K_S", 4.67),
    ("MXFP4", 4.63),
    ("Q3_K_M", 4.00),
    ("Q2_K", 3.16),
];

/// What a model can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ability {
    Chat,
    Tools,
    Vision,
    /// It thinks before it answers.
    Reasoning,
    Embedding,
    Rerank,
}

/// A model of the list.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    pub family: String,
    pub name: String,
    pub parameters: u64,
    /// Of a model with experts: those that one token uses.
    pub active_parameters: Option<u64>,
    /// Tokens that it was trained to look back on.
    pub context: u32,
    pub abilities: Vec<Ability>,
    /// SPDX where there is one, else the licence's own name.
    pub licence: String,
    /// `owner/name` on the hub.
    pub repo: String,
    /// Name of the file, with `{quant}` for the quantisation where there are several.
    pub file: String,
    /// The vision part, in the same repository.
    pub projector: Option<String>,
    pub quantisations: Vec<String>,
    /// Bytes of keys and values of one token at 16 bits; 0 where nothing is kept.
    pub cache_bytes_per_token: u64,
}

impl Listed {
    /// Name of the file of one quantisation.
    pub fn file_of(&self, quantisation: &str) -> String {
        self.file.replace(QUANT, quantisation)
    }

    /// About how large that file is, in bytes: parameters times bits per weight. The real size differs by some percent, because parts of
    /// a model are kept finer.
    pub fn approximate_bytes(&self, quantisation: &str) -> u64 {
        (self.parameters as f64 * bits(quantisation).unwrap_or(16.0) / 8.0) as u64
    }

    /// Whether it answers.
    pub fn chats(&self) -> bool {
        self.abilities.contains(&Ability::Chat)
    }
}

/// A list of models.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    format: u32,
    /// When it was written, such as `2026-11-21`.
    pub date: String,
    /// What a reader should know.
    pub note: String,
    pub models: Vec<Listed>,
}

/// Why a list is not used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("the list of models could not be read: {0}")]
    Unreadable(#[from] std::io::Error),
    #[error("the list of models is longer than {MAX_BYTES} bytes")]
    TooLong,
    #[error("the list of models is not as it should be: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("the list of models has format {0}, this program reads {FORMAT}")]
    Format(u32),
    #[error("the list of models is wrong about {model}: {reason}")]
    Wrong { model: String, reason: String },
}

impl Catalog {
    /// The list inside the program.
    pub fn own() -> Result<Self, CatalogError> {
        Self::parse(OWN)
    }

    /// The list at `path` if it is sound and newer than the one inside the program, else that one; with why the one at `path` was not
    /// taken. No file is no reason. Blocks on the disk.
    pub fn newest(path: &Path) -> Result<(Self, Option<CatalogError>), CatalogError> {
        let own = Self::own()?;
        match Self::read(path) {
            Ok(Some(other)) if other.date > own.date => Ok((other, None)),
            Ok(_) => Ok((own, None)),
            Err(error) => Ok((own, Some(error))),
        }
    }

    fn read(path: &Path) -> Result<Option<Self>, CatalogError> {
        let length = match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            metadata => metadata?.len(),
        };
        if length > MAX_BYTES {
            return Err(CatalogError::TooLong);
        }
        Self::parse(&std::fs::read_to_string(path)?).map(Some)
    }

    fn parse(text: &str) -> Result<Self, CatalogError> {
        let catalog: Self = serde_json::from_str(text)?;
        if catalog.format != FORMAT {
            return Err(CatalogError::Format(catalog.format));
        }
        catalog.check()?;
        Ok(catalog)
    }

    fn check(&self) -> Result<(), CatalogError> {
        let wrong = |model: &str, reason: &str| {
            Err(CatalogError::Wrong {
                model: model.to_owned(),
                reason: reason.to_owned(),
            })
        };
        if !is_date(&self.date) {
            return wrong("its date", "a day such as 2026-11-21 is needed");
        }
        if self.models.is_empty() || self.models.len() > MAX_MODELS {
            return wrong("its length", "it needs 1 to 1000 models");
        }
        let mut names = HashSet::new();
        for model in &self.models {
            if let Some(reason) = fault(model) {
                return wrong(&model.name, reason);
            }
            if !names.insert(model.name.as_str()) {
                return wrong(&model.name, "it is there twice");
            }
        }
        Ok(())
    }
}

/// Bits for each weight; `None` for a quantisation that is not known.
fn bits(quantisation: &str) -> Option<f64> {
    let found = BITS.iter().find(|(name, _)| *name == quantisation);
    found.map(|(_, bits)| *bits)
}

/// What is wrong with a model of a list.
fn fault(model: &Listed) -> Option<&'static str> {
    let labels = [&model.family, &model.name, &model.licence];
    let several = model.quantisations.len() != 1;
    let mut files = vec![model.file.as_str()];
    files.extend(model.projector.as_deref());
    let rules = [
        (
            labels.iter().all(|label| is_label(label)),
            "family, name and licence must be 1 to 80 visible characters",
        ),
        (
            (1_000_000..=1_000_000_000_000).contains(&model.parameters),
            "the number of parameters cannot be",
        ),
        (
            model
                .active_parameters
                .is_none_or(|n| n > 0 && n <= model.parameters),
            "more parameters are used than there are",
        ),
        (
            (256..=1 << 30).contains(&model.context),
            "the context cannot be",
        ),
        (!model.abilities.is_empty(), "it has no abilities"),
        (is_repo(&model.repo), "the repository is not `owner/name`"),
        (
            files.iter().all(|file| is_file(file)),
            "a file is not a plain name that ends in .gguf",
        ),
        (
            !several || model.file.contains(QUANT),
            "one file cannot have several quantisations",
        ),
        (
            !model.quantisations.is_empty()
                && model.quantisations.iter().all(|name| bits(name).is_some()),
            "a quantisation is not known",
        ),
        (
            model.cache_bytes_per_token <= 1 << 24,
            "keys and values cannot be that large",
        ),
    ];
    rules.iter().find(|(holds, _)| !holds).map(|(_, why)| *why)
}

fn is_label(text: &str) -> bool {
    (1..=80).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// Letters of names on the hub.
fn is_plain(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=96).contains(&text.len()) && !text.starts_with('.') && text.chars().all(plain)
}

fn is_repo(text: &str) -> bool {
    text.split_once('/')
        .is_some_and(|(owner, name)| is_plain(owner) && is_plain(name))
}

fn is_file(text: &str) -> bool {
    let name = text.replacen(QUANT, "Q", 1);
    is_plain(&name) && name.ends_with(".gguf")
}

fn is_date(text: &str) -> bool {
    let form = |(index, byte): (usize, u8)| match index {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    text.len() == 10 && text.bytes().enumerate().all(form)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn changed(change: impl FnOnce(&mut Value)) -> Result<Catalog, CatalogError> {
        let mut list: Value = serde_json::from_str(OWN).unwrap();
        change(&mut list);
        Catalog::parse(&list.to_string())
    }

    #[test]
    fn our_own_list_is_sound_and_covers_what_people_ask_for() {
        let own = Catalog::own().unwrap();
        let has = |ability| own.models.iter().any(|m| m.abilities.contains(&ability));
        for ability in [
            Ability::Chat,
            Ability::Tools,
            Ability::Vision,
            Ability::Reasoning,
            Ability::Embedding,
            Ability::Rerank,
        ] {
            assert!(has(ability), "{ability:?}");
        }
        for model in &own.models {
            assert_eq!(
                model.projector.is_some(),
                model.abilities.contains(&Ability::Vision),
                "{}",
                model.name
            );
        }
    }

    #[test]
    fn a_list_that_breaks_a_rule_is_not_believed() {
        assert!(changed(|_| {}).is_ok());
        for (key, value) in [
            ("repo", json!("../../etc/passwd")),
            ("repo", json!("owner/name/more")),
            ("repo", json!("https://example.org/x")),
            ("file", json!("../x-{quant}.gguf")),
            ("file", json!("x-{quant}.gguf.exe")),
            ("file", json!("x-{quant}-{quant}.gguf")),
            ("projector", json!("/mmproj.gguf")),
            ("name", json!("")),
            ("name", json!("a\u{7}b")),
            ("parameters", json!(0)),
            ("active_parameters", json!(1_000_000_000_000_u64)),
            ("context", json!(3)),
            ("abilities", json!([])),
            ("abilities", json!(["fly"])),
            ("quantisations", json!(["Q4_K_M", "Q99"])),
            ("quantisations", json!([])),
            ("cache_bytes_per_token", json!(1_u64 << 40)),
            ("surprise", json!(1)),
        ] {
            let broken = changed(|list| list["models"][1][key] = value.clone());
            assert!(broken.is_err(), "{key}: {value}");
        }
        assert!(matches!(
            changed(|list| list["format"] = json!(2)),
            Err(CatalogError::Format(2))
        ));
        for date in ["2026-1-1", "yesterday!", "2026/11/21"] {
            assert!(
                changed(|list| list["date"] = json!(date)).is_err(),
                "{date}"
            );
        }
        let twice = changed(|list| list["models"][1] = list["models"][0].clone());
        assert!(twice.unwrap_err().to_string().contains("twice"));
        assert!(changed(|list| list["models"] = json!([])).is_err());
    }

    #[test]
    fn a_newer_sound_list_wins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.json");
        let own = Catalog::own().unwrap();
        let newest = || Catalog::newest(&path).unwrap();
        assert_eq!(newest().0, own);
        let list = |date: &str| OWN.replacen(&own.date, date, 1);
        std::fs::write(&path, list("2020-01-01")).unwrap();
        assert_eq!(newest().0.date, own.date);
        std::fs::write(&path, list("2999-01-01")).unwrap();
        assert_eq!(newest().0.date, "2999-01-01");
        std::fs::write(&path, "{").unwrap();
        let (kept, why) = newest();
        assert_eq!(kept.date, own.date);
        assert!(matches!(why, Some(CatalogError::Malformed(_))));
        std::fs::write(&path, " ".repeat(MAX_BYTES as usize + 1)).unwrap();
        assert!(matches!(newest().1, Some(CatalogError::TooLong)));
    }

    #[test]
    fn sizes_follow_from_bits() {
        let own = Catalog::own().unwrap();
        let llama = own
            .models
            .iter()
            .find(|m| m.name.contains("3.1 8B"))
            .unwrap();
        assert_eq!(
            llama.file_of("Q4_K_M"),
            "Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf"
        );
        // The real file has 4.92 GB.
        let bytes = llama.approximate_bytes("Q4_K_M") as f64;
        assert!((bytes / 4.92e9 - 1.0).abs() < 0.02, "{bytes}");
    }
}
