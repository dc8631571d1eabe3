//! `hearth run`: one question, or a conversation.

use std::io::{IsTerminal, Read, Write};
use std::process::ExitCode;

use hearth_app::engine::{Event, FinishReason, Message, Request, Role, Summary};
use hearth_app::{App, Code, Error, Result};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::arguments::Run;
use crate::client::Client;
use crate::exit::INTERRUPTED;
use crate::remote::{Piece, Remote};

const HELP: &str =
    "Type a message and press Enter. A line with only \"\"\" begins and ends a longer one.
  /clear      forget the conversation
  /bye        leave (Ctrl+D does the same)";

/// Name of the conversation in the terminal. The command keeps nothing on disk; the engine only tells conversations apart by it.
const CONVERSATION: &str = "terminal";

/// An answer that came to its end.
struct Answer {
    text: String,
    summary: Summary,
    interrupted: bool,
}

pub(crate) async fn run(app: &App, run: &Run, json: bool) -> Result<ExitCode> {
    let settings = app.settings().get();
    let model = run.model.clone().unwrap_or_else(|| settings.model.clone());
    // A running Hearth has the model loaded, or loads it for everybody.
    let server = Client::find(app.paths()).await;
    if server.is_none() {
        if run.anyway {
            app.inference().load_anyway(&model);
        }
        // Loading goes on in the child while the input is read.
        app.inference().prepare(&model).await?;
    }
    let stdin = std::io::stdin();
    let piped = if stdin.is_terminal() || (run.prompt.is_some() && !has_input()) {
        None
    } else {
        Some(read_all(&stdin)?)
    };
    let prompt = match (&run.prompt, piped) {
        (Some(prompt), Some(text)) if !text.trim().is_empty() => {
            Some(format!("{prompt}\n\n{text}"))
        }
        (Some(prompt), _) => Some(prompt.clone()),
        (None, Some(text)) => Some(text),
        (None, None) => None,
    };
    let mut talk = Talk {
        app,
        run,
        server,
        model,
        messages: Vec::new(),
        conversation: None,
    };
    talk.clear();
    match prompt {
        Some(prompt) if prompt.trim().is_empty() => Err(Error::new(
            Code::InvalidInput,
            "There is nothing to ask: the input is empty.",
        )),
        Some(prompt) => talk.once(prompt, json).await,
        None => talk.conversation().await,
    }
}

/// Whether something is piped in. Scripts and editors often leave standard input open without ever writing to it, so with a
/// prompt given we wait for its first byte (or its end) no longer than the model takes to load anyway.
fn has_input() -> bool {
    let stdin = std::io::stdin();
    let mut poll = [rustix::event::PollFd::new(
        &stdin,
        rustix::event::PollFlags::IN,
    )];
    let wait = rustix::event::Timespec {
        tv_sec: 0,
        tv_nsec: 250_000_000,
    };
    let ready = rustix::event::poll(&mut poll, Some(&wait)).is_ok_and(|ready| ready > 0);
    if !ready {
        eprintln!("Nothing came in on standard input, so only the prompt is asked.");
    }
    ready
}

fn read_all(stdin: &std::io::Stdin) -> Result<String> {
    let mut bytes = Vec::new();
    let limit = hearth_app::engine::request::MAX_PROMPT_BYTES as u64 + 1;
    let read = stdin.lock().take(limit).read_to_end(&mut bytes);
    read.map_err(|e| {
        Error::new(
            Code::InvalidInput,
            format!("The input could not be read: {e}."),
        )
    })?;
    String::from_utf8(bytes)
        .map_err(|_| Error::new(Code::InvalidInput, "The input is not UTF-8 text."))
}

struct Talk<'a> {
    app: &'a App,
    run: &'a Run,
    /// A running Hearth that answers instead.
    server: Option<Client>,
    model: String,
    messages: Vec<Message>,
    /// For [`Request::conversation`].
    conversation: Option<String>,
}

