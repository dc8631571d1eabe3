//! Finds the parts of a grammar that may be read as one lexeme.

use super::{Grammar, Node};

/// For each node whether it is one lexeme where the parser meets it.
pub fn find(grammar: &Grammar) -> Vec<bool> {
    grammar
        .nodes
        .iter()
        .map(|n| matches!(n, Node::Char(_)))
        .collect()
}
