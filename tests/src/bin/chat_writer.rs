//! Sends messages as fast as it can and prints the id and text of each one once it is acknowledged. Made to be killed.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use hearth_app::inference::FakeEngines;

fn main() {
    if hearth_app::run_worker_if_asked().is_some() {
        return;
    }
    let home = PathBuf::from(std::env::args_os().nth(1).unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let app = hearth_tests::open(&home, Arc::new(FakeEngines { in_child: false }));
        let chats = app.open_chats().unwrap();
        let chat = chats.create().await.unwrap();
        let mut out = std::io::stdout();
        for number in 0.. {
            // The answer is short, so that kills hit every part: question, stream, end.
            let text = format!("!slow 1 message {number} of this run");
            let mut sent = chats.send(&chat.id, &text, None).await.unwrap();
            writeln!(out, "{}\t{}", sent.receipt.user.unwrap().id, text).unwrap();
            out.flush().unwrap();
            while sent.follow.next().await.is_some() {}
            while chats.follow(&chat.id).is_some() {
                tokio::task::yield_now().await;
            }
        }
    });
}
