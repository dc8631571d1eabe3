//! Finds the parts of a grammar that may be read as one lexeme.
//!
//! A part without recursion can be one regular expression. The lexer takes as much as it can, so this changes nothing only if
//! no text that is complete in part A can be continued, in a part B that the lexer may be reading at the same time, by a
//! character that may also follow A. Parts for which this cannot be shown are taken apart, in the worst case down to characters.
//! The sets used are those of the theory of parsers: FIRST and FOLLOW, here of characters, and the positions of Glushkov (1961).

use std::collections::{BTreeSet, HashSet};

use super::chars::Chars;
use super::{Grammar, Id, Node};

/// Grammars with more nodes go by characters: the sets would take too long.
const MAX_ANALYSED: usize = 3_000;
/// Most characters of a part, repetitions written out.
const MAX_POSITIONS: usize = 160;
/// Most parts that are compared with each other.
const MAX_PARTS: usize = 200;
/// Deepest nesting inside a part.
const MAX_DEPTH: usize = 100;

/// For each node whether it is one lexeme where the parser meets it; the empty text is left to the parser.
pub fn find(grammar: &Grammar) -> Vec<bool> {
    let is_char = |n: &Node| matches!(n, Node::Char(_));
    let single: Vec<bool> = grammar.nodes.iter().map(is_char).collect();
    if grammar.nodes.len() > MAX_ANALYSED {
        return single;
    }
    let sets = Sets::of(grammar);
    let mut whole = regular(grammar);
    let mut known: Vec<Option<Positions>> = vec![None; grammar.nodes.len()];
    loop {
        let parts = reachable_parts(grammar, &whole);
        if parts.len() > MAX_PARTS {
            return single;
        }
        let mut apart: HashSet<Id> = HashSet::new();
        for part in &parts {
            if known[*part].is_none() {
                known[*part] = Positions::of(grammar, *part);
            }
            // A lexeme holds at least one character, and its positions must be known.
            if known[*part].is_none() || sets.first[*part].is_empty() {
                apart.insert(*part);
            }
        }
        if apart.is_empty() {
            apart = swallowing(&parts, &known, &sets, &follow(grammar, &sets, &whole));
        }
        if apart.is_empty() {
            return whole;
        }
        for part in apart {
            whole[part] = false;
        }
    }
}

/// The parts that may swallow what should follow another part, or themselves.
fn swallowing(
    parts: &BTreeSet<Id>,
    known: &[Option<Positions>],
    sets: &Sets,
    follow: &[Chars],
) -> HashSet<Id> {
    let mut found = HashSet::new();
    for a in parts {
        for b in parts {
            if let (Some(x), Some(y)) = (&known[*a], &known[*b])
                && sets.first[*a].meets(&sets.first[*b])
                && runs_on(x, y).meets(&follow[*a])
            {
                found.insert(*b);
            }
        }
    }
    found
}

/// The nodes that do not recurse.
fn regular(grammar: &Grammar) -> Vec<bool> {
    least(grammar.nodes.len(), |id, regular: &[bool]| {
        match &grammar.nodes[id] {
            Node::Char(_) => true,
            Node::Sequence(items) | Node::Choice(items) => items.iter().all(|i| regular[*i]),
            Node::Repeat { node, .. } => regular[*node],
            Node::Rule(rule) => regular[grammar.rules[*rule]],
        }
    })
}

/// The least solution of equations over truth values.
fn least(count: usize, holds: impl Fn(Id, &[bool]) -> bool) -> Vec<bool> {
    let mut found = vec![false; count];
    loop {
        let mut changed = false;
        // Most nodes come after their parts, so few rounds are needed.
        for id in 0..count {
            if !found[id] && holds(id, &found) {
                found[id] = true;
                changed = true;
            }
        }
        if !changed {
            return found;
        }
    }
}

