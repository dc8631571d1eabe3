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
    with_lexemes(grammar, &lexemes::find(grammar))
}

/// The rules when the nodes marked in `whole` are one lexeme each.
pub(super) fn with_lexemes(grammar: &Grammar, whole: &[bool]) -> Vec<String> {
    let empty = lexemes::empty(grammar);
    let start = grammar.rules[grammar.root];
    let mut lines = vec![format!("{ROOT}: {}", rule(start))];
    // As a rule where the parser has to see inside, as a terminal inside a lexeme; a node may be both.
    let mut left = vec![(start, false)];
    let mut done = vec![[false; 2]; grammar.nodes.len()];
    while let Some((id, inside)) = left.pop() {
        if std::mem::replace(&mut done[id][usize::from(inside)], true) {
            continue;
        }
        if whole[id] && !inside {
            // A lexeme of no characters would not be one, so the empty text is the parser's business.
            if empty[id] {
                lines.push(format!("{}: T{id}?", rule(id)));
                lines.push(format!("T{id}: {} & /(?s:.+)/", terminal(id)));
            } else {
                lines.push(format!("{}: {}", rule(id), terminal(id)));
            }
            left.push((id, true));
            continue;
        }
        let name = if inside { terminal } else { rule };
        let (body, parts) = body(grammar, id, &name);
        lines.push(format!("{}: {body}", name(id)));
        left.extend(parts.into_iter().map(|part| (part, inside)));
    }
    lines
}

/// The name of a node where the parser sees it. Lark tells terminals from rules by their capitals.
fn rule(id: Id) -> String {
    format!("n{id}")
}

/// The name of a node inside a lexeme.
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
