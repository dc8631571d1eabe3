//! Questions for a model's tokeniser.
//!
//! They wait for no place among the requests of programs: nothing is computed, and who counts before sending should not stand behind
//! those who are answered.

use std::sync::Arc;

use hearth_engine::backend::Token;
use hearth_engine::{Purpose, Request, TokenReply, TokenTask, tokens};

use super::registry::{Model, Work};
use super::{Encoded, Inference};
use crate::error::{Code, Error, Result};

impl Inference {
    /// Text to tokens, with the begin token before them where `begins`. The model may be of any kind; it is loaded when needed.
    pub async fn tokenize(
        &self,
        model: &str,
        text: String,
        begins: bool,
    ) -> Result<Encoded<Vec<Token>>> {
        let model = self.find_any(model).await?;
        let task = TokenTask::Tokenize { text, begins };
        let asked = self.ask(model, task).await?;
        match asked.result {
            TokenReply::Tokens(result) => Ok(Encoded {
                model: asked.model,
                result,
            }),
            other => Err(unexpected(&other)),
        }
    }

    /// Tokens to text. A model for vectors or scores refuses.
    pub async fn detokenize(&self, model: &str, tokens: Vec<Token>) -> Result<Encoded<String>> {
        let model = self.find_any(model).await?;
        let asked = self.ask(model, TokenTask::Detokenize(tokens)).await?;
        match asked.result {
            TokenReply::Text(result) => Ok(Encoded {
                model: asked.model,
                result,
            }),
            other => Err(unexpected(&other)),
        }
    }

    /// How many tokens the prompt of a request has, also when they are more than the model could read.
    pub async fn count_tokens(&self, model: &str, request: Request) -> Result<Encoded<u32>> {
        let model = self.find_to_answer(model, &request).await?;
        let asked = self.ask(model, TokenTask::Count(Box::new(request))).await?;
        match asked.result {
            TokenReply::Count(result) => Ok(Encoded {
                model: asked.model,
                result,
            }),
            other => Err(unexpected(&other)),
        }
    }

    async fn ask(&self, model: Arc<Model>, task: TokenTask) -> Result<Encoded<TokenReply>> {
        let name = model.name.clone();
        let work = Work::Tokens(task);
        let started = self.registry.start_work(model, work, None).await?;
        let result = tokens::reply(started.generation).await?;
        Ok(Encoded {
            model: name,
            result,
        })
    }

    /// A model, whatever it is for.
    async fn find_any(&self, name: &str) -> Result<Arc<Model>> {
        let mut found = self.find(name).await;
        for purpose in [Purpose::Embed, Purpose::Rerank] {
            match &found {
                Err(error) if error.code == Code::ModelUnsupported => {
                    found = self.find_as(name, purpose).await;
                }
                _ => break,
            }
        }
        found
    }
}

fn unexpected(reply: &TokenReply) -> Error {
    Error::internal(format!("the engine answered another question: {reply:?}"))
}
