//! Keeps everything of a damaged settings file that parses on its own.
//!
//! Apart from `settings` because it works on lines of bytes and not on a document. It must not know which keys exist: a key
//! nobody knows is kept like any other.

use toml_edit::DocumentMut;

/// Returns the document of what could be kept and the numbers (from 1) of the lines that could not.
///
/// The file is cut at its section headers. A section that parses is kept whole; of any other, each line that parses together
/// with the lines kept before it. Values that span lines are therefore kept in sound sections only.
pub(super) fn salvage(bytes: &[u8]) -> (DocumentMut, Vec<usize>) {
    let mut kept = String::new();
    let mut dropped = Vec::new();
    for section in sections(bytes) {
        keep_section(&section, &mut kept, &mut dropped);
    }
    // Every step was parsed, so this cannot fail; an empty document is the safe answer if it ever does.
    (kept.parse().unwrap_or_default(), dropped)
}

/// A line's number and its bytes.
type Line<'a> = (usize, &'a [u8]);

fn sections(bytes: &[u8]) -> Vec<Vec<Line<'_>>> {
    let mut sections = vec![Vec::new()];
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii_start().starts_with(b"[") {
            sections.push(Vec::new());
        }
        if let Some(section) = sections.last_mut() {
            section.push((index + 1, line));
        }
    }
    sections
}

fn keep_section(lines: &[Line<'_>], kept: &mut String, dropped: &mut Vec<usize>) {
    let whole = lines
        .iter()
        .map(|(_, line)| *line)
        .collect::<Vec<_>>()
        .concat();
    if try_append(kept, &whole) {
        return;
    }
    // Lines under a header that cannot be read would end up in the section before, so they go with it.
    let mut headless = false;
    for (number, line) in lines {
        if headless || !try_append(kept, line) {
            headless |= looks_like_header(line);
            dropped.push(*number);
        }
    }
}

/// Whether a line that does not parse was a section header, going by either of its brackets.
fn looks_like_header(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    line.starts_with(b"[") || (line.ends_with(b"]") && !line.contains(&b'='))
}

/// Appends `text` if the whole still parses.
fn try_append(kept: &mut String, text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    let before = kept.len();
    if !kept.is_empty() && !kept.ends_with('\n') {
        kept.push('\n');
    }
    kept.push_str(text);
    let sound = kept.parse::<DocumentMut>().is_ok();
    if !sound {
        kept.truncate(before);
    }
    sound
}
