//! Every call style of this dialect on the fake engine.

mod bad_input;
mod styles;
