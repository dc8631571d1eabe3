//! From GBNF nodes to Lark rules.
//!
//! GBNF has no lexer: every way to read a text counts. llguidance cuts text into lexemes first, each as long as possible. Both
//! agree when every lexeme is one character, but that is slow where thousands of tokens fit, inside a string for instance. So
//! [`super::lexemes`] finds the parts that may be one lexeme without changing the language, and the rest goes by characters.

use super::lexemes;
use super::{Grammar, Id, Node};

/// The Lark rule that stands for the whole grammar.
pub const ROOT: &str = "gbnf";

/// The rules, one a line, of which [`ROOT`] is the first.
pub fn to_lark(grammar: &Grammar) -> Vec<String> {
    let whole = lexemes::find(grammar);
    let mut lines = vec![format!("{ROOT}: {}", name(&whole, grammar.rules[grammar.root]))];
    // As rules where the parser has to see inside, as terminals inside a lexeme; a node may be both.
    let mut left = vec![(grammar.rules[grammar.root], false)];
    let mut done = vec![[false; 2]; grammar.nodes.len()];
    while let Some((id, inside)) = left.pop() {
        let inside = inside || whole[id];
        if std::mem::replace(&mut done[id][usize::from(inside)], true) {
            continue;
        }
        let name_of = |id: Id| {
            if inside {
                terminal(id)
            } else {
                name(&whole, id)
            }
        };
        let (body, parts) = body(grammar, id, &name_of);
        lines.push(format!("{}: {body}", name_of(id)));
        left.extend(parts.into_iter().map(|part| (part, inside)));
    }
    lines
}

/// The name of a node where the parser sees it.
fn name(whole: &[bool], id: Id) -> String {
    if whole[id] { terminal(id) } else { format!("n{id}") }
}

/// Lark tells terminals from rules by their capitals.
fn terminal(id: Id) -> String {
    format!("N{id}")
}

/// What a node is made of, in Lark, and the nodes it names.
fn body(grammar: &Grammar, id: Id, name: &dyn Fn(Id) -> String) -> (String, Vec<Id>) {
    match &grammar.nodes[id] {
        Node::Char(chars) => (format!("/{}/", chars.to_regex()), Vec::new()),
        Node::Rule(rule) => {
            let node = grammar.rules[*rule];
            (name(node), vec![node])
        }
        Node::Sequence(items) if items.is_empty() => ("\"\"".into(), Vec::new()),
        Node::Sequence(items) => {
            let names: Vec<String> = items.iter().map(|i| name(*i)).collect();
            (names.join(" "), items.clone())
        }
        Node::Choice(branches) => {
            let names: Vec<String> = branches.iter().map(|i| name(*i)).collect();
            (names.join(" | "), branches.clone())
        }
        Node::Repeat { most: Some(0), .. } => ("\"\"".into(), Vec::new()),
        Node::Repeat { node, least, most } => {
            let name = name(*node);
            let text = match (least, most) {
                (0, None) => format!("{name}*"),
                (1, None) => format!("{name}+"),
                (0, Some(1)) => format!("{name}?"),
                (least, None) => format!("{name}{{{least},}}"),
                (least, Some(most)) => format!("{name}{{{least},{most}}}"),
            };
            (text, vec![*node])
        }
    }
}
