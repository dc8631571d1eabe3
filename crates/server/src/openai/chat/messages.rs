//! Messages as OpenAI's clients write them, and what the engine takes them for.

use hearth_app::engine::{Message, Role, ToolCall};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::openai::tools::short;
use crate::picture::{self, Parts};
use crate::refusal::Refusal;

/// One message of a conversation.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(crate) struct ChatMessage {
    /// `system`, `developer`, `user`, `assistant`, `tool`; `function` is what `tool` was called before.
    role: String,
    content: Option<Content>,
    /// What the assistant thought; sent back by clients that keep it.
    reasoning_content: Option<String>,
    tool_calls: Option<Vec<CallSpec>>,
    tool_call_id: Option<String>,
}

/// A text, or parts.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "expected a string or a list of parts with a `type`"
)]
pub(crate) enum Content {
    Text(String),
    Parts(Vec<Part>),
}

/// A part of a message; which fields it has depends on its type.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(crate) struct Part {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
    refusal: Option<String>,
    image_url: Option<ImageUrl>,
}

/// An address, bare or in an object.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ImageUrl {
    Bare(String),
    Object { url: String },
}

/// A call that the assistant made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(crate) struct CallSpec {
    id: Option<String>,
    function: CalledSpec,
}

/// Which function was called, and how.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(crate) struct CalledSpec {
    name: String,
    /// A string of JSON; an object is taken too.
    arguments: Option<Value>,
}

pub(super) fn messages(list: Vec<ChatMessage>) -> Result<Vec<Message>, Refusal> {
    if list.is_empty() {
        return Err(Refusal::invalid(
            "messages",
            "must hold at least one message",
        ));
    }
    let list = list.into_iter().enumerate();
    list.map(|(at, message)| translate(message, &format!("messages[{at}]")))
        .collect()
}

fn translate(message: ChatMessage, path: &str) -> Result<Message, Refusal> {
    let role = role(&message.role, path)?;
    let calls = message.tool_calls.unwrap_or_default();
    let parts = match message.content {
        Some(content) => parts(content, &format!("{path}.content"))?,
        // An answer that only called tools, or only thought, has no text.
        None if role == Role::Assistant => Parts::default(),
        None => return Err(Refusal::invalid(format!("{path}.content"), "is missing")),
    };
    if role != Role::Assistant && !calls.is_empty() {
        let reason = "can only stand in a message of the role \"assistant\"";
        return Err(Refusal::invalid(format!("{path}.tool_calls"), reason));
    }
    Ok(Message {
        reasoning: message.reasoning_content,
        tool_calls: calls.into_iter().map(call).collect(),
        tool_call_id: message.tool_call_id,
        ..parts.message(role)
    })
}

fn role(role: &str, path: &str) -> Result<Role, Refusal> {
    match role {
        "system" | "developer" => Ok(Role::System),
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        "tool" | "function" => Ok(Role::Tool),
        other => {
            let other = short(other);
            let reason = format!(
                "must be \"system\", \"developer\", \"user\", \"assistant\" or \"tool\", not {other:?}"
            );
            Err(Refusal::invalid(format!("{path}.role"), reason))
        }
    }
}

fn parts(content: Content, path: &str) -> Result<Parts, Refusal> {
    let mut made = Parts::default();
    match content {
        Content::Text(text) => made.text(&text),
        Content::Parts(parts) => {
            for (at, part) in parts.into_iter().enumerate() {
                add(&mut made, part, &format!("{path}[{at}]"))?;
            }
        }
    }
    Ok(made)
}

fn add(made: &mut Parts, part: Part, path: &str) -> Result<(), Refusal> {
    let missing = |field: &str| Refusal::invalid(format!("{path}.{field}"), "is missing");
    match part.kind.as_str() {
        "text" | "input_text" | "output_text" => {
            made.text(&part.text.ok_or_else(|| missing("text"))?);
        }
        "refusal" => made.text(&part.refusal.unwrap_or_default()),
        "image_url" | "input_image" => {
            let Some(ImageUrl::Bare(url) | ImageUrl::Object { url }) = part.image_url else {
                return Err(missing("image_url"));
            };
            made.picture(picture::from_url(&url, format!("{path}.image_url"))?);
        }
        other => {
            let other = short(other);
            let reason = format!("must be \"text\" or \"image_url\", not {other:?}");
            return Err(Refusal::invalid(format!("{path}.type"), reason));
        }
    }
    Ok(())
}

fn call(spec: CallSpec) -> ToolCall {
    ToolCall {
        id: spec.id.unwrap_or_default(),
        name: spec.function.name,
        arguments: match spec.function.arguments {
            Some(Value::String(text)) => text,
            Some(value) => value.to_string(),
            None => "{}".to_owned(),
        },
    }
}
