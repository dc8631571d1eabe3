//! What both ways of asking have in common, as the engine takes it: sampling, format, thinking, what happens when it is too long.

use hearth_app::engine::constrain::Constraint;
use hearth_app::engine::{Overflow, Request, Sampling};
use serde_json::Value;

use super::request::{ChatRequest, GenerateRequest, Options};
use crate::refusal::Refusal;

/// The fields that `chat` and `generate` share.
pub(super) struct Shared<'r> {
    options: &'r Options,
    format: Option<&'r Value>,
    think: Option<&'r Value>,
    truncate: Option<bool>,
    shift: Option<bool>,
    logprobs: bool,
    top_logprobs: Option<i64>,
}

impl<'r> From<&'r ChatRequest> for Shared<'r> {
    fn from(asked: &'r ChatRequest) -> Self {
        Self {
            options: &asked.options,
            format: asked.format.as_ref(),
            think: asked.think.as_ref(),
            truncate: asked.truncate,
            shift: asked.shift,
            logprobs: asked.logprobs == Some(true),
            top_logprobs: asked.top_logprobs,
        }
    }
}

impl<'r> From<&'r GenerateRequest> for Shared<'r> {
    fn from(asked: &'r GenerateRequest) -> Self {
        Self {
            options: &asked.options,
            format: asked.format.as_ref(),
            think: asked.think.as_ref(),
            truncate: asked.truncate,
            shift: asked.shift,
            logprobs: asked.logprobs == Some(true),
            top_logprobs: asked.top_logprobs,
        }
    }
}

impl Shared<'_> {
    /// Sets all of it in a request.
    pub(super) fn apply(self, request: &mut Request) -> Result<(), Refusal> {
        request.sampling = sampling(self.options)?;
        if self.logprobs {
            let top = self.top_logprobs.unwrap_or(0);
            request.sampling.logprobs = Some(number("top_logprobs", top)?);
        }
        // 0, -1 (for ever) and -2 (until the context is full) are all "no limit".
        request.max_tokens = match self.options.num_predict {
            Some(count) if count > 0 => Some(u32::try_from(count).unwrap_or(u32::MAX)),
            _ => None,
        };
        request.stop.clone_from(&self.options.stop);
        request.constraint = constraint(self.format)?;
        request.thinking = thinking(self.think)?;
        request.overflow = match self.truncate {
            Some(false) => Overflow::Refuse,
            _ => Overflow::Cut,
        };
        request.shift = self.shift == Some(true);
        Ok(())
    }
}

fn sampling(options: &Options) -> Result<Sampling, Refusal> {
    let default = Sampling::default();
    // Below zero is "off" for the one and "the whole context" for the other.
    let top_k = options.top_k.map(|k| k.max(0));
    let repeat_last_n = options
        .repeat_last_n
        .map(|n| if n < 0 { 65_536 } else { n });
    Ok(Sampling {
        temperature: options.temperature.unwrap_or(default.temperature),
        top_k: top_k.map_or(Ok(default.top_k), |k| number("options.top_k", k))?,
        top_p: options.top_p.unwrap_or(default.top_p),
        min_p: options.min_p.unwrap_or(default.min_p),
        typical_p: options.typical_p.unwrap_or(default.typical_p),
        repeat_penalty: options.repeat_penalty.unwrap_or(default.repeat_penalty),
        repeat_last_n: repeat_last_n.map_or(Ok(default.repeat_last_n), |n| {
            number("options.repeat_last_n", n)
        })?,
        presence_penalty: options.presence_penalty.unwrap_or(default.presence_penalty),
        frequency_penalty: options
            .frequency_penalty
            .unwrap_or(default.frequency_penalty),
        // A seed is any number here; its low half is what the engine takes.
        seed: options.seed.filter(|s| *s >= 0).map(|s| s as u32),
        mirostat: options
            .mirostat
            .map_or(Ok(default.mirostat), |m| number("options.mirostat", m))?,
        mirostat_tau: options.mirostat_tau.unwrap_or(default.mirostat_tau),
        mirostat_eta: options.mirostat_eta.unwrap_or(default.mirostat_eta),
        ..default
    })
}

/// Whether it fits the engine's type; the engine itself checks what it means.
fn number<T: TryFrom<i64>>(field: &str, value: i64) -> Result<T, Refusal> {
    T::try_from(value)
        .map_err(|_| Refusal::invalid(field, format_args!("is out of range: {value}")))
}

fn constraint(format: Option<&Value>) -> Result<Option<Constraint>, Refusal> {
    match format {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) if text == "json" => Ok(Some(Constraint::JsonObject)),
        Some(schema @ Value::Object(_)) => Ok(Some(Constraint::JsonSchema(schema.clone()))),
        Some(_) => Err(Refusal::invalid(
            "format",
            "must be \"json\" or a JSON Schema",
        )),
    }
}

fn thinking(think: Option<&Value>) -> Result<Option<bool>, Refusal> {
    match think {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(think)) => Ok(Some(*think)),
        Some(Value::String(level)) if matches!(level.as_str(), "low" | "medium" | "high") => {
            Ok(Some(true))
        }
        Some(_) => Err(Refusal::invalid(
            "think",
            "must be true, false, \"low\", \"medium\" or \"high\"",
        )),
    }
}
