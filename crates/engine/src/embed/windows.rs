//! Cuts the tokens of a long text into windows that fit the model.
//!
//! It must not know what the tokens mean or how a window is computed.

use std::ops::Range;

use super::LongText;

/// The parts of a text of `tokens` tokens when a window has room for `room` of them; at least one, in order, without gaps.
///
/// `None` when the text is too long and [`LongText::Refuse`] was asked for. Windows have equal lengths, give or take one token: a
/// short rest would carry a vector of its own that says little about the text.
pub(super) fn split(tokens: usize, room: usize, long: LongText) -> Option<Vec<Range<usize>>> {
    let room = room.max(1);
    if tokens <= room {
        return Some(std::iter::once(0..tokens).collect());
    }
    match long {
        LongText::Refuse => None,
        LongText::Truncate => Some(std::iter::once(0..room).collect()),
        LongText::Split => {
            let count = tokens.div_ceil(room);
            let start = |i: usize| i * tokens / count;
            Some((0..count).map(|i| start(i)..start(i + 1)).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ends(tokens: usize, long: LongText) -> Option<Vec<(usize, usize)>> {
        let windows = split(tokens, 254, long)?;
        Some(windows.iter().map(|w| (w.start, w.end)).collect())
    }

    #[test]
    fn a_text_that_fits_is_one_window() {
        for long in [LongText::Split, LongText::Truncate, LongText::Refuse] {
            assert_eq!(ends(254, long), Some(vec![(0, 254)]));
            assert_eq!(ends(0, long), Some(vec![(0, 0)]));
        }
        let halves = vec![(0, 127), (127, 255)];
        assert_eq!(ends(255, LongText::Split), Some(halves));
        assert_eq!(ends(255, LongText::Truncate), Some(vec![(0, 254)]));
        assert_eq!(ends(255, LongText::Refuse), None);
    }

    proptest! {
        #[test]
        fn windows_cover_the_text_and_fit(tokens in 0_usize..100_000, room in 0_usize..3000) {
            let windows = split(tokens, room, LongText::Split).unwrap();
            prop_assert_eq!(windows[0].start, 0);
            prop_assert_eq!(windows[windows.len() - 1].end, tokens);
            prop_assert!(windows.windows(2).all(|pair| pair[0].end == pair[1].start));
            prop_assert!(windows.iter().all(|w| w.len() <= room.max(1)));
            let lengths = windows.iter().map(ExactSizeIterator::len);
            prop_assert!(lengths.clone().max().unwrap() - lengths.min().unwrap() <= 1);
        }
    }
}
