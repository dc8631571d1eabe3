//! What a completion goes on with: texts, or tokens that a client has made itself.

use hearth_app::engine::Prompt;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::refusal::Refusal;
use crate::state::ServerState;

/// Most prompts of one request.
const MAX_PROMPTS: usize = 128;

/// One prompt or several, as text or as tokens.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "expected a string, a list of strings or a list of tokens"
)]
pub(crate) enum PromptSpec {
    One(String),
    Many(Vec<String>),
    /// Of the model's own vocabulary, as `/tokenize` gives them.
    Tokens(Vec<i32>),
    ManyTokens(Vec<Vec<i32>>),
}

impl PromptSpec {
    pub(super) fn prompts(self) -> std::result::Result<Vec<Prompt>, Refusal> {
        let prompts: Vec<Prompt> = match self {
            Self::One(text) => vec![Prompt::Text(text)],
            Self::Many(texts) => texts.into_iter().map(Prompt::Text).collect(),
            Self::Tokens(tokens) => vec![Prompt::Tokens(tokens)],
            Self::ManyTokens(lists) => lists.into_iter().map(Prompt::Tokens).collect(),
        };
        if prompts.is_empty() || prompts.len() > MAX_PROMPTS {
            let reason = format!(
                "has {} entries; 1 to {MAX_PROMPTS} are taken",
                prompts.len()
            );
            return Err(Refusal::invalid("prompt", reason));
        }
        let is_empty = |prompt: &Prompt| match prompt {
            Prompt::Text(text) => text.is_empty(),
            Prompt::Tokens(tokens) => tokens.is_empty(),
            Prompt::Chat(_) => false,
        };
        if let Some(at) = prompts.iter().position(is_empty) {
            let param = if prompts.len() == 1 {
                "prompt".to_owned()
            } else {
                format!("prompt[{at}]")
            };
            return Err(Refusal::invalid(param, "is empty"));
        }
        Ok(prompts)
    }
}

/// The text of each prompt, to be repeated before its answer.
pub(super) async fn texts(
    state: &ServerState,
    model: &str,
    prompts: &[Prompt],
) -> std::result::Result<Vec<String>, Refusal> {
    let mut texts = Vec::with_capacity(prompts.len());
    for prompt in prompts {
        texts.push(match prompt {
            Prompt::Text(text) => text.clone(),
            Prompt::Tokens(tokens) => {
                let inference = state.app.inference();
                inference.detokenize(model, tokens.clone()).await?.result
            }
            Prompt::Chat(_) => String::new(),
        });
    }
    Ok(texts)
}
