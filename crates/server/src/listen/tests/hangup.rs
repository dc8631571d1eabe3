//! Clients that go away before the end: closed or reset, in the queue, while the prompt is read, in the middle of the answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::wire::{ROUTES, Site};
use crate::testing::HeldEngines;

#[derive(Clone, Copy, Debug)]
enum End {
    Close,
    Reset,
}

impl End {
    fn of(self, socket: TcpStream) {
        if matches!(self, Self::Reset) {
            // What is not sent yet is thrown away, and the other side is told so.
            socket.set_zero_linger().unwrap();
        }
    }
}

/// Every dialect, both ways of answering, both ways of going.
fn cases() -> impl Iterator<Item = (&'static str, bool, End)> {
    ROUTES.into_iter().flat_map(|route| {
        [true, false]
            .into_iter()
            .flat_map(move |stream| [End::Close, End::Reset].map(|end| (route, stream, end)))
    })
}

async fn open() -> (Site, HeldEngines) {
    let engines = HeldEngines::default();
    let site = Site::open(Arc::new(engines.clone())).await;
    (site, engines)
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_queue_the_turn_passes_on() {
    let (site, engines) = open().await;
    let mut running = Vec::new();
    for _ in 0..4 {
        running.push(site.send("/api/chat", "first", false).await);
    }
    site.admitted((4, 0)).await;
    for (route, stream, end) in cases() {
        let waiting = site.send(route, "gone", stream).await;
        site.admitted((4, 1)).await;
        end.of(waiting);
        site.admitted((4, 0)).await;
    }
    let patient = site.send("/api/chat", "patient", false).await;
    site.admitted((4, 1)).await;
    engines.number(0).await.start();
    engines.number(0).await.finish();
    assert_eq!(engines.number(4).await.asked, "patient");
    drop((running, patient));
    site.admitted((0, 0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_prompt_is_read_the_work_ends() {
    let (site, engines) = open().await;
    for (number, (route, stream, end)) in cases().enumerate() {
        let socket = site.send(route, "hi", stream).await;
        let held = engines.number(number).await;
        assert!(!held.is_cancelled());
        end.of(socket);
        held.cancelled().await;
        site.admitted((0, 0)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_middle_of_an_answer_the_work_ends() {
    let (site, engines) = open().await;
    for (number, (route, stream, end)) in cases().enumerate() {
        let mut socket = site.send(route, "hi", stream).await;
        let held = engines.number(number).await;
        held.start();
        held.say("half");
        if stream {
            let mut said = String::new();
            while !said.contains("half") {
                let mut some = [0; 1024];
                let read = socket.read(&mut some);
                let read = tokio::time::timeout(Duration::from_secs(10), read).await;
                said.push_str(std::str::from_utf8(&some[..read.unwrap().unwrap()]).unwrap());
            }
        }
        assert!(!held.is_cancelled());
        end.of(socket);
        // The engine says nothing more: it is the connection that is noticed.
        held.cancelled().await;
        site.admitted((0, 0)).await;
        site.unused().await;
    }
}
