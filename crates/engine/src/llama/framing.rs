//! The special tokens that a model wants round a text.
//!
//! Found out by asking the tokeniser, because the flags that say it differ from one kind of vocabulary to the next.

use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;

use super::word_piece::{WORD_PIECE, tokenizer};
use crate::backend::Token;
use crate::embed::encoder::Framing;

/// A template for reranking has these in it, in this order.
const QUERY: &str = "{query}";
const DOCUMENT: &str = "{document}";
/// The framing of texts, or of pairs of query and document when `pairs`.
pub(super) fn of(model: &LlamaModel, pairs: bool) -> Framing {
    let single = single(model);
    if !pairs {
        return single;
    }
    // Not `chat_template`: in this version of the binding a name given to it is freed before it is read.
    let template = model.meta_val_str("tokenizer.chat_template.rerank").ok();
    let template = template.as_deref().and_then(parts);
    if let Some([before, between, after]) = template {
        return Framing {
            before: [single.before, tokens(model, before, false)].concat(),
            between: tokens(model, between, false),
            after: tokens(model, after, false),
        };
    }
    let vocab = model.vocab();
    let mut between = single.after.clone();
    // RoBERTa and its kind close the first text and open the second with the same token. WordPiece has the one in `after`.
    if vocab.should_add_sep() && tokenizer(model) != WORD_PIECE && vocab.sep().0 >= 0 {
        between.push(vocab.sep().0);
    }
    Framing { between, ..single }
}

/// What the tokeniser puts before and after a text.
fn single(model: &LlamaModel) -> Framing {
    let (framed, bare) = (tokens(model, "a", true), tokens(model, "a", false));
    let at = framed
        .windows(bare.len().max(1))
        .position(|window| window == bare);
    let Some(at) = at else {
        return Framing::default();
    };
    Framing {
        before: framed[..at].to_vec(),
        between: Vec::new(),
        after: framed[at + bare.len()..].to_vec(),
    }
}

fn tokens(model: &LlamaModel, text: &str, framed: bool) -> Vec<Token> {
    let tokens = model.vocab().tokenize(text.as_bytes(), framed, true);
    tokens.into_iter().map(|LlamaToken(token)| token).collect()
}

/// What stands before, between and after the two texts of a template for reranking.
fn parts(template: &str) -> Option<[&str; 3]> {
    let (before, rest) = template.split_once(QUERY)?;
    let (between, after) = rest.split_once(DOCUMENT)?;
    Some([before, between, after])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_taken_apart() {
        let template = "<q>{query}</q><d>{document}</d>";
        assert_eq!(parts(template), Some(["<q>", "</q><d>", "</d>"]));
        assert_eq!(parts("{document} {query}"), None);
    }
}
