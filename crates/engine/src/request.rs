//! What is asked of an engine: which model to load and what to generate, with the limits of every number.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Upper limit of a prompt in bytes, checked before the tokeniser sees it: llama.cpp counts in 32 bits.
pub const MAX_PROMPT_BYTES: usize = 16 * 1024 * 1024;
/// Upper limit of the number of stop strings in a request.
pub const MAX_STOPS: usize = 16;
/// Upper limit of one stop string in bytes.
pub const MAX_STOP_BYTES: usize = 256;

/// Which model to load, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadSpec {
    /// A file that the caller has validated.
    pub path: PathBuf,
    /// Context window in tokens; `None` takes the trained length, at most [`LoadSpec::DEFAULT_CONTEXT`].
    pub context_tokens: Option<u32>,
    /// Threads for decode; `None` leaves the choice to llama.cpp.
    pub threads: Option<u32>,
    /// Whether layers may go to the GPU.
    pub offload: bool,
}

impl LoadSpec {
    /// Context window when nothing else is asked for, in tokens.
    pub const DEFAULT_CONTEXT: u32 = 8192;

    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            context_tokens: None,
            threads: None,
            offload: true,
        }
    }
}

/// Who said a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    System,
    User,
    Assistant,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub role: Role,
    pub content: String,
}

impl Message {
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self {
            role,
            content: content.into(),
        }
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
}

impl Request {
    pub fn chat(messages: Vec<Message>) -> Self {
        Self {
            prompt: Prompt::Chat(messages),
            sampling: Sampling::default(),
            max_tokens: None,
            stop: Vec::new(),
            ignore_eos: false,
        }
    }

    /// Checks every number and length against its limit.
    pub fn validate(&self) -> Result<(), Error> {
        let bytes = match &self.prompt {
            Prompt::Chat(messages) if messages.is_empty() => {
                return Err(invalid("messages", "must hold at least one message"));
            }
            Prompt::Chat(messages) => messages.iter().map(|m| m.content.len()).sum(),
            Prompt::Text(text) => text.len(),
        };
        if bytes > MAX_PROMPT_BYTES {
            return Err(invalid(
                "prompt",
                format!("is {bytes} bytes long, the limit is {MAX_PROMPT_BYTES}"),
            ));
        }
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
        self.sampling.validate()
    }
}

/// How the next token is chosen. The order is the one of llama.cpp: penalties, top_k, typical_p, top_p, min_p, temperature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sampling {
    /// 0 takes the likeliest token; range 0 to 2.
    pub temperature: f32,
    /// 0 is off.
    pub top_k: u32,
    /// 1 is off.
    pub top_p: f32,
    /// 0 is off.
    pub min_p: f32,
    /// 1 is off.
    pub typical_p: f32,
    /// 1 is off.
    pub repeat_penalty: f32,
    /// How many of the last tokens the penalties look at.
    pub repeat_last_n: u32,
    /// 0 is off.
    pub presence_penalty: f32,
    /// 0 is off.
    pub frequency_penalty: f32,
    /// Same seed, same text on the same machine; `None` draws one.
    pub seed: Option<u32>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.3,
            top_k: 40,
            top_p: 0.9,
            min_p: 0.0,
            typical_p: 1.0,
            repeat_penalty: 1.0,
            repeat_last_n: 64,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            seed: None,
        }
    }
}

impl Sampling {
    /// Always the likeliest token.
    pub fn greedy() -> Self {
        Self {
            temperature: 0.0,
            ..Self::default()
        }
    }

    fn validate(&self) -> Result<(), Error> {
        for (field, value, low, high) in [
            ("temperature", self.temperature, 0.0, 2.0),
            ("top_p", self.top_p, 0.0, 1.0),
            ("min_p", self.min_p, 0.0, 1.0),
            ("typical_p", self.typical_p, 0.0, 1.0),
            ("repeat_penalty", self.repeat_penalty, 0.1, 10.0),
            ("presence_penalty", self.presence_penalty, -2.0, 2.0),
            ("frequency_penalty", self.frequency_penalty, -2.0, 2.0),
        ] {
            // Written so that NaN fails.
            if !(value >= low && value <= high) {
                return Err(invalid(
                    field,
                    format!("must be between {low} and {high}, not {value}"),
                ));
            }
        }
        for (field, value, high) in [
            ("top_k", self.top_k, 1_000_000),
            ("repeat_last_n", self.repeat_last_n, 65_536),
        ] {
            if value > high {
                return Err(invalid(
                    field,
                    format!("must be at most {high}, not {value}"),
                ));
            }
        }
        Ok(())
    }
}

fn invalid(field: &str, reason: impl Into<String>) -> Error {
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
        let cases: [(&str, Change); 9] = [
            ("temperature", |r| r.sampling.temperature = f32::NAN),
            ("temperature", |r| r.sampling.temperature = -0.1),
            ("top_p", |r| r.sampling.top_p = 1.01),
            ("min_p", |r| r.sampling.min_p = f32::INFINITY),
            ("repeat_penalty", |r| r.sampling.repeat_penalty = 0.0),
            ("top_k", |r| r.sampling.top_k = u32::MAX),
            ("max_tokens", |r| r.max_tokens = Some(0)),
            ("stop", |r| r.stop = vec![String::new()]),
            ("messages", |r| r.prompt = Prompt::Chat(vec![])),
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
