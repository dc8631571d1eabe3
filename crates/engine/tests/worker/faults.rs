//! A child that is killed, crashes, hangs or talks nonsense costs the requests it had, and nothing else.

use std::time::{Duration, Instant};

use hearth_engine::supervisor::Supervisor;
use hearth_engine::{Engine, Error, Event, FinishReason, Limits, LoadSpec, State};
use libtest_mimic::Trial;

use super::{ask, collect, fake, fake_launch, trial, until};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("answers_through_the_pipe", answers_through_the_pipe),
        trial(
            "a_killed_child_costs_one_request",
            a_killed_child_costs_one_request,
        ),
        trial("a_stopped_child_is_replaced", a_stopped_child_is_replaced),
        trial("a_hanging_step_is_ended", a_hanging_step_is_ended),
        trial(
            "an_abort_is_told_from_an_exit",
            an_abort_is_told_from_an_exit,
        ),
        trial("garbage_is_a_protocol_error", garbage_is_a_protocol_error),
        trial("an_error_keeps_the_child", an_error_keeps_the_child),
        trial(
            "a_message_that_is_none_is_refused",
            a_message_that_is_none_is_refused,
        ),
        trial(
            "three_crashes_stop_the_restarts",
            three_crashes_stop_the_restarts,
        ),
        trial("a_missing_executable_is_said", a_missing_executable_is_said),
        trial(
            "a_load_failure_is_said_and_can_be_tried_again",
            a_load_failure_is_said,
        ),
        trial("cancel_ends_within_a_step", cancel_ends_within_a_step),
        trial(
            "dropping_a_generation_frees_the_slot",
            dropping_a_generation_frees_the_slot,
        ),
        trial("shut_down_ends_the_child", shut_down_ends_the_child),
        trial("a_child_without_parent_ends", a_child_without_parent_ends),
    ]
}

fn alive(pid: u32) -> bool {
    rustix::process::test_kill_process(process(pid)).is_ok()
}

fn process(pid: u32) -> rustix::process::Pid {
    rustix::process::Pid::from_raw(pid as i32).unwrap()
}

fn signal(pid: u32, signal: rustix::process::Signal) {
    rustix::process::kill_process(process(pid), signal).unwrap();
}

async fn answers_through_the_pipe() {
    let engine = fake();
    let (text, end) = collect(engine.generate(ask("héllo ✓"))).await;
    assert_eq!(text, "You said: héllo ✓");
    let summary = end.unwrap();
    assert_eq!(summary.reason, FinishReason::Stop);
    assert_eq!(summary.tokens as usize, text.len());
    assert!(summary.tokens_per_second().is_some_and(|t| t > 0.0));
    // The second prompt begins like the first, so that part is not read again.
    let (_, again) = collect(engine.generate(ask("héllo again"))).await;
    assert!(again.unwrap().cached_tokens > 10);
}

async fn a_killed_child_costs_one_request() {
    let engine = fake();
    let mut running = engine.generate(ask("!slow 20 some words that take a while to say"));
    while !matches!(running.events.recv().await, Some(Event::Text { .. })) {}
    let waiting = engine.generate(ask("next"));
    let pid = engine.child_id().unwrap();
    let killed = Instant::now();
    signal(pid, rustix::process::Signal::KILL);
    let (text, end) = collect(running).await;
    assert!(
        matches!(&end, Err(Error::Crashed { how, .. }) if how.contains("signal 9")),
        "{end:?} {text}"
    );
    // The waiting request had been sent to the same child, so it fails as well; a new one is answered.
    let _ = collect(waiting).await;
    let (text, end) = collect(engine.generate(ask("after"))).await;
    assert_eq!((text.as_str(), end.is_ok()), ("You said: after", true));
    assert!(
        killed.elapsed() < Duration::from_secs(2),
        "{:?}",
        killed.elapsed()
    );
    assert_ne!(engine.child_id(), Some(pid));
}

async fn a_stopped_child_is_replaced() {
    let mut launch = fake_launch();
    launch.silence_limit = Duration::from_millis(1500);
    let engine = Supervisor::start(launch, LoadSpec::new("fake"));
    let _ = collect(engine.generate(ask("hi"))).await;
    let pid = engine.child_id().unwrap();
    signal(pid, rustix::process::Signal::STOP);
    let (_, end) = collect(engine.generate(ask("lost"))).await;
    assert!(matches!(end, Err(Error::Unresponsive { .. })), "{end:?}");
    let (text, _) = collect(engine.generate(ask("next"))).await;
    assert_eq!(text, "You said: next");
    assert!(!alive(pid));
}

async fn a_hanging_step_is_ended() {
    let mut launch = fake_launch();
    launch.step_limit = Duration::from_millis(1500);
    let engine = Supervisor::start(launch, LoadSpec::new("fake"));
    let (text, end) = collect(engine.generate(ask("!hang now"))).await;
    assert_eq!(text, "You said:");
    assert!(
        matches!(end, Err(Error::Unresponsive { after_ms }) if after_ms >= 1500),
        "{end:?}"
    );
}

async fn an_abort_is_told_from_an_exit() {
    let engine = fake();
    let (_, end) = collect(engine.generate(ask("!abort"))).await;
    assert!(
        matches!(&end, Err(Error::Crashed { how, .. }) if how.contains("signal 6")),
        "{end:?}"
    );
    let (_, end) = collect(engine.generate(ask("!exit"))).await;
    assert!(
        matches!(&end, Err(Error::Crashed { how, .. }) if how == "exit code 3"),
        "{end:?}"
    );
}

