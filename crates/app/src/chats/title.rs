//! Names of chats.

/// Longest title in characters.
const MAX_CHARS: usize = 120;
/// Length at which a title made from a message is cut, in characters.
const AUTO_CHARS: usize = 60;

/// A title the user gave, on one line; `None` when nothing is left.
pub(super) fn given(title: &str) -> Option<String> {
    let title = one_line(title);
    let title: String = title.chars().take(MAX_CHARS).collect();
    (!title.is_empty()).then_some(title)
}

/// A title from the first line of a message, cut between words.
pub(super) fn from_text(text: &str) -> String {
    let line = text
        .lines()
        .map(one_line)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    let line = line
        .trim_start_matches(['#', '>', '-', '*', '`', ' '])
        .to_owned();
    if line.chars().count() <= AUTO_CHARS {
        return line;
    }
    let cut: String = line.chars().take(AUTO_CHARS).collect();
    let words = cut
        .rsplit_once(' ')
        .map_or(cut.as_str(), |(words, _)| words);
    // A long word without blanks, such as a URL or Chinese text, is cut where it is.
    let kept = if words.chars().count() < AUTO_CHARS / 2 {
        cut.as_str()
    } else {
        words
    };
    format!("{kept}…")
}

fn one_line(text: &str) -> String {
    let visible: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_one_short_line() {
        assert_eq!(
            from_text("\n  # Why is\tthe sky blue?\nsecond"),
            "Why is the sky blue?"
        );
        let long = from_text(&"word ".repeat(40));
        assert!(
            long.ends_with("word…") && long.chars().count() <= AUTO_CHARS + 1,
            "{long}"
        );
        assert_eq!(from_text(&"字".repeat(100)).chars().count(), AUTO_CHARS + 1);
        assert_eq!(given("  a \n b\u{7} "), Some("a b".into()));
        assert_eq!(given(" \n"), None);
    }
}
