//! Turns a conversation into the prompt text a model was trained on, with the model's own Jinja template.
//!
//! A template comes out of a downloaded file, so it runs without loader, file system or environment, with limits on size,
//! steps, recursion and output. When it is missing or does not work, ChatML is used and the caller is told.

use std::io::{self, Write};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde};
use minijinja::{Environment, Error as JinjaError, ErrorKind, UndefinedBehavior, Value, context};

use serde::Serialize;

use crate::request::Message;

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
/// Widest indent of `tojson`; a wider one would only make a prompt of blanks.
const MAX_INDENT: usize = 16;

/// A chat template, checked once at load.
#[derive(Debug, Clone)]
pub struct Template {
    /// `None` is ChatML.
    source: Option<String>,
    bos: String,
    eos: String,
    notice: Option<String>,
}

impl Template {
    /// Takes the model's template and the text of its begin and end tokens.
    pub fn new(source: Option<&str>, bos: &str, eos: &str) -> Self {
        let template = |source: Option<&str>, notice| Self {
            source: source.map(str::to_owned),
            bos: bos.to_owned(),
            eos: eos.to_owned(),
            notice,
        };
        let Some(source) = source.filter(|s| !s.trim().is_empty()) else {
            return template(None, Some(notice("has no chat template")));
        };
        if source.len() > MAX_SOURCE_BYTES {
            return template(None, Some(notice("has a chat template that is too large")));
        }
        let own = template(Some(source), None);
        let probe = [Message::new(crate::Role::User, "hello")];
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

    /// The prompt text for `messages`, ending where the assistant's answer begins, and a warning when it is not the model's own form.
    pub fn render(&self, messages: &[Message]) -> (String, Option<String>) {
        match self.render_own(messages) {
            Ok(prompt) => (prompt, self.notice.clone()),
            // Many templates refuse a system message or two messages of one role in a row.
            Err(first) => {
                tracing::debug!(error = %first, "rendering again with the system prompt inside the first user message");
                match self.render_own(&without_system(messages)) {
                    Ok(prompt) => (prompt, self.notice.clone()),
                    Err(error) => {
                        tracing::warn!(%error, "the model's chat template failed");
                        (
                            chatml(messages),
                            Some(notice(
                                "has a chat template that failed on this conversation",
                            )),
                        )
                    }
                }
            }
        }
    }

    fn render_own(&self, messages: &[Message]) -> Result<String, JinjaError> {
        let Some(source) = &self.source else {
            return Ok(chatml(messages));
        };
        std::thread::scope(|scope| {
            let render = || self.render_source(source, messages);
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

    fn render_source(&self, source: &str, messages: &[Message]) -> Result<String, JinjaError> {
        let environment = environment()?;
        let template = environment.template_from_str(source)?;
        let size: usize = messages.iter().map(|m| m.content.len()).sum();
        let mut prompt = Limited {
            bytes: Vec::with_capacity(size + 1024),
            limit: size.saturating_mul(2) + MAX_EXTRA_BYTES,
        };
        template.render_captured_to(
            context! {
                messages => Value::from(Serde(messages)),
                add_generation_prompt => true,
                bos_token => self.bos.as_str(),
                eos_token => self.eos.as_str(),
            },
            &mut prompt,
        )?;
        String::from_utf8(prompt.bytes)
            .map_err(|e| JinjaError::new(ErrorKind::WriteFailure, e.to_string()))
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
            out.push(Message::new(
                message.role,
                std::mem::take(&mut carried) + &message.content,
            ));
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

/// JSON as Python's `json.dumps` writes it, which is what the models saw in training: a space after `,` and `:`, no HTML escapes.
fn to_json(value: &Value, options: Kwargs) -> Result<Value, JinjaError> {
    let indent = options.get::<Option<usize>>("indent")?;
    if indent.is_some_and(|n| n > MAX_INDENT) {
        let message = format!("indent is more than {MAX_INDENT}");
        return Err(JinjaError::new(ErrorKind::InvalidOperation, message));
    }
    let mut json = Limited {
        bytes: Vec::new(),
        limit: crate::request::MAX_PROMPT_BYTES + MAX_EXTRA_BYTES,
    };
    let written = match indent {
        Some(n) => {
            let spaces = " ".repeat(n);
            let pretty = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
            value.serialize(&mut serde_json::Serializer::with_formatter(
                &mut json, pretty,
            ))
        }
        None => value.serialize(&mut serde_json::Serializer::with_formatter(
            &mut json,
            PythonFormat,
        )),
    };
    written.map_err(|e| JinjaError::new(ErrorKind::BadSerialization, e.to_string()))?;
    Ok(Value::from_safe_string(
        String::from_utf8_lossy(&json.bytes).into_owned(),
    ))
}

/// `{"a": 1, "b": [1, 2]}`.
struct PythonFormat;

impl serde_json::ser::Formatter for PythonFormat {
    fn begin_array_value<W: ?Sized + Write>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { to.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { to.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        to.write_all(b": ")
    }
}

/// The date in the one form that templates ask for ("%d %b %Y"); the format they pass is not interpreted.
fn today() -> String {
    let seconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.as_secs());
    let (year, month, day) = civil_from_days((seconds / 86_400) as i64);
    let names = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    format!("{day:02} {} {year}", names[month - 1])
}

/// Days since 1970-01-01 to year, month (1 to 12) and day. Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn civil_from_days(days: i64) -> (i64, usize, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    (year, month as usize, doy - (153 * mp + 2) / 5 + 1)
}

/// A buffer that refuses to grow past its limit.
struct Limited {
    bytes: Vec<u8>,
    limit: usize,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.limit {
            return Err(io::Error::other(format!(
                "the prompt is longer than {} bytes",
                self.limit
            )));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::Role;

    fn talk() -> Vec<Message> {
        vec![
            Message::new(Role::System, "Be brief."),
            Message::new(Role::User, "Hi"),
        ]
    }

    #[test]
    fn renders_the_models_own_form() {
        let source = "{{ bos_token }}{% for message in messages %}\n{% if loop.first and messages[0]['role'] != 'system' %}X{% endif %}[{{ message['role'].upper() }}]{{ message['content'] | trim }}{% endfor %}{% if add_generation_prompt %}[A]{% endif %}";
        let (prompt, notice) = Template::new(Some(source), "<s>", "</s>").render(&talk());
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
            let (prompt, notice) = Template::new(source, "", "").render(&talk());
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
        let (prompt, notice) = Template::new(Some(source), "", "").render(&talk());
        assert_eq!(prompt, "<user>Be brief.\n\nHi");
        assert_eq!(notice, None);
    }

    #[test]
    fn json_is_written_as_python_does() {
        let source = "{{ messages[0] | tojson }}";
        let messages = [Message::new(Role::User, "a<b> & \"c\"")];
        let (prompt, _) = Template::new(Some(source), "", "").render(&messages);
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
            let (prompt, _) = Template::new(Some(&source), "", "").render(&talk());
            assert!(
                started.elapsed() < Duration::from_secs(5),
                "{shown} took {:?}",
                started.elapsed()
            );
            assert!(prompt.len() < 64 * 1024 * 1024, "{shown}");
        }
    }

    #[test]
    fn knows_the_date() {
        assert_eq!(civil_from_days(0), (1970, 1, 1));
        assert_eq!(civil_from_days(19_782), (2024, 2, 29));
        assert_eq!(civil_from_days(20_778), (2026, 11, 21));
    }
}
