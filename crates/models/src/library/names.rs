//! Short names of models, made from file names.
//!
//! Apart from the library so that the rule is in one place and tested alone. It must not look at files.

use std::collections::HashSet;

/// Longest name in bytes: file names have at most 255.
const MAX_BYTES: usize = 128;

/// Lower-case letters, digits, `.`, `_` and `-`; anything else becomes one `-`.
pub(super) fn slug(stem: &str) -> String {
    let mut slug = String::new();
    for character in stem.chars() {
        if slug.len() >= MAX_BYTES {
            break;
        }
        match character.to_ascii_lowercase() {
            plain @ ('a'..='z' | '0'..='9' | '.' | '_') => slug.push(plain),
            _ if !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    // Dots and dashes at the ends would look like hidden files and options.
    let slug = slug.trim_matches(['-', '.']);
    if slug.is_empty() {
        "model".to_owned()
    } else {
        slug.to_owned()
    }
}

/// Names that are in use.
#[derive(Debug)]
pub(super) struct Taken(HashSet<String>);

impl Taken {
    pub(super) fn with<const N: usize>(names: [&str; N]) -> Self {
        Self(HashSet::from(names.map(str::to_owned)))
    }

    /// `name`, or the first of `name-2`, `name-3` … that is free.
    pub(super) fn take(&mut self, name: &str) -> String {
        let mut candidate = name.to_owned();
        let mut number = 1_usize;
        while !self.0.insert(candidate.clone()) {
            number += 1;
            candidate = format!("{name}-{number}");
        }
        candidate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs() {
        for (stem, expected) in [
            (
                "Llama-3.2-1B-Instruct-Q4_K_M",
                "llama-3.2-1b-instruct-q4_k_m",
            ),
            ("My model (copy)", "my-model-copy"),
            ("../../etc/passwd", "etc-passwd"),
            ("--help", "help"),
            ("Größe", "gr-e"),
            ("模型", "model"),
            ("", "model"),
        ] {
            assert_eq!(slug(stem), expected, "{stem}");
        }
        assert!(slug(&"x".repeat(1000)).len() <= MAX_BYTES);
    }

    #[test]
    fn names_are_unique() {
        let mut taken = Taken::with(["starter"]);
        let names = ["a", "a", "a-2", "a", "starter"].map(|name| taken.take(name));
        assert_eq!(names, ["a", "a-2", "a-2-2", "a-3", "starter-2"]);
    }
}
