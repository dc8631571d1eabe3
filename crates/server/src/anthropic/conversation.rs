//! Messages, system prompt and tools of this dialect as the engine takes them.
//!
//! Here a user's message holds the results of tools beside its text, and two messages of one side may follow each other; the engine
//! has a message of its own for each result, and templates want the sides to alternate. What the model thought before is left out:
//! models are trained not to see it again.

use std::fmt::Display;

use hearth_app::engine::{self, Role, ToolCall};
use serde_json::{Value, json};

use super::request::{Block, Content, Message, Tool};
use crate::picture::{self, Parts};
use crate::refusal::Refusal;

/// Claude Code begins its system prompt with this line, which is another one in each request: with it no prompt would begin as the
/// one before, and all of it would have to be read again.
const VOLATILE: &str = "x-anthropic-billing-header:";

/// The conversation, the system prompt first.
pub(super) fn messages(
    system: Option<&Content>,
    asked: &[Message],
) -> Result<Vec<engine::Message>, Refusal> {
    let mut out = Vec::with_capacity(asked.len() + 1);
    let system = system.map_or_else(|| Ok(String::new()), system_text)?;
    if !system.is_empty() {
        out.push(engine::Message::new(Role::System, system));
    }
    for (at, message) in asked.iter().enumerate() {
        let field = format!("messages[{at}]");
        match message.role.as_str() {
            "user" => add_user(&mut out, message, &field)?,
            "assistant" => add_assistant(&mut out, message, &field)?,
            "system" => {
                let said = parts(&message.content, &field)?;
                join_or_push(&mut out, said.message(Role::System));
            }
            other => {
                let shown: String = other.chars().take(40).collect();
                let reason = format_args!("is {shown:?}; user and assistant are known");
                return Err(Refusal::invalid(format!("{field}.role"), reason));
            }
        }
    }
    if asked.last().is_some_and(|last| last.role == "assistant") {
        let reason = "must end with a message of the user: an answer cannot be begun for the model";
        return Err(Refusal::invalid("messages", reason));
    }
    Ok(out)
}

/// The system prompt without the lines that change from request to request.
fn system_text(system: &Content) -> Result<String, Refusal> {
    let whole = parts(system, "system")?.into_text("system")?;
    let mut text = whole.as_str();
    while text.trim_start().starts_with(VOLATILE) {
        text = text.trim_start();
        text = text.split_once('\n').map_or("", |(_, rest)| rest);
    }
    Ok(text.to_owned())
}

/// The parts of content without calls, results and thoughts.
fn parts(content: &Content, field: &str) -> Result<Parts, Refusal> {
    let mut made = Parts::default();
    match content {
        Content::Text(text) => made.text(text),
        Content::Blocks(blocks) => {
            for (at, block) in blocks.iter().enumerate() {
                add(&mut made, block, &block_field(field, at))?;
            }
        }
    }
    Ok(made)
}

fn block_field(field: &str, at: usize) -> String {
    if field == "system" {
        format!("system[{at}]")
    } else {
        format!("{field}.content[{at}]")
    }
}

/// Adds a block of text or a picture; an error when it is another kind of block.
fn add(made: &mut Parts, block: &Block, field: &str) -> Result<(), Refusal> {
    let source = || needed(block.source.as_ref(), &format!("{field}.source"));
    let wrong = |kind: &str, reason: &str| {
        let shown: String = kind.chars().take(40).collect();
        Refusal::invalid(
            format!("{field}.source.type"),
            format_args!("is {shown:?}; {reason}"),
        )
    };
    match block.kind.as_str() {
        "text" => made.text(needed(block.text.as_ref(), &format!("{field}.text"))?),
        "document" => match source()? {
            text if text.kind == "text" => made.text(&text.data),
            other => {
                let reason = "only documents of plain text can be read";
                return Err(wrong(&other.kind, reason));
            }
        },
        "image" => match source()? {
            image if image.kind == "base64" => {
                let file = picture::from_base64(&image.data, format!("{field}.source.data"))?;
                made.picture(file);
            }
            other => return Err(wrong(&other.kind, "pictures are taken as base64 only")),
        },
        other => return Err(unknown(field, other)),
    }
    Ok(())
}

fn unknown(field: &str, kind: &str) -> Refusal {
    let shown: String = kind.chars().take(40).collect();
    Refusal::invalid(
        format!("{field}.type"),
        format_args!("is {shown:?}, which is not known here"),
    )
}

