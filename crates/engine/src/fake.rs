//! A model without weights, for tests of everything around the engine.
//!
//! It speaks through the same scheduler and the same pipe as llama.cpp. Each byte of text is a token. The last user message
//! decides what happens: it is repeated, unless it is a command such as `!say hello`, `!slow 20 words`, `!abort` or `!error`.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::backend::{Backend, DecodeError, Input, Reuse, Sequence, Token};
use crate::output::Syntax;
use crate::picture::{self, Pixels};
use crate::request::invalid;
use crate::template::Template;
use crate::{Error, ModelInfo, Request};

const END: Token = 256;
/// A longer delay than this is not made up for: the model stood still.
const MOST_LATE: Duration = Duration::from_millis(100);
/// Places of any picture in the KV cache.
const IMAGE_PLACES: usize = 4;
const USER: &str = "<|im_start|>user\n";
const TURN_END: &str = "<|im_end|>";

/// The fake model; see the module text for its commands.
#[derive(Debug)]
pub struct Fake {
    info: ModelInfo,
    template: Template,
    replies: HashMap<usize, Reply>,
}

/// What one slot will say.
#[derive(Debug)]
struct Reply {
    bytes: Vec<u8>,
    sent: usize,
    /// Between two tokens.
    delay: Duration,
    /// How much longer than asked the waits took so far. The next ones are shorter by it: a busy machine does not change the pace.
    late: Duration,
    command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    None,
    /// Ends the process as a failed assertion in llama.cpp does.
    Abort,
    /// Ends the process with exit code 3.
    Exit,
    /// Never comes back from a step.
    Hang,
    /// Writes to standard output what is not the protocol.
    Garbage,
    /// Fails the step.
    Error,
}

impl Fake {
    /// A model whose context window holds `context_tokens` bytes.
    pub fn new(context_tokens: u32) -> Self {
        let chatml = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n";
        Self {
            info: ModelInfo {
                sees_images: true,
                ..ModelInfo::without_weights(context_tokens)
            },
            template: Template::new(Some(chatml), "", ""),
            replies: HashMap::new(),
        }
    }
}

impl Reply {
    /// Reads the command out of the prompt.
    fn plan(prompt: &[Token]) -> Self {
        let bytes = prompt.iter().filter(|token| **token >= 0);
        let bytes: Vec<u8> = bytes.map(|token| *token as u8).collect();
        let text = String::from_utf8_lossy(&bytes);
        let user = text
            .rsplit_once(USER)
            .map_or(text.as_ref(), |(_, rest)| rest);
        let user = user.split(TURN_END).next().unwrap_or_default();
        let (mut delay, mut strikes) = (Duration::ZERO, Command::None);
        let (command, rest) = user.split_once(' ').unwrap_or((user, ""));
        let reply = match command {
            "!say" => rest.to_owned(),
            "!slow" => {
                let (ms, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                delay = Duration::from_millis(ms.parse().unwrap_or(10));
                rest.to_owned()
            }
            "!prompt" => text.to_string(),
            _ => {
                strikes = match command {
                    "!abort" => Command::Abort,
                    "!exit" => Command::Exit,
                    "!hang" => Command::Hang,
                    "!garbage" => Command::Garbage,
                    "!error" => Command::Error,
                    _ => Command::None,
                };
                format!("You said: {user}")
            }
        };
        Self {
            bytes: reply.into_bytes(),
            sent: 0,
            delay,
            late: Duration::ZERO,
            command: strikes,
        }
    }

    /// Waits as long as the next token takes, half of it at least: tokens that come at once would count as one step.
    fn wait(&mut self) {
        let began = Instant::now();
        let wait = self.delay.saturating_sub(self.late).max(self.delay / 2);
        std::thread::sleep(wait);
        let late = (self.late + began.elapsed()).saturating_sub(self.delay);
        self.late = late.min(MOST_LATE);
    }
}

impl Backend for Fake {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn template(&self) -> &Template {
        &self.template
    }

    fn tokenize(&mut self, text: &str, _begins: bool) -> Result<Vec<Token>, Error> {
        Ok(text.bytes().map(Token::from).collect())
    }

    fn detokenize(&mut self, tokens: &[Token]) -> Result<Vec<u8>, Error> {
        let bytes = tokens.iter().map(|token| u8::try_from(*token));
        let bytes: Result<Vec<u8>, _> = bytes.collect();
        bytes.map_err(|_| invalid("tokens", "must be ids of the model's vocabulary, 0 to 255"))
    }

    fn piece(&mut self, token: Token, _visible: &[&str], bytes: &mut Vec<u8>) {
        bytes.push(token as u8);
    }

    fn is_end(&self, token: Token) -> bool {
        token == END
    }

    fn batch_tokens(&self) -> usize {
        512
    }

    fn sequences(&self) -> u32 {
        16
    }

    fn cells(&self) -> usize {
        2 * self.info.context_tokens as usize
    }

    fn reuse(&self) -> Reuse {
        Reuse::Prefix
    }

    fn copy(&mut self, _from: Sequence, _to: Sequence, _length: usize) {}

    fn truncate(&mut self, _sequence: Sequence, _length: usize) -> bool {
        true
    }

    fn shift(&mut self, _sequence: Sequence, _from: usize, _to: usize) -> bool {
        true
    }

    fn decode(&mut self, _batch: &[Input]) -> Result<(), DecodeError> {
        Ok(())
    }

    fn image(&mut self, image: &Pixels) -> Result<Vec<Token>, Error> {
        Ok(picture::names(image.key, IMAGE_PLACES).collect())
    }

    fn decode_image(
        &mut self,
        _image: &Pixels,
        _sequence: Sequence,
        _position: usize,
    ) -> Result<(), DecodeError> {
        Ok(())
    }

    fn start_sampling(
        &mut self,
        slot: usize,
        _request: &Request,
        _syntax: &Syntax,
        prompt: &[Token],
    ) -> Result<(), Error> {
        self.replies.insert(slot, Reply::plan(prompt));
        Ok(())
    }

    fn sample(&mut self, slot: usize, _index: usize) -> Result<Token, Error> {
        let Some(reply) = self.replies.get_mut(&slot) else {
            return Ok(END);
        };
        if !reply.delay.is_zero() {
            reply.wait();
        }
        // A command strikes in the middle of the reply, so that there is something to lose.
        if reply.sent == reply.bytes.len() / 2 {
            match reply.command {
                Command::None => {}
                Command::Abort => std::process::abort(),
                #[allow(clippy::exit)] // Stands for a crash.
                Command::Exit => std::process::exit(3),
                Command::Hang => loop {
                    std::thread::sleep(Duration::from_secs(3600));
                },
                Command::Garbage => crate::worker::write_garbage(),
                Command::Error => {
                    return Err(Error::Backend {
                        reason: "asked for by the prompt".into(),
                    });
                }
            }
        }
        let token = reply.bytes.get(reply.sent).map_or(END, |b| Token::from(*b));
        reply.sent += 1;
        Ok(token)
    }

    fn state_layout(&self) -> String {
        "fake".into()
    }

    fn export_bytes(&self, _sequence: Sequence) -> u64 {
        16
    }

    fn export(&mut self, _sequence: Sequence) -> Option<Vec<u8>> {
        Some(vec![0; 16])
    }

    fn import(&mut self, _sequence: Sequence, state: &[u8], _length: usize) -> bool {
        state.len() == 16
    }

    fn set_threads(&mut self, threads: u32) -> Result<(), Error> {
        self.info.threads = threads;
        Ok(())
    }
}
