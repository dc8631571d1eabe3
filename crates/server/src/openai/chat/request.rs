//! A chat request, and what it asks of the engine.

use std::collections::BTreeMap;

use hearth_app::engine::Request;
use serde::Deserialize;
use utoipa::ToSchema;

use super::messages::{ChatMessage, messages};
use crate::answer::{Ask, copies};
use crate::caching::Caching;
use crate::openai::DIALECT;
use crate::openai::sampling::{Knobs, Stop, answers};
use crate::openai::tools::{self, ChoiceSpec, FormatSpec, ToolSpec};
use crate::refusal::Refusal;

/// The body of `/v1/chat/completions`. Fields that are not here are ignored and counted.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(crate) struct ChatRequest {
    /// A name of `/v1/models`.
    model: String,
    messages: Vec<ChatMessage>,
    pub(super) stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u32>,
    /// What `max_tokens` is called now; it wins when both are there.
    max_completion_tokens: Option<u32>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    top_k: Option<u32>,
    min_p: Option<f32>,
    typical_p: Option<f32>,
    repeat_penalty: Option<f32>,
    presence_penalty: Option<f32>,
    frequency_penalty: Option<f32>,
    /// Same seed, same answer on the same machine.
    seed: Option<i64>,
    stop: Option<Stop>,
    response_format: Option<FormatSpec>,
    /// llama.cpp's GBNF.
    grammar: Option<String>,
    tools: Option<Vec<ToolSpec>>,
    tool_choice: Option<ChoiceSpec>,
    /// False shows only the first call of an answer.
    parallel_tool_calls: Option<bool>,
    logprobs: Option<bool>,
    top_logprobs: Option<u8>,
    n: Option<u32>,
    logit_bias: Option<BTreeMap<String, f32>>,
    reasoning_effort: Option<String>,
    chat_template_kwargs: Option<TemplateArguments>,
}

/// `stream_options`.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
pub(crate) struct StreamOptions {
    include_usage: Option<bool>,
}

/// What vLLM's and llama.cpp's clients use to switch thinking.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
pub(crate) struct TemplateArguments {
    enable_thinking: Option<bool>,
}

/// How the answer is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    pub(super) logprobs: bool,
    pub(super) usage_at_end: bool,
}

impl ChatRequest {
    /// What to ask of the engine, once for each answer, and how to show it.
    pub(super) fn asks(self, caching: Caching) -> Result<(Vec<Ask>, View), Refusal> {
        let view = View {
            logprobs: self.logprobs == Some(true),
            usage_at_end: usage_asked(self.stream_options),
        };
        if self.top_logprobs.is_some_and(|top| top > 0) && !view.logprobs {
            let reason = "needs `logprobs` to be true";
            return Err(Refusal::invalid("top_logprobs", reason));
        }
        if let Some(top @ 21..) = self.top_logprobs {
            let reason = format!("must be between 0 and 20, not {top}");
            return Err(Refusal::invalid("top_logprobs", reason));
        }
        if self.max_completion_tokens == Some(0) {
            let reason = "must be at least 1";
            return Err(Refusal::invalid("max_completion_tokens", reason));
        }
        let knobs = Knobs {
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: self.top_k,
            min_p: self.min_p,
            typical_p: self.typical_p,
            repeat_penalty: self.repeat_penalty,
            presence_penalty: self.presence_penalty,
            frequency_penalty: self.frequency_penalty,
            seed: self.seed,
            logit_bias: self.logit_bias,
            logprobs: view.logprobs.then(|| self.top_logprobs.unwrap_or(0)),
        };
        let said = self.chat_template_kwargs.and_then(|k| k.enable_thinking);
        let effort = tools::thinking(self.reasoning_effort.as_deref(), "reasoning_effort")?;
        let ask = Ask {
            dialect: DIALECT,
            model: self.model,
            keep_alive: None,
            caching: caching.0,
            request: Request {
                sampling: knobs.sampling()?,
                max_tokens: self.max_completion_tokens.or(self.max_tokens),
                stop: Stop::list(self.stop),
                constraint: tools::constraint(self.response_format, self.grammar)?,
                tools: tools::tools(self.tools)?,
                tool_choice: tools::choice(self.tool_choice)?,
                one_call: self.parallel_tool_calls == Some(false),
                parse: true,
                thinking: said.or(effort),
                ..Request::chat(messages(self.messages)?)
            },
        };
        Ok((copies(&ask, answers(self.n)?), view))
    }
}

pub(in crate::openai) fn usage_asked(options: Option<StreamOptions>) -> bool {
    options.and_then(|options| options.include_usage) == Some(true)
}
