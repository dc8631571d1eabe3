//! Reads llama.cpp's grammar notation, GBNF, within bounds.
//!
//! llama.cpp has its own engine for it, which is not used: its stacks grow exponentially with ambiguous grammars, and a hostile
//! one ends or hangs the process. Here the grammar becomes a flat list of nodes (nothing below recurses over what a stranger
//! wrote, except groups, whose depth is limited), and [`lark`] turns it into a form for llguidance, which has limits on every step.

pub mod chars;
pub mod lark;
mod lexemes;
mod parse;

pub use lark::{ROOT, to_lark};
pub use parse::parse;

use chars::Chars;

/// Deepest nesting of groups.
pub const MAX_GROUPS: usize = 64;
/// Largest number of a repetition; the limit of llama.cpp.
pub const MAX_REPEAT: u32 = 2000;
/// Most nodes of a grammar; llguidance's own limit is in the same range.
pub const MAX_NODES: usize = 50_000;

/// Index of a node in [`Grammar::nodes`].
pub type Id = usize;

/// A piece of a grammar.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// One character out of a set.
    Char(Chars),
    /// One after the other; empty is the empty text.
    Sequence(Vec<Id>),
    /// One of several.
    Choice(Vec<Id>),
    /// `least` to `most` times; `None` is without end.
    Repeat {
        node: Id,
        least: u32,
        most: Option<u32>,
    },
    /// The rule with this index in [`Grammar::rules`].
    Rule(usize),
}

/// A grammar, all names resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Grammar {
    pub nodes: Vec<Node>,
    /// The node that each rule stands for.
    pub rules: Vec<Id>,
    /// The rule to begin with.
    pub root: usize,
}

#[cfg(test)]
mod tests;