/// The lexemes that the parser meets, given what is whole.
fn reachable_parts(grammar: &Grammar, whole: &[bool]) -> BTreeSet<Id> {
    let mut parts = BTreeSet::new();
    let mut seen = vec![false; grammar.nodes.len()];
    let mut left = vec![grammar.rules[grammar.root]];
    while let Some(id) = left.pop() {
        if std::mem::replace(&mut seen[id], true) {
            continue;
        }
        if whole[id] {
            parts.insert(id);
            continue;
        }
        match &grammar.nodes[id] {
            Node::Char(_) => {}
            Node::Sequence(items) | Node::Choice(items) => left.extend(items),
            Node::Repeat { node, .. } => left.push(*node),
            Node::Rule(rule) => left.push(grammar.rules[*rule]),
        }
    }
    parts
}

/// The nodes that may stand for the empty text.
pub(super) fn empty(grammar: &Grammar) -> Vec<bool> {
    least(grammar.nodes.len(), |id, empty: &[bool]| {
        match &grammar.nodes[id] {
            Node::Char(_) => false,
            Node::Sequence(items) => items.iter().all(|i| empty[*i]),
            Node::Choice(items) => items.iter().any(|i| empty[*i]),
            Node::Repeat { node, least, most } => *least == 0 || *most == Some(0) || empty[*node],
            Node::Rule(rule) => empty[grammar.rules[*rule]],
        }
    })
}

/// What each node may begin with, and whether it may be empty.
struct Sets {
    empty: Vec<bool>,
    first: Vec<Chars>,
}

impl Sets {
    fn of(grammar: &Grammar) -> Self {
        let empty = empty(grammar);
        let mut first = vec![Chars::default(); grammar.nodes.len()];
        let mut changed = true;
        while std::mem::take(&mut changed) {
            for id in 0..grammar.nodes.len() {
                let mut set = std::mem::take(&mut first[id]);
                match &grammar.nodes[id] {
                    Node::Char(chars) => changed |= set.extend(chars),
                    Node::Choice(items) => {
                        for item in items {
                            changed |= set.extend(&first[*item]);
                        }
                    }
                    Node::Sequence(items) => {
                        for item in items {
                            changed |= set.extend(&first[*item]);
                            if !empty[*item] {
                                break;
                            }
                        }
                    }
                    Node::Repeat { node, .. } => changed |= set.extend(&first[*node]),
                    Node::Rule(rule) => changed |= set.extend(&first[grammar.rules[*rule]]),
                }
                first[id] = set;
            }
        }
        Self { empty, first }
    }
}

/// What may follow each node where the parser meets it.
fn follow(grammar: &Grammar, sets: &Sets, whole: &[bool]) -> Vec<Chars> {
    let mut follow = vec![Chars::default(); grammar.nodes.len()];
    let mut changed = true;
    while std::mem::take(&mut changed) {
        for id in (0..grammar.nodes.len()).filter(|id| !whole[*id]) {
            let after = follow[id].clone();
            match &grammar.nodes[id] {
                Node::Char(_) => {}
                Node::Choice(items) => {
                    for item in items {
                        changed |= follow[*item].extend(&after);
                    }
                }
                Node::Sequence(items) => {
                    let mut after = after;
                    for item in items.iter().rev() {
                        changed |= follow[*item].extend(&after);
                        if !sets.empty[*item] {
                            after = Chars::default();
                        }
                        after.extend(&sets.first[*item]);
                    }
                }
                Node::Repeat { node, .. } => {
                    changed |= follow[*node].extend(&after);
                    let again = sets.first[*node].clone();
                    changed |= follow[*node].extend(&again);
                }
                Node::Rule(rule) => changed |= follow[grammar.rules[*rule]].extend(&after),
            }
        }
    }
    follow
}

/// The characters of a regular part as places in it: where it begins, what comes after each, where it may end.
#[derive(Clone)]
struct Positions {
    chars: Vec<Chars>,
    after: Vec<Vec<usize>>,
    begin: Vec<usize>,
    end: Vec<usize>,
}

/// A stretch of positions while they are put together.
struct Stretch {
    begin: Vec<usize>,
    end: Vec<usize>,
    empty: bool,
}

