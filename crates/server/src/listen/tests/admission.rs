//! More requests than are let in, over sockets: who is refused and how, who is served, in which order.

use std::sync::Arc;

use hearth_app::engine::{Event, Message, Priority, Request, Role};
use hearth_app::inference::FakeEngines;
use serde_json::Value;
use tokio::task::JoinSet;

use super::wire::{ROUTES, Reply, Site, reply};
use crate::testing::HeldEngines;

/// What the settings say when nobody changed them.
const PARALLEL: usize = 4;
const QUEUE: usize = 10;
const SURPLUS: usize = 200;

fn is_refusal(route: &str, refused: &Reply) {
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(refused.retry_after.is_some_and(|s| s >= 1), "{refused:?}");
    let body: Value = serde_json::from_str(&refused.body).unwrap();
    let said = match route {
        "/v1/chat/completions" => {
            let error = &body["error"];
            assert_eq!(error["type"], "rate_limit_error");
            assert_eq!(error["code"], "rate_limit_exceeded");
            &error["message"]
        }
        "/api/chat" => &body["error"],
        _ => {
            assert_eq!(body["type"], "error");
            assert_eq!(body["error"]["type"], "rate_limit_error");
            &body["error"]["message"]
        }
    };
    let said = said.as_str().unwrap();
    assert!(said.contains("4 requests are running and 10 are waiting"));
    assert!(said.contains("Try again"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_crowd_exactly_the_surplus_is_refused_in_each_dialect() {
    for route in ROUTES {
        let engines = HeldEngines::default();
        let site = Arc::new(Site::open(Arc::new(engines.clone())).await);
        let mut crowd = JoinSet::new();
        for _ in 0..PARALLEL + QUEUE + SURPLUS {
            let site = site.clone();
            crowd.spawn(async move { site.ask(route, "hi").await });
        }
        // Nobody who was let in is answered yet, so whoever hears something is refused.
        for _ in 0..SURPLUS {
            is_refusal(route, &crowd.join_next().await.unwrap().unwrap());
        }
        site.admitted((PARALLEL as u32, QUEUE as u32)).await;
        assert_eq!(engines.count(), PARALLEL);
        for number in 0..PARALLEL + QUEUE {
            let held = engines.number(number).await;
            held.start();
            held.say("yes");
            held.finish();
        }
        while let Some(served) = crowd.join_next().await {
            let served = served.unwrap();
            assert_eq!(served.status, 200, "{served:?}");
            assert!(served.body.contains("yes"), "{served:?}");
        }
        site.admitted((0, 0)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_is_served_in_the_order_of_coming() {
    let engines = HeldEngines::default();
    let site = Site::open(Arc::new(engines.clone())).await;
    let mut sockets = Vec::new();
    for number in 0..PARALLEL + QUEUE {
        let route = ROUTES[number % ROUTES.len()];
        let text = number.to_string();
        sockets.push(site.send(route, &text, number % 2 == 0).await);
        let running = (number + 1).min(PARALLEL);
        let waiting = number + 1 - running;
        site.admitted((running as u32, waiting as u32)).await;
    }
    for number in 0..PARALLEL + QUEUE {
        let held = engines.number(number).await;
        held.start();
        held.finish();
        // One place is free, and the one who came first gets it.
        if number < QUEUE {
            let next = engines.number(PARALLEL + number).await;
            assert_eq!(next.asked, (PARALLEL + number).to_string());
        }
    }
    for socket in sockets {
        assert_eq!(reply(socket).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_does_not_wait_behind_programs() {
    let engines = Arc::new(FakeEngines { in_child: false });
    let site = Site::open(engines).await;
    let slow = format!("!slow 2 {}", "word ".repeat(400));
    let mut programs = Vec::new();
    for _ in 0..PARALLEL + 3 {
        programs.push(site.send("/v1/chat/completions", &slow, true).await);
    }
    site.admitted((PARALLEL as u32, 3)).await;
    let mut request = Request::chat(vec![Message::new(Role::User, "!say at once")]);
    request.priority = Priority::Interactive;
    let inference = site.app().inference();
    let mut window = inference.generate("starter", request).await.unwrap();
    let mut text = String::new();
    while let Some(event) = window.generation.events.recv().await {
        if let Event::Text { text: more, .. } = event {
            text.push_str(&more);
        }
    }
    assert_eq!(text, "at once");
    // All who were there before are still there.
    assert_eq!(inference.admitted(), (PARALLEL as u32, 3));
}
