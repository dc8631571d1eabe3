//! The KV cache as the scheduler sees it: sequences in use, and idle ones that are kept because a later prompt may begin like them.
//!
//! Keeps the model's cache and the [`Tree`] that describes it in step; nobody else changes either. What idle sequences hold beyond
//! a little goes to a [`Stash`] when a stream begins that has no use for it.

mod stash;

use crate::backend::{Backend, Input, Reuse, Sequence, Token};
use crate::kvstore::{Saved, WORTH_TOKENS};
use crate::picture::whole;
use crate::prefix::{Tree, bit, common};

pub use self::stash::STASH_BYTES;
use self::stash::{Stash, Stashed};

/// Fewest tokens that are taken off an idle sequence at once, so that a stream in need does not cut at every step.
const CUT_TOKENS: usize = 128;
/// Stands for a position that is no longer what its token says. Tokens of a vocabulary are not negative.
const NO_TOKEN: Token = -1;
/// How many such names there are; those of pictures lie below, see [`crate::picture`].
const NO_TOKENS: Token = 0x1_0000;
/// Idle positions may take this part of the weights' bytes before they are stashed: reading either takes the same time, so a token
/// gets slower by no more than about that.
const IDLE_PART: u64 = 32;
/// Idle positions that are not worth a copy on a GPU, or while streams run.
const FEW_CELLS: usize = 128;
/// Most bytes that are copied out of the KV cache at once while streams wait for their next token: some ten milliseconds.
const MOST_BESIDE: u64 = 32 * 1024 * 1024;
/// Fewest positions that are worth a copy, or a cleaning up.
const WORTH_MOVING: usize = 16;
/// Copying a position takes less than this part of the time of computing it: with the starter model on a CPU about a hundredth, and a
/// file read on the way (`hearth-benches reopen`).
const COPIED_IN: usize = 32;

/// See the module text.
pub struct Cache {
    tree: Tree,
    free: Vec<Sequence>,
    /// Least recently used first.
    idle: Vec<Idle>,
    stash: Stash,
    /// Of the model, in bytes.
    weights: u64,
    /// Bytes of one position of one sequence; 0 before that was asked for.
    cell_bytes: u64,
    /// Positions over all sequences.
    capacity: usize,
    reuse: Reuse,
    shifts: Token,
}

/// A sequence that no stream uses.
struct Idle {
    sequence: Sequence,
    conversation: Option<String>,
    /// Whether it holds anything that is not on disk; only of interest with a conversation.
    unsaved: bool,
}

impl Cache {
    pub fn new(backend: &dyn Backend) -> Self {
        let sequences = backend.sequences();
        Self {
            tree: Tree::new(sequences),
            free: (0..sequences).rev().collect(),
            idle: Vec::new(),
            stash: Stash::default(),
            weights: backend.info().weights_bytes,
            cell_bytes: 0,
            capacity: backend.cells(),
            reuse: backend.reuse(),
            shifts: 0,
        }
    }

    /// An empty sequence; `None` when all are in use.
    pub fn take(&mut self, backend: &mut dyn Backend) -> Option<Sequence> {
        if self.free.is_empty() {
            // Best one whose tokens another one holds as well.
            let at = self
                .idle
                .iter()
                .position(|idle| self.tree.exclusive(idle.sequence) == 0)
                .or_else(|| (!self.idle.is_empty()).then_some(0))?;
            self.forget_idle(backend, at);
        }
        self.free.pop()
    }

    /// How many positions of a sequence are computed.
    pub fn length(&self, sequence: Sequence) -> usize {
        self.tree.length(sequence)
    }

    /// Lets a sequence begin with the longest beginning of `tokens` that any sequence has, when that is more than it has itself.
    pub fn adopt(&mut self, backend: &mut dyn Backend, sequence: Sequence, tokens: &[Token]) {
        let (length, holder) = match self.reuse {
            Reuse::Prefix => self.tree.longest(tokens),
            Reuse::Whole => self.longest_whole(tokens),
        };
        let Some(holder) = holder.filter(|h| *h != sequence) else {
            return;
        };
        let length = whole(tokens, length);
        if length <= self.tree.length(sequence) {
            return;
        }
        self.truncate(backend, sequence, 0);
        backend.copy(holder, sequence, length);
        self.tree.copy(holder, sequence, length);
        if let Some(at) = self.idle.iter().position(|idle| idle.sequence == holder) {
            let used = self.idle.remove(at);
            self.idle.push(used);
        }
    }

