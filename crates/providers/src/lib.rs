//! Other programs that run models: found on this machine or named by the user, asked for their models, and chatted with.
//!
//! All of them speak OpenAI's chat; what tells them apart are the routes that list models. Nothing here is asked unless somebody
//! wants to see it or chats with it. It must not know our own engine, settings or where keys are kept.

mod address;
mod chat;
mod client;
mod error;
mod list;
mod probe;
#[cfg(test)]
mod tests;

pub use address::Address;
pub use chat::{Chat, Ended, Piece, Role, Turn, chat};
pub use client::Client;
pub use error::{Error, Result};
pub use list::{RemoteModel, models};
pub use probe::{Found, Kind, PLACES, probe};
