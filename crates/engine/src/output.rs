//! Takes an answer apart while it streams: text, thoughts and tool calls.
//!
//! It works character by character, so that the way in which the text was cut into tokens cannot matter. A call is shown as soon
//! as its name is known to be one of a tool and its arguments begin; what looks like a call and is none comes out as text.
//! White space round thoughts and calls is dropped. Nothing here knows tokens or templates.

pub mod call;
pub mod json;
pub mod syntax;

pub use syntax::{Family, Syntax, Thoughts};

use call::{CallReader, Read};
use json::{Fed, Scanner};

/// Longest header before a call or channel, in characters; a longer one is text.
const MAX_HEADER_CHARS: usize = 256;

/// A part of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    Reasoning(String),
    /// A call begins; its arguments follow.
    ToolCall {
        index: u32,
        id: String,
        name: String,
    },
    /// The next piece of the arguments of call `index`.
    ToolArguments {
        index: u32,
        text: String,
    },
}

/// What the parser is in the middle of.
#[derive(Debug)]
enum Mode {
    Text,
    Thought,
    /// After a marker: what kind of call follows.
    AfterMarker,
    Object(CallReader),
    /// Between a name and `[ARGS]` or `>`, or the header of a channel.
    Header,
    /// After a name, before the brace of its arguments.
    BeforeArguments(String),
    Arguments(Scanner),
    /// After a call, before its closing marker.
    AfterCall,
    /// Inside a list of calls, after one of them.
    InList,
}

/// Takes one answer apart.
pub struct Output {
    syntax: Syntax,
    tools: Vec<String>,
    seed: u64,
    calls: u32,
    mode: Mode,
    /// What may still become a marker.
    held: String,
    /// White space that is shown only if text follows.
    blank: String,
    /// The text since a marker, to be shown if no call comes of it.
    raw: String,
    /// White space is dropped until something else comes.
    trim: bool,
    /// Nothing but white space and thoughts came so far.
    fresh: bool,
    /// A brace begins a call; Llama 3 writes them without a marker.
    bare: bool,
    in_list: bool,
    pieces: Vec<Piece>,
}

impl Output {
    /// For an answer in `syntax` by a model that may call `tools`. `seed` decides the ids of calls: give each request its own.
    pub fn new(syntax: Syntax, tools: Vec<String>, seed: u64) -> Self {
        let mode = if syntax.thinking_open {
            Mode::Thought
        } else {
            Mode::Text
        };
        Self {
            bare: syntax.family == Family::Llama3 && !tools.is_empty(),
            trim: syntax.thinking_open,
            syntax,
            tools,
            seed,
            calls: 0,
            mode,
            held: String::new(),
            blank: String::new(),
            raw: String::new(),
            fresh: true,
            in_list: false,
            pieces: Vec::new(),
        }
    }

    /// How many calls were shown so far.
    pub fn calls(&self) -> u32 {
        self.calls
    }

    /// Takes new text; returns what can be shown now.
    pub fn push(&mut self, text: &str) -> Vec<Piece> {
        for c in text.chars() {
            self.step(c);
        }
        std::mem::take(&mut self.pieces)
    }

    /// The end of the answer: what was held back after all.
    pub fn finish(&mut self) -> Vec<Piece> {
        let held = std::mem::take(&mut self.held);
        match self.mode {
            Mode::Thought => self.show(&held, true),
            Mode::Text => self.show(&held, false),
            Mode::AfterMarker | Mode::Object(_) | Mode::Header | Mode::BeforeArguments(_) => {
                let raw = std::mem::take(&mut self.raw);
                self.show(&raw, false);
            }
            // After a call, the beginning of its closing marker is all that can be held.
            Mode::Arguments(_) | Mode::InList | Mode::AfterCall => {}
        }
        if matches!(self.mode, Mode::Text) && !self.blank.is_empty() {
            let blank = std::mem::take(&mut self.blank);
            self.add_text(&blank);
        }
        self.mode = Mode::Text;
        std::mem::take(&mut self.pieces)
    }

