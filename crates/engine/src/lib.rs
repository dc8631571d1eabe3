//! Runs one model: the trait every engine answers to, and the parts that make the real one.
//!
//! A model lives in a child process (the same executable, re-executed) because llama.cpp ends its process on a failed
//! assertion; the parent holds a [`supervisor::Supervisor`], the child runs [`worker`], and [`protocol`] is what they say to
//! each other. This crate knows nothing of chats, files on disk, settings or HTTP, and only `llama.rs` knows llama.cpp.

pub mod backend;
pub mod cache;
pub mod constrain;
pub mod embed;
pub mod error;
pub mod event;
pub mod fake;
pub mod kvstore;
pub mod llama;
pub mod load;
pub mod local;
pub mod output;
pub mod picture;
pub mod prefix;
pub mod protocol;
pub mod quantise;
pub mod request;
pub mod sampling;
pub mod scheduler;
pub mod stops;
pub mod supervisor;
pub mod template;
pub mod tokens;
pub mod tools;
pub mod utf8;
pub mod worker;

pub use embed::{EmbedRequest, Embeddings, LongText, Pooling, Ranking, RerankRequest};
pub use error::Error;
pub use event::{Event, FinishReason, MemoryUse, ModelInfo, State, Summary, TokenLogprob};
pub use load::{KvType, Limits, LoadSpec, Purpose, StateSpec};
pub use picture::Image;
pub use quantise::Quantisation;
pub use request::{Message, Overflow, Priority, Prompt, Request, Role};
pub use sampling::Sampling;
pub use tokens::{TokenReply, TokenTask};
pub use tools::{Tool, ToolCall, ToolChoice};

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, watch};

/// One loaded (or loading) model that answers requests.
pub trait Engine: Send + Sync + 'static {
    /// What the engine is doing now; the receiver wakes on every change.
    fn state(&self) -> watch::Receiver<State>;

    /// Queues a request. Never blocks and never fails: what goes wrong arrives as [`Event::Failed`].
    fn generate(&self, request: Request) -> Generation;

    /// Queues texts for a model that is loaded for vectors or scores; these arrive as [`Event::Vectors`]. Never blocks and never
    /// fails, as [`Engine::generate`].
    fn encode(&self, task: embed::Task) -> Generation;

    /// Asks the tokeniser. Never blocks and never fails, as [`Engine::generate`]; the answer is [`Event::Tokens`].
    fn ask_tokens(&self, task: TokenTask) -> Generation;

    /// Text to tokens, tokens to text, or the length of a prompt. Dropping the future gives it up.
    fn tokens(&self, task: TokenTask) -> BoxFuture<'static, Result<TokenReply, Error>> {
        Box::pin(tokens::reply(self.ask_tokens(task)))
    }

    /// Turns texts into vectors. The work begins at once; dropping the future cancels it.
    fn embed(&self, request: EmbedRequest) -> BoxFuture<'static, Result<Embeddings, Error>> {
        embed::embeddings(self.encode(embed::Task::Embed(request)))
    }

    /// Scores documents against a query. The work begins at once; dropping the future cancels it.
    fn rerank(&self, request: RerankRequest) -> BoxFuture<'static, Result<Ranking, Error>> {
        embed::ranking(self.encode(embed::Task::Rerank(request)))
    }

    /// Changes what holds from the next step on, for requests in flight too.
    fn limit(&self, limits: Limits);

    /// What the engine has used of the processor; `None` when it has no process of its own.
    fn cpu_clock(&self) -> Option<CpuClock> {
        None
    }

    /// Ends the engine and frees its memory; requests in flight fail with [`Error::ShutDown`].
    fn shut_down(&self);
}

/// Processor time of an engine's process in milliseconds, to the second. It begins again at 0 with each process.
pub type CpuClock = Arc<AtomicU64>;

/// A generation in flight. Dropping it cancels the work.
pub struct Generation {
    /// Events in order; [`Event::Finished`] or [`Event::Failed`] is the last one.
    pub events: Events,
    /// Cancels on drop.
    pub cancel: Cancel,
}

/// The events of a generation as they come.
pub struct Events {
    receiver: mpsc::UnboundedReceiver<Event>,
    /// Sees every event on its way out.
    watcher: Option<Watcher>,
}

type Watcher = Box<dyn FnMut(&Event) + Send + Sync>;

impl Events {
    /// The next event; `None` after the last one.
    pub async fn recv(&mut self) -> Option<Event> {
        let event = self.receiver.recv().await?;
        self.seen(&event);
        Some(event)
    }

    /// The next event if it is there already.
    pub fn try_recv(&mut self) -> Result<Event, mpsc::error::TryRecvError> {
        let event = self.receiver.try_recv()?;
        self.seen(&event);
        Ok(event)
    }

    /// How many events wait to be taken.
    pub fn len(&self) -> usize {
        self.receiver.len()
    }

    /// Whether no event waits to be taken.
    pub fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    /// Shows every event that is taken from now on to `watcher`, in place of any other. It lives as long as the events, so its drop
    /// says that nobody listens any more.
    #[must_use]
    pub fn watched_by(mut self, watcher: impl FnMut(&Event) + Send + Sync + 'static) -> Self {
        self.watcher = Some(Box::new(watcher));
        self
    }

    fn seen(&mut self, event: &Event) {
        if let Some(watcher) = &mut self.watcher {
            watcher(event);
        }
    }
}

impl From<mpsc::UnboundedReceiver<Event>> for Events {
    fn from(receiver: mpsc::UnboundedReceiver<Event>) -> Self {
        Self {
            receiver,
            watcher: None,
        }
    }
}

/// Asks an engine to stop one generation. Clones refer to the same one; when the last is dropped the work is cancelled.
#[derive(Clone)]
pub struct Cancel(Arc<OnDrop>);

struct OnDrop(Box<dyn Fn() + Send + Sync>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl Cancel {
    /// `ask` may be called more than once and after the generation ended.
    pub fn new(ask: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(OnDrop(Box::new(ask))))
    }

    /// Asks for the stop; the generation ends with [`FinishReason::Cancelled`] at the next step.
    pub fn cancel(&self) {
        (self.0.0)();
    }
}
