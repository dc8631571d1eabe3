//! The items of an input, and the conversation that they make.

use hearth_app::engine::{Message, Role, ToolCall};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::openai::tools::short;
use crate::picture::{self, Parts};
use crate::refusal::Refusal;

/// A text, or items.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected a string or a list of items")]
pub(crate) enum InputSpec {
    Text(String),
    Items(Vec<ItemSpec>),
}

/// An item; which fields it has depends on its type. One without a type is a message.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(crate) struct ItemSpec {
    #[serde(rename = "type")]
    kind: Option<String>,
    role: Option<String>,
    content: Option<ContentSpec>,
    call_id: Option<String>,
    name: Option<String>,
    arguments: Option<String>,
    output: Option<ContentSpec>,
    summary: Option<Vec<PartSpec>>,
}

/// A text, or parts.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "expected a string or a list of parts with a `type`"
)]
pub(crate) enum ContentSpec {
    Text(String),
    Parts(Vec<PartSpec>),
}

/// A part of an item.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(crate) struct PartSpec {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
    refusal: Option<String>,
    image_url: Option<String>,
}

pub(super) fn messages(
    instructions: Option<String>,
    input: InputSpec,
) -> Result<Vec<Message>, Refusal> {
    let mut made = Conversation::default();
    if let Some(text) = instructions.filter(|text| !text.is_empty()) {
        made.messages.push(Message::new(Role::System, text));
    }
    match input {
        InputSpec::Text(text) => made.messages.push(Message::new(Role::User, text)),
        InputSpec::Items(items) if items.is_empty() => {
            return Err(Refusal::invalid("input", "must hold at least one item"));
        }
        InputSpec::Items(items) => {
            for (at, item) in items.into_iter().enumerate() {
                made.take(item, &format!("input[{at}]"))?;
            }
        }
    }
    Ok(made.messages)
}

/// The messages so far. Thoughts, text and calls of one turn come as items of their own and go into one message.
#[derive(Default)]
struct Conversation {
    messages: Vec<Message>,
    /// Of the turn that begins.
    reasoning: Option<String>,
}

impl Conversation {
    fn take(&mut self, item: ItemSpec, path: &str) -> Result<(), Refusal> {
        match item.kind.as_deref() {
            None | Some("message") => self.message(item, path),
            Some("function_call") => self.call(item, path),
            Some("function_call_output") => {
                let missing = || Refusal::invalid(format!("{path}.output"), "is missing");
                let output = item.output.ok_or_else(missing)?;
                let output = parts(output, &format!("{path}.output"))?;
                self.messages.push(Message {
                    tool_call_id: item.call_id,
                    ..output.message(Role::Tool)
                });
                Ok(())
            }
            Some("reasoning") => {
                self.reasoning = Some(reasoning(item, path)?).filter(|text| !text.is_empty());
                Ok(())
            }
            Some("item_reference") => {
                let reason = "cannot be \"item_reference\": Hearth stores no items";
                Err(Refusal::invalid(format!("{path}.type"), reason).hint("Send the item itself."))
            }
            Some(other) => {
                let other = short(other);
                let reason = format!(
                    "must be \"message\", \"function_call\", \"function_call_output\" or \"reasoning\", not {other:?}"
                );
                Err(Refusal::invalid(format!("{path}.type"), reason))
            }
        }
    }

    fn message(&mut self, item: ItemSpec, path: &str) -> Result<(), Refusal> {
        let role = match item.role.as_deref() {
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some("system" | "developer") => Role::System,
            None => return Err(Refusal::invalid(format!("{path}.role"), "is missing")),
            Some(other) => {
                let other = short(other);
                let reason = format!(
                    "must be \"user\", \"assistant\", \"system\" or \"developer\", not {other:?}"
                );
                return Err(Refusal::invalid(format!("{path}.role"), reason));
            }
        };
        let missing = || Refusal::invalid(format!("{path}.content"), "is missing");
        let content = item.content.ok_or_else(missing)?;
        let mut message = parts(content, &format!("{path}.content"))?.message(role);
        if role == Role::Assistant {
            message.reasoning = self.reasoning.take();
        }
        self.messages.push(message);
        Ok(())
    }

