//! What the reference WordPiece tokeniser (BERT's, as in Hugging Face's `tokenizers`) does to a text and llama.cpp does not.
//!
//! Without it, vectors of Korean, Hindi and of texts with very long words are not those that the model was trained to give.

use std::borrow::Cow;

use icu_normalizer::DecomposingNormalizer;
use icu_properties::CodePointMapData;
use icu_properties::props::GeneralCategory;
use llama_cpp_2::model::LlamaModel;

/// Longer words are unknown to the reference WordPiece tokenisers, in characters (`max_input_chars_per_word`).
const MAX_WORD: usize = 100;
/// Stands for a word that is unknown: a cuneiform letter, in no WordPiece vocabulary, and neither a control character nor punctuation.
const UNKNOWN_WORD: char = '\u{12000}';

/// Written by `scripts/make-embedder` next to a key that keeps llama.cpp from removing accents, because it removes all marks where the
/// reference removes only those that take no room: in Indian scripts the others are vowels.
const STRIP_KEY: &str = "hearth.normalizer.strip_nonspacing";

/// What [`tokenizer`] gives for BERT and its kind.
pub(super) const WORD_PIECE: &str = "bert";

/// The kind of vocabulary as the file names it; empty when it does not. Not `vocab_type`: this version of the binding panics for all
/// kinds but two.
pub(super) fn tokenizer(model: &LlamaModel) -> String {
    model
        .meta_val_str("tokenizer.ggml.model")
        .unwrap_or_default()
}

/// How texts are changed before llama.cpp gets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Normalizer {
    /// Not at all: another kind of vocabulary.
    None,
    /// Only long words, in models that tell letters with and without accents apart.
    Words,
    /// Accents are taken off their letters; llama.cpp removes them. It does the same itself, but not for Korean.
    Decompose,
    /// Accents are removed here.
    Strip,
}

impl Normalizer {
    pub(super) fn of(model: &LlamaModel) -> Self {
        let key = |name: &str| model.meta_val_str(name).ok();
        let lowercase = key("tokenizer.ggml.normalizer.lowercase").is_none_or(|v| v == "true");
        // What llama.cpp takes when a file does not say.
        let strips =
            key("tokenizer.ggml.normalizer.strip_accents").map_or(lowercase, |v| v == "true");
        if tokenizer(model) != WORD_PIECE {
            Self::None
        } else if key(STRIP_KEY).is_some_and(|v| v == "true") {
            Self::Strip
        } else if strips {
            Self::Decompose
        } else {
            Self::Words
        }
    }

    pub(super) fn apply(self, text: &str) -> Cow<'_, str> {
        let decomposed = || DecomposingNormalizer::new_nfd().normalize(text);
        match self {
            Self::None => text.into(),
            Self::Words => cap_words(text),
            Self::Decompose | Self::Strip if text.is_ascii() => cap_words(text),
            Self::Decompose => cap_words(&decomposed()).into_owned().into(),
            Self::Strip => {
                let bare: String = decomposed()
                    .chars()
                    .filter(|c| !is_nonspacing(*c))
                    .collect();
                cap_words(&bare).into_owned().into()
            }
        }
    }
}

fn is_nonspacing(character: char) -> bool {
    CodePointMapData::<GeneralCategory>::new().get(character) == GeneralCategory::NonspacingMark
}

/// Makes words unknown that are too long for the reference tokeniser; llama.cpp has no such limit and would spell them out.
///
/// Looks at ASCII letters and digits only: a run of them has no place where the tokeniser would end a word, whatever its language.
fn cap_words(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut out = String::new();
    let (mut copied, mut start) = (0, 0);
    for at in 0..=bytes.len() {
        if bytes.get(at).is_some_and(u8::is_ascii_alphanumeric) {
            continue;
        }
        if at - start > MAX_WORD {
            out.push_str(&text[copied..start]);
            out.push(UNKNOWN_WORD);
            copied = at;
        }
        start = at + 1;
    }
    if copied == 0 {
        return text.into();
    }
    out.push_str(&text[copied..]);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_too_long_words_become_unknown() {
        let fits = "a".repeat(MAX_WORD);
        assert!(matches!(cap_words(&fits), Cow::Borrowed(text) if text == fits));
        let long = "b".repeat(MAX_WORD + 1);
        assert_eq!(
            cap_words(&format!("{fits}-{long} é{long}. {fits}")),
            format!("{fits}-{UNKNOWN_WORD} é{UNKNOWN_WORD}. {fits}")
        );
        assert_eq!(cap_words(&long), UNKNOWN_WORD.to_string());
        assert_eq!(cap_words(""), "");
    }

    #[test]
    fn marks_are_removed_as_the_reference_does() {
        let strip = |text| Normalizer::Strip.apply(text).into_owned();
        assert_eq!(strip("na\u{ef}ve \u{c5}ngstr\u{f6}m"), "naive Angstrom");
        // A Korean syllable becomes its letters.
        assert_eq!(strip("\u{d55c}"), "\u{1112}\u{1161}\u{11ab}");
        // The vowel sign I (a spacing mark) stays, the vowel sign U (a non-spacing one) goes.
        assert_eq!(strip("\u{926}\u{941}\u{93f}"), "\u{926}\u{93f}");
        assert_eq!(Normalizer::Decompose.apply("\u{e9}"), "e\u{301}");
        assert_eq!(Normalizer::Words.apply("\u{e9}"), "\u{e9}");
        assert_eq!(Normalizer::None.apply(&"a".repeat(200)).len(), 200);
    }
}
