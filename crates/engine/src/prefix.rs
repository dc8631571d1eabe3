//! Which sequence of the KV cache holds which tokens: a radix tree, so that a prompt finds the longest beginning that any sequence
//! has computed, and so that shared positions are counted once.
//!
//! Plain bookkeeping: it moves no KV entries and knows neither requests nor the model.

use crate::backend::{Sequence, Token};

/// Most sequences that a tree follows: one bit each.
pub const MAX_SEQUENCES: u32 = 64;

const ROOT: usize = 0;

/// A run of tokens and who holds it. A sequence ends at the end of a node, never inside one.
#[derive(Debug, Clone, Default)]
struct Node {
    parent: usize,
    tokens: Vec<Token>,
    children: Vec<usize>,
    /// Bit `n` is set when sequence `n` goes through here.
    holders: u64,
}

/// See the module text.
#[derive(Debug, Clone)]
pub struct Tree {
    nodes: Vec<Node>,
    unused: Vec<usize>,
    /// The node at which each sequence ends.
    ends: Vec<usize>,
    lengths: Vec<usize>,
}

impl Tree {
    /// A tree of empty sequences; `sequences` is at most [`MAX_SEQUENCES`].
    pub fn new(sequences: u32) -> Self {
        let count = sequences.min(MAX_SEQUENCES) as usize;
        Self {
            nodes: vec![Node::default()],
            unused: Vec::new(),
            ends: vec![ROOT; count],
            lengths: vec![0; count],
        }
    }

    /// How many sequences there are.
    pub fn sequences(&self) -> u32 {
        self.ends.len() as u32
    }

    /// How many tokens a sequence holds.
    pub fn length(&self, sequence: Sequence) -> usize {
        self.lengths[sequence as usize]
    }

    /// How many positions are held by any of the sequences in `mask` (bit `n` is sequence `n`), shared ones counted once.
    pub fn cells(&self, mask: u64) -> usize {
        let held = self.nodes.iter().filter(|n| n.holders & mask != 0);
        held.map(|n| n.tokens.len()).sum()
    }

    /// How many tokens at the end of a sequence nobody else holds.
    pub fn exclusive(&self, sequence: Sequence) -> usize {
        let mut node = self.ends[sequence as usize];
        let mut count = 0;
        while node != ROOT && self.nodes[node].holders == bit(sequence) {
            count += self.nodes[node].tokens.len();
            node = self.nodes[node].parent;
        }
        count
    }

    /// The length of the longest beginning of `tokens` that a sequence holds, and such a sequence.
    pub fn longest(&self, tokens: &[Token]) -> (usize, Option<Sequence>) {
        let (mut node, mut length, mut holder) = (ROOT, 0, None);
        while let Some(child) = self.child(node, tokens.get(length).copied()) {
            let run = &self.nodes[child];
            let same = common(&run.tokens, &tokens[length..]);
            length += same;
            holder = Some(run.holders.trailing_zeros());
            if same < run.tokens.len() {
                break;
            }
            node = child;
        }
        (length, holder)
    }

    /// The tokens of a sequence.
    pub fn tokens(&self, sequence: Sequence) -> Vec<Token> {
        let mut path = Vec::new();
        let mut node = self.ends[sequence as usize];
        while node != ROOT {
            path.push(node);
            node = self.nodes[node].parent;
        }
        let runs = path.iter().rev().map(|n| &self.nodes[*n].tokens);
        runs.flatten().copied().collect()
    }

