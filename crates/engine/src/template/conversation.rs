//! A conversation in the form that chat templates expect: the one of OpenAI's API, as the models saw it in training.
//!
//! Also the plain form for templates that know no tools: the tools are described in the system prompt, calls and results are
//! written into the text.

use serde::Serialize;
use serde_json::Value;

use crate::output::{Family, Syntax};
use crate::request::{Message, Role};
use crate::tools::{Tool, ToolCall};

/// A message as templates see it. The order of the fields is the one in which `tojson` writes them.
#[derive(Debug, Serialize)]
pub(super) struct Seen<'m> {
    role: Role,
    content: &'m str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'m str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<SeenCall>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<String>,
    /// Of the tool whose result this is; some templates ask for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'m str>,
}

#[derive(Debug, Serialize)]
struct SeenCall {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    function: SeenFunction,
}

#[derive(Debug, Serialize)]
struct SeenFunction {
    name: String,
    arguments: Value,
}

/// A tool as templates see it.
#[derive(Debug, Serialize)]
pub(super) struct SeenTool<'t> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: SeenDescription<'t>,
}

#[derive(Debug, Serialize)]
struct SeenDescription<'t> {
    name: &'t str,
    description: &'t str,
    parameters: &'t Value,
}

/// How a template wants the parts of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Taste {
    /// Arguments as text; most templates take an object.
    text_arguments: bool,
    /// Ids of exactly nine letters and digits.
    short_ids: bool,
}

impl Taste {
    pub(super) fn of(source: &str, syntax: &Syntax) -> Self {
        let has = |text: &str| source.contains(text);
        let prints = [
            "arguments }}",
            "arguments -}}",
            "arguments'] }}",
            "arguments + ",
            "arguments'] + ",
        ];
        let converts = [
            "arguments | tojson",
            "arguments|tojson",
            "arguments'] | tojson",
            "function|tojson",
            "function | tojson",
        ];
        let walks = ["arguments.items", "arguments|items", "arguments | items"];
        Self {
            text_arguments: prints.iter().any(|p| has(p))
                && !converts.iter().chain(&walks).any(|p| has(p)),
            short_ids: matches!(syntax.family, Family::MistralList | Family::MistralNamed),
        }
    }

    fn id(self, id: &str) -> String {
        if !self.short_ids {
            return id.to_owned();
        }
        let letters: Vec<char> = id.chars().filter(char::is_ascii_alphanumeric).collect();
        let last = &letters[letters.len().saturating_sub(9)..];
        let id: String = last.iter().collect();
        format!("{id:0>9}")
    }

    fn arguments(self, text: &str) -> Value {
        if self.text_arguments {
            return text.into();
        }
        serde_json::from_str(text).unwrap_or_else(|_| text.into())
    }

    fn call(self, call: &ToolCall) -> SeenCall {
        SeenCall {
            id: self.id(&call.id),
            kind: "function",
            function: SeenFunction {
                name: call.name.clone(),
                arguments: self.arguments(&call.arguments),
            },
        }
    }
}

/// The messages as templates see them.
pub(super) fn seen(messages: &[Message], taste: Taste) -> Vec<Seen<'_>> {
    let name_of = |id: &str| {
        let calls = messages.iter().flat_map(|m| &m.tool_calls);
        calls
            .filter(|c| c.id == id)
            .map(|c| c.name.as_str())
            .next_back()
    };
    messages
        .iter()
        .map(|message| Seen {
            role: message.role,
            content: &message.content,
            reasoning_content: message.reasoning.as_deref(),
            tool_calls: message.tool_calls.iter().map(|c| taste.call(c)).collect(),
            tool_call_id: message.tool_call_id.as_deref().map(|id| taste.id(id)),
            name: message.tool_call_id.as_deref().and_then(name_of),
        })
        .collect()
}

/// The tools as templates see them.
pub(super) fn seen_tools(tools: &[Tool]) -> Vec<SeenTool<'_>> {
    tools
        .iter()
        .map(|tool| SeenTool {
            kind: "function",
            function: SeenDescription {
                name: &tool.name,
                description: &tool.description,
                parameters: &tool.parameters,
            },
        })
        .collect()
}

/// Bytes of text in a conversation with its tools: what a prompt is measured against.
pub(super) fn size(messages: &[Message], tools: &[Tool]) -> usize {
    let of_message = |m: &Message| {
        let calls = m.tool_calls.iter();
        let calls: usize = calls.map(|c| c.name.len() + c.arguments.len()).sum();
        m.content.len() + m.reasoning.as_ref().map_or(0, String::len) + calls
    };
    let of_tool = |t: &Tool| t.description.len() + t.parameters.to_string().len();
    messages.iter().map(of_message).sum::<usize>() + tools.iter().map(of_tool).sum::<usize>()
}

/// The conversation for a template that knows no tools: [`Family::Hermes`] written out as text.
pub(super) fn in_plain_text(messages: &[Message], tools: &[Tool]) -> Vec<Message> {
    let mut out: Vec<Message> = Vec::with_capacity(messages.len() + 1);
    if !tools.is_empty() {
        out.push(Message::new(Role::System, described(tools)));
    }
    for message in messages {
        match message.role {
            Role::System if out.len() == 1 && !tools.is_empty() => {
                out[0].content = format!("{}\n\n{}", message.content, out[0].content);
            }
            Role::Tool => add_result(&mut out, &message.content),
            _ => out.push(Message::new(message.role, with_calls(message))),
        }
    }
    out
}

fn described(tools: &[Tool]) -> String {
    let mut text = String::from(
        "You can call functions. Each line between <tools> and </tools> describes one as JSON:\n<tools>\n",
    );
    for tool in seen_tools(tools) {
        // Plain data with text for keys, so this cannot fail.
        text.push_str(&serde_json::to_string(&tool).unwrap_or_default());
        text.push('\n');
    }
    text.push_str(
        "</tools>\nTo call a function, write its name and its arguments as JSON in exactly this form:\n\
         <tool_call>\n{\"name\": \"the name\", \"arguments\": {\"argument\": \"value\"}}\n</tool_call>\n\
         The result comes back between <tool_response> and </tool_response>. Call a function only when you need one.",
    );
    text
}

fn with_calls(message: &Message) -> String {
    let mut text = message.content.clone();
    for call in &message.tool_calls {
        if !text.is_empty() {
            text.push('\n');
        }
        let name = Value::from(call.name.as_str());
        let arguments = if call.arguments.trim().is_empty() {
            "{}"
        } else {
            &call.arguments
        };
        text.push_str("<tool_call>\n{\"name\": ");
        text.push_str(&name.to_string());
        text.push_str(", \"arguments\": ");
        text.push_str(arguments);
        text.push_str("}\n</tool_call>");
    }
    text
}

/// Results go into a message of the user: templates without tools know no other role for them.
fn add_result(out: &mut Vec<Message>, content: &str) {
    let result = format!("<tool_response>\n{content}\n</tool_response>");
    match out.last_mut() {
        Some(last) if last.role == Role::User && last.content.starts_with("<tool_response>") => {
            last.content.push('\n');
            last.content.push_str(&result);
        }
        _ => out.push(Message::new(Role::User, result)),
    }
}
