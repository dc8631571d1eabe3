//! The validator against a flood of damaged files, and against what llama.cpp does with those that it lets through.
//!
//! Apart from the other tests because of the time it takes. `make test` runs the corpus and 45 seconds of the flood; the rest needs
//! llama.cpp built with the address sanitiser, which `make test-gguf` does.

// A test may stop anywhere and say why; what a long one found is for the person who started it.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::semicolon_if_nothing_returned
)]

mod gguf {
    mod corpus;
    mod differential;
    mod flood;
    mod llama;
    mod mutation;
    mod random;
    mod reader;
    mod seeds;
}
