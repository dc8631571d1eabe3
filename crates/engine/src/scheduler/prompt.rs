//! Turns a request into the tokens to compute, and decides what is left out when a conversation is longer than the context window.

use std::sync::Arc;

use crate::backend::{Backend, Token};
use crate::output::Syntax;
use crate::picture::{Image, Pixels, is_place};
use crate::request::invalid;
use crate::{Error, Message, Overflow, Prompt, Request, Role};

/// Room for the answer when a conversation is cut and no limit was asked for: this part of the window.
const ANSWER_PART: usize = 4;

/// What [`prepare`] makes of a request.
#[derive(Debug)]
pub struct Prepared {
    pub tokens: Vec<Token>,
    /// The pictures among the tokens, in order.
    pub images: Vec<Placed>,
    /// Messages left out.
    pub cut_messages: u32,
    pub notice: Option<String>,
    /// How the answer will be written.
    pub syntax: Syntax,
}

/// A picture among the tokens of a prompt.
#[derive(Debug, Clone)]
pub struct Placed {
    /// Index of its first place.
    pub at: usize,
    /// How many places it takes.
    pub count: usize,
    pub pixels: Arc<Pixels>,
}

/// Renders and tokenises the prompt of a request.
pub fn prepare(backend: &mut dyn Backend, request: &Request) -> Result<Prepared, Error> {
    request.validate()?;
    let context_tokens = backend.info().context_tokens as usize;
    let mut prepared = match &request.prompt {
        Prompt::Chat(messages) => render(backend, messages, request)?,
        Prompt::Text(text) => plain(backend.tokenize(text, true)?, backend),
        Prompt::Tokens(tokens) => {
            // Says whether each of them is a token of the vocabulary.
            backend.detokenize(tokens).map_err(in_prompt)?;
            plain(tokens.clone(), backend)
        }
    };
    if prepared.tokens.last().is_some_and(|last| is_place(*last)) {
        return Err(invalid("images", "must be followed by text"));
    }
    if prepared.tokens.is_empty() {
        return Err(Error::InvalidRequest {
            field: "prompt".into(),
            reason: "must hold at least one token".into(),
        });
    }
    let full = prepared.tokens.len();
    if let (Overflow::Cut, Prompt::Chat(messages)) = (request.overflow, &request.prompt) {
        let part = context_tokens / ANSWER_PART;
        let answer = request
            .max_tokens
            .map_or(part, |max| part.min(max as usize));
        prepared = cut(
            backend,
            messages,
            request,
            prepared,
            context_tokens - answer,
        )?;
    }
    if prepared.tokens.len() >= context_tokens {
        return Err(Error::ContextOverflow {
            prompt_tokens: full as u32,
            context_tokens: context_tokens as u32,
        });
    }
    Ok(prepared)
}

/// In the words of whoever asked for an answer.
fn in_prompt(error: Error) -> Error {
    match error {
        Error::InvalidRequest { reason, .. } => invalid("prompt", reason),
        other => other,
    }
}

/// A prompt that is no conversation.
fn plain(tokens: Vec<Token>, backend: &mut dyn Backend) -> Prepared {
    Prepared {
        tokens,
        images: Vec::new(),
        cut_messages: 0,
        notice: None,
        syntax: *backend.template().syntax(),
    }
}

fn render(
    backend: &mut dyn Backend,
    messages: &[Message],
    request: &Request,
) -> Result<Prepared, Error> {
    let pictures: Vec<&Image> = messages.iter().flat_map(|m| &m.images).collect();
    let (tokens, images, rendered) = if pictures.is_empty() {
        let rendered = backend.template().render(messages, request);
        (
            backend.tokenize(&rendered.prompt, true)?,
            Vec::new(),
            rendered,
        )
    } else {
        let marks = Marks::new(messages);
        let rendered = backend.template().render(&marks.put(messages), request);
        let (tokens, images) = tokenize(backend, &rendered.prompt, &marks, &pictures)?;
        (tokens, images, rendered)
    };
    Ok(Prepared {
        tokens,
        images,
        cut_messages: 0,
        notice: rendered.notice,
        syntax: rendered.syntax,
    })
}

/// Marks in the text that goes through the template, one for each picture.
struct Marks(String);

impl Marks {
    /// Marks that no message holds, so that a text cannot pretend to be a picture.
    fn new(messages: &[Message]) -> Self {
        let mut number = 0;
        loop {
            let mark = format!("[[picture {number}:");
            if !messages.iter().any(|m| m.content.contains(&mark)) {
                return Self(mark);
            }
            number += 1;
        }
    }

    fn put(&self, messages: &[Message]) -> Vec<Message> {
        let mut number = 0;
        let marked = messages.iter().map(|message| {
            let (mut content, mut written) = (String::new(), 0);
            for image in &message.images {
                content += &message.content[written..image.at];
                content = content + &self.0 + &number.to_string() + "]]";
                (written, number) = (image.at, number + 1);
            }
            content += &message.content[written..];
            Message {
                role: message.role,
                content,
                images: Vec::new(),
                reasoning: message.reasoning.clone(),
                tool_calls: message.tool_calls.clone(),
                tool_call_id: message.tool_call_id.clone(),
            }
        });
        marked.collect()
    }
}

