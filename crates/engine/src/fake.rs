//! A model without weights, for tests of everything around the engine.
//!
//! It speaks through the same scheduler and the same pipe as llama.cpp. Each byte of text is a token. The last user message
//! decides what happens: it is repeated, unless it is a command such as `!say hello`, `!slow 20 words`, `!abort` or `!error`.

use std::time::Duration;

use crate::backend::{Backend, Token};
use crate::template::Template;
use crate::{Error, ModelInfo, Sampling};

const END: Token = 256;
const USER: &str = "<|im_start|>user\n";
const TURN_END: &str = "<|im_end|>";

/// The fake model; see the module text for its commands.
#[derive(Debug)]
pub struct Fake {
    info: ModelInfo,
    template: Template,
    prompt: Vec<Token>,
    reply: Vec<u8>,
    sent: usize,
    delay: Duration,
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
                context_tokens,
                trained_context_tokens: context_tokens,
                offload: "Fake engine, nothing is computed".into(),
                weights_bytes: 0,
                parameters: 0,
                threads: 1,
                encoder: None,
            },
            template: Template::new(Some(chatml), "", ""),
            prompt: Vec::new(),
            reply: Vec::new(),
            sent: 0,
            delay: Duration::ZERO,
            command: Command::None,
        }
    }

    /// Reads the command out of the prompt.
    fn plan(&mut self) {
        let bytes: Vec<u8> = self.prompt.iter().map(|t| *t as u8).collect();
        let text = String::from_utf8_lossy(&bytes);
        let user = text
            .rsplit_once(USER)
            .map_or(text.as_ref(), |(_, rest)| rest);
        let user = user.split(TURN_END).next().unwrap_or_default();
        self.delay = Duration::ZERO;
        self.command = Command::None;
        let (command, rest) = user.split_once(' ').unwrap_or((user, ""));
        let reply = match command {
            "!say" => rest.to_owned(),
            "!slow" => {
                let (ms, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                self.delay = Duration::from_millis(ms.parse().unwrap_or(10));
                rest.to_owned()
            }
            "!prompt" => text.to_string(),
            _ => {
                self.command = match command {
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
        self.reply = reply.into_bytes();
        self.sent = 0;
    }
}

impl Backend for Fake {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn template(&self) -> &Template {
        &self.template
    }

    fn tokenize(&mut self, text: &str) -> Result<Vec<Token>, Error> {
        Ok(text.bytes().map(Token::from).collect())
    }

    fn piece(&mut self, token: Token, bytes: &mut Vec<u8>) {
        bytes.push(token as u8);
    }

    fn is_end(&self, token: Token) -> bool {
        token == END
    }

    fn chunk_tokens(&self) -> usize {
        512
    }

    fn truncate(&mut self, length: usize) -> usize {
        length
    }

    fn decode(
        &mut self,
        _tokens: &[Token],
        _position: usize,
        _want_logits: bool,
    ) -> Result<(), Error> {
        std::thread::sleep(self.delay);
        Ok(())
    }

    fn start_sampling(&mut self, _sampling: &Sampling, prompt: &[Token]) {
        self.prompt = prompt.to_vec();
        self.plan();
    }

    fn sample(&mut self) -> Result<Token, Error> {
        // A command strikes in the middle of the reply, so that there is something to lose.
        if self.sent == self.reply.len() / 2 {
            match self.command {
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
        let token = self.reply.get(self.sent).map_or(END, |b| Token::from(*b));
        self.sent += 1;
        Ok(token)
    }
}
