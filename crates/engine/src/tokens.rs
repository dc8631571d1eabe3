//! What a model's tokeniser and template say about a text, without computing anything.

use serde::{Deserialize, Serialize};

use crate::backend::{Backend, Token};
use crate::request::{MAX_PROMPT_BYTES, invalid};
use crate::scheduler::prompt;
use crate::{Error, Generation, Request};

/// Upper limit of the tokens that are turned into text at once; each is at least a byte of a prompt.
const MAX_TOKENS: usize = MAX_PROMPT_BYTES / 4;

/// A question for [`crate::Engine::tokens`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "snake_case")]
pub enum TokenTask {
    /// Text to tokens: special tokens are recognised. With `begins` it is read like a prompt that is no conversation: the model's
    /// begin token comes first, if it has one.
    Tokenize { text: String, begins: bool },
    /// Tokens to text, special tokens included; broken characters are replaced.
    Detokenize(Vec<Token>),
    /// How many tokens the prompt of a request has once it went through the template. What the request would cut is cut.
    Count(Box<Request>),
}

/// The answer to a [`TokenTask`], by its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "snake_case")]
pub enum TokenReply {
    Tokens(Vec<Token>),
    Text(String),
    Count(u32),
}

/// Answers a question with a model's own means.
pub(crate) fn answer(backend: &mut dyn Backend, task: TokenTask) -> Result<TokenReply, Error> {
    match task {
        TokenTask::Tokenize { text, .. } if text.len() > MAX_PROMPT_BYTES => {
            let reason = format!(
                "is {} bytes long, the limit is {MAX_PROMPT_BYTES}",
                text.len()
            );
            Err(invalid("text", reason))
        }
        TokenTask::Tokenize { text, begins } => {
            backend.tokenize(&text, begins).map(TokenReply::Tokens)
        }
        TokenTask::Detokenize(tokens) if tokens.len() > MAX_TOKENS => {
            let reason = format!("has {} entries, the limit is {MAX_TOKENS}", tokens.len());
            Err(invalid("tokens", reason))
        }
        TokenTask::Detokenize(tokens) => {
            let bytes = backend.detokenize(&tokens)?;
            Ok(TokenReply::Text(
                String::from_utf8_lossy(&bytes).into_owned(),
            ))
        }
        TokenTask::Count(request) => {
            match prompt::prepare(backend, &request) {
                Ok(prepared) => Ok(TokenReply::Count(prepared.tokens.len() as u32)),
                // Too long to be answered is not too long to be counted.
                Err(Error::ContextOverflow { prompt_tokens, .. }) => {
                    Ok(TokenReply::Count(prompt_tokens))
                }
                Err(error) => Err(error),
            }
        }
    }
}

/// Waits for the answer to [`crate::Engine::ask_tokens`]; dropping the future gives it up.
pub async fn reply(mut generation: Generation) -> Result<TokenReply, Error> {
    while let Some(event) = generation.events.recv().await {
        match event {
            crate::Event::Tokens(reply) => return Ok(reply),
            crate::Event::Failed(error) => return Err(error),
            _ => {}
        }
    }
    Err(Error::ShutDown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;
    use crate::{Message, Role};

    #[test]
    fn text_becomes_tokens_and_text_again() {
        let mut fake = Fake::new(100);
        let task = TokenTask::Tokenize {
            text: "hé".into(),
            begins: true,
        };
        let tokens = answer(&mut fake, task).unwrap();
        let TokenReply::Tokens(tokens) = tokens else {
            panic!("{tokens:?}")
        };
        assert_eq!(tokens, [0x68, 0xC3, 0xA9]);
        let text = answer(&mut fake, TokenTask::Detokenize(tokens)).unwrap();
        assert_eq!(text, TokenReply::Text("hé".into()));
    }

    #[test]
    fn a_count_is_that_of_the_rendered_prompt() {
        let mut fake = Fake::new(100);
        let request = Request::chat(vec![Message::new(Role::User, "hi")]);
        let rendered = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant";
        let count = answer(&mut fake, TokenTask::Count(Box::new(request))).unwrap();
        assert_eq!(count, TokenReply::Count(rendered.len() as u32));
    }

    #[test]
    fn what_is_too_long_is_counted() {
        let mut fake = Fake::new(100);
        let request = Request::text("a".repeat(500));
        let count = answer(&mut fake, TokenTask::Count(Box::new(request))).unwrap();
        assert_eq!(count, TokenReply::Count(500));
    }

    #[test]
    fn tokens_that_are_none_are_refused() {
        let error = answer(&mut Fake::new(100), TokenTask::Detokenize(vec![-1])).unwrap_err();
        assert!(
            matches!(&error, Error::InvalidRequest { field, .. } if field == "tokens"),
            "{error:?}"
        );
    }
}
