//! The tests of the crate from outside, in one binary.

// Helpers outside `#[test]` functions may fail like tests do, and a skipped test says why.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::semicolon_if_nothing_returned
)]

mod it {
    mod chats;
    mod damage;
    mod messages;
    mod migrations;
    mod secrets;
    mod settings;
    mod timeline;
    mod volumes;

    use hearth_store::{ChatRow, Db, NewTurn, OpenReport, Turn};
    use std::path::Path;

    pub fn open(folder: &Path) -> (Db, OpenReport) {
        Db::open(&folder.join("chats.db")).unwrap()
    }

    /// A folder in memory where there is one: for tests that write much and are not about syncing.
    pub fn fast_folder() -> tempfile::TempDir {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() {
            tempfile::tempdir_in(memory).unwrap()
        } else {
            tempfile::tempdir().unwrap()
        }
    }

    /// A turn after `parent_id`.
    pub fn turn(db: &Db, chat: &ChatRow, parent_id: Option<&str>, text: &str) -> Turn {
        let turn = NewTurn {
            chat_id: chat.id.clone(),
            parent_id: parent_id.map(str::to_owned),
            text: text.to_owned(),
            model: Some("starter".to_owned()),
            now_ms: 1_000,
        };
        db.messages().insert_turn(&turn).unwrap()
    }

    /// Small repeatable numbers for damage; not for anything that needs to be random.
    pub struct Dice(pub u64);

    impl Dice {
        /// A number below `limit` (xorshift64*, Vigna 2016).
        pub fn below(&mut self, limit: usize) -> usize {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit
        }
    }
}