/// Tokens of a rendered prompt with its pictures. A template that leaves out or moves one is an error: the model would answer about
/// something else than what was asked.
fn tokenize(
    backend: &mut dyn Backend,
    text: &str,
    marks: &Marks,
    pictures: &[&Image],
) -> Result<(Vec<Token>, Vec<Placed>), Error> {
    let lost = || invalid("images", "have no place in this model's chat template");
    let mut pieces = text.split(marks.0.as_str());
    let first = pieces.next().unwrap_or_default();
    let mut tokens = if first.is_empty() {
        Vec::new()
    } else {
        backend.tokenize(first, true)?
    };
    let mut images = Vec::new();
    for piece in pieces {
        let (number, after) = piece.split_once("]]").ok_or_else(lost)?;
        let image = pictures.get(images.len()).ok_or_else(lost)?;
        if number != images.len().to_string() {
            return Err(lost());
        }
        let pixels = image.pixels()?;
        let places = backend.image(&pixels)?;
        images.push(Placed {
            at: tokens.len(),
            count: places.len(),
            pixels,
        });
        tokens.extend(places);
        if !after.is_empty() {
            tokens.extend(backend.tokenize(after, tokens.is_empty())?);
        }
    }
    if images.len() == pictures.len() {
        Ok((tokens, images))
    } else {
        Err(lost())
    }
}

/// Leaves out the oldest turns until the prompt has at most `limit` tokens. The system prompt and the last turn stay, however long.
fn cut(
    backend: &mut dyn Backend,
    messages: &[Message],
    request: &Request,
    whole: Prepared,
    limit: usize,
) -> Result<Prepared, Error> {
    if whole.tokens.len() <= limit {
        return Ok(whole);
    }
    let mut shortest = whole;
    for keep_from in places_to_cut(messages, limit) {
        let first = messages
            .iter()
            .take_while(|m| m.role == Role::System)
            .count();
        let kept: Vec<Message> = messages[..first]
            .iter()
            .chain(&messages[keep_from..])
            .cloned()
            .collect();
        shortest = render(backend, &kept, request)?;
        shortest.cut_messages = (keep_from - first) as u32;
        if shortest.tokens.len() <= limit {
            break;
        }
    }
    Ok(shortest)
}

/// Indexes of user messages at which what is kept may begin, from the least cut to the most.
///
/// They lie an eighth to a half of the window apart and depend on nothing that comes later, so that a conversation which goes on is
/// cut at the same place for a while, and its cached prefix stays of use.
fn places_to_cut(messages: &[Message], limit: usize) -> Vec<usize> {
    let first = messages
        .iter()
        .take_while(|m| m.role == Role::System)
        .count();
    // In bytes: English has about four a token, some scripts have one.
    let stride = (limit / 2).max(1);
    let (mut places, mut bytes, mut next) = (Vec::new(), 0, stride);
    let mut last_user = None;
    for (index, message) in messages.iter().enumerate().skip(first) {
        if message.role == Role::User && index > first {
            last_user = Some(index);
            if bytes >= next {
                places.push(index);
                next = (bytes / stride + 1) * stride;
            }
        }
        bytes += message.content.len();
    }
    // As a last resort only the last turn is kept.
    if let Some(last) = last_user.filter(|last| places.last() != Some(last)) {
        places.push(last);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    fn talk(turns: usize) -> Request {
        let mut messages = vec![Message::new(Role::System, "system")];
        for turn in 0..turns {
            messages.push(Message::new(
                Role::User,
                format!("question {turn} {}", "q".repeat(80)),
            ));
            messages.push(Message::new(
                Role::Assistant,
                format!("answer {turn} {}", "a".repeat(80)),
            ));
        }
        messages.push(Message::new(Role::User, "now"));
        Request {
            overflow: Overflow::Cut,
            ..Request::chat(messages)
        }
    }

    fn text(prepared: &Prepared) -> String {
        prepared
            .tokens
            .iter()
            .map(|t| char::from(*t as u8))
            .collect()
    }

    #[test]
    fn the_oldest_turns_go_and_the_ends_stay() {
        // The fake counts bytes as tokens.
        let mut backend = Fake::new(2000);
        let prepared = prepare(&mut backend, &talk(40)).unwrap();
        let shown = text(&prepared);
        assert!(
            shown.contains("system") && shown.ends_with("now<|im_end|>\n<|im_start|>assistant"),
            "{shown}"
        );
        assert!(shown.contains("answer 39") && !shown.contains("question 0 "));
        assert!(
            prepared.tokens.len() <= 1500 && prepared.cut_messages > 60,
            "{prepared:?}"
        );
        let kept = shown.matches("<|im_start|>").count() - 1;
        assert_eq!(kept + prepared.cut_messages as usize, 82);
    }

    #[test]
    fn a_conversation_that_goes_on_is_cut_at_the_same_place_for_a_while() {
        let mut backend = Fake::new(20_000);
        let cuts: Vec<u32> = (60..160)
            .map(|turns| prepare(&mut backend, &talk(turns)).unwrap().cut_messages)
            .collect();
        let changes = cuts.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(cuts.is_sorted() && cuts[99] > 0);
        assert!(changes <= 4, "{cuts:?}");
    }

    #[test]
    fn what_cannot_be_cut_is_an_error_with_both_numbers() {
        let mut backend = Fake::new(200);
        let mut request = talk(0);
        let Prompt::Chat(messages) = &mut request.prompt else {
            unreachable!()
        };
        messages[1].content = "x".repeat(500);
        let error = prepare(&mut backend, &request).unwrap_err();
        assert!(
            matches!(
                error,
                Error::ContextOverflow {
                    prompt_tokens: 500..,
                    context_tokens: 200
                }
            ),
            "{error:?}"
        );
        request.overflow = Overflow::Refuse;
        assert!(prepare(&mut backend, &request).is_err());
    }
}
