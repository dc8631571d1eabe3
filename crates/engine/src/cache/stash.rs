//! KV states of idle sequences in main memory.
//!
//! Attention looks at every position of the KV cache that is in use, also at those that a stream has nothing to do with: with the
//! starter model on a CPU 700 idle positions make a token 6 % slower and 4,000 make it 15 % slower, and what counts is the highest one
//! in use: 100 of them, left where eight streams had been, make the next eight 5 % slower. A copy of them here costs no stream
//! anything, and comes back in milliseconds where reading the text again takes seconds.

use crate::backend::Token;
use crate::prefix::common;

/// Most bytes of all copies; never more than the KV cache itself.
pub const STASH_BYTES: u64 = 256 * 1024 * 1024;

/// What a sequence held.
#[derive(Debug, Clone)]
pub struct Stashed {
    pub tokens: Vec<Token>,
    /// As [`crate::backend::Backend::export`] gave it.
    pub state: Vec<u8>,
    pub conversation: Option<String>,
    /// See [`super::Cache::next_unsaved`].
    pub unsaved: bool,
}

/// See the module text.
#[derive(Debug, Default)]
pub struct Stash {
    /// Least recently used first.
    entries: Vec<Stashed>,
}

impl Stash {
    /// Keeps a copy, and lets the oldest ones go until all take at most `cap` bytes.
    pub fn put(&mut self, new: Stashed, cap: u64) {
        // What the new one begins with can be had from it.
        self.entries
            .retain(|old| old.unsaved || !new.tokens.starts_with(&old.tokens));
        self.entries.push(new);
        let mut bytes: u64 = self.entries.iter().map(|e| e.state.len() as u64).sum();
        while bytes > cap && !self.entries.is_empty() {
            bytes -= self.entries.remove(0).state.len() as u64;
        }
    }

    /// Whether a copy begins with all of `tokens`.
    pub fn holds(&self, tokens: &[Token]) -> bool {
        self.entries.iter().any(|e| e.tokens.starts_with(tokens))
    }

    /// The copy that has the longest beginning of `tokens`, with its length. It counts as used now.
    pub fn longest(&mut self, tokens: &[Token]) -> Option<(usize, &Stashed)> {
        let lengths = self.entries.iter().map(|e| common(&e.tokens, tokens));
        let (length, at) = lengths.zip(0..).max_by_key(|(length, _)| *length)?;
        let used = self.entries.remove(at);
        self.entries.push(used);
        self.entries.last().map(|entry| (length, entry))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Stashed> {
        self.entries.iter_mut()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Stashed> {
        self.entries.iter()
    }

    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stashed(tokens: &[Token], bytes: usize) -> Stashed {
        Stashed {
            tokens: tokens.to_vec(),
            state: vec![0; bytes],
            conversation: None,
            unsaved: false,
        }
    }

    #[test]
    fn keeps_what_was_used_last_and_nothing_twice() {
        let mut stash = Stash::default();
        stash.put(stashed(&[1, 2], 10), 30);
        stash.put(stashed(&[1, 2, 3], 10), 30);
        assert_eq!(stash.iter().count(), 1, "the longer one has it all");
        stash.put(stashed(&[7, 8], 10), 30);
        stash.put(stashed(&[9], 10), 30);
        assert_eq!(stash.longest(&[1, 2, 9]).unwrap().0, 2);
        stash.put(stashed(&[5], 10), 30);
        assert!(!stash.holds(&[7]), "the one that was used least recently");
        assert!(stash.holds(&[1, 2, 3]) && stash.holds(&[9]) && stash.holds(&[5]));
        stash.put(stashed(&[6], 31), 30);
        assert_eq!(stash.iter().count(), 0, "larger than all that is allowed");
    }
}