    /// Appends tokens to a sequence.
    pub fn extend(&mut self, sequence: Sequence, tokens: &[Token]) {
        let mut rest = tokens;
        self.lengths[sequence as usize] += tokens.len();
        while !rest.is_empty() {
            let end = self.ends[sequence as usize];
            let alone = end != ROOT
                && self.nodes[end].holders == bit(sequence)
                && self.nodes[end].children.is_empty();
            if alone {
                self.nodes[end].tokens.extend_from_slice(rest);
                return;
            }
            let next = match self.child(end, rest.first().copied()) {
                Some(child) => {
                    let same = common(&self.nodes[child].tokens, rest);
                    self.split(child, same);
                    child
                }
                None => self.add(end, rest.to_vec()),
            };
            self.nodes[next].holders |= bit(sequence);
            self.ends[sequence as usize] = next;
            rest = &rest[self.nodes[next].tokens.len()..];
        }
    }

    /// Cuts a sequence after `length` tokens.
    pub fn truncate(&mut self, sequence: Sequence, length: usize) {
        while self.lengths[sequence as usize] > length {
            let end = self.ends[sequence as usize];
            let begin = self.lengths[sequence as usize] - self.nodes[end].tokens.len();
            if begin < length {
                self.split(end, length - begin);
                // The upper part kept the index, so that others that end below still do.
                let lower = self.nodes[end].children[0];
                self.leave(lower, sequence);
                self.ends[sequence as usize] = end;
                self.lengths[sequence as usize] = length;
                return;
            }
            self.ends[sequence as usize] = self.nodes[end].parent;
            self.lengths[sequence as usize] = begin;
            self.leave(end, sequence);
        }
    }

    /// Lets the empty sequence `to` hold the first `length` tokens of `from`.
    pub fn copy(&mut self, from: Sequence, to: Sequence, length: usize) {
        debug_assert_eq!(self.length(to), 0);
        let mut path = Vec::new();
        let mut node = self.ends[from as usize];
        while node != ROOT {
            path.push(node);
            node = self.nodes[node].parent;
        }
        let mut held = 0;
        for node in path.into_iter().rev() {
            if held == length {
                break;
            }
            let take = self.nodes[node].tokens.len().min(length - held);
            self.split(node, take);
            self.nodes[node].holders |= bit(to);
            self.ends[to as usize] = node;
            held += take;
        }
        self.lengths[to as usize] = held;
    }

    /// Makes `node` end after `length` tokens; what follows goes to a new child.
    fn split(&mut self, node: usize, length: usize) {
        if length == self.nodes[node].tokens.len() {
            return;
        }
        let tail = self.nodes[node].tokens.split_off(length);
        let lower = self.unused.pop().unwrap_or_else(|| {
            self.nodes.push(Node::default());
            self.nodes.len() - 1
        });
        let children = std::mem::replace(&mut self.nodes[node].children, vec![lower]);
        for child in &children {
            self.nodes[*child].parent = lower;
        }
        self.nodes[lower] = Node {
            parent: node,
            tokens: tail,
            children,
            holders: self.nodes[node].holders,
        };
        for end in self.ends.iter_mut().filter(|end| **end == node) {
            *end = lower;
        }
    }

    fn add(&mut self, parent: usize, tokens: Vec<Token>) -> usize {
        let node = self.unused.pop().unwrap_or_else(|| {
            self.nodes.push(Node::default());
            self.nodes.len() - 1
        });
        self.nodes[node] = Node {
            parent,
            tokens,
            children: Vec::new(),
            holders: 0,
        };
        self.nodes[parent].children.push(node);
        node
    }

    /// Takes a holder off a node, and the node out of the tree when nobody is left. A holder of a child holds its parent too, so
    /// such a node has no children.
    fn leave(&mut self, node: usize, sequence: Sequence) {
        self.nodes[node].holders &= !bit(sequence);
        if self.nodes[node].holders == 0 {
            let parent = self.nodes[node].parent;
            self.nodes[parent].children.retain(|c| *c != node);
            self.nodes[node] = Node::default();
            self.unused.push(node);
        }
    }

    fn child(&self, node: usize, first: Option<Token>) -> Option<usize> {
        let first = first?;
        let mut children = self.nodes[node].children.iter().copied();
        children.find(|c| self.nodes[*c].tokens.first() == Some(&first))
    }
}

