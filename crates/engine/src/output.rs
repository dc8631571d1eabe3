//! Takes an answer apart while it streams: text, thoughts and tool calls.

pub mod syntax;

pub use syntax::{Family, Syntax, Thoughts};
