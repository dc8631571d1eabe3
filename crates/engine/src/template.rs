//! Turns a conversation into the prompt text a model was trained on, with the model's own Jinja template.
//!
//! A template comes out of a downloaded file, so it runs without loader, file system or environment, with limits on size,
//! steps, recursion and output. When it is missing or does not work, ChatML is used and the caller is told.

use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Error as JinjaError, ErrorKind, UndefinedBehavior, Value};

use crate::output::{Family, Syntax};
use crate::request::{Message, Request};
use crate::tools::{Tool, ToolChoice};

mod conversation;
mod filters;

use conversation::Taste;
use filters::{Limited, to_json, today};

/// Largest template source in bytes; the longest in use today are near 30 KiB.
const MAX_SOURCE_BYTES: usize = 128 * 1024;
/// Stack for parsing and rendering, in bytes. The parser limits nested brackets but not chains such as `- - - 1`, and each byte
/// of such a source costs up to 2 KiB of stack. Memory is used only as far as the stack really grows.
const STACK_BYTES: usize = 512 * 1024 * 1024;
/// Instructions a template may run. A million messages would not fit any context window, and this many take under a second.
const FUEL: u64 = 5_000_000;
/// Depth of macros, includes and blocks.
const MAX_RECURSION: usize = 64;
/// Largest rendered prompt in bytes beyond the size of the messages themselves.
const MAX_EXTRA_BYTES: usize = 4 * 1024 * 1024;

/// A chat template, checked once at load.
#[derive(Debug, Clone)]
pub struct Template {
    /// `None` is ChatML.
    source: Option<String>,
    bos: String,
    eos: String,
    notice: Option<String>,
    syntax: Syntax,
    taste: Taste,
    /// The template shows tools by itself.
    knows_tools: bool,
}

/// A prompt, and how the answer to it will be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub prompt: String,
    /// A warning for the user when the model's own template was not used.
    pub notice: Option<String>,
    /// For [`crate::output::Output`] and for constraints.
    pub syntax: Syntax,
}

impl Rendered {
    fn new(prompt: String, syntax: Syntax, notice: Option<String>) -> Self {
        Self {
            syntax: syntax.after(&prompt),
            prompt,
            notice,
        }
    }
}

/// What goes into one prompt.
struct Turn<'r> {
    messages: &'r [Message],
    tools: &'r [Tool],
    thinking: Option<bool>,
}

impl Template {
    /// Takes the model's template and the text of its begin and end tokens.
    pub fn new(source: Option<&str>, bos: &str, eos: &str) -> Self {
        let template = |source: Option<&str>, notice| {
            let text = source.unwrap_or_default();
            let knows_tools = text.contains("tools");
            let mut syntax = Syntax::detect(text);
            if !knows_tools && syntax.family != Family::Harmony {
                // The form that the plain description asks for.
                syntax.family = Family::Hermes;
            }
            Self {
                source: source.map(str::to_owned),
                bos: bos.to_owned(),
                eos: eos.to_owned(),
                notice,
                taste: Taste::of(text, &syntax),
                syntax,
                knows_tools,
            }
        };
        let Some(source) = source.filter(|s| !s.trim().is_empty()) else {
            return template(None, Some(notice("has no chat template")));
        };
        if source.len() > MAX_SOURCE_BYTES {
            return template(None, Some(notice("has a chat template that is too large")));
        }
        let own = template(Some(source), None);
        let probe = Turn {
            messages: &[Message::new(crate::Role::User, "hello")],
            tools: &[],
            thinking: None,
        };
        match own.render_own(&probe) {
            Ok(_) => own,
            Err(error) => {
                tracing::warn!(%error, "the model's chat template does not work");
                template(
                    None,
                    Some(notice("has a chat template that does not work here")),
                )
            }
        }
    }

    /// How answers are written; whether one begins inside a thought depends on the prompt, see [`Rendered::syntax`].
    pub fn syntax(&self) -> &Syntax {
        &self.syntax
    }

