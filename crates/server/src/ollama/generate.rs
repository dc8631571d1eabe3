//! `POST /api/generate`: the answer to one prompt, or the continuation of a raw text.

use axum::extract::State;
use hearth_app::engine::{Message, Request, Role};

use super::chat::answer;
use super::conversation::images;
use super::error::{Failure, Result};
use super::keep_alive;
use super::lines::Form;
use super::load::Wish;
use super::options::Shared;
use super::request::GenerateRequest;
use super::shape::{Line, SentLine};
use crate::body::Body;
use crate::caching::Caching;
use crate::refusal::Refusal;
use crate::state::ServerState;

/// Answers a prompt.
#[utoipa::path(post, path = "/api/generate", tag = "ollama", operation_id = "ollama_generate", request_body = GenerateRequest,
    responses((status = 200, description = "Lines of JSON, or one object with `stream: false`",
        content((Line = "application/json"), (Vec<SentLine> = "application/x-ndjson"))), Failure))]
pub(crate) async fn generate(
    State(state): State<ServerState>,
    caching: Caching,
    body: std::result::Result<Body<GenerateRequest>, Refusal>,
) -> Result {
    let Body(asked) = body?;
    let wish = Wish {
        form: Form::Generate,
        shown: &asked.model,
        keep_alive: keep_alive::parse(asked.keep_alive.as_ref())?,
        stream: asked.stream != Some(false),
    };
    let request = request(&asked)?;
    let request = (!asked.prompt.is_empty()).then_some(request);
    Ok(answer(&state, wish, request, caching).await?)
}

/// What the engine is asked. A raw answer is not taken apart: who writes the markup also reads it.
fn request(asked: &GenerateRequest) -> std::result::Result<Request, Refusal> {
    let mut request = if asked.raw {
        for (field, is_used) in [
            ("system", !asked.system.is_empty()),
            ("template", !asked.template.is_empty()),
            ("images", !asked.images.is_empty()),
        ] {
            if is_used {
                return Err(Refusal::invalid(field, "cannot be combined with `raw`"));
            }
        }
        Request::text(asked.prompt.clone())
    } else {
        if !asked.suffix.is_empty() {
            return Err(Refusal::invalid(
                "suffix",
                "cannot be used: this model does not fill in text between two others",
            ));
        }
        let mut messages = Vec::new();
        if !asked.system.is_empty() {
            messages.push(Message::new(Role::System, asked.system.clone()));
        }
        messages.push(Message {
            images: images(&asked.images, "images")?,
            ..Message::new(Role::User, asked.prompt.clone())
        });
        Request::chat(messages)
    };
    Shared::from(asked).apply(&mut request)?;
    request.parse = !asked.raw;
    Ok(request)
}
