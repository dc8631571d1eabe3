//! `/v1/completions`: text goes on, without a chat template.

mod prompt;

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use hearth_app::engine::{Event, Request, TokenLogprob};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use self::prompt::PromptSpec;
use super::chat::request::{StreamOptions, usage_asked};
use super::error::{Failure, OpenAi, Result};
use super::output::{self, Timings, Usage, UsageShape};
use super::sampling::{Knobs, Stop, answers};
use super::{DIALECT, tools};
use crate::answer::{self, Answers, Ask, Whole, Wire, copies};
use crate::body::Body;
use crate::caching::Caching;
use crate::description::SentEvent;
use crate::failure::Dialect;
use crate::refusal::Refusal;
use crate::sse;
use crate::state::ServerState;

/// Tokens when nothing is asked for; that of the OpenAI API.
const DEFAULT_TOKENS: u32 = 16;

/// The body of `/v1/completions`. Fields that are not here are ignored and counted.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(crate) struct CompletionRequest {
    /// A name of `/v1/models`.
    model: String,
    prompt: PromptSpec,
    /// What comes after the gap to fill.
    suffix: Option<String>,
    /// Repeats the prompt before the answer.
    echo: Option<bool>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    /// 16 unless said.
    max_tokens: Option<u32>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    top_k: Option<u32>,
    min_p: Option<f32>,
    typical_p: Option<f32>,
    repeat_penalty: Option<f32>,
    presence_penalty: Option<f32>,
    frequency_penalty: Option<f32>,
    seed: Option<i64>,
    stop: Option<Stop>,
    /// llama.cpp's GBNF.
    grammar: Option<String>,
    /// How many alternatives to report for each token.
    logprobs: Option<u8>,
    n: Option<u32>,
    logit_bias: Option<BTreeMap<String, f32>>,
}

/// How the answers are shown.
struct View {
    /// The text of each prompt, when it is to be repeated.
    echo: Option<Vec<String>>,
    logprobs: bool,
    usage_at_end: bool,
    /// Answers to each prompt.
    count: usize,
}

impl CompletionRequest {
    async fn asks(
        self,
        state: &ServerState,
        caching: Caching,
    ) -> std::result::Result<(Vec<Ask>, View), Refusal> {
        if self.suffix.is_some_and(|suffix| !suffix.is_empty()) {
            let reason = "cannot be used: filling a gap needs a model with tokens for it, and Hearth does not read those yet";
            return Err(Refusal::invalid("suffix", reason));
        }
        let prompts = self.prompt.prompts()?;
        let echo = match self.echo {
            Some(true) => Some(prompt::texts(state, &self.model, &prompts).await?),
            _ => None,
        };
        let count = answers(self.n)?;
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
            logprobs: self.logprobs,
        };
        let ask = Ask {
            dialect: DIALECT,
            model: self.model,
            keep_alive: None,
            caching: caching.0,
            request: Request {
                sampling: knobs.sampling()?,
                max_tokens: Some(self.max_tokens.unwrap_or(DEFAULT_TOKENS)),
                stop: Stop::list(self.stop),
                constraint: tools::constraint(None, self.grammar)?,
                ..Request::text("")
            },
        };
        let each = prompts.into_iter().flat_map(|prompt| {
            let mut ask = ask.clone();
            ask.request.prompt = prompt;
            copies(&ask, count)
        });
        let asks = each.collect();
        let view = View {
            echo,
            logprobs: self.logprobs.is_some(),
            usage_at_end: usage_asked(self.stream_options),
            count: count as usize,
        };
        Ok((asks, view))
    }
}

impl View {
    fn prompt(&self, index: usize) -> &str {
        let prompt = self
            .echo
            .as_ref()
            .and_then(|all| all.get(index / self.count.max(1)));
        prompt.map_or("", String::as_str)
    }

    fn is_same_prompt(&self, index: usize) -> bool {
        !index.is_multiple_of(self.count.max(1))
    }
}

/// Goes on with a text, at once or piece by piece.
#[utoipa::path(post, path = "/v1/completions", tag = "openai", operation_id = "openai_completion", request_body = CompletionRequest,
    responses((status = 200, description = "The text, or a stream of its pieces that `[DONE]` ends",
        content((Completion = "application/json"), (SentEvent = "text/event-stream"))), Failure))]
pub(crate) async fn create(
    State(state): State<ServerState>,
    caching: Caching,
    body: std::result::Result<Body<CompletionRequest>, Refusal>,
) -> Result {
    let Body(request) = body?;
    let is_streamed = request.stream == Some(true);
    let (asks, view) = request.asks(&state, caching).await?;
    let answers = Answers::begin(&state, asks).await?;
    let head = Head {
        id: output::id("cmpl-"),
        created: output::created(),
        model: answers.current.model.clone(),
    };
    if is_streamed {
        let chunks = Chunks {
            head,
            view,
            usage: Usage::default(),
            open: None,
            offset: 0,
        };
        return Ok(sse::events(answer::frames(answers, chunks)));
    }
    let wholes = answers.wholes().await?;
    Ok(Json(completion(head, wholes, &view)).into_response())
}

/// What both forms of an answer are called.
const OBJECT: &str = "text_completion";

