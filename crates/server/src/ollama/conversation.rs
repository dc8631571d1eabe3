//! Messages and tools of this dialect as the engine takes them.
//!
//! The engine joins a result to its call by an id. This dialect often has none: a result names its tool, or nothing at all, so the
//! calls that have no result yet are gone through in order.

use hearth_app::engine::{self, Role, ToolCall};
use serde_json::{Value, json};

use super::request::{Call, Message, Tool};
use crate::picture;
use crate::refusal::Refusal;

/// The conversation.
pub(super) fn messages(asked: &[Message]) -> Result<Vec<engine::Message>, Refusal> {
    let mut open: Vec<OpenCall> = Vec::new();
    let mut calls = 0;
    let mut out = Vec::with_capacity(asked.len());
    for (at, message) in asked.iter().enumerate() {
        let field = format!("messages[{at}]");
        let role = role(&message.role, &field)?;
        let mut new = engine::Message::new(role, message.content.clone());
        new.images = images(&message.images, &format!("{field}.images"))?;
        if !message.thinking.is_empty() {
            new.reasoning = Some(message.thinking.clone());
        }
        for (index, call) in message.tool_calls.iter().enumerate() {
            let call = tool_call(
                call,
                calls,
                &format!("{field}.tool_calls[{index}].function.arguments"),
            )?;
            calls += 1;
            open.push(OpenCall {
                id: call.id.clone(),
                name: call.name.clone(),
            });
            new.tool_calls.push(call);
        }
        if role == Role::Tool {
            new.tool_call_id = answered(&mut open, message);
        }
        out.push(new);
    }
    Ok(out)
}

/// Pictures in this dialect have no place in the text: they come before it.
pub(super) fn images(asked: &[String], field: &str) -> Result<Vec<engine::Image>, Refusal> {
    let files = asked.iter().enumerate();
    let files = files.map(|(at, text)| picture::from_base64(text, format!("{field}[{at}]")));
    files.map(|file| file.map(engine::Image::new)).collect()
}

/// A call that has no result yet.
struct OpenCall {
    id: String,
    name: String,
}

fn role(name: &str, field: &str) -> Result<Role, Refusal> {
    Ok(match name {
        "system" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        _ => {
            let shown: String = name.chars().take(40).collect();
            return Err(Refusal::invalid(
                format!("{field}.role"),
                format_args!("is {shown:?}; system, user, assistant and tool are known"),
            ));
        }
    })
}

fn tool_call(call: &Call, number: usize, field: &str) -> Result<ToolCall, Refusal> {
    let arguments = match &call.function.arguments {
        Value::Null => "{}".to_owned(),
        Value::String(text) => text.clone(),
        object @ Value::Object(_) => object.to_string(),
        _ => return Err(Refusal::invalid(field, "must be an object")),
    };
    Ok(ToolCall {
        id: if call.id.is_empty() {
            format!("call_{number}")
        } else {
            call.id.clone()
        },
        name: call.function.name.clone(),
        arguments,
    })
}

/// The id of the call whose result this is.
fn answered(open: &mut Vec<OpenCall>, message: &Message) -> Option<String> {
    let id = &message.tool_call_id;
    let at = if !id.is_empty() {
        open.iter().position(|call| call.id == *id)
    } else if !message.tool_name.is_empty() {
        open.iter().position(|call| call.name == message.tool_name)
    } else {
        (!open.is_empty()).then_some(0)
    };
    at.map(|at| open.remove(at).id)
        .or_else(|| (!id.is_empty()).then(|| id.clone()))
}

/// The tools. One without parameters takes none.
pub(super) fn tools(asked: &[Tool]) -> Vec<engine::Tool> {
    asked
        .iter()
        .map(|tool| engine::Tool {
            name: tool.function.name.clone(),
            description: tool.function.description.clone(),
            parameters: match &tool.function.parameters {
                Value::Null => json!({ "type": "object", "properties": {} }),
                given => given.clone(),
            },
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(messages: Value) -> Result<Vec<engine::Message>, Refusal> {
        let asked: Vec<Message> = serde_json::from_value(messages).unwrap();
        super::messages(&asked)
    }

    #[test]
    fn results_find_their_calls_by_id_name_or_order() {
        let call = |name: &str| json!({ "function": { "name": name, "arguments": { "a": 1 } } });
        let messages = read(json!([
            { "role": "user", "content": "hi" },
            { "role": "assistant", "content": null, "thinking": "hm",
              "tool_calls": [call("one"), call("two"), { "id": "x", "function": { "name": "three" } }] },
            { "role": "tool", "content": "2", "tool_name": "two" },
            { "role": "tool", "content": "3", "tool_call_id": "x" },
            { "role": "tool", "content": "1" },
            { "role": "tool", "content": "?" },
        ]))
        .unwrap();
        let ids: Vec<Option<&str>> = messages[2..]
            .iter()
            .map(|m| m.tool_call_id.as_deref())
            .collect();
        assert_eq!(ids, [Some("call_1"), Some("x"), Some("call_0"), None]);
        assert_eq!(messages[1].reasoning.as_deref(), Some("hm"));
        assert_eq!(messages[1].tool_calls[0].arguments, r#"{"a":1}"#);
        assert_eq!(messages[1].tool_calls[2].arguments, "{}");
    }

    #[test]
    fn wrong_parts_are_named() {
        for (messages, param) in [
            (json!([{ "role": "robot" }]), "messages[0].role"),
            (
                json!([{ "role": "user" }, { "role": "user", "images": ["aGk=", "*"] }]),
                "messages[1].images[1]",
            ),
            (
                json!([{ "role": "assistant", "tool_calls": [{ "function": { "name": "a", "arguments": [] } }] }]),
                "messages[0].tool_calls[0].function.arguments",
            ),
        ] {
            assert_eq!(read(messages).unwrap_err().param.as_deref(), Some(param));
        }
    }
}
