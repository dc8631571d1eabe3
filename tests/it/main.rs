//! Behaviour of the whole program below its doors, on the fake engine. One binary, one module a subject.

mod chats;
mod command;
mod durability;
mod models;
mod settings;
