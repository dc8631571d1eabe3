//! Turns a request into the tokens to compute, and decides what is left out when a conversation is longer than the context window.

use crate::backend::{Backend, Token};
use crate::output::Syntax;
use crate::{Error, Message, Overflow, Prompt, Request, Role};

/// Room for the answer when a conversation is cut and no limit was asked for: this part of the window.
const ANSWER_PART: usize = 4;

/// What [`prepare`] makes of a request.
#[derive(Debug)]
pub struct Prepared {
    pub tokens: Vec<Token>,
    /// Messages left out.
    pub cut_messages: u32,
    pub notice: Option<String>,
    /// How the answer will be written.
    pub syntax: Syntax,
}

/// Renders and tokenises the prompt of a request.
pub fn prepare(backend: &mut dyn Backend, request: &Request) -> Result<Prepared, Error> {
    request.validate()?;
    let context_tokens = backend.info().context_tokens as usize;
    let mut prepared = match &request.prompt {
        Prompt::Chat(messages) => render(backend, messages, request)?,
        Prompt::Text(text) => Prepared {
            tokens: backend.tokenize(text)?,
            cut_messages: 0,
            notice: None,
            syntax: *backend.template().syntax(),
        },
    };
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

fn render(
    backend: &mut dyn Backend,
    messages: &[Message],
    request: &Request,
) -> Result<Prepared, Error> {
    let rendered = backend.template().render(messages, request);
    Ok(Prepared {
        tokens: backend.tokenize(&rendered.prompt)?,
        cut_messages: 0,
        notice: rendered.notice,
        syntax: rendered.syntax,
    })
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
