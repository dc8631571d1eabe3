//! Follows JSON character by character, to know where a value ends and at which character it stops being JSON.

/// Deepest nesting that is followed; serde_json's own limit.
const MAX_DEPTH: usize = 128;

/// What a character did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fed {
    /// The value goes on.
    More,
    /// The value ended with this character.
    Done,
    /// The value, a number, ended before this character, which is not part of it.
    DoneBefore,
}

/// The text is not JSON from this character on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotJson;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    Object,
    Array,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Value,
    /// After `[`: a value or the end.
    ValueOrEnd,
    /// After `{`: a key or the end.
    KeyOrEnd,
    Key,
    Colon,
    /// After a value inside an object or array: a comma or the end.
    Next,
    String {
        key: bool,
    },
    /// After a backslash.
    Escape {
        key: bool,
    },
    /// So many hexadecimal digits are missing.
    Hex {
        key: bool,
        left: u8,
    },
    /// The rest of `true`, `false` or `null`.
    Word(&'static str),
    Number(Number),
}

/// How far a number has come. Source of the grammar: RFC 8259, section 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Sign,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
}

/// Follows one value from its first character, white space before it included.
#[derive(Debug, Clone)]
pub struct Scanner {
    frames: Vec<Frame>,
    state: State,
}

impl Default for Scanner {
    fn default() -> Self {
        Self {
            frames: Vec::new(),
            state: State::Value,
        }
    }
}

impl Scanner {
    pub fn feed(&mut self, c: char) -> Result<Fed, NotJson> {
        match self.state {
            State::String { key } => self.string(c, key),
            State::Escape { key } => {
                self.state = match c {
                    'u' => State::Hex { key, left: 4 },
                    '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' => State::String { key },
                    _ => return Err(NotJson),
                };
                Ok(Fed::More)
            }
            State::Hex { key, left } if c.is_ascii_hexdigit() => {
                self.state = match left {
                    1 => State::String { key },
                    _ => State::Hex {
                        key,
                        left: left - 1,
                    },
                };
                Ok(Fed::More)
            }
            State::Hex { .. } => Err(NotJson),
            State::Word(rest) => match rest.strip_prefix(c) {
                Some("") => Ok(self.end()),
                Some(rest) => {
                    self.state = State::Word(rest);
                    Ok(Fed::More)
                }
                None => Err(NotJson),
            },
            State::Number(number) => self.number(c, number),
            _ if matches!(c, ' ' | '\t' | '\n' | '\r') => Ok(Fed::More),
            _ => self.structure(c),
        }
    }

    fn string(&mut self, c: char, key: bool) -> Result<Fed, NotJson> {
        match c {
            '"' if key => self.state = State::Colon,
            '"' => return Ok(self.end()),
            '\\' => self.state = State::Escape { key },
            c if c < ' ' => return Err(NotJson),
            _ => {}
        }
        Ok(Fed::More)
    }

    fn structure(&mut self, c: char) -> Result<Fed, NotJson> {
        let last = self.frames.last().copied();
        match (self.state, c) {
            (State::Key | State::KeyOrEnd, '"') => self.state = State::String { key: true },
            (State::KeyOrEnd, '}') | (State::ValueOrEnd, ']') => return Ok(self.close()),
            (State::Next, '}') if last == Some(Frame::Object) => return Ok(self.close()),
            (State::Next, ']') if last == Some(Frame::Array) => return Ok(self.close()),
            (State::Next, ',') if last == Some(Frame::Object) => self.state = State::Key,
            (State::Colon, ':') | (State::Next, ',') => self.state = State::Value,
            (State::Value | State::ValueOrEnd, c) => return self.value(c),
            _ => return Err(NotJson),
        }
        Ok(Fed::More)
    }

    fn value(&mut self, c: char) -> Result<Fed, NotJson> {
        self.state = match c {
            '{' => self.open(Frame::Object, State::KeyOrEnd)?,
            '[' => self.open(Frame::Array, State::ValueOrEnd)?,
            '"' => State::String { key: false },
            't' => State::Word("rue"),
            'f' => State::Word("alse"),
            'n' => State::Word("ull"),
            '-' => State::Number(Number::Sign),
            '0' => State::Number(Number::Zero),
            '1'..='9' => State::Number(Number::Integer),
            _ => return Err(NotJson),
        };
        Ok(Fed::More)
    }

