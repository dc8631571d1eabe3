//! Builds the grammar of one request: its constraint, the calls it must make, and the thought that may come before.
//!
//! The result is llguidance's own form: Lark text whose rules refer to JSON schemas by name. Markers that are special tokens of
//! the vocabulary are written as token numbers, because their text is not what the model generates.

use llguidance::api::{GrammarWithLexer, TopLevelGrammar};
use llguidance::toktrie::TokTrie;
use serde_json::{Value, json};

use super::{Constraint, gbnf};
use crate::output::{Family, Syntax};
use crate::request::invalid;
use crate::tools::{Tool, ToolChoice};
use crate::{Error, Request};

/// Most calls that a required answer may hold: without an end, small models repeat themselves.
const MAX_CALLS: usize = 16;
/// White space inside JSON. llguidance allows any amount, and small models then write blank lines without end.
const WHITESPACE: &str = r"[\x20\x0A\x0D\x09]{1,64}";

/// What an answer is held to: the parts of a request that decide the grammar, and nothing else. Equal values give equal grammars.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    constraint: Option<Constraint>,
    /// The tools that may be called; empty when calls play no part.
    tools: Vec<Tool>,
    must_call: bool,
    most_calls: usize,
    /// A thought may come first.
    thinks: bool,
    syntax: Syntax,
}

impl Wanted {
    /// `None` when the answer to `request` is free.
    ///
    /// With calls required, the answer is calls and nothing else; with tools to choose from, a constraint holds for an answer
    /// without calls. A thought may come first when the request wants the answer taken apart: otherwise the raw text, thought
    /// included, has to conform.
    pub fn of(request: &Request, syntax: &Syntax) -> Option<Self> {
        let tools = request.tools.iter();
        let (tools, must_call, most_calls): (Vec<Tool>, bool, usize) = match &request.tool_choice {
            ToolChoice::None => (Vec::new(), false, 0),
            ToolChoice::Named(name) => (
                tools.filter(|t| t.name == *name).cloned().collect(),
                true,
                1,
            ),
            ToolChoice::Required => (tools.cloned().collect(), true, MAX_CALLS),
            // Without `parse` nobody could tell a call from an answer that breaks its constraint.
            ToolChoice::Auto if !request.parse => (Vec::new(), false, 0),
            ToolChoice::Auto => (tools.cloned().collect(), false, MAX_CALLS),
        };
        let most_calls = if request.one_call {
            most_calls.min(1)
        } else {
            most_calls
        };
        if request.constraint.is_none() && !must_call {
            return None;
        }
        Some(Self {
            constraint: request.constraint.clone().filter(|_| !must_call),
            tools,
            must_call,
            most_calls,
            thinks: request.parse && request.thinking != Some(false),
            syntax: *syntax,
        })
    }

    /// The request's field that an error is about.
    pub fn field(&self) -> &'static str {
        self.constraint.as_ref().map_or("tools", Constraint::field)
    }

    /// Builds the grammar. May take long and recurse deeply: the parts come from strangers.
    pub fn grammar(&self, vocabulary: &TokTrie) -> Result<TopLevelGrammar, Error> {
        let mut lark = Lark::new(vocabulary);
        let mut answers = Vec::new();
        if !self.tools.is_empty() {
            answers.push(lark.calls(self.syntax.family, &self.tools, self.most_calls)?);
        }
        if let Some(constraint) = &self.constraint {
            answers.push(lark.constraint(constraint)?);
        }
        if answers.is_empty() {
            return Err(invalid(
                "tool_choice",
                "asks for a call, and there is no tool to call",
            ));
        }
        let answer = format!("({})", answers.join(" | "));
        let start = lark.start(&self.syntax, &answer, self.thinks, self.must_call);
        lark.rules.insert(0, format!("start: {start}"));
        Ok(lark.finish())
    }
}

/// Lark text under construction.
struct Lark<'v> {
    vocabulary: &'v TokTrie,
    rules: Vec<String>,
    schemas: Vec<GrammarWithLexer>,
}

impl<'v> Lark<'v> {
    fn new(vocabulary: &'v TokTrie) -> Self {
        Self {
            vocabulary,
            rules: Vec::new(),
            schemas: Vec::new(),
        }
    }

    fn finish(self) -> TopLevelGrammar {
        let mut grammars = vec![GrammarWithLexer::from_lark(self.rules.join("\n"))];
        grammars.extend(self.schemas);
        TopLevelGrammar {
            grammars,
            max_tokens: None,
        }
    }

    /// A marker: the special token where the vocabulary has one, else the text.
    fn marker(&self, text: &str) -> String {
        match self.vocabulary.get_special_token(text) {
            Some(token) => format!("<[{token}]>"),
            None => quote(text),
        }
    }

    /// Any text up to and including `end`.
    fn text_until(&mut self, name: &str, end: &str) {
        let rule = match self.vocabulary.get_special_token(end) {
            Some(token) => format!("{name}: /(?s:.*)/ <[{token}]>"),
            None => format!("{name}[suffix={}]: /(?s:.*)/", quote(end)),
        };
        self.rules.push(rule);
    }

