//! Reads a call written as an object, `{"name": …, "arguments": …}`, so that the arguments can be shown as they come.

use super::json::{Fed, Scanner};

/// Most characters of a call before its name is known and its arguments begin.
const MAX_HEAD_CHARS: usize = 64 * 1024;

/// What a character of the object brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// Nothing to show yet.
    Nothing,
    /// Name and arguments so far are known.
    Begun { name: String, arguments: String },
    /// The next character of the arguments.
    Argument(char),
    /// The object ended; the call had begun.
    Ended,
    /// The object ended before its arguments began: a call without arguments.
    EndedBare { name: String },
    /// This is no call.
    NoCall,
}

#[derive(Debug)]
enum State {
    KeyOrEnd,
    Key { raw: String, escaped: bool },
    Colon,
    Value { scanner: Scanner, raw: String },
    Next,
}

/// Reads one object, its first brace already read.
#[derive(Debug)]
pub struct CallReader {
    state: State,
    key: String,
    name: Option<String>,
    /// Arguments that came before the name.
    held: Option<String>,
    begun: bool,
    /// Keys that a call does not have make the object something else.
    strict: bool,
    read: usize,
}

impl CallReader {
    /// With `strict`, an unknown key means that the object is no call: for objects that stand there without a marker.
    pub fn new(strict: bool) -> Self {
        Self {
            state: State::KeyOrEnd,
            key: String::new(),
            name: None,
            held: None,
            begun: false,
            strict,
            read: 0,
        }
    }

    /// Takes the next character; `known` says whether a name is one of a tool.
    pub fn feed(&mut self, c: char, known: &dyn Fn(&str) -> bool) -> Read {
        self.read += 1;
        if !self.begun && self.read > MAX_HEAD_CHARS {
            return Read::NoCall;
        }
        let blank = matches!(c, ' ' | '\t' | '\n' | '\r');
        match &mut self.state {
            State::Key { raw, escaped } => {
                let ends = c == '"' && !*escaped;
                *escaped = c == '\\' && !*escaped;
                raw.push(c);
                if ends {
                    return self.key_ended();
                }
                Read::Nothing
            }
            State::Value { .. } => self.value(c, known),
            _ if blank => Read::Nothing,
            State::KeyOrEnd if c == '"' => {
                self.state = State::Key {
                    raw: "\"".into(),
                    escaped: false,
                };
                Read::Nothing
            }
            State::Colon if c == ':' => {
                self.state = State::Value {
                    scanner: Scanner::default(),
                    raw: String::new(),
                };
                Read::Nothing
            }
            State::Next if c == ',' => {
                self.state = State::KeyOrEnd;
                Read::Nothing
            }
            State::Next if c == '}' => self.ended(known),
            _ => Read::NoCall,
        }
    }

    fn key_ended(&mut self) -> Read {
        let State::Key { raw, .. } = &self.state else {
            return Read::NoCall;
        };
        let Ok(key) = serde_json::from_str::<String>(raw) else {
            return Read::NoCall;
        };
        if self.strict
            && !matches!(
                key.as_str(),
                "name" | "arguments" | "parameters" | "type" | "id"
            )
        {
            return Read::NoCall;
        }
        self.key = key;
        if self.is_arguments() && (self.begun || self.held.is_some()) {
            return Read::NoCall;
        }
        self.state = State::Colon;
        Read::Nothing
    }

    fn is_arguments(&self) -> bool {
        self.key == "arguments" || self.key == "parameters"
    }

    fn value(&mut self, c: char, known: &dyn Fn(&str) -> bool) -> Read {
        let is_arguments = self.is_arguments();
        let State::Value { scanner, raw } = &mut self.state else {
            return Read::NoCall;
        };
        let first = raw.is_empty();
        if first && matches!(c, ' ' | '\t' | '\n' | '\r') {
            return Read::Nothing;
        }
        let Ok(fed) = scanner.feed(c) else {
            return Read::NoCall;
        };
        if fed == Fed::DoneBefore {
            return match self.value_ended(known) {
                Read::Nothing => self.feed(c, known),
                other => other,
            };
        }
        // What is shown at once need not be kept.
        let object = is_arguments
            && if first {
                c == '{'
            } else {
                raw.starts_with('{')
            };
        if !(object && self.begun) || first {
            raw.push(c);
        }
        if object
            && first
            && !self.begun
            && let Some(name) = &self.name
        {
            self.begun = true;
            return Read::Begun {
                name: name.clone(),
                arguments: c.into(),
            };
        }
        if fed == Fed::Done {
            if object && self.begun {
                self.state = State::Next;
                return Read::Argument(c);
            }
            return self.value_ended(known);
        }
        if object && self.begun {
            return Read::Argument(c);
        }
        Read::Nothing
    }

    fn value_ended(&mut self, known: &dyn Fn(&str) -> bool) -> Read {
        let State::Value { raw, .. } = std::mem::replace(&mut self.state, State::Next) else {
            return Read::NoCall;
        };
        if self.key == "name" {
            let Ok(name) = serde_json::from_str::<String>(&raw) else {
                return Read::NoCall;
            };
            if !known(&name) || self.name.is_some() {
                return Read::NoCall;
            }
            self.name = Some(name);
        } else if self.is_arguments() {
            // Some models write the arguments as text that holds JSON.
            let text = match serde_json::from_str::<String>(&raw) {
                Ok(text) => text,
                Err(_) if raw == "null" => "{}".into(),
                Err(_) => raw,
            };
            if !is_object(&text) {
                return Read::NoCall;
            }
            self.held = Some(text);
        }
        match (&self.name, &self.held) {
            (Some(name), Some(arguments)) if !self.begun => {
                self.begun = true;
                Read::Begun {
                    name: name.clone(),
                    arguments: arguments.clone(),
                }
            }
            _ => Read::Nothing,
        }
    }

    fn ended(&mut self, known: &dyn Fn(&str) -> bool) -> Read {
        match self.name.take() {
            _ if self.begun => Read::Ended,
            // Without a marker, an object with nothing but a name is more likely an answer.
            Some(name) if !self.strict && known(&name) => Read::EndedBare { name },
            _ => Read::NoCall,
        }
    }
}

fn is_object(text: &str) -> bool {
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok()
}
