//! Every call style of this dialect on the fake engine.