async fn garbage_is_a_protocol_error() {
    let engine = fake();
    let (_, end) = collect(engine.generate(ask("!garbage"))).await;
    assert!(matches!(end, Err(Error::Protocol { .. })), "{end:?}");
    let (text, _) = collect(engine.generate(ask("next"))).await;
    assert_eq!(text, "You said: next");
}

async fn an_error_keeps_the_child() {
    let engine = fake();
    let _ = collect(engine.generate(ask("hi"))).await;
    let pid = engine.child_id();
    let (_, end) = collect(engine.generate(ask("!error"))).await;
    assert!(matches!(end, Err(Error::Backend { .. })), "{end:?}");
    let (text, _) = collect(engine.generate(ask("next"))).await;
    assert_eq!(text, "You said: next");
    assert_eq!(engine.child_id(), pid);
}

async fn a_message_that_is_none_is_refused() {
    let engine = fake();
    let _ = collect(engine.generate(ask("hi"))).await;
    let pid = engine.child_id();
    // JSON has no word for these.
    engine.limit(Limits {
        duty: f32::NAN,
        ..Limits::default()
    });
    let mut request = ask("odd");
    request.sampling.temperature = f32::NAN;
    let (_, end) = collect(engine.generate(request)).await;
    assert!(matches!(end, Err(Error::InvalidRequest { .. })), "{end:?}");
    let (text, _) = collect(engine.generate(ask("next"))).await;
    assert_eq!(text, "You said: next");
    assert_eq!(engine.child_id(), pid);
}

async fn three_crashes_stop_the_restarts() {
    let mut launch = fake_launch();
    launch.crash_window = Duration::from_secs(4);
    let engine = Supervisor::start(launch, LoadSpec::new("fake"));
    for _ in 0..3 {
        let (_, end) = collect(engine.generate(ask("!exit"))).await;
        assert!(matches!(end, Err(Error::Crashed { .. })), "{end:?}");
    }
    until(&engine, |s| matches!(s, State::Failed(_))).await;
    assert_eq!(engine.child_id(), None);
    let (_, end) = collect(engine.generate(ask("hi"))).await;
    assert!(
        matches!(
            end,
            Err(Error::GaveUp {
                crashes: 3,
                within_s: 4
            })
        ),
        "{end:?}"
    );
    tokio::time::sleep(Duration::from_secs(4)).await;
    let (text, _) = collect(engine.generate(ask("hi"))).await;
    assert_eq!(text, "You said: hi");
}

async fn a_missing_executable_is_said() {
    let mut launch = fake_launch();
    launch.program = "/nonexistent/hearth".into();
    let engine = Supervisor::start(launch, LoadSpec::new("fake"));
    let (_, end) = collect(engine.generate(ask("hi"))).await;
    assert!(matches!(end, Err(Error::Spawn { .. })), "{end:?}");
}

async fn a_load_failure_is_said() {
    let engine = Supervisor::start(fake_launch(), LoadSpec::new("not-the-fake"));
    for _ in 0..2 {
        let (_, end) = collect(engine.generate(ask("hi"))).await;
        assert!(
            matches!(&end, Err(Error::LoadFailed { reason }) if reason.contains("not-the-fake")),
            "{end:?}"
        );
        until(&engine, |s| matches!(s, State::Failed(_))).await;
    }
}

async fn cancel_ends_within_a_step() {
    let engine = fake();
    let mut running = engine.generate(ask(&format!("!slow 10 {}", "word ".repeat(200))));
    while !matches!(running.events.recv().await, Some(Event::Text { .. })) {}
    let asked = Instant::now();
    running.cancel.cancel();
    let (_, end) = collect(running).await;
    assert_eq!(end.unwrap().reason, FinishReason::Cancelled);
    assert!(
        asked.elapsed() < Duration::from_millis(200),
        "{:?}",
        asked.elapsed()
    );
}

async fn dropping_a_generation_frees_the_slot() {
    let engine = fake();
    let mut running = engine.generate(ask(&format!("!slow 10 {}", "word ".repeat(200))));
    while !matches!(running.events.recv().await, Some(Event::Text { .. })) {}
    drop(running);
    until(&engine, |s| matches!(s, State::Ready { active: 0, .. })).await;
}

async fn shut_down_ends_the_child() {
    let engine = fake();
    let _ = collect(engine.generate(ask("hi"))).await;
    let pid = engine.child_id().unwrap();
    engine.shut_down();
    until(&engine, |s| matches!(s, State::ShutDown)).await;
    assert!(!alive(pid));
    let (_, end) = collect(engine.generate(ask("hi"))).await;
    assert_eq!(end, Err(Error::ShutDown));
}

/// The parent is killed while the child is in the middle of an answer.
async fn a_child_without_parent_ends() {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--engine-worker", "--fake"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let load = hearth_engine::protocol::ToChild::Load {
        spec: LoadSpec::new("fake"),
    };
    input
        .write_all(&hearth_engine::protocol::encode(&load).unwrap())
        .unwrap();
    let request = Box::new(ask(&format!("!slow 100 {}", "word ".repeat(500))));
    let generate = hearth_engine::protocol::ToChild::Generate { id: 1, request };
    input
        .write_all(&hearth_engine::protocol::encode(&generate).unwrap())
        .unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none());
    drop(input);
    let gone = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(
            gone.elapsed() < Duration::from_secs(2),
            "the child outlived its parent"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}
