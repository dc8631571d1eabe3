//! The body of `/v1/responses`, and what it asks of the engine.

use hearth_app::engine::constrain::Constraint;
use hearth_app::engine::{Request, Tool, ToolChoice};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::input::{InputSpec, messages};
use crate::answer::Ask;
use crate::caching::Caching;
use crate::openai::sampling::Knobs;
use crate::openai::tools::{choice_word, parameters, short, thinking};
use crate::openai::{DIALECT, output};
use crate::refusal::Refusal;

/// Tools that run at OpenAI. The model here is not shown them, so it cannot call them.
const HOSTED: [&str; 10] = [
    "web_search",
    "web_search_preview",
    "file_search",
    "code_interpreter",
    "computer_use_preview",
    "image_generation",
    "local_shell",
    "shell",
    "mcp",
    "namespace",
];

/// The body of `/v1/responses`. Fields that are not here are ignored and counted; so is `store`, since nothing is stored.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(crate) struct ResponsesRequest {
    /// A name of `/v1/models`.
    model: String,
    input: InputSpec,
    /// Goes before the input, as a system message.
    instructions: Option<String>,
    pub(super) stream: Option<bool>,
    /// Not taken: nothing is stored.
    previous_response_id: Option<String>,
    max_output_tokens: Option<u32>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    tools: Option<Vec<ResponseTool>>,
    tool_choice: Option<ResponseChoice>,
    /// False shows only the first call of an answer.
    parallel_tool_calls: Option<bool>,
    text: Option<TextSpec>,
    reasoning: Option<ReasoningSpec>,
    /// How many alternatives to report for each token.
    top_logprobs: Option<u8>,
    metadata: Option<Value>,
}

/// A tool; unlike in chat its function is not in an object of its own.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub(crate) struct ResponseTool {
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

/// `tool_choice`: a word, or the function to call.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(
    untagged,
    expecting = "expected \"auto\", \"none\", \"required\" or {\"type\": \"function\", \"name\": …}"
)]
pub(crate) enum ResponseChoice {
    Word(String),
    Named {
        #[serde(rename = "type")]
        kind: String,
        name: String,
    },
}

/// `text`.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(crate) struct TextSpec {
    format: Option<TextFormat>,
}

/// What the answer must conform to; unlike in chat the schema is not in an object of its own.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub(crate) struct TextFormat {
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Value>,
}

/// `reasoning`.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(crate) struct ReasoningSpec {
    effort: Option<String>,
}

/// What a response repeats of its request.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = openai::ResponseHead)]
pub(crate) struct Head {
    pub(super) id: String,
    pub(super) created_at: u64,
    pub(super) model: String,
    instructions: Option<String>,
    max_output_tokens: Option<u32>,
    metadata: Value,
    pub(super) parallel_tool_calls: bool,
    reasoning: Value,
    temperature: f64,
    text: Value,
    tool_choice: Value,
    tools: Vec<ResponseTool>,
    top_p: f64,
    top_logprobs: u8,
    #[serde(skip)]
    #[schema(ignore)]
    pub(super) logprobs: bool,
}

