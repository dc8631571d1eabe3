//! Whole machines in a folder.