impl Talk<'_> {
    fn clear(&mut self) {
        self.messages.clear();
        let settings = self.app.settings().get();
        let system = self.run.system.clone().unwrap_or(settings.system_prompt);
        if !system.trim().is_empty() {
            self.messages.push(Message::new(Role::System, system));
        }
    }

    fn request(&self) -> Request {
        let (run, settings) = (self.run, self.app.settings().get());
        let mut request = Request::chat(self.messages.clone());
        request.sampling.temperature = run.temperature.unwrap_or(settings.temperature as f32);
        request.sampling.top_p = run.top_p.unwrap_or(settings.top_p as f32);
        request.sampling.seed = run.seed;
        request.max_tokens = Some(run.max_tokens.unwrap_or(settings.max_tokens));
        request.stop.clone_from(&run.stop);
        request.conversation.clone_from(&self.conversation);
        request
    }

    async fn once(&mut self, prompt: String, json: bool) -> Result<ExitCode> {
        self.messages.push(Message::new(Role::User, prompt));
        let answer = self.ask(!json).await?;
        if json {
            let summary = &answer.summary;
            println!(
                "{}",
                serde_json::json!({
                    "model": self.model,
                    "text": answer.text,
                    "tokens": summary.tokens,
                    "prompt_tokens": summary.prompt_tokens,
                    "ttft_ms": summary.ttft_ms,
                    "tokens_per_second": summary.tokens_per_second(),
                    "finish_reason": summary.reason,
                })
            );
        } else {
            println!();
            self.figures(&answer.summary);
        }
        Ok(if answer.interrupted {
            ExitCode::from(INTERRUPTED)
        } else {
            ExitCode::SUCCESS
        })
    }

    async fn conversation(&mut self) -> Result<ExitCode> {
        eprintln!("Talking with {}. /help shows the commands.", self.model);
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        self.conversation = Some(CONVERSATION.to_owned());
        loop {
            prompt_mark(">>> ");
            let Some(text) = read_message(&mut lines).await? else {
                eprintln!();
                return Ok(ExitCode::SUCCESS);
            };
            match text.trim() {
                "" => continue,
                "/bye" | "/exit" | "/quit" => return Ok(ExitCode::SUCCESS),
                "/clear" => {
                    self.clear();
                    continue;
                }
                "/help" | "/?" => {
                    eprintln!("{HELP}");
                    continue;
                }
                command if command.starts_with('/') && !command.contains(char::is_whitespace) => {
                    eprintln!("There is no command {command}.\n{HELP}");
                    continue;
                }
                _ => {}
            }
            self.messages.push(Message::new(Role::User, text));
            match self.ask(true).await {
                Ok(answer) => {
                    println!("\n");
                    self.figures(&answer.summary);
                    self.messages
                        .push(Message::new(Role::Assistant, answer.text));
                }
                Err(error) => {
                    self.messages.pop();
                    crate::exit::report(&error, false);
                }
            }
        }
    }

    /// Asks and, when `print` is set, prints the answer as it comes. Ctrl+C stops it.
    async fn ask(&self, print: bool) -> Result<Answer> {
        if let Some(server) = &self.server {
            let remote = Remote::start(server, &self.model, &self.request()).await?;
            if let Some(remote) = remote {
                return ask_server(remote, print).await;
            }
        }
        self.ask_here(print).await
    }

    async fn ask_here(&self, print: bool) -> Result<Answer> {
        let mut started = self
            .app
            .inference()
            .generate(&self.model, self.request())
            .await?;
        let mut answer = String::new();
        let mut interrupted = false;
        loop {
            let event = tokio::select! {
                event = started.generation.events.recv() => event,
                _ = tokio::signal::ctrl_c() => {
                    interrupted = true;
                    started.generation.cancel.cancel();
                    continue;
                }
            };
            match event {
                Some(Event::Started {
                    notice: Some(notice),
                    ..
                }) => eprintln!("{notice}"),
                Some(Event::Text { text, .. }) => {
                    // A closed pipe (`| head`) ends the work.
                    if print && !shown(&text) {
                        started.generation.cancel.cancel();
                    }
                    answer.push_str(&text);
                }
                Some(
                    Event::Started { .. }
                    | Event::Prefill { .. }
                    | Event::Reasoning { .. }
                    | Event::ToolCall { .. }
                    | Event::ToolArguments { .. }
                    | Event::Vectors(_)
                    | Event::Tokens(_),
                ) => {}
                Some(Event::Finished(summary)) => {
                    return Ok(Answer {
                        text: answer,
                        summary,
                        interrupted,
                    });
                }
                Some(Event::Failed(error)) => return Err(error.into()),
                None => return Err(Error::internal("the engine said nothing more")),
            }
        }
    }

    fn figures(&self, summary: &Summary) {
        if !self.run.verbose {
            return;
        }
        let speed = summary
            .tokens_per_second()
            .map_or_else(|| "-".into(), |t| format!("{t:.1}"));
        let end = match summary.reason {
            FinishReason::Stop | FinishReason::ToolCalls => "",
            FinishReason::Length => ", cut at the limit",
            FinishReason::Cancelled => ", stopped",
        };
        eprintln!(
            "{speed} tokens/s, first token {:.0} ms, {} tokens (prompt {}, {} cached){end}",
            summary.ttft_ms, summary.tokens, summary.prompt_tokens, summary.cached_tokens
        );
    }
}

/// The answer of a running Hearth. Going away ends the work there.
async fn ask_server(mut remote: Remote, print: bool) -> Result<Answer> {
    let mut text = String::new();
    let mut interrupted = false;
    loop {
        let piece = tokio::select! {
            piece = remote.next() => piece?,
            _ = tokio::signal::ctrl_c() => {
                interrupted = true;
                Piece::End
            }
        };
        match piece {
            Piece::Text(more) => {
                text.push_str(&more);
                if print && !shown(&more) {
                    interrupted = true;
                    break;
                }
            }
            Piece::End => break,
        }
    }
    Ok(Answer {
        summary: remote.summary(interrupted),
        text,
        interrupted,
    })
}

/// Prints a piece; false when nobody reads any more.
fn shown(text: &str) -> bool {
    print!("{text}");
    std::io::stdout().flush().is_ok()
}

fn prompt_mark(mark: &str) {
    eprint!("{mark}");
    let _ = std::io::stderr().flush();
}

/// One line, or the lines between two `"""`; `None` at the end of the input.
async fn read_message(
    lines: &mut tokio::io::Lines<BufReader<tokio::io::Stdin>>,
) -> Result<Option<String>> {
    let unreadable = |e: std::io::Error| {
        Error::new(
            Code::InvalidInput,
            format!("The input could not be read: {e}."),
        )
    };
    let Some(line) = lines.next_line().await.map_err(unreadable)? else {
        return Ok(None);
    };
    if line.trim() != "\"\"\"" {
        return Ok(Some(line));
    }
    let mut text = String::new();
    prompt_mark("... ");
    while let Some(line) = lines.next_line().await.map_err(unreadable)? {
        if line.trim() == "\"\"\"" {
            break;
        }
        text.push_str(&line);
        text.push('\n');
        prompt_mark("... ");
    }
    Ok(Some(text))
}