    fn call(&mut self, item: ItemSpec, path: &str) -> Result<(), Refusal> {
        let missing = |field: &str| Refusal::invalid(format!("{path}.{field}"), "is missing");
        let call = ToolCall {
            id: item.call_id.ok_or_else(|| missing("call_id"))?,
            name: item.name.ok_or_else(|| missing("name"))?,
            arguments: item.arguments.ok_or_else(|| missing("arguments"))?,
        };
        let begins = self.reasoning.is_some()
            || self
                .messages
                .last()
                .is_none_or(|m| m.role != Role::Assistant);
        if begins {
            self.messages.push(Message {
                reasoning: self.reasoning.take(),
                ..Message::new(Role::Assistant, "")
            });
        }
        if let Some(turn) = self.messages.last_mut() {
            turn.tool_calls.push(call);
        }
        Ok(())
    }
}

fn parts(content: ContentSpec, path: &str) -> Result<Parts, Refusal> {
    let mut made = Parts::default();
    match content {
        ContentSpec::Text(text) => made.text(&text),
        ContentSpec::Parts(parts) => {
            for (at, part) in parts.into_iter().enumerate() {
                add(&mut made, part, &format!("{path}[{at}]"))?;
            }
        }
    }
    Ok(made)
}

fn add(made: &mut Parts, part: PartSpec, path: &str) -> Result<(), Refusal> {
    let missing = |field: &str| Refusal::invalid(format!("{path}.{field}"), "is missing");
    match part.kind.as_str() {
        "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text" => {
            made.text(&part.text.ok_or_else(|| missing("text"))?);
        }
        "refusal" => made.text(&part.refusal.unwrap_or_default()),
        "input_image" => {
            let url = part.image_url.ok_or_else(|| missing("image_url"))?;
            made.picture(picture::from_url(&url, format!("{path}.image_url"))?);
        }
        other => {
            let other = short(other);
            let reason = format!("must be \"input_text\" or \"input_image\", not {other:?}");
            return Err(Refusal::invalid(format!("{path}.type"), reason));
        }
    }
    Ok(())
}

/// What was thought, or its summary when the thoughts themselves are not there.
fn reasoning(item: ItemSpec, path: &str) -> Result<String, Refusal> {
    if let Some(content) = item.content {
        let path = format!("{path}.content");
        return parts(content, &path)?.into_text(path);
    }
    let path = format!("{path}.summary");
    let summary = ContentSpec::Parts(item.summary.unwrap_or_default());
    parts(summary, &path)?.into_text(path)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn items_of_one_turn_become_one_message() {
        let items = json!([
            { "role": "user", "content": "a" },
            { "type": "reasoning", "id": "rs_1", "summary": [{ "type": "summary_text", "text": "hm" }] },
            { "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "b" }] },
            { "type": "function_call", "call_id": "1", "name": "f", "arguments": "{}" },
            { "type": "function_call", "call_id": "2", "name": "g", "arguments": "{}" },
            { "type": "function_call_output", "call_id": "1", "output": "c" },
            { "type": "function_call", "call_id": "3", "name": "h", "arguments": "{}" },
        ]);
        let input = serde_json::from_value(items).unwrap();
        let made = messages(Some("Be short.".into()), input).unwrap();
        let shown: Vec<(Role, &str, usize)> = made
            .iter()
            .map(|m| (m.role, m.content.as_str(), m.tool_calls.len()))
            .collect();
        assert_eq!(
            shown,
            [
                (Role::System, "Be short.", 0),
                (Role::User, "a", 0),
                (Role::Assistant, "b", 2),
                (Role::Tool, "c", 0),
                (Role::Assistant, "", 1),
            ]
        );
        assert_eq!(made[2].reasoning.as_deref(), Some("hm"));
        assert_eq!(made[3].tool_call_id.as_deref(), Some("1"));
    }
}
