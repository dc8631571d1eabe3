//! The tests of the crate from outside, in one binary.

// Helpers outside `#[test]` functions may fail like tests do, a skipped test says why, and a table of cases is one function.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::semicolon_if_nothing_returned
)]

mod it {
    mod aliases;
    mod architectures;
    mod download;
    mod download_many;
    mod full_disk;
    mod fuzz;
    mod hostile;
    mod hub;
    mod hub_server;
    mod import;
    mod library;
    mod prospect;
    mod sound;
    mod stores;
    mod watch;
}
