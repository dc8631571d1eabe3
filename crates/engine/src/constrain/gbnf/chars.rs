//! Sets of characters as sorted ranges.

use std::fmt::Write;

/// A set of Unicode scalar values: sorted ranges that neither overlap nor touch, both ends included.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Chars(Vec<(u32, u32)>);

const LAST: u32 = char::MAX as u32;
/// Not characters: they exist only in UTF-16.
const SURROGATES: (u32, u32) = (0xD800, 0xDFFF);

impl Chars {
    pub fn one(c: char) -> Self {
        Self(vec![(c as u32, c as u32)])
    }

    pub fn all() -> Self {
        Self(vec![(0, SURROGATES.0 - 1), (SURROGATES.1 + 1, LAST)])
    }

    /// The set of all characters in `ranges`, which may overlap.
    pub fn new(ranges: impl IntoIterator<Item = (char, char)>) -> Self {
        let ranges = ranges.into_iter().map(|(a, b)| (a as u32, b as u32));
        Self::of(ranges.flat_map(around_surrogates).collect())
    }

    fn of(mut ranges: Vec<(u32, u32)>) -> Self {
        ranges.retain(|(a, b)| a <= b);
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (a, b) in ranges {
            match merged.last_mut() {
                Some(last) if a <= last.1.saturating_add(1) => last.1 = last.1.max(b),
                _ => merged.push((a, b)),
            }
        }
        Self(merged)
    }

    #[must_use]
    pub fn complement(&self) -> Self {
        let mut gaps = Vec::with_capacity(self.0.len() + 1);
        let mut next = 0;
        for (a, b) in &self.0 {
            if *a > next {
                gaps.push((next, a - 1));
            }
            next = b + 1;
        }
        if next <= LAST {
            gaps.push((next, LAST));
        }
        Self::of(gaps.into_iter().flat_map(around_surrogates).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, c: char) -> bool {
        let c = c as u32;
        self.0.iter().any(|(a, b)| (*a..=*b).contains(&c))
    }

    pub fn meets(&self, other: &Self) -> bool {
        let (mut i, mut j) = (0, 0);
        while let (Some(a), Some(b)) = (self.0.get(i), other.0.get(j)) {
            if a.0 <= b.1 && b.0 <= a.1 {
                return true;
            }
            if a.1 < b.1 { i += 1 } else { j += 1 }
        }
        false
    }

    /// Adds all of `other`; returns whether that changed anything.
    pub fn extend(&mut self, other: &Self) -> bool {
        if other.0.is_empty() || self == other {
            return false;
        }
        let both = self.0.iter().chain(&other.0).copied().collect();
        let union = Self::of(both);
        let changed = union != *self;
        *self = union;
        changed
    }

    /// As a class of the `regex` crate's syntax, every character by its number.
    pub fn to_regex(&self) -> String {
        let mut class = String::from("[");
        for (a, b) in &self.0 {
            // Writing to a string cannot fail.
            let _ = if a == b {
                write!(class, "\\x{{{a:x}}}")
            } else {
                write!(class, "\\x{{{a:x}}}-\\x{{{b:x}}}")
            };
        }
        class + "]"
    }
}

/// The parts of a range before and after the surrogates.
fn around_surrogates((a, b): (u32, u32)) -> [(u32, u32); 2] {
    [(a, b.min(SURROGATES.0 - 1)), (a.max(SURROGATES.1 + 1), b)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_and_its_complement_are_all_characters() {
        let set = Chars::new([('a', 'f'), ('d', 'z'), ('\u{D000}', '\u{F000}')]);
        let rest = set.complement();
        assert!(set.contains('e') && !rest.contains('e'));
        assert!(!set.contains('A') && rest.contains('A'));
        assert!(!set.meets(&rest));
        let mut both = set.clone();
        assert!(both.extend(&rest));
        assert!(!both.extend(&rest));
        assert_eq!(both, Chars::all());
        assert!(Chars::all().complement().is_empty());
        assert_eq!(Chars::default().complement(), Chars::all());
    }

    #[test]
    fn writes_a_class() {
        assert_eq!(
            Chars::new([('a', 'c'), ('/', '/')]).to_regex(),
            r"[\x{2f}\x{61}-\x{63}]"
        );
    }
}
