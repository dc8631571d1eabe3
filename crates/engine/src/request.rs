//! What is asked of an engine: one generation, with the limits of every number.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::backend::Token;
use crate::constrain::Constraint;
use crate::picture::{Image, MAX_IMAGES, MAX_IMAGES_BYTES};
use crate::sampling::Sampling;
use crate::tools::{self, Tool, ToolCall, ToolChoice};

/// Upper limit of a prompt in bytes, checked before the tokeniser sees it: llama.cpp counts in 32 bits.
pub const MAX_PROMPT_BYTES: usize = 16 * 1024 * 1024;
/// Upper limit of the number of stop strings in a request.
pub const MAX_STOPS: usize = 16;
/// Upper limit of one stop string in bytes.
pub const MAX_STOP_BYTES: usize = 256;

/// Who said a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    System,
    User,
    Assistant,
    /// The result of a tool call.
    Tool,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub role: Role,
    pub content: String,
    /// What the message shows, in the order of its text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// What the assistant thought before it answered; templates decide whether the model sees it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// What the assistant asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Which call a message of [`Role::Tool`] answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
}

impl Message {
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self {
            role,
            content: content.into(),
            images: Vec::new(),
            reasoning: None,
            tool_calls: Vec::new(),
            tool_call_id: None,
        }
    }

    /// Bytes of text in the message.
    fn bytes(&self) -> usize {
        let calls = self.tool_calls.iter();
        let calls: usize = calls
            .map(|c| c.id.len() + c.name.len() + c.arguments.len())
            .sum();
        self.content.len() + self.reasoning.as_ref().map_or(0, String::len) + calls
    }
}

/// What the model is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum Prompt {
    /// Goes through the model's chat template.
    Chat(Vec<Message>),
    /// Goes to the tokeniser as it is.
    Text(String),
    /// Tokens of the model's own vocabulary, read as they are: no begin token is added.
    Tokens(Vec<Token>),
}

/// Whose work it is. The order is the order of service.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Somebody looks at the answer as it comes.
    #[default]
    Interactive,
    /// A program waits for it.
    Api,
    /// Nobody waits: titles, indexing, reading ahead.
    Background,
}

/// What to do with a conversation that is longer than the context window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overflow {
    /// Fail with both numbers.
    #[default]
    Refuse,
    /// Leave out the oldest turns. The system prompt and the last turns stay; [`crate::Event::Started`] says what was cut.
    Cut,
}

/// One generation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    pub prompt: Prompt,
    pub sampling: Sampling,
    /// Limit of generated tokens; `None` means until the context window is full.
    pub max_tokens: Option<u32>,
    /// Text at which generation ends; not part of the answer.
    pub stop: Vec<String>,
    /// Goes on after the model ended its turn. For measurements.
    pub ignore_eos: bool,
    #[serde(default)]
    pub priority: Priority,
    #[serde(default)]
    pub overflow: Overflow,
    /// Goes on when the window is full: the older half of what was generated is forgotten. Off by default, because answers get odd.
    #[serde(default)]
    pub shift: bool,
    /// Name under which the KV state is kept on disk when the engine is idle; `None` keeps nothing.
    #[serde(default)]
    pub conversation: Option<String>,
    /// Only reads the prompt into the KV cache, ahead of the request that will need it.
    #[serde(default)]
    pub read_ahead: bool,
    /// What the answer must conform to.
    #[serde(default)]
    pub constraint: Option<Constraint>,
    /// What the model may call.
    #[serde(default)]
    pub tools: Vec<Tool>,
    #[serde(default)]
    pub tool_choice: ToolChoice,
    /// Ends the answer before a second call. Small models call on and on where one call was wanted.
    #[serde(default)]
    pub one_call: bool,
    /// Sends thoughts and tool calls as events of their own instead of as text.
    #[serde(default)]
    pub parse: bool,
    /// Whether a model that can think before it answers does so; `None` leaves it to its template.
    #[serde(default)]
    pub thinking: Option<bool>,
}

impl Request {
    pub fn new(prompt: Prompt) -> Self {
        Self {
            prompt,
            sampling: Sampling::default(),
            max_tokens: None,
            stop: Vec::new(),
            ignore_eos: false,
            priority: Priority::default(),
            overflow: Overflow::default(),
            shift: false,
            conversation: None,
            read_ahead: false,
            constraint: None,
            tools: Vec::new(),
            tool_choice: ToolChoice::default(),
            one_call: false,
            parse: false,
            thinking: None,
        }
    }

