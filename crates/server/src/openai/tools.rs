//! Tools, the choice among them, and what an answer must conform to: OpenAI's words for what the engine has.

use hearth_app::engine::constrain::Constraint;
use hearth_app::engine::{Tool, ToolChoice};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::refusal::Refusal;

/// A tool; only functions are known.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(crate) struct ToolSpec {
    #[serde(rename = "type")]
    kind: String,
    function: Option<FunctionSpec>,
}

/// A function and its arguments.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(crate) struct FunctionSpec {
    name: String,
    description: Option<String>,
    /// JSON Schema of the arguments; none takes anything.
    parameters: Option<Value>,
}

/// `tool_choice`: a word, or the function to call.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "expected \"auto\", \"none\", \"required\" or {\"type\": \"function\", \"function\": {\"name\": …}}"
)]
pub(crate) enum ChoiceSpec {
    Word(String),
    Named {
        #[serde(rename = "type")]
        kind: String,
        function: NameSpec,
    },
}

/// The name of a function.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(crate) struct NameSpec {
    name: String,
}

/// `response_format`.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(crate) struct FormatSpec {
    #[serde(rename = "type")]
    kind: String,
    json_schema: Option<SchemaSpec>,
}

/// A schema with a name, which only OpenAI's own server uses.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(crate) struct SchemaSpec {
    /// Always in force here, strict or not.
    schema: Option<Value>,
}

pub(super) fn tools(specs: Option<Vec<ToolSpec>>) -> Result<Vec<Tool>, Refusal> {
    let specs = specs.unwrap_or_default().into_iter().enumerate();
    specs.map(|(at, spec)| tool(at, spec)).collect()
}

fn tool(at: usize, spec: ToolSpec) -> Result<Tool, Refusal> {
    if spec.kind != "function" {
        let reason = format!("must be \"function\", not {:?}", short(&spec.kind));
        return Err(Refusal::invalid(format!("tools[{at}].type"), reason));
    }
    let missing = || Refusal::invalid(format!("tools[{at}].function"), "is missing");
    let function = spec.function.ok_or_else(missing)?;
    Ok(Tool {
        name: function.name,
        description: function.description.unwrap_or_default(),
        parameters: parameters(function.parameters),
    })
}

/// A function without a schema takes an object with anything in it.
pub(super) fn parameters(schema: Option<Value>) -> Value {
    schema.unwrap_or_else(|| serde_json::json!({ "type": "object" }))
}

pub(super) fn choice(spec: Option<ChoiceSpec>) -> Result<ToolChoice, Refusal> {
    match spec {
        None => Ok(ToolChoice::Auto),
        Some(ChoiceSpec::Word(word)) => choice_word(&word),
        Some(ChoiceSpec::Named { kind, function }) if kind == "function" => {
            Ok(ToolChoice::Named(function.name))
        }
        Some(ChoiceSpec::Named { kind, .. }) => {
            let reason = format!("must be \"function\", not {:?}", short(&kind));
            Err(Refusal::invalid("tool_choice.type", reason))
        }
    }
}

pub(super) fn choice_word(word: &str) -> Result<ToolChoice, Refusal> {
    match word {
        "auto" => Ok(ToolChoice::Auto),
        "none" => Ok(ToolChoice::None),
        "required" => Ok(ToolChoice::Required),
        other => {
            let other = short(other);
            let reason =
                format!("must be \"auto\", \"none\", \"required\" or a function, not {other:?}");
            Err(Refusal::invalid("tool_choice", reason))
        }
    }
}

/// `response_format`, or llama.cpp's `grammar`; both at once contradict each other.
pub(super) fn constraint(
    format: Option<FormatSpec>,
    grammar: Option<String>,
) -> Result<Option<Constraint>, Refusal> {
    let Some(format) = format else {
        return Ok(grammar.map(Constraint::Gbnf));
    };
    let constraint = match format.kind.as_str() {
        "text" => return Ok(grammar.map(Constraint::Gbnf)),
        "json_object" => Constraint::JsonObject,
        "json_schema" => {
            let schema = format.json_schema.and_then(|named| named.schema);
            let missing = || Refusal::invalid("response_format.json_schema.schema", "is missing");
            Constraint::JsonSchema(schema.ok_or_else(missing)?)
        }
        other => {
            let other = short(other);
            let reason =
                format!("must be \"text\", \"json_object\" or \"json_schema\", not {other:?}");
            return Err(Refusal::invalid("response_format.type", reason));
        }
    };
    if grammar.is_some() {
        let reason = "cannot be combined with `response_format`";
        return Err(Refusal::invalid("grammar", reason));
    }
    Ok(Some(constraint))
}

/// `reasoning_effort`: models here think or do not; how much they think is theirs.
pub(super) fn thinking(effort: Option<&str>, param: &str) -> Result<Option<bool>, Refusal> {
    match effort {
        None => Ok(None),
        Some("none" | "minimal") => Ok(Some(false)),
        Some("low" | "medium" | "high" | "xhigh") => Ok(Some(true)),
        Some(other) => {
            let other = short(other);
            let reason = format!(
                "must be \"none\", \"minimal\", \"low\", \"medium\", \"high\" or \"xhigh\", not {other:?}"
            );
            Err(Refusal::invalid(param, reason))
        }
    }
}

/// A stranger's text as it may stand in a message.
pub(super) fn short(text: &str) -> String {
    text.chars().take(40).collect()
}