impl ResponsesRequest {
    pub(super) fn ask(self, caching: Caching) -> Result<(Ask, Head), Refusal> {
        if self.previous_response_id.is_some() {
            let reason = "cannot be used: Hearth stores no responses";
            return Err(Refusal::invalid("previous_response_id", reason)
                .hint("Send the whole conversation as `input`."));
        }
        if self.max_output_tokens == Some(0) {
            let reason = "must be at least 1";
            return Err(Refusal::invalid("max_output_tokens", reason));
        }
        let effort = self.reasoning.and_then(|reasoning| reasoning.effort);
        let format = self.text.and_then(|text| text.format);
        let knobs = Knobs {
            temperature: self.temperature,
            top_p: self.top_p,
            logprobs: self.top_logprobs,
            ..Knobs::default()
        };
        let request = Request {
            sampling: knobs.sampling()?,
            max_tokens: self.max_output_tokens,
            constraint: constraint(format.as_ref())?,
            tools: tools(self.tools.as_deref().unwrap_or_default())?,
            tool_choice: choice(self.tool_choice.as_ref())?,
            one_call: self.parallel_tool_calls == Some(false),
            parse: true,
            thinking: thinking(effort.as_deref(), "reasoning.effort")?,
            ..Request::chat(messages(self.instructions.clone(), self.input)?)
        };
        let head = Head {
            id: output::id("resp_"),
            created_at: output::created(),
            model: self.model.clone(),
            instructions: self.instructions,
            max_output_tokens: self.max_output_tokens,
            metadata: self.metadata.unwrap_or_else(|| serde_json::json!({})),
            parallel_tool_calls: self.parallel_tool_calls != Some(false),
            reasoning: serde_json::json!({ "effort": effort, "summary": null }),
            temperature: decimal(request.sampling.temperature),
            text: serde_json::json!({ "format": format.map_or_else(plain, |f| serde_json::json!(f)) }),
            tool_choice: self
                .tool_choice
                .map_or_else(|| "auto".into(), |c| serde_json::json!(c)),
            tools: self.tools.unwrap_or_default(),
            top_p: decimal(request.sampling.top_p),
            top_logprobs: self.top_logprobs.unwrap_or(0),
            logprobs: self.top_logprobs.is_some(),
        };
        let ask = Ask {
            dialect: DIALECT,
            model: self.model,
            request,
            keep_alive: None,
            caching: caching.0,
        };
        Ok((ask, head))
    }
}

/// The number as it was written: 0.3 and not 0.30000001192092896.
fn decimal(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::from(number))
}

fn plain() -> Value {
    serde_json::json!({ "type": "text" })
}

fn tools(specs: &[ResponseTool]) -> Result<Vec<Tool>, Refusal> {
    let mut tools = Vec::with_capacity(specs.len());
    for (at, spec) in specs.iter().enumerate() {
        let kind = spec.kind.as_str();
        if kind == "function" {
            let missing = || Refusal::invalid(format!("tools[{at}].name"), "is missing");
            tools.push(Tool {
                name: spec.name.clone().ok_or_else(missing)?,
                description: spec.description.clone().unwrap_or_default(),
                parameters: parameters(spec.parameters.clone()),
            });
        } else if !HOSTED.contains(&kind) {
            let reason = format!("must be \"function\", not {:?}", short(kind));
            return Err(Refusal::invalid(format!("tools[{at}].type"), reason));
        }
    }
    Ok(tools)
}

fn choice(spec: Option<&ResponseChoice>) -> Result<ToolChoice, Refusal> {
    match spec {
        None => Ok(ToolChoice::Auto),
        Some(ResponseChoice::Word(word)) => choice_word(word),
        Some(ResponseChoice::Named { kind, name }) if kind == "function" => {
            Ok(ToolChoice::Named(name.clone()))
        }
        Some(ResponseChoice::Named { kind, .. }) => {
            let reason = format!("must be \"function\", not {:?}", short(kind));
            Err(Refusal::invalid("tool_choice.type", reason))
        }
    }
}

fn constraint(format: Option<&TextFormat>) -> Result<Option<Constraint>, Refusal> {
    let Some(format) = format else {
        return Ok(None);
    };
    match format.kind.as_str() {
        "text" => Ok(None),
        "json_object" => Ok(Some(Constraint::JsonObject)),
        "json_schema" => {
            let missing = || Refusal::invalid("text.format.schema", "is missing");
            let schema = format.schema.clone().ok_or_else(missing)?;
            Ok(Some(Constraint::JsonSchema(schema)))
        }
        other => {
            let other = short(other);
            let reason =
                format!("must be \"text\", \"json_object\" or \"json_schema\", not {other:?}");
            Err(Refusal::invalid("text.format.type", reason))
        }
    }
}
