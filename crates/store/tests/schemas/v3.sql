-- Schema version 3 as released, with one chat. Never edit: databases of users look like this.
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
, cut_messages INTEGER, slowed TEXT);
CREATE INDEX messages_by_chat ON messages (chat_id, seq);
CREATE INDEX messages_by_parent ON messages (parent_id, seq);
CREATE INDEX messages_streaming ON messages (seq) WHERE status = 'streaming';

INSERT INTO chats (id, title, title_folded, title_is_auto, head_id, created_at_ms, updated_at_ms, updated_seq)
VALUES ('c1', 'Alte Fragen', 'alte fragen', 0, 'm2', 1, 2, 1);
INSERT INTO messages (id, chat_id, parent_id, role, text, status, created_at_ms)
VALUES ('m1', 'c1', NULL, 'user', 'Frage', 'complete', 1);
INSERT INTO messages (id, chat_id, parent_id, role, text, status, created_at_ms, model, cut_messages, slowed)
VALUES ('m2', 'c1', 'm1', 'assistant', 'Antwort', 'complete', 2, 'starter', 4, '{}');
