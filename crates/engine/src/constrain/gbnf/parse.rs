//! From GBNF text to nodes. Errors name line and column.

use std::collections::HashMap;
use std::iter::Peekable;
use std::str::Chars as Text;

use super::chars::Chars;
use super::{Grammar, Id, MAX_GROUPS, MAX_NODES, MAX_REPEAT, Node};
use crate::Error;
use crate::request::invalid;

/// Parses a grammar. The start symbol is `root`.
pub fn parse(text: &str) -> Result<Grammar, Error> {
    let mut parser = Parser {
        rest: text.chars().peekable(),
        line: 1,
        column: 1,
        nodes: Vec::new(),
        names: HashMap::new(),
        rules: Vec::new(),
        first_use: Vec::new(),
        groups: 0,
    };
    parser
        .grammar()
        .map_err(|reason| invalid("grammar", format!("is not valid GBNF: {reason}")))
}

struct Parser<'t> {
    rest: Peekable<Text<'t>>,
    line: usize,
    column: usize,
    nodes: Vec<Node>,
    names: HashMap<String, usize>,
    /// The node of each rule, once it is defined.
    rules: Vec<Option<Id>>,
    /// Where each rule was named first.
    first_use: Vec<String>,
    groups: usize,
}

impl Parser<'_> {
    fn grammar(&mut self) -> Result<Grammar, String> {
        self.skip_blank(true);
        while self.peek().is_some() {
            self.rule()?;
            self.skip_blank(true);
        }
        let root = *self
            .names
            .get("root")
            .ok_or("it has no rule named `root`, which is where a grammar begins")?;
        let mut rules = Vec::with_capacity(self.rules.len());
        for (rule, node) in self.rules.iter().enumerate() {
            rules.push(node.ok_or_else(|| {
                let name = self.names.iter().find(|(_, r)| **r == rule);
                let name = name.map_or("", |(n, _)| n);
                format!(
                    "the rule `{name}`, used at {}, is not defined",
                    self.first_use[rule]
                )
            })?);
        }
        Ok(Grammar {
            nodes: std::mem::take(&mut self.nodes),
            rules,
            root,
        })
    }

    fn rule(&mut self) -> Result<(), String> {
        let at = self.place();
        let name = self.name()?;
        self.skip_blank(false);
        for expected in "::=".chars() {
            self.expect(expected, "`::=` after the name of a rule")?;
        }
        self.skip_blank(true);
        let rule = self.rule_index(&name, &at);
        if self.rules[rule].is_some() {
            return Err(format!(
                "the rule `{name}` is defined a second time at {at}"
            ));
        }
        let node = self.choice(false)?;
        self.rules[rule] = Some(node);
        match self.peek() {
            None | Some('\n' | '\r') => Ok(()),
            Some(c) => Err(format!("unexpected {c:?} at {}", self.place())),
        }
    }

    fn rule_index(&mut self, name: &str, at: &str) -> usize {
        if let Some(rule) = self.names.get(name) {
            return *rule;
        }
        self.names.insert(name.to_owned(), self.rules.len());
        self.rules.push(None);
        self.first_use.push(at.to_owned());
        self.rules.len() - 1
    }

    /// Sequences with `|` between them. Inside a group a line may end anywhere.
    fn choice(&mut self, in_group: bool) -> Result<Id, String> {
        let mut branches = vec![self.sequence(in_group)?];
        while self.peek() == Some('|') {
            self.next();
            self.skip_blank(true);
            branches.push(self.sequence(in_group)?);
        }
        match branches.as_slice() {
            [one] => Ok(*one),
            _ => self.add(Node::Choice(branches)),
        }
    }

    fn sequence(&mut self, in_group: bool) -> Result<Id, String> {
        let mut items: Vec<Id> = Vec::new();
        loop {
            let at = self.place();
            let item = match self.peek() {
                Some('"') => self.literal()?,
                Some('[') => {
                    let chars = self.class()?;
                    self.add(Node::Char(chars))?
                }
                Some('.') => {
                    self.next();
                    self.add(Node::Char(Chars::all()))?
                }
                Some('(') => self.group()?,
                Some(c) if is_name(c) => {
                    let name = self.name()?;
                    let rule = self.rule_index(&name, &at);
                    self.add(Node::Rule(rule))?
                }
                Some('<' | '!') => {
                    return Err(format!("tokens such as <think> are not supported, at {at}"));
                }
                _ => break,
            };
            let item = self.repetitions(item, in_group)?;
            items.push(item);
        }
        match items.as_slice() {
            [one] => Ok(*one),
            _ => self.add(Node::Sequence(items)),
        }
    }

    fn group(&mut self) -> Result<Id, String> {
        if self.groups == MAX_GROUPS {
            return Err(format!(
                "groups are nested more than {MAX_GROUPS} levels deep at {}",
                self.place()
            ));
        }
        self.groups += 1;
        self.next();
        self.skip_blank(true);
        let node = self.choice(true)?;
        self.expect(')', "`)` at the end of a group")?;
        self.groups -= 1;
        Ok(node)
    }

    /// `*`, `+`, `?` and `{m,n}` after an item, and the blanks that follow.
    fn repetitions(&mut self, mut node: Id, in_group: bool) -> Result<Id, String> {
        loop {
            self.skip_blank(in_group);
            let (least, most) = match self.peek() {
                Some('*') => (0, None),
                Some('+') => (1, None),
                Some('?') => (0, Some(1)),
                Some('{') => {
                    let (least, most) = self.bounds()?;
                    node = self.add(Node::Repeat { node, least, most })?;
                    continue;
                }
                _ => return Ok(node),
            };
            self.next();
            node = self.add(Node::Repeat { node, least, most })?;
        }
    }

    fn bounds(&mut self) -> Result<(u32, Option<u32>), String> {
        let at = self.place();
        self.next();
        self.skip_blank(false);
        let least = self.number();
        self.skip_blank(false);
        let most = if self.peek() == Some(',') {
            self.next();
            self.skip_blank(false);
            self.number()
        } else {
            least
        };
        self.skip_blank(false);
        self.expect('}', "`}` at the end of a repetition")?;
        let first = least.unwrap_or(0);
        if first.max(most.unwrap_or(0)) > MAX_REPEAT {
            return Err(format!(
                "the repetition at {at} is above the limit of {MAX_REPEAT}"
            ));
        }
        if most.is_some_and(|most| most < first) || (least.is_none() && most.is_none()) {
            return Err(format!("the repetition at {at} has no sense"));
        }
        Ok((first, most))
    }

    fn number(&mut self) -> Option<u32> {
        let mut number = None;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            self.next();
            let value: u32 = number.unwrap_or(0);
            // One digit past the limit is enough to know that it is too large.
            number = Some((value * 10 + digit).min(MAX_REPEAT + 1));
        }
        number
    }

    fn literal(&mut self) -> Result<Id, String> {
        let at = self.place();
        self.next();
        let mut items = Vec::new();
        loop {
            match self.peek() {
                None | Some('\n' | '\r') => return Err(format!("the text at {at} has no end")),
                Some('"') => {
                    self.next();
                    break;
                }
                Some(_) => {
                    let c = self.character()?;
                    items.push(self.add(Node::Char(Chars::one(c)))?);
                }
            }
        }
        match items.as_slice() {
            [one] => Ok(*one),
            _ => self.add(Node::Sequence(items)),
        }
    }

    fn class(&mut self) -> Result<Chars, String> {
        let at = self.place();
        self.next();
        let negated = self.peek() == Some('^');
        if negated {
            self.next();
        }
        let mut ranges = Vec::new();
        loop {
            match self.peek() {
                None | Some('\n' | '\r') => return Err(format!("the class at {at} has no end")),
                Some(']') => {
                    self.next();
                    break;
                }
                Some(_) => {
                    let first = self.character()?;
                    let last = self.end_of_range(first, &mut ranges)?;
                    if last < first {
                        return Err(format!(
                            "the class at {at} has a range that ends before it begins"
                        ));
                    }
                    ranges.push((first, last));
                }
            }
        }
        let chars = Chars::new(ranges);
        let chars = if negated { chars.complement() } else { chars };
        if chars.is_empty() {
            return Err(format!("the class at {at} holds no character"));
        }
        Ok(chars)
    }

    /// The end of the range that begins at `first`; a `-` before `]` stands for itself.
    fn end_of_range(
        &mut self,
        first: char,
        ranges: &mut Vec<(char, char)>,
    ) -> Result<char, String> {
        if self.peek() != Some('-') {
            return Ok(first);
        }
        self.next();
        if self.peek() == Some(']') {
            ranges.push(('-', '-'));
            return Ok(first);
        }
        self.character()
    }

    /// One character of a text or class, escapes resolved.
    fn character(&mut self) -> Result<char, String> {
        let at = self.place();
        match self.next() {
            Some('\\') => {}
            Some(c) => return Ok(c),
            None => return Err(format!("the grammar ends inside a text at {at}")),
        }
        let digits = match self.next() {
            Some('x') => 2,
            Some('u') => 4,
            Some('U') => 8,
            Some('n') => return Ok('\n'),
            Some('r') => return Ok('\r'),
            Some('t') => return Ok('\t'),
            Some(c @ ('\\' | '"' | '[' | ']' | '-' | '^' | '/' | '\'')) => return Ok(c),
            other => return Err(format!("unknown escape {other:?} at {at}")),
        };
        let mut code = 0_u32;
        for _ in 0..digits {
            let digit = self.next().and_then(|c| c.to_digit(16));
            let digit =
                digit.ok_or_else(|| format!("the escape at {at} needs {digits} hex digits"))?;
            code = code << 4 | digit;
        }
        char::from_u32(code).ok_or_else(|| format!("the escape at {at} is no character"))
    }

    fn name(&mut self) -> Result<String, String> {
        let mut name = String::new();
        while let Some(c) = self.peek().filter(|c| is_name(*c)) {
            name.push(c);
            self.next();
        }
        if name.is_empty() {
            let found = self.peek();
            return Err(format!(
                "expected the name of a rule at {}, not {found:?}",
                self.place()
            ));
        }
        Ok(name)
    }

    /// Skips blanks and comments, line ends too when `lines`.
    fn skip_blank(&mut self, lines: bool) {
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' => {}
                '\n' | '\r' if lines => {}
                '#' => {
                    while self.peek().is_some_and(|c| c != '\n' && c != '\r') {
                        self.next();
                    }
                    continue;
                }
                _ => return,
            }
            self.next();
        }
    }

    fn add(&mut self, node: Node) -> Result<Id, String> {
        if self.nodes.len() == MAX_NODES {
            return Err(format!("it has more than {MAX_NODES} parts"));
        }
        self.nodes.push(node);
        Ok(self.nodes.len() - 1)
    }

    fn peek(&mut self) -> Option<char> {
        self.rest.peek().copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        if c == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(c)
    }

    fn expect(&mut self, c: char, what: &str) -> Result<(), String> {
        if self.peek() == Some(c) {
            self.next();
            return Ok(());
        }
        Err(format!("expected {what} at {}", self.place()))
    }

    fn place(&self) -> String {
        format!("line {}, column {}", self.line, self.column)
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_with_place_and_reason() {
        let cases = [
            ("value ::= \"a\"", "no rule named `root`"),
            (
                "root ::= value",
                "`value`, used at line 1, column 10, is not defined",
            ),
            ("root ::= \"a", "has no end"),
            ("root ::= [a", "has no end"),
            ("root ::= []", "no character"),
            ("root ::= [z-a]", "ends before it begins"),
            ("root ::= (\"a\"", "`)`"),
            ("root = \"a\"", "`::=`"),
            ("root ::= \"a\"{3,2}", "no sense"),
            ("root ::= \"a\"{9999999999}", "limit of 2000"),
            ("root ::= \"\\ud800\"", "no character"),
            ("root ::= \"\\q\"", "unknown escape"),
            ("root ::= \"a\"\nroot ::= \"b\"", "second time at line 2"),
            ("root ::= <think>", "tokens"),
            ("root ::= \"a\" )", "unexpected ')'"),
            ("?", "name of a rule"),
        ];
        for (text, says) in cases {
            match parse(text) {
                Err(Error::InvalidRequest { field, reason }) => {
                    assert_eq!(field, "grammar");
                    assert!(reason.contains(says), "{text}: {reason}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
        assert!(parse(&format!("root ::= {}", "(".repeat(100_000))).is_err());
        let large = format!("root ::= {}", "\"a\" ".repeat(60_000));
        assert!(parse(&large).is_err());
    }

    #[test]
    fn reads_lines_comments_and_repetitions() {
        let text = "# first\nroot ::= (\n  a | \"b\" # inside\n  | [c-]\n)* \"\\x41\\u00e9\" {2,}\n\na ::= \"\" |\n  a \".\"?\n";
        let grammar = parse(text).unwrap();
        assert_eq!(grammar.rules.len(), 2);
        assert!(grammar.nodes.iter().any(|n| matches!(
            n,
            Node::Repeat {
                least: 2,
                most: None,
                ..
            }
        )));
    }
}