    fn longest_whole(&self, tokens: &[Token]) -> (usize, Option<Sequence>) {
        let whole = self.idle.iter().filter_map(|idle| {
            let held = self.tree.tokens(idle.sequence);
            tokens
                .starts_with(&held)
                .then_some((held.len(), Some(idle.sequence)))
        });
        whole.max_by_key(|(length, _)| *length).unwrap_or((0, None))
    }

    /// Fills a stream's empty sequence from the stash, when that has a good deal more of `tokens` than any sequence. Unless other streams
    /// wait, what is idle goes first ([`Cache::stash_idle`]), so that the text does not come to lie behind it.
    pub fn recall(
        &mut self,
        backend: &mut dyn Backend,
        sequence: Sequence,
        tokens: &[Token],
        beside: bool,
    ) {
        let (held, _) = self.tree.longest(tokens);
        let Some((length, entry)) = self.stash.longest(tokens) else {
            return;
        };
        let length = whole(tokens, length);
        if !is_worth_copying(length.saturating_sub(held), entry.tokens.len()) {
            return;
        }
        let Stashed {
            tokens: all, state, ..
        } = entry.clone();
        if !beside {
            self.stash_idle(backend, false);
        }
        if self.import(backend, sequence, &all, &state) {
            self.truncate(backend, sequence, length);
        }
    }

    /// Moves idle sequences to the stash before a stream begins, the least recently used first. Where the highest position in use
    /// decides what a token costs, and nobody waits for one (not `beside` others), all go; elsewhere until few positions are left that
    /// no stream uses, which may lie anywhere.
    pub fn stash_idle(&mut self, backend: &mut dyn Backend, beside: bool) {
        if self.reuse == Reuse::Whole {
            return;
        }
        let all = !beside && backend.scans_cells();
        let mut most = if beside { MOST_BESIDE } else { u64::MAX };
        let mut at = 0;
        while at < self.idle.len() {
            match self.stash_one(backend, at, all, most) {
                Some(copied) => {
                    most -= copied;
                    // What an earlier one shared with this one is its own now.
                    at = 0;
                }
                None => at += 1,
            }
        }
    }

    /// Moves one idle sequence to the stash, when `all` go or there are too many, and says how many bytes were copied; `None` when that
    /// gains nothing or cannot be.
    fn stash_one(
        &mut self,
        backend: &mut dyn Backend,
        at: usize,
        all: bool,
        most: u64,
    ) -> Option<u64> {
        let Idle {
            sequence, unsaved, ..
        } = self.idle[at];
        let own = self.tree.exclusive(sequence);
        // Those that share what they hold have little of their own, and are much together.
        let all = all && self.idle_cells() >= WORTH_MOVING;
        if !all && (own == 0 || !self.is_crowded()) {
            return None;
        }
        let mut copied = 0;
        let tokens = self.tree.tokens(sequence);
        if unsaved || (is_worth_copying(own, tokens.len()) && !self.stash.holds(&tokens)) {
            let bytes = backend.export_bytes(sequence);
            if bytes == 0 {
                return None;
            }
            self.cell_bytes = (bytes / tokens.len() as u64).max(1);
            let cap = STASH_BYTES.min(self.cell_bytes * self.capacity as u64);
            if bytes > cap.min(most) || !(all || self.is_crowded()) {
                return None;
            }
            let state = backend.export(sequence)?;
            copied = bytes;
            let conversation = self.idle[at].conversation.take();
            let new = Stashed {
                tokens,
                state,
                conversation,
                unsaved,
            };
            self.stash.put(new, cap);
        }
        self.forget_idle(backend, at);
        Some(copied)
    }

