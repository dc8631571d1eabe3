//! Where an entry of a sequence lies for llama.cpp: at its index, but for models that give a picture fewer positions than entries
//! because they count its rows and columns (M-RoPE).

use std::collections::HashMap;

use super::vision::Extent;
use crate::backend::Sequence;

/// A picture with fewer positions than entries.
#[derive(Debug, Clone, Copy)]
struct Span {
    /// Index of its first entry.
    at: usize,
    extent: Extent,
}

/// The pictures of each sequence that make a difference; none for most models.
#[derive(Debug, Default)]
pub(super) struct Positions(HashMap<Sequence, Vec<Span>>);

impl Positions {
    /// Notes a picture at the end of a sequence.
    pub(super) fn add(&mut self, sequence: Sequence, at: usize, extent: Extent) {
        if extent.cells != extent.positions {
            self.0
                .entry(sequence)
                .or_default()
                .push(Span { at, extent });
        }
    }

    /// The position of the entry with that index; inside a picture that of the picture's end at most.
    pub(super) fn of(&self, sequence: Sequence, index: usize) -> usize {
        let spans = self.0.get(&sequence).map_or(&[][..], Vec::as_slice);
        let before = spans.iter().filter(|span| span.at < index);
        let saved = before.map(|span| {
            let cells = span.extent.cells.min(index - span.at);
            cells - cells.min(span.extent.positions)
        });
        index - saved.sum::<usize>()
    }

    /// Whether every entry lies at its index.
    pub(super) fn are_plain(&self, sequence: Sequence) -> bool {
        !self.0.contains_key(&sequence)
    }

    pub(super) fn copy(&mut self, from: Sequence, to: Sequence, length: usize) {
        self.0.remove(&to);
        if let Some(spans) = self.0.get(&from).cloned() {
            self.0.insert(to, spans);
            self.truncate(to, length);
        }
    }

    pub(super) fn truncate(&mut self, sequence: Sequence, length: usize) {
        if let Some(spans) = self.0.get_mut(&sequence) {
            spans.retain(|span| span.at < length);
            if spans.is_empty() {
                self.0.remove(&sequence);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Extent = Extent {
        cells: 100,
        positions: 10,
    };

    #[test]
    fn text_after_a_picture_is_nearer_than_its_index() {
        let mut positions = Positions::default();
        positions.add(1, 5, WIDE);
        positions.add(1, 110, WIDE);
        let of = |index| positions.of(1, index);
        assert_eq!(
            [of(0), of(5), of(105), of(110), of(210)],
            [0, 5, 15, 20, 30]
        );
        assert_eq!(positions.of(2, 210), 210);
    }

    #[test]
    fn copies_and_cuts_follow_the_sequence() {
        let mut positions = Positions::default();
        positions.add(1, 5, WIDE);
        positions.add(1, 110, WIDE);
        positions.copy(1, 2, 110);
        assert_eq!((positions.of(2, 300), positions.of(1, 300)), (210, 120));
        positions.truncate(2, 5);
        assert!(positions.are_plain(2) && !positions.are_plain(1));
        positions.copy(2, 1, 5);
        assert!(positions.are_plain(1));
    }

    #[test]
    fn a_picture_with_a_position_for_each_entry_is_like_text() {
        let mut positions = Positions::default();
        let even = Extent {
            cells: 7,
            positions: 7,
        };
        positions.add(0, 0, even);
        assert!(positions.are_plain(0));
    }
}
