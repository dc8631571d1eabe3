//! Compiles a grammar for one model's vocabulary and says at each step which tokens may come next.
//!
//! Compiling runs a stranger's text through parsers that recurse, so it runs on a thread of its own with a large stack, within
//! limits of steps and of time. A thread cannot be ended from outside: one that passes the time limit is left to run out its
//! step limits, and while too many of those run, nothing new is compiled. Nothing here knows llama.cpp.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use llguidance::api::ParserLimits;
use llguidance::toktrie::{SimpleVob, TokEnv};
use llguidance::{Matcher, ParserFactory};

use super::grammar::Wanted;
use crate::Error;
use crate::backend::Token;
use crate::request::invalid;

/// Longest time a grammar may take to compile.
pub const COMPILE_LIMIT: Duration = Duration::from_secs(5);
/// Stack of the thread that compiles, in bytes; it costs memory only as far as it is used.
const STACK_BYTES: usize = 256 * 1024 * 1024;
/// Compilations that may run at once, those past their time limit included.
const MAX_RUNNING: usize = 4;
/// Compiled grammars that are kept for the next request with the same one: agents send the same tools in every turn.
const KEPT: usize = 16;
/// Longest reason handed to the caller, in characters.
const MAX_REASON_CHARS: usize = 400;

/// The limits under which a grammar is compiled and run. The speeds are the ones that llguidance documents.
fn limits() -> ParserLimits {
    ParserLimits {
        // 20 items per microsecond: at most about 25 ms for one token.
        step_max_items: 500_000,
        // 14 steps per microsecond: at most about 35 ms for one token.
        step_lexer_fuel: 500_000,
        max_items_in_row: 4_000,
        // 1 to 2 KiB of memory per state.
        max_lexer_states: 50_000,
        // The grammar and the text so far would end up in error messages and logs.
        verbose_errors: false,
        ..ParserLimits::default()
    }
}

/// Compiles grammars for one vocabulary.
pub struct Compiler {
    factory: Arc<ParserFactory>,
    kept: Arc<Mutex<VecDeque<(Wanted, Matcher)>>>,
    running: Arc<AtomicUsize>,
}

impl Compiler {
    /// Prepares for a vocabulary: tens to hundreds of milliseconds, so once per model.
    pub fn new(vocabulary: &TokEnv) -> Result<Self, Error> {
        let mut factory = ParserFactory::new_simple(vocabulary).map_err(|e| Error::Backend {
            reason: format!("the model's vocabulary cannot be used with constraints: {e}"),
        })?;
        *factory.limits_mut() = limits();
        factory.quiet();
        Ok(Self {
            factory: Arc::new(factory),
            kept: Arc::default(),
            running: Arc::default(),
        })
    }

    /// The vocabulary this compiles for.
    pub fn vocabulary(&self) -> &TokEnv {
        self.factory.tok_env()
    }

    /// Starts to compile. Returns at once.
    pub fn start(&self, wanted: Wanted) -> Result<Compiling, Error> {
        let field = wanted.field();
        let (send, receive) = channel();
        let compiling = Compiling {
            receive,
            started: Instant::now(),
            field,
        };
        if let Some(guide) = self.recall(&wanted) {
            // The receiver is held above, so this cannot fail.
            let _ = send.send(Ok(guide));
            return Ok(compiling);
        }
        if self.running.load(Ordering::Relaxed) >= MAX_RUNNING {
            return Err(invalid(
                field,
                "cannot be compiled now: others still occupy the compiler; try again in a minute",
            ));
        }
        let (factory, kept) = (self.factory.clone(), self.kept.clone());
        let running = Running::begin(&self.running);
        let work = move || {
            let _running = running;
            let result = compile(&factory, &wanted);
            if let Ok(matcher) = &result {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.push_front((wanted, matcher.deep_clone()));
                kept.truncate(KEPT);
            }
            // Nobody listens any more when the time limit has passed.
            let _ = send.send(result.map(Guide));
        };
        std::thread::Builder::new()
            .name("compile-grammar".into())
            .stack_size(STACK_BYTES)
            .spawn(work)
            .map_err(|e| Error::Backend {
                reason: format!("no thread to compile the grammar on: {e}"),
            })?;
        Ok(compiling)
    }

    fn recall(&self, wanted: &Wanted) -> Option<Guide> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(w, _)| w == wanted)?;
        let entry = kept.remove(at)?;
        // A plain clone would share lexer states, and with them their limit, between requests.
        let guide = Guide(entry.1.deep_clone());
        kept.push_front(entry);
        Some(guide)
    }
}

/// Counts a compilation from its begin to its end, also when it panics.
struct Running(Arc<AtomicUsize>);

