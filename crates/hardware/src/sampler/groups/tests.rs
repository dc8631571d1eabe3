//! Groups that hang, panic and come back.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use super::*;
use crate::sampler::{Readings, start};

/// Often enough for a short test, with the deadlines of the product.
const EVERY: Duration = Duration::from_millis(250);

fn cpu(usage: f32) -> Reading {
    Reading {
        cpu_usage: Some(usage),
        ..Reading::default()
    }
}

fn steady() -> Group {
    Group::new("disk", || {
        Box::new(|| Reading {
            disk_bytes_per_second: Some(5.0),
            ..Reading::default()
        })
    })
}

/// Answers once a message is there for it; counts how often it was asked.
fn on_demand(asked: Arc<AtomicUsize>) -> (Group, Sender<f32>) {
    let (send, receive) = channel::<f32>();
    let mut receive = Some(receive);
    let group = Group::new("cpu", move || {
        let receive = receive.take().unwrap();
        let asked = Arc::clone(&asked);
        Box::new(move || {
            asked.fetch_add(1, Ordering::SeqCst);
            receive.recv().map(cpu).unwrap_or_default()
        })
    });
    (group, send)
}

fn run(groups: Vec<Group>) -> Readings {
    start(move || Box::new(Groups::start(groups)), EVERY).unwrap()
}

/// Waits for a reading like this and says how long that took.
fn until(readings: &mut Readings, what: &str, like: impl Fn(&Reading) -> bool) -> Duration {
    let since = Instant::now();
    loop {
        let reading = readings.borrow_and_update().clone();
        if like(&reading) {
            return since.elapsed();
        }
        assert!(
            since.elapsed() < Duration::from_secs(8),
            "no reading {what}: {reading:?}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_group_that_hangs_is_absent_within_two_seconds_left_alone_and_comes_back() {
    let asked = Arc::new(AtomicUsize::new(0));
    let (group, answer) = on_demand(Arc::clone(&asked));
    let mut readings = run(vec![group, steady()]);
    answer.send(0.5).unwrap();
    until(&mut readings, "with a value", |r| r.cpu_usage == Some(0.5));
    // From here on it has nothing to say.
    let took = until(&mut readings, "without the value", |r| {
        r.cpu_usage.is_none() && r.failed == ["cpu"]
    });
    assert!(took < Duration::from_secs(2), "{took:?}");
    let hanging = asked.load(Ordering::SeqCst);
    for _ in 0..4 {
        std::thread::sleep(EVERY);
        let reading = readings.borrow().clone();
        assert_eq!(reading.disk_bytes_per_second, Some(5.0), "others go on");
        assert_eq!(reading.failed, ["cpu"]);
    }
    assert_eq!(
        asked.load(Ordering::SeqCst),
        hanging,
        "asked while it hangs"
    );
    answer.send(0.25).unwrap();
    until(&mut readings, "after the hang", |r| {
        r.cpu_usage == Some(0.25) && r.failed.is_empty()
    });
}

#[test]
fn a_group_that_panics_is_named_and_opened_again() {
    let broken = Arc::new(AtomicBool::new(true));
    let opened = Arc::new(AtomicUsize::new(0));
    let (breaks, opens) = (Arc::clone(&broken), Arc::clone(&opened));
    let group = Group::new("cpu", move || {
        opens.fetch_add(1, Ordering::SeqCst);
        let breaks = Arc::clone(&breaks);
        Box::new(move || {
            assert!(!breaks.load(Ordering::SeqCst), "a sensor panics on purpose");
            cpu(0.5)
        })
    });
    let mut readings = run(vec![group, steady()]);
    until(&mut readings, "that names it", |r| {
        r.failed == ["cpu"] && r.disk_bytes_per_second == Some(5.0)
    });
    broken.store(false, Ordering::SeqCst);
    until(&mut readings, "after the panic", |r| {
        r.cpu_usage == Some(0.5) && r.failed.is_empty()
    });
    assert!(opened.load(Ordering::SeqCst) > 1);
}

#[test]
fn nonsense_is_absent_and_named() {
    let mut readings = run(vec![
        Group::new("cpu", || Box::new(|| cpu(1.7))),
        Group::new("temperature", || {
            Box::new(|| Reading {
                cpu_celsius: Some(-273.0),
                ..Reading::default()
            })
        }),
    ]);
    until(&mut readings, "without nonsense", |r| {
        r.cpu_usage.is_none() && r.cpu_celsius.is_none() && r.failed == ["cpu", "temperature"]
    });
}

#[test]
fn a_group_slower_than_a_reading_is_seen_all_the_time() {
    let group = Group::new("cpu", || {
        Box::new(|| {
            std::thread::sleep(Duration::from_millis(700));
            cpu(0.5)
        })
    });
    let mut readings = run(vec![group]);
    until(&mut readings, "of the first measurement", |r| {
        r.cpu_usage.is_some()
    });
    for _ in 0..12 {
        std::thread::sleep(EVERY);
        let reading = readings.borrow().clone();
        assert_eq!((reading.cpu_usage, reading.failed.len()), (Some(0.5), 0));
    }
}

#[test]
fn threads_end_with_the_last_receiver() {
    struct Ends(Arc<AtomicUsize>);
    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let ended = Arc::new(AtomicUsize::new(0));
    let group = |name| {
        let ended = Arc::clone(&ended);
        Group::new(name, move || {
            let ends = Ends(Arc::clone(&ended));
            Box::new(move || {
                let _ = &ends;
                Reading::default()
            })
        })
    };
    let readings = run(vec![group("cpu"), group("disk")]);
    let other = readings.clone();
    drop(readings);
    std::thread::sleep(2 * EVERY);
    assert_eq!(ended.load(Ordering::SeqCst), 0, "one receiver is left");
    drop(other);
    let since = Instant::now();
    while ended.load(Ordering::SeqCst) < 2 {
        assert!(since.elapsed() < Duration::from_secs(5), "a thread stays");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_whole_is_the_sum_of_its_parts_where_no_sensor_tells() {
    let watts = |system| {
        let group = Group::new("power", move || {
            Box::new(move || Reading {
                cpu_watts: Some(10.0),
                gpu_watts: Some(2.5),
                system_watts: system,
                ..Reading::default()
            })
        });
        Groups::start(vec![group]).read().unwrap().system_watts
    };
    assert_eq!(watts(None), Some(12.5));
    assert_eq!(watts(Some(30.0)), Some(30.0));
}
