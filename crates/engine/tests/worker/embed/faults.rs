//! The fake encoder: what a crash costs, whose turn it is, and what a dropped request leaves behind.

use std::time::{Duration, Instant};

use hearth_engine::{Event, Limits};
use libtest_mimic::Trial;

use super::super::{fake_launch, trial};
use super::{
    Arc, EmbedRequest, Embeddings, Engine, Error, LoadSpec, Priority, Purpose, State, Supervisor,
    Task, one, texts, until,
};

pub fn trials() -> Vec<Trial> {
    vec![
        trial(
            "a_crash_in_embed_costs_one_request",
            crash_costs_one_request,
        ),
        trial("a_killed_child_embeds_again", killed_child_embeds_again),
        trial("an_error_in_embed_keeps_the_child", error_keeps_the_child),
        trial("interactive_texts_go_first", interactive_goes_first),
        trial("background_texts_can_be_held_back", background_held_back),
        trial("a_dropped_embed_frees_the_engine", dropped_embed_frees),
        trial("fake_scores_come_in_order", scores_come_in_order),
        trial("many_texts_come_in_several_events", several_events),
    ]
}

fn fake(purpose: Purpose) -> Arc<Supervisor> {
    let mut spec = LoadSpec::new("fake");
    spec.purpose = purpose;
    Supervisor::start(fake_launch(), spec)
}

async fn crash_costs_one_request() {
    let engine = fake(Purpose::Embed);
    let lost = engine.embed(texts(["fine", "!abort"])).await;
    assert!(
        matches!(&lost, Err(Error::Crashed { how, .. }) if how.contains("signal 6")),
        "{lost:?}"
    );
    assert_eq!(one(&engine, "after").await.len(), 16);
}

async fn killed_child_embeds_again() {
    let engine = fake(Purpose::Embed);
    let _ = one(&engine, "load first").await;
    let running = engine.embed(texts(["!slow 5000"]));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let pid = rustix::process::Pid::from_raw(engine.child_id().unwrap() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let lost = running.await;
    assert!(matches!(lost, Err(Error::Crashed { .. })), "{lost:?}");
    assert_eq!(one(&engine, "after").await.len(), 16);
}

async fn error_keeps_the_child() {
    let engine = fake(Purpose::Embed);
    let before = one(&engine, "the same text").await;
    let pid = engine.child_id();
    let failed = engine.embed(texts(["!error"])).await;
    assert!(matches!(failed, Err(Error::Backend { .. })), "{failed:?}");
    assert_eq!(one(&engine, "the same text").await, before);
    assert_eq!(engine.child_id(), pid);
}

/// A long background request is under way; an interactive one overtakes it.
async fn interactive_goes_first() {
    let engine = fake(Purpose::Embed);
    let mut slow = EmbedRequest::new(vec!["!slow 20".into(); 200]);
    slow.priority = Priority::Background;
    let slow = tokio::spawn(engine.embed(slow));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let asked = Instant::now();
    let _ = one(&engine, "quick").await;
    // Behind the others it would wait for nearly 4 s.
    assert!(
        asked.elapsed() < Duration::from_secs(2),
        "{:?}",
        asked.elapsed()
    );
    assert!(!slow.is_finished(), "200 texts of 20 ms cannot be done yet");
    assert_eq!(slow.await.unwrap().unwrap().vectors.len(), 200);
}

async fn background_held_back() {
    let engine = fake(Purpose::Embed);
    let limits = |background| Limits {
        background,
        ..Limits::default()
    };
    engine.limit(limits(false));
    let mut request = texts(["later"]);
    request.priority = Priority::Background;
    let mut held = tokio::spawn(engine.embed(request));
    assert_eq!(one(&engine, "now").await.len(), 16);
    let waited = tokio::time::timeout(Duration::from_millis(300), &mut held).await;
    assert!(waited.is_err(), "it was served although it was held back");
    engine.limit(limits(true));
    assert_eq!(held.await.unwrap().unwrap().vectors.len(), 1);
}

async fn dropped_embed_frees() {
    let engine = fake(Purpose::Embed);
    let work = engine.embed(EmbedRequest::new(vec!["!slow 50".into(); 1000]));
    until(&engine, |s| matches!(s, State::Ready { active: 1, .. })).await;
    drop(work);
    until(&engine, |s| matches!(s, State::Ready { active: 0, .. })).await;
}

async fn scores_come_in_order() {
    let engine = fake(Purpose::Rerank);
    let documents = [
        "xyz",
        "abz",
        "abc and a text that is far longer than the window of 64 tokens",
    ];
    let documents = documents.map(str::to_owned).to_vec();
    let request = hearth_engine::RerankRequest::new("abc", documents);
    let ranking = engine.rerank(request).await.unwrap();
    assert_eq!(ranking.scores, [0.0, 2.0, 3.0]);
    assert_eq!(ranking.tokens[0], 3 + 3 + 3);
    let long_query = hearth_engine::RerankRequest::new("q".repeat(40), vec!["d".into()]);
    let refused = engine.rerank(long_query).await;
    assert!(matches!(refused, Err(Error::InvalidRequest { field, .. }) if field == "query"));
}

async fn several_events() {
    let engine = fake(Purpose::Embed);
    let request = EmbedRequest::new((0..50).map(|i| format!("text {i}")).collect());
    let mut work = engine.encode(Task::Embed(request.clone()));
    let (mut events, mut vectors) = (0, Vec::new());
    while let Some(event) = work.events.recv().await {
        match event {
            Event::Vectors(part) => {
                events += 1;
                vectors.extend(part.rows().map(<[f32]>::to_vec));
            }
            Event::Finished(summary) => {
                let Embeddings { tokens, .. } = engine.embed(request.clone()).await.unwrap();
                assert_eq!(summary.prompt_tokens, tokens.iter().sum::<u32>());
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(events > 5, "{events}");
    assert_eq!(vectors.len(), 50);
    assert_eq!(vectors[7], one(&engine, "text 7").await);
}
