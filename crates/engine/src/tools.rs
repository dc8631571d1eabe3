//! What a model may call, and its calls.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Error;
use crate::constrain::{MAX_BYTES, check_schema, kind_of};
use crate::request::invalid;

/// Most tools in a request; the limit of OpenAI's API.
pub const MAX_TOOLS: usize = 128;
/// Longest name of a tool in characters; the limit of OpenAI's API.
pub const MAX_NAME_CHARS: usize = 64;

/// A function that the model may ask for. Hearth never runs one: the call goes back to whoever sent the request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    pub name: String,
    #[serde(default)]
    pub description: String,
    /// JSON Schema of the arguments, an object.
    pub parameters: Value,
}

/// Whether the model has to call something.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// The model decides.
    #[default]
    Auto,
    /// The tools are not shown.
    None,
    /// At least one call.
    Required,
    /// A call of this tool.
    Named(String),
}

/// A call the model made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    /// JSON text, as the model wrote it.
    pub arguments: String,
}

/// Checks names, sizes and the shape of schemas, and that the choice names a tool.
pub(crate) fn validate(tools: &[Tool], choice: &ToolChoice) -> Result<(), Error> {
    if tools.len() > MAX_TOOLS {
        let reason = format!("has {} entries, the limit is {MAX_TOOLS}", tools.len());
        return Err(invalid("tools", reason));
    }
    let mut bytes = 0;
    for (at, tool) in tools.iter().enumerate() {
        check_name(&tool.name)?;
        if tools[..at].iter().any(|t| t.name == tool.name) {
            let reason = format!("holds two tools named `{}`", tool.name);
            return Err(invalid("tools", reason));
        }
        bytes += tool.description.len() + check_parameters(tool)?;
    }
    if bytes > MAX_BYTES {
        let reason = format!("is {bytes} bytes long, the limit is {MAX_BYTES}");
        return Err(invalid("tools", reason));
    }
    match choice {
        ToolChoice::Required if tools.is_empty() => Err(invalid(
            "tool_choice",
            "asks for a call, and `tools` is empty",
        )),
        ToolChoice::Named(name) if !tools.iter().any(|t| t.name == *name) => Err(invalid(
            "tool_choice",
            format!("names `{name}`, which is not in `tools`"),
        )),
        _ => Ok(()),
    }
}

/// Names end up inside markers and grammars, so they are held to the characters that every API takes.
fn check_name(name: &str) -> Result<(), Error> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || name.len() > MAX_NAME_CHARS || !name.chars().all(fits) {
        let shown: String = name.chars().take(MAX_NAME_CHARS).collect();
        return Err(invalid(
            "tools",
            format!(
                "has a tool named {shown:?}; names are 1 to {MAX_NAME_CHARS} letters, digits, `_`, `-` and `.`"
            ),
        ));
    }
    Ok(())
}

/// Returns the size in bytes.
fn check_parameters(tool: &Tool) -> Result<usize, Error> {
    let wrong = |reason: String| invalid("tools", format!("`{}`: parameters {reason}", tool.name));
    let size = check_schema("tools", &tool.parameters).map_err(|e| match e {
        Error::InvalidRequest { reason, .. } => wrong(reason),
        other => other,
    })?;
    match tool.parameters.get("type") {
        None => Ok(size),
        Some(Value::String(kind)) if kind == "object" => Ok(size),
        Some(Value::String(kind)) => Err(wrong(format!("must describe an object, not {kind:?}"))),
        Some(other) => Err(wrong(format!(
            "must describe an object: `type` is {}",
            kind_of(other)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool(name: &str, parameters: Value) -> Tool {
        Tool {
            name: name.into(),
            description: String::new(),
            parameters,
        }
    }

    #[test]
    fn refuses_tools_that_cannot_be_called() {
        let good = || tool("a", json!({ "type": "object" }));
        let cases = [
            (vec![tool("", json!({}))], ToolChoice::Auto, "1 to 64"),
            (vec![tool("a b", json!({}))], ToolChoice::Auto, "a b"),
            (
                vec![tool(&"x".repeat(65), json!({}))],
                ToolChoice::Auto,
                "64",
            ),
            (
                vec![good(), good()],
                ToolChoice::Auto,
                "two tools named `a`",
            ),
            (
                vec![tool("a", json!({ "type": "string" }))],
                ToolChoice::Auto,
                "object",
            ),
            (
                vec![tool("a", json!({ "type": ["object"] }))],
                ToolChoice::Auto,
                "array",
            ),
            (vec![tool("a", json!(3))], ToolChoice::Auto, "a number"),
            (vec![], ToolChoice::Required, "empty"),
            (vec![good()], ToolChoice::Named("b".into()), "`b`"),
            (
                (0..129)
                    .map(|i| tool(&format!("t{i}"), json!({})))
                    .collect(),
                ToolChoice::Auto,
                "128",
            ),
        ];
        for (tools, choice, says) in cases {
            match validate(&tools, &choice) {
                Err(Error::InvalidRequest { reason, .. }) => {
                    assert!(reason.contains(says), "{reason}");
                }
                other => panic!("{says}: {other:?}"),
            }
        }
        assert_eq!(validate(&[good()], &ToolChoice::Named("a".into())), Ok(()));
        assert_eq!(
            validate(&[tool("a", json!(true))], &ToolChoice::Required),
            Ok(())
        );
    }
}
