//! What can go wrong with an engine. Crosses the pipe from the child, so every variant is plain data.

use serde::{Deserialize, Serialize};

/// Errors of loading a model and generating with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Error {
    /// llama.cpp refused the file or could not make a context for it.
    #[error("the model could not be loaded: {reason}")]
    LoadFailed { reason: String },
    /// Memory for the weights, the KV cache or the buffers was not to be had.
    #[error("not enough memory: {reason}")]
    OutOfMemory { reason: String },
    /// The prompt alone fills the context window.
    #[error("the prompt has {prompt_tokens} tokens, the context window holds {context_tokens}")]
    ContextOverflow {
        prompt_tokens: u32,
        context_tokens: u32,
    },
    /// A field of the request is out of range.
    #[error("`{field}` {reason}")]
    InvalidRequest { field: String, reason: String },
    /// A step of the engine failed although the request was sound.
    #[error("the engine reported an error: {reason}")]
    Backend { reason: String },
    /// The child process ended while it was needed.
    #[error("the engine process ended unexpectedly ({how})")]
    Crashed { how: String, stderr_tail: String },
    /// The child process is alive but makes no progress; it was ended.
    #[error("the engine process made no progress for {after_ms} ms and was ended")]
    Unresponsive { after_ms: u64 },
    /// The child crashed so often that it is not started again for now.
    #[error(
        "the engine process ended {crashes} times within {within_s} s and was not started again"
    )]
    GaveUp { crashes: u32, within_s: u64 },
    /// The child process could not be started at all.
    #[error("the engine process could not be started: {reason}")]
    Spawn { reason: String },
    /// The other side of the pipe said something that is not the protocol.
    #[error("the engine process broke the protocol: {reason}")]
    Protocol { reason: String },
    /// The engine was shut down while the request was waiting or running.
    #[error("the engine was shut down")]
    ShutDown,
}
