//! Behaviour of the whole program below its doors, on the fake engine. One binary, one module a subject.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // A test may stop anywhere and say why.

mod canaries;
mod chats;
mod command;
mod durability;
mod inference;
mod library;
mod memory;
mod models;
mod monitor;
mod providers;
mod pull;
mod quantize;
mod settings;
