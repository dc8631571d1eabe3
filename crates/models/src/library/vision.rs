//! Which vision part goes with which model, by where they lie and what they are called.
//!
//! Apart from the library so that the rule is in one place and tested alone. It must not look at files.

use std::path::{Path, PathBuf};

use super::scan::FoundFile;

/// The vision part of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projector {
    /// Where it lies. For the program only: never shown over an API.
    pub path: PathBuf,
    pub size_bytes: u64,
}

/// Number formats, the one to be preferred first: what a picture becomes is small, so little is gained by fewer bits.
const FORMATS: [&str; 5] = ["f16", "bf16", "q8_0", "f32", "fp16"];

/// The vision part for a model. In a folder of its own a model takes the one that lies there; among all models (in `root`) it takes
/// the one whose name, without `mmproj` and the number format, begins like its own.
pub(super) fn projector_for(
    model: &FoundFile,
    projectors: &[FoundFile],
    root: &Path,
) -> Option<Projector> {
    let folder = model.path.parent();
    let beside = projectors.iter().filter(|p| p.path.parent() == folder);
    let fitting = beside.filter(|p| folder != Some(root) || is_named_after(&p.stem, &model.stem));
    let best = fitting.min_by_key(|p| {
        let words = words(&p.stem);
        let format = FORMATS.iter().position(|f| words.iter().any(|w| w == f));
        (format.unwrap_or(FORMATS.len()), &p.path)
    })?;
    Some(Projector {
        path: best.path.clone(),
        size_bytes: best.size_bytes,
    })
}

fn is_named_after(projector: &str, model: &str) -> bool {
    let is_name = |word: &String| word != "mmproj" && !FORMATS.contains(&word.as_str());
    let name: Vec<String> = words(projector).into_iter().filter(is_name).collect();
    !name.is_empty() && words(model).starts_with(&name)
}

fn words(stem: &str) -> Vec<String> {
    stem.split(['-', '.', ' '])
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> FoundFile {
        let path = PathBuf::from(path);
        FoundFile {
            stem: path.file_stem().unwrap().to_string_lossy().into_owned(),
            parts: vec![path.clone()],
            path,
            size_bytes: 1,
            modified: None,
            sha256: None,
        }
    }

    #[test]
    fn a_vision_part_goes_with_what_it_lies_beside_or_is_named_after() {
        let projectors = [
            "/m/mmproj-gemma-3-4b-it-f32.gguf",
            "/m/mmproj-gemma-3-4b-it-F16.gguf",
            "/m/mmproj-model-f16.gguf",
            "/m/qwen/mmproj-BF16.gguf",
        ]
        .map(file);
        for (model, expected) in [
            (
                "/m/gemma-3-4b-it-Q4_K_M.gguf",
                Some("/m/mmproj-gemma-3-4b-it-F16.gguf"),
            ),
            ("/m/gemma-3-12b-it-Q4_K_M.gguf", None),
            ("/m/gemma.gguf", None),
            (
                "/m/qwen/Qwen2-VL-2B-Q8_0.gguf",
                Some("/m/qwen/mmproj-BF16.gguf"),
            ),
            ("/m/other/Qwen2-VL-2B-Q8_0.gguf", None),
        ] {
            let found = projector_for(&file(model), &projectors, Path::new("/m"));
            let found = found.map(|p| p.path);
            assert_eq!(found, expected.map(PathBuf::from), "{model}");
        }
    }
}