/// The mask of one sequence.
pub fn bit(sequence: Sequence) -> u64 {
    1 << sequence
}

/// How many tokens two texts begin with in common.
pub fn common(a: &[Token], b: &[Token]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn finds_the_longest_beginning_of_any_sequence() {
        let mut tree = Tree::new(4);
        tree.extend(0, &[1, 2, 3, 4]);
        tree.extend(1, &[1, 2, 9]);
        assert_eq!(tree.longest(&[1, 2, 9, 9]), (3, Some(1)));
        assert_eq!(tree.longest(&[1, 2, 3, 7]), (3, Some(0)));
        assert_eq!(tree.longest(&[7]), (0, None));
        tree.truncate(0, 1);
        assert_eq!(tree.longest(&[1, 2, 3, 4]).0, 2);
        assert_eq!((tree.cells(u64::MAX), tree.exclusive(1)), (3, 2));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Extend(Sequence, Vec<Token>),
        Truncate(Sequence, usize),
        Copy(Sequence, Sequence, usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let sequence = 0..5u32;
        prop_oneof![
            (sequence.clone(), prop::collection::vec(0..3, 0..6))
                .prop_map(|(s, t)| Step::Extend(s, t)),
            (sequence.clone(), 0..12usize).prop_map(|(s, n)| Step::Truncate(s, n)),
            (sequence.clone(), sequence, 0..12usize).prop_map(|(a, b, n)| Step::Copy(a, b, n)),
        ]
    }

    fn distinct_prefixes(model: &[Vec<Token>], mask: u64) -> usize {
        let mut seen = std::collections::BTreeSet::new();
        for (i, tokens) in model.iter().enumerate() {
            if mask & bit(i as u32) != 0 {
                seen.extend((1..=tokens.len()).map(|n| &tokens[..n]));
            }
        }
        seen.len()
    }

    proptest! {
        /// Against the plainest model there is: one list of tokens for each sequence.
        #[test]
        fn agrees_with_plain_lists(steps in prop::collection::vec(step(), 0..60), probe in prop::collection::vec(0..3, 0..10), mask in 0..32u64) {
            let mut tree = Tree::new(5);
            let mut model = vec![Vec::<Token>::new(); 5];
            for step in steps {
                match step {
                    Step::Extend(s, tokens) => {
                        tree.extend(s, &tokens);
                        model[s as usize].extend(tokens);
                    }
                    Step::Truncate(s, length) => {
                        tree.truncate(s, length);
                        model[s as usize].truncate(length);
                    }
                    Step::Copy(from, to, length) => {
                        if from == to || !model[to as usize].is_empty() {
                            continue;
                        }
                        tree.copy(from, to, length);
                        let kept = length.min(model[from as usize].len());
                        model[to as usize] = model[from as usize][..kept].to_vec();
                    }
                }
                for (i, tokens) in model.iter().enumerate() {
                    prop_assert_eq!(tree.length(i as u32), tokens.len());
                    prop_assert_eq!(&tree.tokens(i as u32), tokens);
                    let (length, holder) = tree.longest(tokens);
                    prop_assert_eq!(length, tokens.len());
                    prop_assert!(tokens.is_empty() || model[holder.unwrap() as usize].starts_with(tokens));
                    let others: Vec<_> = model.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, t)| common(t, tokens)).collect();
                    prop_assert_eq!(tree.exclusive(i as u32), tokens.len() - others.into_iter().max().unwrap());
                }
            }
            let best = model.iter().map(|t| common(t, &probe)).max().unwrap();
            let (length, holder) = tree.longest(&probe);
            prop_assert_eq!(length, best);
            prop_assert!(length == 0 || common(&model[holder.unwrap() as usize], &probe) == best);
            prop_assert_eq!(tree.cells(mask), distinct_prefixes(&model, mask));
            prop_assert!(tree.nodes.len() <= 12 * 5 + 1, "{} nodes", tree.nodes.len());
        }
    }
}