    /// Puts what may come before the answer in front of it.
    fn start(&mut self, syntax: &Syntax, answer: &str, thinks: bool, must_call: bool) -> String {
        if syntax.family == Family::Harmony {
            let channel = self.marker("<|channel|>");
            let message = self.marker("<|message|>");
            let final_answer = format!("{channel} \"final\" {message} {answer}");
            // Calls open their own channel.
            let answer = if must_call { answer } else { &final_answer };
            if !thinks {
                return answer.to_owned();
            }
            self.text_until("thought", "<|end|>");
            let again = format!("{} \"assistant\"", self.marker("<|start|>"));
            return format!("({channel} \"analysis\" {message} thought {again})? {answer}");
        }
        match syntax.thoughts {
            Some(thoughts) if thinks => {
                self.text_until("thought", thoughts.close);
                self.rules.push(r"gap: /[ \t\r\n]{0,8}/".into());
                if syntax.thinking_open {
                    format!("thought gap {answer}")
                } else {
                    format!("({} thought gap)? {answer}", self.marker(thoughts.open))
                }
            }
            _ => answer.to_owned(),
        }
    }

    fn constraint(&mut self, constraint: &Constraint) -> Result<String, Error> {
        match constraint {
            Constraint::JsonObject => self.schema("json_schema", json!({ "type": "object" })),
            Constraint::JsonSchema(schema) => self.schema("json_schema", schema.clone()),
            Constraint::Regex(regex) => {
                self.rules
                    .push(format!("REGEX: /{}/", llguidance::regex_to_lark(regex, "")));
                Ok("REGEX".into())
            }
            Constraint::Gbnf(text) => {
                let grammar = gbnf::parse(text)?;
                self.rules.extend(gbnf::to_lark(&grammar));
                Ok(gbnf::ROOT.into())
            }
        }
    }

    /// Adds a schema; returns what refers to it.
    fn schema(&mut self, field: &'static str, schema: Value) -> Result<String, Error> {
        let mut schema = match schema {
            Value::Bool(true) => json!({}),
            Value::Bool(false) => return Err(invalid(field, "is `false`, which allows no text")),
            other => other,
        };
        if let Some(fields) = schema.as_object_mut() {
            // Written over whatever the caller put there: it switches checks of the compiler off.
            fields.insert(
                "x-guidance".into(),
                json!({ "whitespace_pattern": WHITESPACE }),
            );
        }
        let name = format!("schema_{}", self.schemas.len());
        self.schemas.push(GrammarWithLexer {
            name: Some(name.clone()),
            ..GrammarWithLexer::from_json_schema(schema)
        });
        Ok(format!("@{name}"))
    }

    /// Adds the rules of one call for each tool; returns what stands for 1 to `most` calls.
    fn calls(&mut self, family: Family, tools: &[Tool], most: usize) -> Result<String, Error> {
        let mut each = Vec::new();
        for (at, tool) in tools.iter().enumerate() {
            let arguments = self.schema("tools", object_schema(&tool.parameters))?;
            let call = self.call(family, &tool.name, &arguments);
            self.rules.push(format!("call_{at}: {call}"));
            each.push(format!("call_{at}"));
        }
        self.rules.push(format!("call: {}", each.join(" | ")));
        let more = most.saturating_sub(1);
        let repeat = |separator: &str| match more {
            0 => "call".to_owned(),
            _ => format!("call ({separator} call){{0,{more}}}"),
        };
        Ok(match family {
            Family::Hermes => repeat("\"\\n\""),
            Family::Function | Family::MistralNamed => match more {
                0 => "call".into(),
                _ => format!("call{{1,{most}}}"),
            },
            Family::MistralList => {
                format!(
                    "{} \"[\" {} \"]\"",
                    self.marker("[TOOL_CALLS]"),
                    repeat("\", \"")
                )
            }
            // One call is the whole answer.
            Family::Llama3 | Family::Harmony => "call".into(),
        })
    }

    /// One call of the tool `name` in the family's own form.
    fn call(&self, family: Family, name: &str, arguments: &str) -> String {
        let json_name = quote(name);
        // The text `{"name": "x", "key": ` up to the arguments, as Python's `json.dumps` writes it.
        let head = |key: &str| quote(&format!("{{\"name\": {json_name}, \"{key}\": "));
        match family {
            Family::Hermes => format!(
                "{} \"\\n\" {} {arguments} \"}}\\n\" {}",
                self.marker("<tool_call>"),
                head("arguments"),
                self.marker("</tool_call>")
            ),
            Family::Llama3 => format!("{} {arguments} \"}}\"", head("parameters")),
            Family::MistralList => format!("{} {arguments} \"}}\"", head("arguments")),
            Family::MistralNamed => format!(
                "{} {json_name} {} {arguments}",
                self.marker("[TOOL_CALLS]"),
                self.marker("[ARGS]")
            ),
            Family::Function => format!(
                "{} {arguments} {}",
                quote(&format!("<function={name}>")),
                quote("</function>")
            ),
            Family::Harmony => format!(
                "{} {} {} \"json\" {} {arguments}",
                self.marker("<|channel|>"),
                quote(&format!("commentary to=functions.{name} ")),
                self.marker("<|constrain|>"),
                self.marker("<|message|>")
            ),
        }
    }
}

/// Arguments are an object even when the schema does not say so.
fn object_schema(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) if !fields.contains_key("type") => {
            let mut fields = fields.clone();
            fields.insert("type".into(), "object".into());
            Value::Object(fields)
        }
        Value::Bool(true) | Value::Null => json!({ "type": "object" }),
        other => other.clone(),
    }
}

/// A Lark string: JSON's form, with the one control character escaped that Lark does not take as it is.
pub(super) fn quote(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests;
