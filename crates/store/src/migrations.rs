//! The schema of the chat database and its history, one step per released version.
//!
//! It is apart from the tables so that a step, once released, is never edited: a change is a new step. It must not know how
//! rows are used.

use rusqlite_migration::{M, Migrations};

/// Newest schema version this build can read and write; equals the number of steps.
pub const LATEST: u32 = STEPS.len() as u32;

const STEPS: &[M<'static>] = &[M::up(V1), M::up(V2), M::up(V3)];

/// All steps, oldest first.
pub(crate) fn migrations() -> Migrations<'static> {
    Migrations::from_slice(STEPS)
}

/// Messages are keyed by `seq`: it grows with every insert and is never reused (AUTOINCREMENT), so order does not depend on the
/// clock. A parent is always older than its child (`parent.seq < child.seq`), which is what keeps tree walks free of loops.
/// `chats.updated_seq` plays the same role for the list of chats.
const V1: &str = "
CREATE TABLE chats (
    id            TEXT PRIMARY KEY NOT NULL,
    title         TEXT NOT NULL,
    title_folded  TEXT NOT NULL,
    title_is_auto INTEGER NOT NULL,
    draft         TEXT NOT NULL DEFAULT '',
    head_id       TEXT,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    updated_seq   INTEGER NOT NULL,
    deleted_at_ms INTEGER
);
CREATE INDEX chats_by_update ON chats (updated_seq);

CREATE TABLE messages (
    seq               INTEGER PRIMARY KEY AUTOINCREMENT,
    id                TEXT NOT NULL UNIQUE,
    chat_id           TEXT NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
    parent_id         TEXT REFERENCES messages (id) ON DELETE CASCADE,
    role              TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
    text              TEXT NOT NULL DEFAULT '',
    status            TEXT NOT NULL CHECK (status IN ('complete', 'streaming', 'stopped', 'interrupted', 'failed')),
    created_at_ms     INTEGER NOT NULL,
    model             TEXT,
    prompt_tokens     INTEGER,
    cached_tokens     INTEGER,
    tokens            INTEGER,
    ttft_ms           REAL,
    tokens_per_second REAL,
    finish_reason     TEXT,
    error_code        TEXT,
    error_message     TEXT,
    error_hint        TEXT,
    notice            TEXT
);
CREATE INDEX messages_by_chat ON messages (chat_id, seq);
CREATE INDEX messages_by_parent ON messages (parent_id, seq);
CREATE INDEX messages_streaming ON messages (seq) WHERE status = 'streaming';
";

/// How many of the oldest messages the model did not see when it answered, because its context window was full.
const V2: &str = "ALTER TABLE messages ADD COLUMN cut_messages INTEGER;";

/// What held an answer back while it was written, as JSON.
const V3: &str = "ALTER TABLE messages ADD COLUMN slowed TEXT;";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_apply_to_an_empty_database() {
        migrations().validate().unwrap();
        assert_eq!(LATEST, 3);
    }
}
