//! The OpenAI dialect: what its clients send, and what they expect to be sent.

pub(crate) mod error;