    /// The prompt for `messages`, ready for the assistant to answer, with the tools and the wish to think of `request`.
    ///
    /// `messages` stands apart because a conversation may have been cut to fit. Never fails: a template that does not work on
    /// this conversation is replaced, and the notice says so.
    pub fn render(&self, messages: &[Message], request: &Request) -> Rendered {
        let tools: &[Tool] = match request.tool_choice {
            ToolChoice::None => &[],
            _ => &request.tools,
        };
        let turn = Turn {
            messages,
            tools,
            thinking: request.thinking,
        };
        let calls = messages
            .iter()
            .any(|m| !m.tool_calls.is_empty() || m.role == crate::Role::Tool);
        if (self.knows_tools || (tools.is_empty() && !calls))
            && let Some(prompt) = self.attempt(&turn)
        {
            return Rendered::new(prompt, self.syntax, self.notice.clone());
        }
        let syntax = Syntax {
            family: match self.syntax.family {
                // Its channels stay whatever the tools look like.
                Family::Harmony => Family::Harmony,
                _ => Family::Hermes,
            },
            ..self.syntax
        };
        let plain = conversation::in_plain_text(messages, tools);
        let turn = Turn {
            messages: &plain,
            tools: &[],
            ..turn
        };
        if let Some(prompt) = self.attempt(&turn) {
            return Rendered::new(prompt, syntax, self.notice.clone());
        }
        let notice = notice("has a chat template that failed on this conversation");
        Rendered::new(chatml(&plain), syntax, Some(notice))
    }

    /// The prompt by the model's own template; `None` when it does not work on this conversation.
    fn attempt(&self, turn: &Turn) -> Option<String> {
        let first = match self.render_own(turn) {
            Ok(prompt) => return Some(prompt),
            Err(error) => error,
        };
        // Many templates refuse a system message or two messages of one role in a row.
        tracing::debug!(error = %first, "rendering again with the system prompt inside the first user message");
        let messages = without_system(turn.messages);
        let turn = Turn {
            messages: &messages,
            ..*turn
        };
        self.render_own(&turn)
            .inspect_err(|error| tracing::warn!(%error, "the model's chat template failed"))
            .ok()
    }

    fn render_own(&self, turn: &Turn) -> Result<String, JinjaError> {
        let Some(source) = &self.source else {
            return Ok(chatml(turn.messages));
        };
        std::thread::scope(|scope| {
            let render = || self.render_source(source, turn);
            let thread = std::thread::Builder::new()
                .stack_size(STACK_BYTES)
                .spawn_scoped(scope, render);
            match thread.map(std::thread::ScopedJoinHandle::join) {
                Ok(Ok(result)) => result,
                Ok(Err(_)) => Err(JinjaError::new(
                    ErrorKind::InvalidOperation,
                    "the template engine panicked",
                )),
                Err(error) => Err(JinjaError::new(
                    ErrorKind::InvalidOperation,
                    error.to_string(),
                )),
            }
        })
    }

    fn render_source(&self, source: &str, turn: &Turn) -> Result<String, JinjaError> {
        let environment = environment()?;
        let template = environment.template_from_str(source)?;
        let size = conversation::size(turn.messages, turn.tools);
        let mut prompt = Limited {
            bytes: Vec::with_capacity(size + 1024),
            limit: size.saturating_mul(2) + MAX_EXTRA_BYTES,
        };
        template.render_captured_to(self.context(turn), &mut prompt)?;
        String::from_utf8(prompt.bytes)
            .map_err(|e| JinjaError::new(ErrorKind::WriteFailure, e.to_string()))
    }

    /// The names that templates look for. One that has no value stays undefined: many templates only ask whether it is defined.
    fn context(&self, turn: &Turn) -> Value {
        let messages = conversation::seen(turn.messages, self.taste);
        let mut names = BTreeMap::from([
            ("messages", Value::from(Serde(messages))),
            ("add_generation_prompt", Value::from(true)),
            ("bos_token", Value::from(self.bos.as_str())),
            ("eos_token", Value::from(self.eos.as_str())),
        ]);
        if !turn.tools.is_empty() {
            let tools = conversation::seen_tools(turn.tools);
            names.insert("tools", Value::from(Serde(tools)));
        }
        if let Some(thinking) = turn.thinking {
            // Qwen and most others; DeepSeek and Granite.
            names.insert("enable_thinking", Value::from(thinking));
            names.insert("thinking", Value::from(thinking));
            if self.syntax.family == Family::Harmony && !thinking {
                // These models always think; less is all that can be asked for.
                names.insert("reasoning_effort", Value::from("low"));
            }
        }
        Value::from(names)
    }
}

fn notice(what: &str) -> String {
    format!("This model {what}, so ChatML is used. Answers may be worse than the model can do.")
}

fn chatml(messages: &[Message]) -> String {
    let mut prompt = String::new();
    for message in messages {
        let role = match message.role {
            crate::Role::System => "system",
            crate::Role::User => "user",
            crate::Role::Assistant => "assistant",
            crate::Role::Tool => "tool",
        };
        for part in ["<|im_start|>", role, "\n", &message.content, "<|im_end|>\n"] {
            prompt.push_str(part);
        }
    }
    prompt + "<|im_start|>assistant\n"
}

