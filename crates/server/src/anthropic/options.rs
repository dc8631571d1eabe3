//! What stands beside the conversation, as the engine takes it: sampling, tools and their choice, thinking, the form of the answer.

use hearth_app::engine::constrain::Constraint;
use hearth_app::engine::{Request, Sampling, ToolChoice};

use super::conversation;
use super::request::{Choice, Content, CountRequest, Format, Kind, Message, MessagesRequest, Tool};
use crate::refusal::Refusal;

/// What the prompt is made of, whatever is done with it.
pub(super) struct Parts<'r> {
    system: Option<&'r Content>,
    messages: &'r [Message],
    tools: &'r [Tool],
    choice: Option<&'r Choice>,
    thinking: Option<&'r Kind>,
}

impl<'r> From<&'r MessagesRequest> for Parts<'r> {
    fn from(asked: &'r MessagesRequest) -> Self {
        Self {
            system: asked.system.as_ref(),
            messages: &asked.messages,
            tools: &asked.tools,
            choice: asked.tool_choice.as_ref(),
            thinking: asked.thinking.as_ref(),
        }
    }
}

impl<'r> From<&'r CountRequest> for Parts<'r> {
    fn from(asked: &'r CountRequest) -> Self {
        Self {
            system: asked.system.as_ref(),
            messages: &asked.messages,
            tools: &asked.tools,
            choice: asked.tool_choice.as_ref(),
            thinking: asked.thinking.as_ref(),
        }
    }
}

/// The prompt of a request.
pub(super) fn prompt(parts: &Parts) -> Result<Request, Refusal> {
    let messages = conversation::messages(parts.system, parts.messages)?;
    let mut request = Request::chat(messages);
    request.tools = conversation::tools(parts.tools)?;
    request.tool_choice = tool_choice(parts.choice)?;
    request.thinking = Some(thinks(parts.thinking)?);
    Ok(request)
}

/// What the engine is asked.
pub(super) fn request(asked: &MessagesRequest) -> Result<Request, Refusal> {
    let mut request = prompt(&asked.into())?;
    request.sampling = sampling(asked)?;
    request.max_tokens = Some(asked.max_tokens);
    request.stop = asked
        .stop_sequences
        .iter()
        // Blank ones are refused there; an empty list of them is common.
        .filter(|stop| !stop.is_empty())
        .cloned()
        .collect();
    let in_config = asked.output_config.as_ref().and_then(|c| c.format.as_ref());
    request.constraint = constraint(in_config, "output_config.format")?;
    if request.constraint.is_none() {
        request.constraint = constraint(asked.output_format.as_ref(), "output_format")?;
    }
    let choice = asked.tool_choice.as_ref();
    request.one_call = choice.is_some_and(|choice| choice.disable_parallel_tool_use);
    request.parse = true;
    Ok(request)
}

fn sampling(asked: &MessagesRequest) -> Result<Sampling, Refusal> {
    let default = Sampling::default();
    // Written so that NaN fails. The engine takes up to 2; this API does not.
    if let Some(temperature) = asked.temperature
        && !(0.0..=1.0).contains(&temperature)
    {
        let reason = format_args!("must be between 0 and 1, not {temperature}");
        return Err(Refusal::invalid("temperature", reason));
    }
    let top_k = asked.top_k.map(|k| {
        u32::try_from(k)
            .map_err(|_| Refusal::invalid("top_k", format_args!("is out of range: {k}")))
    });
    Ok(Sampling {
        temperature: asked.temperature.unwrap_or(default.temperature),
        top_p: asked.top_p.unwrap_or(default.top_p),
        top_k: top_k.transpose()?.unwrap_or(default.top_k),
        ..default
    })
}

fn tool_choice(choice: Option<&Choice>) -> Result<ToolChoice, Refusal> {
    let Some(choice) = choice else {
        return Ok(ToolChoice::Auto);
    };
    Ok(match choice.kind.as_str() {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => match &choice.name {
            Some(name) => ToolChoice::Named(name.clone()),
            None => return Err(Refusal::invalid("tool_choice.name", "is missing")),
        },
        other => {
            return Err(unknown(
                "tool_choice.type",
                other,
                "auto, any, tool and none",
            ));
        }
    })
}

/// Whether the model is to think, and thoughts are sent.
fn thinks(thinking: Option<&Kind>) -> Result<bool, Refusal> {
    match thinking.map(|t| t.kind.as_str()) {
        None | Some("disabled") => Ok(false),
        Some("enabled" | "adaptive") => Ok(true),
        Some(other) => Err(unknown(
            "thinking.type",
            other,
            "enabled, adaptive and disabled",
        )),
    }
}

fn constraint(format: Option<&Format>, field: &str) -> Result<Option<Constraint>, Refusal> {
    let Some(format) = format else {
        return Ok(None);
    };
    match (format.kind.as_str(), &format.schema) {
        ("json_schema", Some(schema)) => Ok(Some(Constraint::JsonSchema(schema.clone()))),
        ("json_schema", None) => Err(Refusal::invalid(format!("{field}.schema"), "is missing")),
        (other, _) => Err(unknown(&format!("{field}.type"), other, "json_schema")),
    }
}

fn unknown(field: &str, value: &str, known: &str) -> Refusal {
    let shown: String = value.chars().take(40).collect();
    Refusal::invalid(field, format_args!("is {shown:?}; known: {known}"))
}