    /// Positions that only idle sequences hold.
    fn idle_cells(&self) -> usize {
        self.used() - self.capacity.saturating_sub(self.available())
    }

    /// Whether there are more than a few of them.
    fn is_crowded(&self) -> bool {
        let cells = (self.weights / IDLE_PART).checked_div(self.cell_bytes);
        self.idle_cells() > cells.map_or(FEW_CELLS, |cells| FEW_CELLS.max(cells as usize))
    }

    /// How many positions the streams could have if everything idle went.
    pub fn available(&self) -> usize {
        let idle = self
            .idle
            .iter()
            .fold(0, |mask, idle| mask | bit(idle.sequence));
        self.capacity.saturating_sub(self.cells(!idle))
    }

    /// Positions held now, by streams and idle sequences.
    pub fn used(&self) -> usize {
        self.cells(u64::MAX)
    }

    /// Positions of the sequences in `mask`.
    fn cells(&self, mask: u64) -> usize {
        match self.reuse {
            Reuse::Prefix => self.tree.cells(mask),
            // Equal beginnings were computed by each for itself.
            Reuse::Whole => (0..self.tree.sequences())
                .filter(|sequence| mask & bit(*sequence) != 0)
                .map(|sequence| self.tree.length(sequence))
                .sum(),
        }
    }

    /// Whether a sequence can be cut anywhere.
    pub fn can_cut(&self) -> bool {
        self.reuse == Reuse::Prefix
    }

    /// Makes room for `needed` positions at the cost of idle sequences; whether there is room.
    pub fn make_room(&mut self, backend: &mut dyn Backend, needed: usize) -> bool {
        loop {
            let used = self.used();
            if used + needed <= self.capacity {
                return true;
            }
            if !self.cut_idle(backend, used + needed - self.capacity) {
                return false;
            }
        }
    }

    /// Takes about `count` positions from the least recently used idle sequence; `false` when there is none.
    pub fn cut_idle(&mut self, backend: &mut dyn Backend, count: usize) -> bool {
        let Some(idle) = self.idle.first() else {
            return false;
        };
        let sequence = idle.sequence;
        let own = self.tree.exclusive(sequence);
        let keep = self.tree.length(sequence) - own.min(count.max(CUT_TOKENS));
        if own == 0 || keep == 0 || self.reuse == Reuse::Whole {
            self.forget_idle(backend, 0);
        } else {
            let keep = whole(&self.tree.tokens(sequence), keep);
            self.truncate(backend, sequence, keep);
        }
        true
    }

    /// Notes that the next entries of a sequence were computed.
    pub fn extend(&mut self, sequence: Sequence, tokens: &[Token]) {
        self.tree.extend(sequence, tokens);
    }

    /// Notes what a batch has computed.
    pub fn computed(&mut self, batch: &[Input]) {
        for run in batch.chunk_by(|a, b| a.sequence == b.sequence) {
            let tokens: Vec<Token> = run.iter().map(|input| input.token).collect();
            self.tree.extend(run[0].sequence, &tokens);
        }
    }

    /// Cuts a sequence after `length` positions, or empties it when the model cannot cut there.
    pub fn truncate(&mut self, backend: &mut dyn Backend, sequence: Sequence, length: usize) {
        if self.tree.length(sequence) <= length {
            return;
        }
        let kept = if backend.truncate(sequence, length) {
            length
        } else {
            0
        };
        self.tree.truncate(sequence, kept);
    }

    /// Fills an empty sequence from a saved state; `false` leaves it empty.
    pub fn import(
        &mut self,
        backend: &mut dyn Backend,
        sequence: Sequence,
        tokens: &[Token],
        state: &[u8],
    ) -> bool {
        if !self.make_room(backend, tokens.len()) || !backend.import(sequence, state, tokens.len())
        {
            return false;
        }
        self.tree.extend(sequence, tokens);
        true
    }