    fn number(&mut self, c: char, number: Number) -> Result<Fed, NotJson> {
        let next = match (number, c) {
            (Number::Sign, '0') => Number::Zero,
            (Number::Sign, '1'..='9') | (Number::Integer, '0'..='9') => Number::Integer,
            (Number::Zero | Number::Integer, '.') => Number::Point,
            (Number::Point | Number::Fraction, '0'..='9') => Number::Fraction,
            (Number::Zero | Number::Integer | Number::Fraction, 'e' | 'E') => Number::Exponent,
            (Number::Exponent, '+' | '-') => Number::ExponentSign,
            (Number::Exponent | Number::ExponentSign | Number::ExponentDigits, '0'..='9') => {
                Number::ExponentDigits
            }
            (Number::Zero | Number::Integer | Number::Fraction | Number::ExponentDigits, _) => {
                if self.end() == Fed::Done {
                    return Ok(Fed::DoneBefore);
                }
                // The character belongs to the object or array round the number.
                return self.feed(c);
            }
            _ => return Err(NotJson),
        };
        self.state = State::Number(next);
        Ok(Fed::More)
    }

    fn open(&mut self, frame: Frame, state: State) -> Result<State, NotJson> {
        if self.frames.len() == MAX_DEPTH {
            return Err(NotJson);
        }
        self.frames.push(frame);
        Ok(state)
    }

    fn close(&mut self) -> Fed {
        self.frames.pop();
        self.end()
    }

    /// A value ended.
    fn end(&mut self) -> Fed {
        self.state = State::Next;
        if self.frames.is_empty() {
            Fed::Done
        } else {
            Fed::More
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Length in characters of the value at the start of `text`.
    fn scan(text: &str) -> Result<Option<usize>, NotJson> {
        let mut scanner = Scanner::default();
        for (at, c) in text.chars().enumerate() {
            match scanner.feed(c)? {
                Fed::More => {}
                Fed::Done => return Ok(Some(at + 1)),
                Fed::DoneBefore => return Ok(Some(at)),
            }
        }
        Ok(None)
    }

    #[test]
    fn finds_ends_and_errors() {
        let value = r#" {"a": [1, -2.5e+3, {"b": "}\u00e9\""}], "c": null}"#;
        assert_eq!(scan(&format!("{value} x")), Ok(Some(value.len())));
        assert_eq!(scan("12 "), Ok(Some(2)));
        assert_eq!(scan(r#"{"a": 1"#), Ok(None));
        for bad in [
            "{,",
            "[1,]",
            "{\"a\" 1",
            "01",
            "tru ",
            "{1",
            "[1}",
            "\"\n",
            "\"\\x",
            "-.",
            "{\"a\":1,}",
            "1.e",
            "'",
        ] {
            let bad = format!("{bad} ");
            assert_eq!(
                scan(&bad),
                if bad == "01 " {
                    Ok(Some(1))
                } else {
                    Err(NotJson)
                },
                "{bad}"
            );
        }
        assert_eq!(scan(&"[".repeat(129)), Err(NotJson));
    }

    proptest! {
        /// serde_json reads what ends here, and what it reads ends here.
        #[test]
        fn agrees_with_serde_json(text in r#"[\[\]{}",:0-9a-z .\-\\]{0,24}"#) {
            let whole = format!("[{text}]");
            let ours = scan(&whole) == Ok(Some(whole.chars().count()));
            let theirs = serde_json::from_str::<serde_json::Value>(&whole);
            // Only serde_json looks at the size of numbers and at halves of surrogate pairs.
            let too_large = theirs.as_ref().is_err_and(|e| e.to_string().contains("out of range") || e.to_string().contains("escape"));
            prop_assert!(ours == theirs.is_ok() || too_large, "{whole}: {ours} {theirs:?}");
        }
    }
}