impl Running {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn compile(factory: &ParserFactory, wanted: &Wanted) -> Result<Matcher, Error> {
    let field = wanted.field();
    let grammar = wanted.grammar(factory.tok_env().tok_trie())?;
    let parser = llguidance::panic_utils::catch_unwind(std::panic::AssertUnwindSafe(|| {
        factory.create_parser(grammar)
    }));
    let mut matcher = Matcher::new(parser);
    // The first mask is computed here: it finds what the parser finds only when it runs, and the thread that owns the model
    // does not wait for it later.
    match matcher.compute_mask_or_eos() {
        Ok(mask) if mask.is_zero() => Err(invalid(field, "allows no text at all")),
        Ok(_) => Ok(matcher),
        // llguidance's word for a grammar that is at its end before it begins.
        Err(error) if error.to_string().contains("NoExtension") => {
            Err(invalid(field, "allows no text at all"))
        }
        Err(error) => Err(invalid(field, reason_of(&error.to_string()))),
    }
}

/// What a caller can use of an error's text: its first lines, without a trace of our own stack.
fn reason_of(error: &str) -> String {
    let text = error.split("<backtrace>").next().unwrap_or_default();
    // The compiler quotes the grammar that was built from the request, which says nothing to the caller.
    let quoted = |line: &&str| {
        line.trim_start()
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .starts_with(" |")
    };
    let text: String = text
        .lines()
        .filter(|l| !quoted(l))
        .flat_map(|l| [l, " "])
        .collect();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = text.chars().take(MAX_REASON_CHARS).collect();
    if text.starts_with("panic") {
        return "is not supported: the grammar compiler gave up on it; make it simpler".into();
    }
    format!("is not supported: {short}")
}

/// A compilation under way.
pub struct Compiling {
    receive: Receiver<Result<Guide, Error>>,
    started: Instant,
    field: &'static str,
}

impl Compiling {
    /// The result when it is there; `None` means ask again later.
    pub fn poll(&self) -> Option<Result<Guide, Error>> {
        match self.receive.try_recv() {
            Ok(result) => Some(result),
            Err(TryRecvError::Disconnected) => Some(Err(self.gone())),
            Err(TryRecvError::Empty) if self.started.elapsed() > COMPILE_LIMIT => {
                Some(Err(self.too_long()))
            }
            Err(TryRecvError::Empty) => None,
        }
    }

    /// Waits for the result, at most until [`COMPILE_LIMIT`] is over.
    pub fn wait(self) -> Result<Guide, Error> {
        let left = COMPILE_LIMIT.saturating_sub(self.started.elapsed());
        match self.receive.recv_timeout(left) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => Err(self.too_long()),
            Err(RecvTimeoutError::Disconnected) => Err(self.gone()),
        }
    }

    fn too_long(&self) -> Error {
        let seconds = COMPILE_LIMIT.as_secs();
        let reason =
            format!("takes more than {seconds} s to compile; make it smaller or less ambiguous");
        invalid(self.field, reason)
    }

    fn gone(&self) -> Error {
        invalid(self.field, reason_of("panic"))
    }
}

/// Holds one answer to its grammar, token by token.
pub struct Guide(Matcher);

impl Guide {
    /// The tokens that may come next; never none. At the end of the grammar these are the tokens that end the answer.
    ///
    /// Fails when the grammar is too complex at this place. The caller must then end the generation: going on without the mask
    /// would give text that does not conform.
    pub fn allowed(&mut self) -> Result<SimpleVob, Error> {
        let mask = self
            .0
            .compute_mask_or_eos()
            .map_err(|e| stuck(&e.to_string()))?;
        // llguidance allows the end of the answer when it gave up, too.
        if !self.0.stop_reason().is_ok() {
            return Err(stuck(&self.0.stop_reason().to_string()));
        }
        if mask.is_zero() {
            return Err(stuck("no token of the model's vocabulary fits"));
        }
        Ok(mask)
    }

    /// Moves on by the token that was chosen. After the end of the grammar it does nothing.
    pub fn accept(&mut self, token: Token) -> Result<(), Error> {
        if self.0.is_stopped() && !self.0.is_error() {
            return Ok(());
        }
        self.0
            .consume_token(token.cast_unsigned())
            .map_err(|e| stuck(&e.to_string()))
    }

    /// Whether the text so far is complete.
    pub fn may_end(&mut self) -> bool {
        self.0.is_stopped() || self.0.is_accepting().unwrap_or(false)
    }
}

fn stuck(why: &str) -> Error {
    let why = reason_of(why);
    Error::Backend {
        reason: format!(
            "the constraint cannot be followed any further, so the answer ends here: it {why}"
        ),
    }
}
