//! Finds stop strings in streamed text, holding back only what could still become one.

/// Searches a growing text for stop strings.
#[derive(Debug)]
pub struct Stops {
    texts: Vec<String>,
    held: String,
    /// Index of the one that was met.
    met: Option<usize>,
}

impl Stops {
    pub fn new(stops: Vec<String>) -> Self {
        Self {
            texts: stops,
            held: String::new(),
            met: None,
        }
    }

    /// The stop string that was met.
    pub fn met(&self) -> Option<&str> {
        self.met.map(|index| self.texts[index].as_str())
    }

    /// Takes new text; returns what may be shown now and whether a stop string was met (its text is dropped).
    pub fn push(&mut self, text: &str) -> (String, bool) {
        if self.texts.is_empty() {
            return (text.to_owned(), false);
        }
        self.held.push_str(text);
        let places = self.texts.iter().enumerate();
        let first = places.filter_map(|(index, stop)| Some((self.held.find(stop)?, index)));
        if let Some((at, index)) = first.min() {
            self.met = Some(index);
            let shown = self.held[..at].to_owned();
            self.held.clear();
            return (shown, true);
        }
        let keep = self.longest_start_at_end();
        let shown = self.held[..self.held.len() - keep].to_owned();
        self.held.drain(..shown.len());
        (shown, false)
    }

    /// The end of the text: what was held back after all.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Length in bytes of the longest end of `held` that some stop string begins with.
    fn longest_start_at_end(&self) -> usize {
        let starts = self.held.char_indices().map(|(at, _)| &self.held[at..]);
        starts
            .filter(|end| self.texts.iter().any(|s| s.starts_with(end)))
            .map(str::len)
            .max()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stream(stops: &[&str], pieces: &[&str]) -> (String, bool) {
        let mut search = Stops::new(stops.iter().map(|s| (*s).to_owned()).collect());
        let mut all = String::new();
        for piece in pieces {
            let (shown, met) = search.push(piece);
            all.push_str(&shown);
            if met {
                return (all, true);
            }
        }
        all.push_str(&search.finish());
        (all, false)
    }

    #[test]
    fn stops_across_pieces_and_hides_the_stop() {
        assert_eq!(
            stream(&["END"], &["ab E", "N", "D cd"]),
            ("ab ".into(), true)
        );
        assert_eq!(
            stream(&["END"], &["ab E", "N", "d"]),
            ("ab ENd".into(), false)
        );
        assert_eq!(stream(&["b", "ab"], &["xab"]), ("x".into(), true));
    }

    #[test]
    fn says_which_was_met() {
        let mut search = Stops::new(vec!["b".into(), "ab".into()]);
        assert_eq!(search.push("x"), ("x".into(), false));
        assert_eq!(search.met(), None);
        assert_eq!(search.push("ab"), (String::new(), true));
        assert_eq!(search.met(), Some("ab"));
    }

    proptest! {
        #[test]
        fn equals_a_search_over_the_whole(text in "[ab]{0,20}", stop in "[ab]{1,3}", size in 1usize..4) {
            let pieces: Vec<&str> = text.as_bytes().chunks(size).map(|c| std::str::from_utf8(c).unwrap()).collect();
            let expected = match text.find(&stop) {
                Some(at) => (text[..at].to_owned(), true),
                None => (text.clone(), false),
            };
            prop_assert_eq!(stream(&[&stop], &pieces), expected);
        }
    }
}