impl Positions {
    /// `None` when the part is too large.
    fn of(grammar: &Grammar, id: Id) -> Option<Self> {
        let mut positions = Self {
            chars: Vec::new(),
            after: Vec::new(),
            begin: Vec::new(),
            end: Vec::new(),
        };
        let stretch = positions.add(grammar, id, 0)?;
        positions.begin = stretch.begin;
        positions.end = stretch.end;
        Some(positions)
    }

    fn add(&mut self, grammar: &Grammar, id: Id, depth: usize) -> Option<Stretch> {
        if depth > MAX_DEPTH {
            return None;
        }
        match &grammar.nodes[id] {
            Node::Char(chars) => {
                if self.chars.len() == MAX_POSITIONS {
                    return None;
                }
                self.chars.push(chars.clone());
                self.after.push(Vec::new());
                let at = vec![self.chars.len() - 1];
                Some(Stretch {
                    begin: at.clone(),
                    end: at,
                    empty: false,
                })
            }
            Node::Sequence(items) => {
                let mut whole = Stretch::nothing();
                for item in items {
                    let next = self.add(grammar, *item, depth + 1)?;
                    whole = self.join(whole, next);
                }
                Some(whole)
            }
            Node::Choice(items) => {
                let mut all = Stretch {
                    empty: false,
                    ..Stretch::nothing()
                };
                for item in items {
                    let next = self.add(grammar, *item, depth + 1)?;
                    all.begin.extend(next.begin);
                    all.end.extend(next.end);
                    all.empty |= next.empty;
                }
                Some(all)
            }
            Node::Repeat { node, least, most } => self.repeat(grammar, *node, *least, *most, depth),
            Node::Rule(rule) => self.add(grammar, grammar.rules[*rule], depth + 1),
        }
    }

    fn repeat(
        &mut self,
        grammar: &Grammar,
        node: Id,
        least: u32,
        most: Option<u32>,
        depth: usize,
    ) -> Option<Stretch> {
        let mut whole = Stretch::nothing();
        let copies = most.unwrap_or(least.max(1));
        for copy in 0..copies {
            let mut next = self.add(grammar, node, depth + 1)?;
            // The last copy of an endless repetition leads back to itself.
            if most.is_none() && copy + 1 == copies {
                self.connect(&next.end, &next.begin);
            }
            next.empty |= copy >= least;
            whole = self.join(whole, next);
            if self.chars.is_empty() {
                // Copies of nothing are nothing.
                break;
            }
        }
        Some(whole)
    }

    fn join(&mut self, first: Stretch, second: Stretch) -> Stretch {
        self.connect(&first.end, &second.begin);
        let mut begin = first.begin;
        if first.empty {
            begin.extend(&second.begin);
        }
        let mut end = second.end;
        if second.empty {
            end.extend(&first.end);
        }
        Stretch {
            begin,
            end,
            empty: first.empty && second.empty,
        }
    }

    fn connect(&mut self, from: &[usize], to: &[usize]) {
        for at in from {
            self.after[*at].extend(to);
        }
    }
}

impl Stretch {
    fn nothing() -> Self {
        Self {
            begin: Vec::new(),
            end: Vec::new(),
            empty: true,
        }
    }
}

/// The characters by which a text that is complete in `a` goes on in `b`.
fn runs_on(a: &Positions, b: &Positions) -> Chars {
    let mut found = Chars::default();
    let mut seen: HashSet<(usize, usize)> = HashSet::new();
    let mut left: Vec<(usize, usize)> = pairs(&a.begin, &b.begin).collect();
    while let Some((i, j)) = left.pop() {
        if !a.chars[i].meets(&b.chars[j]) || !seen.insert((i, j)) {
            continue;
        }
        if a.end.contains(&i) {
            for next in &b.after[j] {
                found.extend(&b.chars[*next]);
            }
        }
        left.extend(pairs(&a.after[i], &b.after[j]).filter(|p| !seen.contains(p)));
    }
    found
}

fn pairs<'p>(a: &'p [usize], b: &'p [usize]) -> impl Iterator<Item = (usize, usize)> + 'p {
    a.iter().flat_map(move |i| b.iter().map(move |j| (*i, *j)))
}