fn needed<'b, T>(value: Option<&'b T>, field: &impl Display) -> Result<&'b T, Refusal> {
    value.ok_or_else(|| Refusal::invalid(field.to_string(), "is missing"))
}

fn add_user(out: &mut Vec<engine::Message>, message: &Message, field: &str) -> Result<(), Refusal> {
    let blocks = match &message.content {
        Content::Text(text) => {
            join_or_push(out, engine::Message::new(Role::User, text.clone()));
            return Ok(());
        }
        Content::Blocks(blocks) => blocks,
    };
    let mut said = Parts::default();
    for (at, block) in blocks.iter().enumerate() {
        let field = block_field(field, at);
        if block.kind == "tool_result" {
            let before = std::mem::take(&mut said);
            if !before.is_empty() {
                join_or_push(out, before.message(Role::User));
            }
            let id = needed(block.tool_use_id.as_ref(), &format!("{field}.tool_use_id"))?;
            let result = block.content.as_ref();
            let result = result.map_or_else(|| Ok(Parts::default()), |c| parts(c, &field))?;
            let mut result = result.message(Role::Tool);
            result.tool_call_id = Some(id.clone());
            out.push(result);
        } else {
            add(&mut said, block, &field)?;
        }
    }
    if !said.is_empty() {
        join_or_push(out, said.message(Role::User));
    }
    Ok(())
}

fn add_assistant(
    out: &mut Vec<engine::Message>,
    message: &Message,
    field: &str,
) -> Result<(), Refusal> {
    let blocks = match &message.content {
        Content::Text(text) => {
            join_or_push(out, engine::Message::new(Role::Assistant, text.clone()));
            return Ok(());
        }
        Content::Blocks(blocks) => blocks,
    };
    let (mut said, mut calls) = (Parts::default(), Vec::new());
    for (at, block) in blocks.iter().enumerate() {
        let field = block_field(field, at);
        match block.kind.as_str() {
            "thinking" | "redacted_thinking" => {}
            "tool_use" => calls.push(tool_call(block, &field)?),
            _ => add(&mut said, block, &field)?,
        }
    }
    let mut said = said.message(Role::Assistant);
    said.tool_calls = calls;
    join_or_push(out, said);
    Ok(())
}

fn tool_call(block: &Block, field: &str) -> Result<ToolCall, Refusal> {
    let arguments = match &block.input {
        None | Some(Value::Null) => "{}".to_owned(),
        Some(input @ Value::Object(_)) => input.to_string(),
        Some(_) => {
            return Err(Refusal::invalid(
                format!("{field}.input"),
                "must be an object",
            ));
        }
    };
    Ok(ToolCall {
        id: needed(block.id.as_ref(), &format!("{field}.id"))?.clone(),
        name: needed(block.name.as_ref(), &format!("{field}.name"))?.clone(),
        arguments,
    })
}

/// Two messages of one side become one, as Anthropic does it.
fn join_or_push(out: &mut Vec<engine::Message>, message: engine::Message) {
    match out.last_mut() {
        Some(last) if last.role == message.role => {
            if !last.content.is_empty() && !message.content.is_empty() {
                last.content.push('\n');
            }
            let begins = last.content.len();
            let images = message.images.into_iter();
            last.images.extend(images.map(|mut image| {
                image.at += begins;
                image
            }));
            last.content.push_str(&message.content);
            last.tool_calls.extend(message.tool_calls);
        }
        _ => out.push(message),
    }
}

/// The tools. Those that Anthropic runs, or whose form only its models know, are refused by their type.
pub(super) fn tools(asked: &[Tool]) -> Result<Vec<engine::Tool>, Refusal> {
    let tool = |(at, tool): (usize, &Tool)| {
        let field = format!("tools[{at}]");
        match tool.kind.as_deref() {
            None | Some("custom") => {}
            Some(other) => return Err(unknown(&field, other)),
        }
        if tool.name.is_empty() {
            return Err(Refusal::invalid(format!("{field}.name"), "is missing"));
        }
        Ok(engine::Tool {
            name: tool.name.clone(),
            description: tool.description.clone(),
            parameters: match &tool.input_schema {
                None | Some(Value::Null) => json!({ "type": "object", "properties": {} }),
                Some(schema) => schema.clone(),
            },
        })
    };
    asked.iter().enumerate().map(tool).collect()
}