/// The same conversation with system messages moved into the user message that follows.
fn without_system(messages: &[Message]) -> Vec<Message> {
    let mut carried = String::new();
    let mut out: Vec<Message> = Vec::with_capacity(messages.len());
    for message in messages {
        if message.role == crate::Role::System {
            carried.push_str(&message.content);
            carried.push_str("\n\n");
        } else if message.role == crate::Role::User && !carried.is_empty() {
            let content = std::mem::take(&mut carried) + &message.content;
            out.push(Message {
                content,
                ..message.clone()
            });
        } else {
            out.push(message.clone());
        }
    }
    if !carried.is_empty() {
        out.push(Message::new(crate::Role::User, carried.trim_end()));
    }
    out
}

fn environment() -> Result<Environment<'static>, JinjaError> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(MAX_RECURSION);
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.add_filter("tojson", to_json);
    // Templates are written for Python's Jinja and call methods of str, list and dict.
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function(
        "raise_exception",
        |message: String| -> Result<Value, JinjaError> {
            Err(JinjaError::new(ErrorKind::InvalidOperation, message))
        },
    );
    environment.add_function("strftime_now", |_format: String| today());
    Ok(environment)
}

#[cfg(test)]
mod families;

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::Role;

    /// The prompt and the notice for a conversation without tools.
    fn render(template: &Template, messages: &[Message]) -> (String, Option<String>) {
        let rendered = template.render(messages, &Request::chat(Vec::new()));
        (rendered.prompt, rendered.notice)
    }

    fn talk() -> Vec<Message> {
        vec![
            Message::new(Role::System, "Be brief."),
            Message::new(Role::User, "Hi"),
        ]
    }

    #[test]
    fn renders_the_models_own_form() {
        let source = "{{ bos_token }}{% for message in messages %}\n{% if loop.first and messages[0]['role'] != 'system' %}X{% endif %}[{{ message['role'].upper() }}]{{ message['content'] | trim }}{% endfor %}{% if add_generation_prompt %}[A]{% endif %}";
        let (prompt, notice) = render(&Template::new(Some(source), "<s>", "</s>"), &talk());
        assert_eq!(prompt, "<s>[SYSTEM]Be brief.[USER]Hi[A]");
        assert_eq!(notice, None);
    }

    #[test]
    fn a_missing_or_broken_template_falls_back_and_says_so() {
        for source in [
            None,
            Some(""),
            Some("{% for %}"),
            Some("{{ nothing.here() }}"),
            Some("{% include 'x' %}"),
        ] {
            let (prompt, notice) = render(&Template::new(source, "", ""), &talk());
            assert_eq!(
                prompt,
                "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
            );
            assert!(notice.is_some_and(|n| n.contains("ChatML")), "{source:?}");
        }
    }

    #[test]
    fn a_template_without_system_role_gets_it_in_the_user_message() {
        let source = "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}<{{ m.role }}>{{ m.content }}{% endfor %}";
        let (prompt, notice) = render(&Template::new(Some(source), "", ""), &talk());
        assert_eq!(prompt, "<user>Be brief.\n\nHi");
        assert_eq!(notice, None);
    }

    #[test]
    fn json_is_written_as_python_does() {
        let source = "{{ messages[0] | tojson }}";
        let messages = [Message::new(Role::User, "a<b> & \"c\"")];
        let (prompt, _) = render(&Template::new(Some(source), "", ""), &messages);
        assert_eq!(prompt, r#"{"role": "user", "content": "a<b> & \"c\""}"#);
    }

    #[test]
    fn a_hostile_template_is_stopped() {
        let hostile = [
            "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}"
                .to_owned(),
            "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}".to_owned(),
            "{{ messages | tojson(indent=100000000) }}".to_owned(),
            "(".repeat(50_000),
            format!("{{{{ {} }}}}", "(".repeat(50_000)),
            format!("{{{{ {}1 }}}}", "-".repeat(50_000)),
        ];
        for source in hostile {
            let started = Instant::now();
            let shown = source.chars().take(60).collect::<String>();
            let (prompt, _) = render(&Template::new(Some(&source), "", ""), &talk());
            // Left alone the first of them runs for hours; how fast a busy machine stops it is not the point.
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "{shown} took {:?}",
                started.elapsed()
            );
            assert!(prompt.len() < 64 * 1024 * 1024, "{shown}");
        }
    }
}