    /// Forgets the positions `from..to` of a sequence and moves the rest down; `false` when another stream needs them or the model
    /// cannot.
    pub fn shift(
        &mut self,
        backend: &mut dyn Backend,
        sequence: Sequence,
        from: usize,
        to: usize,
    ) -> bool {
        let own = self.tree.length(sequence) - from;
        // Positions that are shared would move for the others too.
        while self.tree.exclusive(sequence) < own {
            if self.idle.is_empty() {
                return false;
            }
            self.forget_idle(backend, 0);
        }
        if !backend.shift(sequence, from, to) {
            return false;
        }
        // What was moved was computed after tokens that are gone now, so no other prompt may begin with it: it gets names that no
        // token has, different ones each time.
        let rest = self.tree.length(sequence) - to;
        self.tree.truncate(sequence, from);
        self.shifts = (self.shifts + 1) % NO_TOKENS;
        let mut names = vec![NO_TOKEN; rest];
        if let Some(first) = names.first_mut() {
            *first -= self.shifts;
        }
        self.tree.extend(sequence, &names);
        true
    }

    /// Takes back a sequence; what it holds is kept for later prompts.
    pub fn release(
        &mut self,
        backend: &mut dyn Backend,
        sequence: Sequence,
        conversation: Option<String>,
    ) {
        let tokens = self.tree.tokens(sequence);
        if let Some(at) = tokens
            .iter()
            .position(|token| (NO_TOKEN - NO_TOKENS..=NO_TOKEN).contains(token))
        {
            self.truncate(backend, sequence, at);
        }
        if self.tree.length(sequence) == 0 {
            self.free.push(sequence);
            return;
        }
        // The newer state of a conversation is the one to save.
        for idle in &mut self.idle {
            idle.unsaved &= idle.conversation != conversation;
        }
        for stashed in self.stash.iter_mut() {
            stashed.unsaved &= stashed.conversation != conversation;
        }
        self.idle.push(Idle {
            sequence,
            unsaved: conversation.is_some(),
            conversation,
        });
    }

    /// A conversation that is not on disk yet, with its state where it is worth to be kept. It counts as saved from now on.
    pub fn next_unsaved(&mut self, backend: &mut dyn Backend) -> Option<(String, Option<Saved>)> {
        if let Some(stashed) = self.stash.iter_mut().find(|stashed| stashed.unsaved) {
            stashed.unsaved = false;
            let Stashed { tokens, state, .. } = stashed.clone();
            return Some((stashed.conversation.clone()?, Some(Saved { tokens, state })));
        }
        let idle = self.idle.iter_mut().find(|idle| idle.unsaved)?;
        idle.unsaved = false;
        let tokens = self.tree.tokens(idle.sequence);
        let state = (tokens.len() >= WORTH_TOKENS).then(|| backend.export(idle.sequence));
        let saved = state.flatten().map(|state| Saved { tokens, state });
        Some((idle.conversation.clone()?, saved))
    }

    /// Whether [`Cache::next_unsaved`] has something.
    pub fn has_unsaved(&self) -> bool {
        let mut stashed = self.stash.iter();
        stashed.any(|stashed| stashed.unsaved) || self.idle.iter().any(|idle| idle.unsaved)
    }

    /// Drops everything that no stream uses.
    pub fn clear_idle(&mut self, backend: &mut dyn Backend) {
        self.stash.clear();
        while !self.idle.is_empty() {
            self.forget_idle(backend, 0);
        }
    }

    fn forget_idle(&mut self, backend: &mut dyn Backend, at: usize) {
        let Idle { sequence, .. } = self.idle.remove(at);
        backend.truncate(sequence, 0);
        self.tree.truncate(sequence, 0);
        self.free.push(sequence);
    }
}

/// Whether `gain` positions that need not be computed are worth a copy of `copied`: a short end is computed again sooner than all
/// before it is copied.
fn is_worth_copying(gain: usize, copied: usize) -> bool {
    gain >= WORTH_TOKENS || (gain >= WORTH_MOVING && gain * COPIED_IN >= copied)
}

/// How many tokens two streams' prompts have in common; the last one is computed by each, for its logits.
pub fn shared(a: &[Token], b: &[Token]) -> usize {
    common(a, b).min(a.len().saturating_sub(1))
}