    pub fn chat(messages: Vec<Message>) -> Self {
        Self::new(Prompt::Chat(messages))
    }

    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Prompt::Text(text.into()))
    }

    /// Checks every number and length against its limit.
    pub fn validate(&self) -> Result<(), Error> {
        let bytes = match &self.prompt {
            Prompt::Chat(messages) if messages.is_empty() => {
                return Err(invalid("messages", "must hold at least one message"));
            }
            Prompt::Chat(messages) => messages.iter().map(Message::bytes).sum(),
            Prompt::Text(text) => text.len(),
            Prompt::Tokens(tokens) => size_of_val(tokens.as_slice()),
        };
        if bytes > MAX_PROMPT_BYTES {
            return Err(invalid(
                "prompt",
                format!("is {bytes} bytes long, the limit is {MAX_PROMPT_BYTES}"),
            ));
        }
        self.validate_images()?;
        if self.max_tokens == Some(0) {
            return Err(invalid("max_tokens", "must be at least 1"));
        }
        if self.stop.len() > MAX_STOPS {
            return Err(invalid(
                "stop",
                format!("has {} entries, the limit is {MAX_STOPS}", self.stop.len()),
            ));
        }
        if self
            .stop
            .iter()
            .any(|s| s.is_empty() || s.len() > MAX_STOP_BYTES)
        {
            return Err(invalid(
                "stop",
                format!("entries must be 1 to {MAX_STOP_BYTES} bytes long"),
            ));
        }
        if let Some(constraint) = &self.constraint {
            constraint.validate()?;
        }
        tools::validate(&self.tools, &self.tool_choice)?;
        let must_call = matches!(
            self.tool_choice,
            ToolChoice::Required | ToolChoice::Named(_)
        );
        if self.ignore_eos && (self.constraint.is_some() || must_call) {
            return Err(invalid(
                "ignore_eos",
                "cannot be combined with a constraint or a required call, which decide where the answer ends",
            ));
        }
        self.sampling.validate()
    }

    /// The pictures of all messages, in order.
    pub fn images(&self) -> impl Iterator<Item = &Image> {
        let messages = match &self.prompt {
            Prompt::Chat(messages) => messages.as_slice(),
            Prompt::Text(_) | Prompt::Tokens(_) => &[],
        };
        messages.iter().flat_map(|message| &message.images)
    }

    fn validate_images(&self) -> Result<(), Error> {
        let count = self.images().count();
        if count > MAX_IMAGES {
            let reason = format!("has {count} entries, the limit is {MAX_IMAGES}");
            return Err(invalid("images", reason));
        }
        let bytes: usize = self.images().map(Image::bytes).sum();
        if bytes > MAX_IMAGES_BYTES {
            let reason = format!("take {bytes} bytes, the limit is {MAX_IMAGES_BYTES}");
            return Err(invalid("images", reason));
        }
        let Prompt::Chat(messages) = &self.prompt else {
            return Ok(());
        };
        for message in messages {
            let places = message.images.iter().map(|image| image.at);
            if !places.is_sorted() {
                return Err(invalid("images", "must be in the order of the text"));
            }
            for image in &message.images {
                image.validate(&message.content)?;
            }
        }
        Ok(())
    }
}

pub(crate) fn invalid(field: &str, reason: impl Into<String>) -> Error {
    Error::InvalidRequest {
        field: field.to_owned(),
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request::chat(vec![Message::new(Role::User, "hi")])
    }

    #[test]
    fn accepts_the_defaults() {
        assert_eq!(request().validate(), Ok(()));
    }

    #[test]
    fn refuses_numbers_out_of_range() {
        type Change = fn(&mut Request);
        let cases: [(&str, Change); 13] = [
            ("temperature", |r| r.sampling.temperature = f32::NAN),
            ("temperature", |r| r.sampling.temperature = -0.1),
            ("top_p", |r| r.sampling.top_p = 1.01),
            ("min_p", |r| r.sampling.min_p = f32::INFINITY),
            ("repeat_penalty", |r| r.sampling.repeat_penalty = 0.0),
            ("top_k", |r| r.sampling.top_k = u32::MAX),
            ("max_tokens", |r| r.max_tokens = Some(0)),
            ("stop", |r| r.stop = vec![String::new()]),
            ("messages", |r| r.prompt = Prompt::Chat(vec![])),
            ("tool_choice", |r| r.tool_choice = ToolChoice::Required),
            ("regex", |r| {
                r.constraint = Some(Constraint::Regex(String::new()))
            }),
            ("ignore_eos", |r| {
                r.constraint = Some(Constraint::JsonObject);
                r.ignore_eos = true;
            }),
            ("prompt", |r| {
                let mut message = Message::new(Role::Assistant, "");
                message.reasoning = Some("x".repeat(MAX_PROMPT_BYTES + 1));
                r.prompt = Prompt::Chat(vec![message]);
            }),
        ];
        for (name, change) in cases {
            let mut r = request();
            change(&mut r);
            match r.validate() {
                Err(Error::InvalidRequest { field, .. }) => assert_eq!(field, name),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}