    fn step(&mut self, c: char) {
        match &mut self.mode {
            Mode::Text => self.text(c),
            Mode::Thought => self.thought(c),
            Mode::AfterMarker => self.after_marker(c),
            Mode::Object(_) => self.object(c),
            Mode::Header => self.header(c),
            Mode::BeforeArguments(_) => self.before_arguments(c),
            Mode::Arguments(_) => self.arguments(c),
            Mode::AfterCall => self.after_call(c),
            Mode::InList => self.list(c),
        }
    }

    /// Matches `held` and `c` against markers: which one is complete, and what of the text can be none any more.
    fn match_marker(
        &mut self,
        c: char,
        markers: &[&'static str],
    ) -> (String, Option<&'static str>) {
        self.held.push(c);
        let mut shown = String::new();
        loop {
            if let Some(marker) = markers.iter().find(|m| **m == self.held) {
                self.held.clear();
                return (shown, Some(marker));
            }
            if self.held.is_empty() || markers.iter().any(|m| m.starts_with(&self.held)) {
                return (shown, None);
            }
            shown.push(self.held.remove(0));
        }
    }

    fn text(&mut self, c: char) {
        if self.bare && self.held.is_empty() && c == '{' {
            self.raw = "{".into();
            self.mode = Mode::Object(CallReader::new(true));
            return;
        }
        let markers = self.text_markers();
        let (shown, marker) = self.match_marker(c, &markers);
        self.show(&shown, false);
        let Some(marker) = marker else { return };
        if self.syntax.thoughts.is_some_and(|t| t.open == marker) {
            self.blank.clear();
            self.trim = true;
            self.mode = Mode::Thought;
            return;
        }
        match marker {
            // Ends of messages, which say nothing by themselves.
            "<|end|>" | "<|call|>" | "<|return|>" => {}
            "<|channel|>" | "<|start|>" | "<function=" => {
                self.raw = marker.into();
                self.mode = Mode::Header;
            }
            _ => {
                self.raw = marker.into();
                self.mode = Mode::AfterMarker;
            }
        }
    }

    /// The markers that mean something in text.
    fn text_markers(&self) -> Vec<&'static str> {
        let mut markers: Vec<&'static str> = match self.syntax.family {
            Family::Harmony => vec![
                "<|channel|>",
                "<|start|>",
                "<|end|>",
                "<|call|>",
                "<|return|>",
            ],
            _ if self.tools.is_empty() => Vec::new(),
            Family::Hermes => vec!["<tool_call>"],
            Family::Llama3 => vec!["<|python_tag|>"],
            Family::MistralList | Family::MistralNamed => vec!["[TOOL_CALLS]"],
            Family::Function => vec!["<function="],
        };
        if self.fresh {
            markers.extend(self.syntax.thoughts.map(|t| t.open));
        }
        markers
    }

    fn thought(&mut self, c: char) {
        let markers: Vec<&'static str> = match self.syntax.thoughts {
            Some(thoughts) if self.syntax.family != Family::Harmony => vec![thoughts.close],
            _ => vec![
                "<|end|>",
                "<|return|>",
                "<|call|>",
                "<|start|>",
                "<|channel|>",
            ],
        };
        let (shown, marker) = self.match_marker(c, &markers);
        self.show(&shown, true);
        let Some(marker) = marker else { return };
        self.blank.clear();
        self.trim = true;
        self.mode = Mode::Text;
        if matches!(marker, "<|start|>" | "<|channel|>") {
            self.raw = marker.into();
            self.mode = Mode::Header;
        }
    }

    fn after_marker(&mut self, c: char) {
        self.raw.push(c);
        match c {
            ' ' | '\t' | '\n' | '\r' if self.raw.len() < MAX_HEADER_CHARS => {}
            '{' => self.mode = Mode::Object(CallReader::new(false)),
            '[' if self.is_mistral() && !self.in_list => self.in_list = true,
            c if self.is_mistral() && !self.in_list && is_name(c) => self.mode = Mode::Header,
            _ => self.no_call(None),
        }
    }

    fn is_mistral(&self) -> bool {
        matches!(
            self.syntax.family,
            Family::MistralList | Family::MistralNamed
        )
    }

    fn object(&mut self, c: char) {
        let Mode::Object(reader) = &mut self.mode else {
            return;
        };
        let tools = &self.tools;
        match reader.feed(c, &|name| tools.iter().any(|t| t == name)) {
            Read::Nothing => {
                // Once the call has begun, nothing of it is shown as text any more.
                if !self.raw.is_empty() {
                    self.raw.push(c);
                }
            }
            Read::Begun { name, arguments } => {
                self.begin_call(&name);
                self.add_arguments(&arguments);
            }
            Read::Argument(c) => self.add_arguments(c.encode_utf8(&mut [0; 4])),
            Read::Ended => self.end_call(),
            Read::EndedBare { name } => {
                self.begin_call(&name);
                self.add_arguments("{}");
                self.end_call();
            }
            Read::NoCall => self.no_call(Some(c)),
        }
    }

    fn header(&mut self, c: char) {
        self.raw.push(c);
        let name = if self.syntax.family == Family::Harmony {
            if self.raw.ends_with("<|message|>") {
                return self.open_channel();
            }
            None
        } else if self.is_mistral() {
            let header = self.raw.strip_prefix("[TOOL_CALLS]").unwrap_or_default();
            let name = header.trim_start().split(['[', '{', ' ']).next();
            (c == '{' || header.ends_with("[ARGS]")).then(|| name.unwrap_or_default().to_owned())
        } else {
            (c == '>').then(|| {
                let name = self.raw.strip_prefix("<function=").unwrap_or_default();
                name.trim_end_matches('>').trim().to_owned()
            })
        };
        match name {
            Some(name) if self.is_tool(&name) => {
                self.mode = Mode::BeforeArguments(name);
                if c == '{' {
                    self.raw.pop();
                    self.before_arguments(c);
                }
            }
            Some(_) => self.no_call(None),
            None if self.raw.chars().count() > MAX_HEADER_CHARS => self.no_call(None),
            None => {}
        }
    }

    /// The header of a gpt-oss message is complete: it says who the message is for.
    fn open_channel(&mut self) {
        let (_, header) = self.raw.rsplit_once("<|channel|>").unwrap_or(("", ""));
        let channel = header.split([' ', '<']).next().unwrap_or_default();
        let recipient = self.raw.split_once("to=").map(|(_, rest)| {
            let name = rest.split([' ', '<']).next().unwrap_or_default();
            name.strip_prefix("functions.").unwrap_or(name).to_owned()
        });
        match recipient {
            Some(name) if self.is_tool(&name) => self.mode = Mode::BeforeArguments(name),
            Some(_) => self.no_call(None),
            None => {
                let thought = channel == "analysis";
                self.raw.clear();
                self.trim = true;
                self.mode = if thought { Mode::Thought } else { Mode::Text };
            }
        }
    }

    fn before_arguments(&mut self, c: char) {
        let Mode::BeforeArguments(name) = &self.mode else {
            return;
        };
        let name = name.clone();
        if c == '{' {
            self.begin_call(&name);
            self.mode = Mode::Arguments(Scanner::default());
            self.arguments(c);
        } else if c == '<' && matches!(self.syntax.family, Family::Function | Family::Harmony) {
            // The closing marker at once: a call without arguments.
            self.begin_call(&name);
            self.add_arguments("{}");
            self.end_call();
            self.after_call(c);
        } else if c.is_whitespace() && self.raw.len() < 2 * MAX_HEADER_CHARS {
            self.raw.push(c);
        } else {
            self.no_call(Some(c));
        }
    }

    fn arguments(&mut self, c: char) {
        let Mode::Arguments(scanner) = &mut self.mode else {
            return;
        };
        match scanner.feed(c) {
            Ok(Fed::More) => self.add_arguments(c.encode_utf8(&mut [0; 4])),
            Ok(_) => {
                self.add_arguments(c.encode_utf8(&mut [0; 4]));
                self.end_call();
            }
            Err(_) => self.no_call(Some(c)),
        }
    }

    fn after_call(&mut self, c: char) {
        if c.is_whitespace() && self.held.is_empty() {
            return;
        }
        let closing: &[&'static str] = match self.syntax.family {
            Family::Hermes => &["</tool_call>"],
            Family::Llama3 => &[";"],
            Family::MistralList | Family::MistralNamed => &[],
            Family::Function => &["</function>"],
            Family::Harmony => &["<|call|>", "<|end|>"],
        };
        self.held.push(c);
        let complete = closing.contains(&self.held.as_str());
        if !complete && closing.iter().any(|m| m.starts_with(&self.held)) {
            return;
        }
        let held = std::mem::take(&mut self.held);
        self.mode = Mode::Text;
        self.trim = true;
        if !complete {
            held.chars().for_each(|c| self.step(c));
        }
    }

    fn list(&mut self, c: char) {
        match c {
            ' ' | '\t' | '\n' | '\r' => {}
            ',' => {
                self.raw = ",".into();
                self.mode = Mode::AfterMarker;
            }
            ']' => {
                self.in_list = false;
                self.mode = Mode::AfterCall;
            }
            _ => self.no_call(Some(c)),
        }
    }

    fn is_tool(&self, name: &str) -> bool {
        self.tools.iter().any(|t| t == name)
    }

    fn begin_call(&mut self, name: &str) {
        self.raw.clear();
        self.blank.clear();
        self.held.clear();
        self.fresh = false;
        let index = self.calls;
        self.calls += 1;
        self.pieces.push(Piece::ToolCall {
            index,
            id: call_id(self.seed, index),
            name: name.to_owned(),
        });
    }

    fn end_call(&mut self) {
        self.bare = self.syntax.family == Family::Llama3;
        self.mode = if self.in_list {
            Mode::InList
        } else {
            Mode::AfterCall
        };
    }

    /// What was read is no call, or no longer one: it is text, and so is `c`, unless it begins a marker.
    fn no_call(&mut self, c: Option<char>) {
        let raw = std::mem::take(&mut self.raw);
        self.held.clear();
        self.in_list = false;
        self.bare = false;
        self.mode = Mode::Text;
        self.show(&raw, false);
        if let Some(c) = c {
            self.step(c);
        }
    }

    /// Shows text or a thought; white space waits until something else follows.
    fn show(&mut self, text: &str, thought: bool) {
        for c in text.chars() {
            if c.is_whitespace() {
                if !self.trim {
                    self.blank.push(c);
                }
                continue;
            }
            self.trim = false;
            let mut shown = std::mem::take(&mut self.blank);
            shown.push(c);
            if thought {
                self.add_thought(&shown);
            } else {
                self.fresh = false;
                self.bare = false;
                self.add_text(&shown);
            }
        }
    }

    fn add_text(&mut self, text: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.pieces.push(Piece::Text(text.to_owned())),
        }
    }

    fn add_thought(&mut self, text: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Reasoning(last)) => last.push_str(text),
            _ => self.pieces.push(Piece::Reasoning(text.to_owned())),
        }
    }

    fn add_arguments(&mut self, more: &str) {
        let call = self.calls.saturating_sub(1);
        match self.pieces.last_mut() {
            Some(Piece::ToolArguments { index, text }) if *index == call => text.push_str(more),
            _ => self.pieces.push(Piece::ToolArguments {
                index: call,
                text: more.to_owned(),
            }),
        }
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// `call_` and ten characters that differ between requests and calls; the last nine are what Mistral's templates take for an id.
/// The mixing is the finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
fn call_id(seed: u64, index: u32) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut z = seed.wrapping_add(u64::from(index + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    let mut id = String::from("call_");
    for _ in 0..10 {
        id.push(char::from(DIGITS[(z % 62) as usize]));
        z /= 62;
    }
    id
}

#[cfg(test)]
mod tests;