struct Head {
    id: String,
    created: u64,
    model: String,
}

impl Head {
    fn shape(&self, choices: Value) -> Value {
        json!({
            "id": self.id,
            "object": OBJECT,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": output::FINGERPRINT,
            "choices": choices,
        })
    }
}

/// Texts that go on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::Completion)]
pub(crate) struct Completion {
    id: String,
    object: &'static str,
    /// Unix seconds.
    created: u64,
    model: String,
    system_fingerprint: &'static str,
    choices: Vec<Choice>,
    usage: UsageShape,
    timings: Option<Timings>,
}

/// One of the texts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::CompletionChoice)]
pub(crate) struct Choice {
    text: String,
    index: usize,
    logprobs: Option<Odds>,
    /// `stop` or `length`.
    finish_reason: &'static str,
}

/// The older form of probabilities: lists side by side.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::CompletionLogprobs)]
pub(crate) struct Odds {
    tokens: Vec<String>,
    token_logprobs: Vec<f32>,
    top_logprobs: Vec<BTreeMap<String, f32>>,
    /// Where each token begins in the text, in bytes.
    text_offset: Vec<usize>,
}

fn completion(head: Head, wholes: Vec<Whole>, view: &View) -> Completion {
    let mut usage = Usage::default();
    let timings = wholes.first().map(|w| output::timings(&w.summary));
    let mut choices = Vec::with_capacity(wholes.len());
    for (index, whole) in wholes.into_iter().enumerate() {
        usage.add(&whole.summary, view.is_same_prompt(index));
        let prompt = view.prompt(index);
        let odds = view
            .logprobs
            .then(|| logprobs(&whole.logprobs, prompt.len()));
        choices.push(Choice {
            text: format!("{prompt}{}", whole.text),
            index,
            logprobs: odds,
            finish_reason: output::finish_reason(whole.summary.reason),
        });
    }
    Completion {
        id: head.id,
        object: OBJECT,
        created: head.created,
        model: head.model,
        system_fingerprint: output::FINGERPRINT,
        choices,
        usage: usage.shape(),
        timings,
    }
}

/// `offset` is where the first token begins in the text, in bytes.
fn logprobs(tokens: &[TokenLogprob], mut offset: usize) -> Odds {
    let mut offsets = Vec::with_capacity(tokens.len());
    for token in tokens {
        offsets.push(offset);
        offset += token.bytes.len();
    }
    let top = |token: &TokenLogprob| -> BTreeMap<String, f32> {
        let pairs = token.top.iter().map(|t| (t.text.clone(), t.logprob));
        pairs.collect()
    };
    Odds {
        tokens: tokens.iter().map(|t| t.text.clone()).collect(),
        token_logprobs: tokens.iter().map(|t| t.logprob).collect(),
        top_logprobs: tokens.iter().map(top).collect(),
        text_offset: offsets,
    }
}

/// Makes chunks of events.
struct Chunks {
    head: Head,
    view: View,
    usage: Usage,
    /// The answer whose first chunk was sent last.
    open: Option<usize>,
    /// Where the next token begins in its answer, in bytes.
    offset: usize,
}

impl Chunks {
    fn chunk(&self, choices: Value) -> Value {
        let mut chunk = self.head.shape(choices);
        if self.view.usage_at_end {
            chunk["usage"] = Value::Null;
        }
        chunk
    }

    fn piece(&self, index: usize, text: &str) -> Value {
        let choice =
            json!({ "text": text, "index": index, "logprobs": null, "finish_reason": null });
        self.chunk(json!([choice]))
    }
}

impl Wire for Chunks {
    fn open(&mut self, _: &mut Vec<String>) {}

    fn event(&mut self, index: usize, event: Event, out: &mut Vec<String>) {
        if self.open != Some(index) {
            self.open = Some(index);
            let prompt = self.view.prompt(index);
            self.offset = prompt.len();
            if !prompt.is_empty() {
                out.push(sse::data(&self.piece(index, prompt)));
            }
        }
        match event {
            Event::Text {
                text,
                logprobs: odds,
            } => {
                let mut chunk = self.piece(index, &text);
                if self.view.logprobs {
                    chunk["choices"][0]["logprobs"] = json!(logprobs(&odds, self.offset));
                    self.offset += odds.iter().map(|token| token.bytes.len()).sum::<usize>();
                }
                out.push(sse::data(&chunk));
            }
            Event::Finished(summary) => {
                self.usage.add(&summary, self.view.is_same_prompt(index));
                let mut chunk = self.piece(index, "");
                chunk["choices"][0]["finish_reason"] = output::finish_reason(summary.reason).into();
                chunk["timings"] = json!(output::timings(&summary));
                out.push(sse::data(&chunk));
            }
            _ => {}
        }
    }

    fn failed(&mut self, refusal: &Refusal, out: &mut Vec<String>) {
        out.push(sse::data(&OpenAi::body(refusal)));
        out.push(sse::done());
    }

    fn close(&mut self, out: &mut Vec<String>) {
        if self.view.usage_at_end {
            let mut chunk = self.chunk(json!([]));
            chunk["usage"] = json!(self.usage.shape());
            out.push(sse::data(&chunk));
        }
        out.push(sse::done());
    }
}
