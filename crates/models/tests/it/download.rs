//! Downloads through a network that breaks in every way it can.

use std::fs;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hearth_models::Library;
use hearth_models::download::{
    self, Cap, Clock, Job, Order, Outcome, Phase, Progress, Tools, installed,
};
use hearth_models::hub::{Error, Hub, Result, Wanted, choose};
use hearth_models::space::{NoRoom, Room, Space};
use tokio::sync::watch;

use super::hub_server::{Fault, FaultHub, sha256};
use hearth_gguf_writer::*;

pub const LONG: Duration = Duration::from_secs(60);
pub const MIB: u64 = 1 << 20;

/// A clock whose waits end at once and are written down.
#[derive(Default)]
pub struct Hurried {
    pub waits: Mutex<Vec<Duration>>,
    began: Mutex<Option<Instant>>,
}

impl Clock for Hurried {
    fn now(&self) -> Duration {
        let mut began = self.began.lock().unwrap();
        began.get_or_insert_with(Instant::now).elapsed()
    }

    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.waits.lock().unwrap().push(time);
        Box::pin(tokio::task::yield_now())
    }

    fn chance(&self) -> f64 {
        0.5
    }
}

/// A sound model of about this size, different for every seed.
pub fn model_bytes(seed: u64, bytes: usize) -> Arc<Vec<u8>> {
    let mut model = Model::sound().build();
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    while model.len() < bytes {
        // Knuth's constants of a linear congruential generator.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        model.extend(state.to_le_bytes());
    }
    Arc::new(model)
}

pub fn roomy() -> Arc<Room> {
    let space = |_: &Path| {
        Some(Space {
            free_bytes: 1 << 40,
            total_bytes: 1 << 41,
        })
    };
    Arc::new(Room::new(Arc::new(space)))
}

/// One person's folders.
pub struct Place {
    pub home: tempfile::TempDir,
    pub clock: Arc<Hurried>,
    pub tools: Tools,
    pub orders: watch::Sender<Order>,
    pub progress: watch::Sender<Progress>,
}

impl Place {
    pub fn new() -> Self {
        let clock = Arc::new(Hurried::default());
        let mut tools = Tools::new(roomy(), Arc::new(Cap::default()));
        tools.clock = clock.clone();
        Self {
            home: tempfile::tempdir().unwrap(),
            clock,
            tools,
            orders: watch::channel(Order::Go).0,
            progress: watch::channel(Progress::default()).0,
        }
    }

    pub fn models(&self) -> PathBuf {
        self.home.path().join("models")
    }

    pub fn downloads(&self) -> PathBuf {
        self.models().join(".downloads")
    }

    /// Takes up the download of a repository's only model, or begins it.
    pub async fn job(&self, hub: &Hub, wanted: &str) -> Result<Job> {
        job(hub, wanted, &self.downloads()).await
    }

    pub async fn fetch(&self, hub: &Hub, wanted: &str) -> Result<Outcome> {
        let mut job = self.job(hub, wanted).await?;
        self.run(hub, &mut job).await
    }

    pub async fn run(&self, hub: &Hub, job: &mut Job) -> Result<Outcome> {
        self.run_in(hub, job, &self.models()).await
    }

    pub async fn run_in(&self, hub: &Hub, job: &mut Job, models: &Path) -> Result<Outcome> {
        let orders = self.orders.subscribe();
        download::run(hub, job, models, &self.tools, orders, &self.progress).await
    }

    /// Models that a list shows, each of which must be one of these.
    pub fn assert_shows_only(&self, known: &[&Arc<Vec<u8>>]) -> usize {
        assert_only(&self.models(), known)
    }
}

pub async fn job(hub: &Hub, wanted: &str, downloads: &Path) -> Result<Job> {
    let wanted = Wanted::parse(wanted)?;
    let listing = hub.files(&wanted.repo, &wanted.revision).await?;
    let model = choose(&listing, &wanted.choice)?;
    Job::create(downloads, &wanted, &listing.commit, model)
}

/// Everything that is visible below a folder must be one of these files.
pub fn assert_only(models: &Path, known: &[&Arc<Vec<u8>>]) -> usize {
    let library = Library::new(Vec::new(), models.to_owned());
    let shown = library.list().models;
    for model in &shown {
        let bytes = fs::read(&model.path).unwrap();
        let sound = known.iter().any(|known| ***known == bytes);
        assert!(sound, "{} is seen and not proven", model.path.display());
    }
    shown.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_fetched_proven_shown_and_not_fetched_twice() {
    let server = FaultHub::start().await;
    let bytes = model_bytes(1, 300_000);
    server.add("a/b", "M-Q4_0.gguf", bytes.clone());
    let (hub, place) = (server.client(LONG), Place::new());
    let wanted = Wanted::parse("a/b").unwrap();
    assert!(installed(&place.models(), &wanted).is_none());
    let Outcome::Done(folder) = place.fetch(&hub, "a/b").await.unwrap() else {
        panic!("it did not end")
    };
    assert_eq!(place.assert_shows_only(&[&bytes]), 1);
    assert!(folder.join("M-Q4_0.gguf").exists());
    assert_eq!(installed(&place.models(), &wanted).unwrap().folder, folder);
    let other = Wanted::parse("a/b:Q8_0").unwrap();
    assert!(installed(&place.models(), &other).is_none());
    assert!(matches!(place.progress.borrow().phase, Phase::Verifying));
    assert_eq!(place.progress.borrow().done_bytes, bytes.len() as u64);

    assert_eq!(
        place.fetch(&hub, "a/b").await.unwrap(),
        Outcome::Done(folder)
    );
    assert_eq!(server.sent("a/b"), bytes.len() as u64);
    assert_eq!(fs::read_dir(place.downloads()).unwrap().count(), 0);
    server.assert_token_stayed();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_fetched_goes_without_a_trace() {
    let server = FaultHub::start().await;
    server.add("a/b", "m.gguf", model_bytes(1, 50_000));
    let (hub, place) = (server.client(LONG), Place::new());
    let Outcome::Done(folder) = place.fetch(&hub, "a/b").await.unwrap() else {
        panic!("it did not end")
    };
    // A file of somebody else in the same folder stays, and the folder with it.
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    let library = Library::new(Vec::new(), place.models());
    hearth_models::own::remove(&library, "m").unwrap();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    place.fetch(&hub, "a/b").await.unwrap();
    assert!(folder.join("notes.txt").exists());
    fs::remove_file(folder.join("notes.txt")).unwrap();
    hearth_models::own::remove(&library, "m").unwrap();
    assert!(!folder.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_break_of_a_network_is_survived() {
    let size = 200_000;
    for (number, faults) in [
        vec![Fault::Reset(0), Fault::Reset(70_000), Fault::Reset(100_000)],
        vec![Fault::Reset(50_000), Fault::WrongRange],
        vec![Fault::Reset(50_000), Fault::NoRange],
        vec![Fault::Reset(50_000), Fault::NewVersion],
        vec![Fault::Reset(50_000), Fault::Host(416, "")],
        vec![Fault::Reset(50_000), Fault::OtherHash],
        vec![Fault::Flip(3), Fault::Reset(9)],
        vec![Fault::Flip(199_999)],
        vec![Fault::WrongLength, Fault::TooLong],
        vec![
            Fault::Host(503, ""),
            Fault::Hub(500, ""),
            Fault::Host(429, ""),
        ],
        vec![Fault::NewVersion],
        // More wrong pieces than anybody would try, so the whole is asked for.
        vec![
            Fault::Reset(50_000),
            Fault::WrongRange,
            Fault::WrongRange,
            Fault::WrongRange,
        ],
    ]
    .into_iter()
    .enumerate()
    {
        let server = FaultHub::start().await;
        let bytes = model_bytes(number as u64, size);
        server.add("a/b", "m.gguf", bytes.clone());
        server.break_next("a/b", faults.clone());
        let (hub, place) = (server.client(LONG), Place::new());
        let outcome = place.fetch(&hub, "a/b").await;
        assert!(
            matches!(outcome, Ok(Outcome::Done(_))),
            "{faults:?}: {outcome:?}"
        );
        assert_eq!(place.assert_shows_only(&[&bytes]), 1);
        assert_eq!(server.faults_left("a/b"), 0, "{faults:?}");
        server.assert_token_stayed();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_mended_ends_with_its_reason_and_can_be_taken_up() {
    type Is = fn(&Error) -> bool;
    let cases: [(Vec<Fault>, Is); 9] = [
        (vec![Fault::Page], |e| matches!(e, Error::WebPage { .. })),
        (vec![Fault::HiddenPage], |e| {
            matches!(e, Error::WebPage { .. })
        }),
        (vec![Fault::Loop], |e| matches!(e, Error::Redirect { .. })),
        (vec![Fault::Downgrade], |e| {
            matches!(e, Error::Redirect { .. })
        }),
        (vec![Fault::Hub(401, "")], |e| {
            matches!(e, Error::SignIn { .. })
        }),
        (vec![Fault::Hub(403, "")], |e| {
            matches!(e, Error::Gated { .. })
        }),
        (vec![Fault::Hub(404, "")], |e| {
            matches!(e, Error::Missing { .. })
        }),
        (vec![Fault::Host(503, ""); 6], |e| {
            matches!(e, Error::Unavailable { .. })
        }),
        (vec![Fault::Flip(5000); 3], |e| {
            matches!(e, Error::WrongHash { .. })
        }),
    ];
    for (faults, is) in cases {
        let server = FaultHub::start().await;
        let bytes = model_bytes(7, 100_000);
        server.add("a/b", "m.gguf", bytes.clone());
        server.break_next("a/b", faults.clone());
        let (hub, place) = (server.client(LONG), Place::new());
        let error = place.fetch(&hub, "a/b").await.unwrap_err();
        assert!(is(&error), "{faults:?}: {error}");
        assert_eq!(place.assert_shows_only(&[]), 0);
        server.break_next("a/b", []);
        let outcome = place.fetch(&hub, "a/b").await.unwrap();
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        assert_eq!(place.assert_shows_only(&[&bytes]), 1);
        server.assert_token_stayed();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_are_those_the_other_side_asks_for() {
    let server = FaultHub::start().await;
    server.add("a/b", "m.gguf", model_bytes(1, 50_000));
    let faults = [
        Fault::Hub(429, "Retry-After: 40"),
        Fault::Hub(429, "RateLimit: \"resolvers\";r=0;t=120"),
        Fault::Host(503, ""),
    ];
    server.break_next("a/b", faults);
    let (hub, place) = (server.client(LONG), Place::new());
    place.fetch(&hub, "a/b").await.unwrap();
    let waits = place.clock.waits.lock().unwrap().clone();
    let seconds: Vec<u64> = waits.iter().map(Duration::as_secs).collect();
    assert_eq!(seconds, [40, 120, 3], "{waits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_and_trickles_are_given_up_and_gone_on_from() {
    let server = FaultHub::start().await;
    let bytes = model_bytes(3, 200_000);
    server.add("a/b", "m.gguf", bytes.clone());
    let faults = [
        Fault::Mute,
        Fault::Stall(0),
        Fault::Stall(100_000),
        Fault::Trickle,
    ];
    server.break_next("a/b", faults);
    let mut place = Place::new();
    place.tools.slow_window = Duration::from_millis(500);
    place.tools.slow_bytes = 10_000;
    let hub = server.client(Duration::from_secs(1));
    let outcome = place.fetch(&hub, "a/b").await;
    assert!(matches!(outcome, Ok(Outcome::Done(_))), "{outcome:?}");
    assert_eq!(place.assert_shows_only(&[&bytes]), 1);
    // What came before the silence was kept.
    assert!(server.sent("a/b") < 2 * bytes.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_and_what_a_model_sees_with_come_as_one() {
    let server = FaultHub::start().await;
    let parts = split_model();
    for (index, part) in parts.iter().enumerate() {
        let name = format!("Q4_0/M-Q4_0-{:05}-of-{:05}.gguf", index + 1, parts.len());
        server.add("a/b", &name, part.clone());
    }
    server.break_next("a/b", [Fault::None, Fault::Page]);
    let (hub, place) = (server.client(LONG), Place::new());
    // One part is here, and nothing is seen of it.
    let error = place.fetch(&hub, "a/b:Q4_0").await.unwrap_err();
    assert!(matches!(error, Error::WebPage { .. }), "{error}");
    assert_eq!(place.assert_shows_only(&[]), 0);
    let done = place.fetch(&hub, "a/b:Q4_0").await.unwrap();
    assert!(matches!(done, Outcome::Done(_)));
    assert_eq!(place.assert_shows_only(&[&parts[0]]), 1);
    let total: usize = parts.iter().map(|part| part.len()).sum();
    assert_eq!(server.sent("a/b"), total as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_model_is_never_seen() {
    let server = FaultHub::start().await;
    let mut bad = Model::sound().build();
    // The number of tensors.
    bad[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    server.add("a/b", "m.gguf", Arc::new(bad));
    let (hub, place) = (server.client(LONG), Place::new());
    let error = place.fetch(&hub, "a/b").await.unwrap_err();
    assert!(matches!(error, Error::Model(_)), "{error}");
    assert_eq!(place.assert_shows_only(&[]), 0);
    assert_eq!(fs::read_dir(place.downloads()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_at_the_hub_replaces_the_old_one() {
    let server = FaultHub::start().await;
    let (old, new) = (model_bytes(1, 100_000), model_bytes(2, 100_000));
    server.add("a/b", "m.gguf", old.clone());
    let (hub, place) = (server.client(LONG), Place::new());
    place.fetch(&hub, "a/b").await.unwrap();
    server.add("a/b", "m.gguf", new.clone());
    server.break_next("a/b", [Fault::Page]);
    place.fetch(&hub, "a/b").await.unwrap_err();
    assert_eq!(place.assert_shows_only(&[&old]), 1);
    place.fetch(&hub, "a/b").await.unwrap();
    assert_eq!(place.assert_shows_only(&[&new]), 1);
    // And in the middle of a download: the rest of the old is never mixed with the new.
    let newest = model_bytes(3, 100_000);
    server.break_next("a/b", [Fault::Reset(40_000), Fault::Page]);
    server.add("a/b", "m.gguf", old);
    place.fetch(&hub, "a/b").await.unwrap_err();
    let mut job = place.job(&hub, "a/b").await.unwrap();
    server.add("a/b", "m.gguf", newest.clone());
    place.run(&hub, &mut job).await.unwrap();
    assert_eq!(place.assert_shows_only(&[&newest]), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_pauses_and_the_reserve_stays() {
    let server = FaultHub::start().await;
    let bytes = model_bytes(4, 3 << 20);
    server.add("a/b", "m.gguf", bytes.clone());
    let (hub, mut place) = (server.client(LONG), Place::new());
    // A volume of 100 MiB that somebody else fills while we fetch.
    let free = Arc::new(AtomicU64::new(14 * MIB));
    let shown = free.clone();
    let space = move |_: &Path| {
        let free_bytes = shown.fetch_sub(2 * MIB, Ordering::SeqCst);
        Some(Space {
            free_bytes,
            total_bytes: 100 * MIB,
        })
    };
    place.tools.room = Arc::new(Room::new(Arc::new(space)));
    let error = place.fetch(&hub, "a/b").await.unwrap_err();
    let Error::DiskFull(NoRoom { reserve_bytes, .. }) = error else {
        panic!("{error}")
    };
    assert_eq!(reserve_bytes, 10 * MIB);
    assert_eq!(place.assert_shows_only(&[]), 0);
    let sent = server.sent("a/b");
    assert!(sent > 0, "it began");
    free.store(1 << 40, Ordering::SeqCst);
    place.fetch(&hub, "a/b").await.unwrap();
    assert_eq!(place.assert_shows_only(&[&bytes]), 1);
    // It went on from what was kept.
    assert!(server.sent("a/b") < sent + bytes.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn pause_and_cancel_do_not_wait_for_the_network() {
    for (order, outcome) in [
        (Order::Pause, Outcome::Paused),
        (Order::Cancel, Outcome::Cancelled),
    ] {
        let server = FaultHub::start().await;
        let bytes = model_bytes(5, 400_000);
        server.add("a/b", "m.gguf", bytes.clone());
        server.break_next("a/b", [Fault::Stall(200_000)]);
        let (hub, place) = (server.client(LONG), Arc::new(Place::new()));
        let running = tokio::spawn({
            let place = place.clone();
            async move { place.fetch(&hub, "a/b").await }
        });
        while server.sent("a/b") < 200_000 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let asked = Instant::now();
        place.orders.send_replace(order);
        assert_eq!(running.await.unwrap().unwrap(), outcome);
        // The silence would have been 60 s.
        assert!(asked.elapsed() < LONG / 4, "{:?}", asked.elapsed());
        println!("{order:?} took {:?}", asked.elapsed());
        let left = Job::all(&place.downloads());
        assert_eq!(left.len(), usize::from(order == Order::Pause));
        assert_eq!(place.assert_shows_only(&[]), 0);
        place.orders.send_replace(Order::Go);
        let hub = server.client(LONG);
        place.fetch(&hub, "a/b").await.unwrap();
        assert_eq!(place.assert_shows_only(&[&bytes]), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_do_not_fetch_the_same() {
    let server = FaultHub::start().await;
    server.add("a/b", "m.gguf", model_bytes(1, 50_000));
    let (hub, place) = (server.client(LONG), Place::new());
    let _first = place.job(&hub, "a/b").await.unwrap();
    let error = place.job(&hub, "a/b").await.unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_break_costs_no_more_than_four_mib() {
    let server = FaultHub::start().await;
    let bytes = model_bytes(6, 72 << 20);
    server.add("a/b", "m.gguf", bytes.clone());
    let mib = MIB as usize;
    let breaks = [
        Fault::Reset(mib / 2),
        Fault::Reset(3 * mib),
        Fault::Stall(9 * mib + 17),
        Fault::Host(503, "X-Why: restart"),
        Fault::Reset(20 * mib),
        Fault::Page,
        Fault::Stall(2 * mib),
        Fault::Hub(429, "Retry-After: 1"),
        Fault::Reset(7 * mib),
        Fault::Reset(1),
    ];
    server.break_next("a/b", breaks);
    // A machine that is busy for longer makes one break more, which is counted too.
    let (hub, place) = (server.client(Duration::from_secs(1)), Place::new());
    let downloads = place.downloads();
    // As much as a connection may hold that is not ours yet.
    server.limit_window(3 * MIB, Arc::new(move |sha256| on_disk(&downloads, sha256)));
    // A page for people ends a try that a person has to look at; what is here is gone on from.
    let error = place.fetch(&hub, "a/b").await.unwrap_err();
    assert!(matches!(error, Error::WebPage { .. }), "{error}");
    place.fetch(&hub, "a/b").await.unwrap();
    assert_eq!(place.assert_shows_only(&[&bytes]), 1);
    assert_eq!(server.faults_left("a/b"), 0);
    let again = server.sent("a/b") - bytes.len() as u64;
    let breaks = server.led() - 1;
    assert!(breaks >= 8, "{breaks}");
    assert!(
        again <= breaks * 4 * MIB,
        "{again} bytes in {breaks} breaks"
    );
    println!("{again} bytes in {breaks} breaks");
}

/// Length of the part file of a hash, in whichever job it lies.
pub fn on_disk(downloads: &Path, sha256: &str) -> u64 {
    let jobs = fs::read_dir(downloads).into_iter().flatten().flatten();
    let lengths = jobs.filter_map(|job| {
        let part = job.path().join("parts").join(format!("{sha256}.part"));
        fs::metadata(part).ok().map(|metadata| metadata.len())
    });
    lengths.max().unwrap_or(0)
}

/// Parts of one model, as llama.cpp's own tool splits one.
fn split_model() -> Vec<Arc<Vec<u8>>> {
    let (one, two) = super::sound::two_parts();
    assert_ne!(sha256(&one), sha256(&two));
    vec![Arc::new(one), Arc::new(two)]
}

async fn list(place: &Place, hub: &Hub, repo: &str) -> Result<usize> {
    let wanted = Wanted::parse(repo)?;
    let listing = download::list(hub, &wanted.repo, &wanted.revision, &place.tools).await?;
    Ok(listing.files.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_asked_for_again_where_that_may_help() {
    let server = FaultHub::start().await;
    server.add("a/b", "m.gguf", model_bytes(5, 1 << 20));
    let accidents = [
        Fault::Hub(503, "X-Why: restart"),
        Fault::Hub(429, "Retry-After: 9"),
        Fault::Reset(0),
        Fault::Mute,
    ];
    server.break_next_lists(accidents);
    let place = Place::new();
    // Long enough for a busy machine to answer where an answer comes.
    let hub = server.client(Duration::from_secs(5));
    assert_eq!(list(&place, &hub, "a/b").await.unwrap(), 1);
    assert_eq!(server.list_faults_left(), 0);
    let waits = place.clock.waits.lock().unwrap().clone();
    assert_eq!(waits.len(), 4, "{waits:?}");
    assert!(waits[1] >= Duration::from_secs(9), "{waits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_for_a_list_has_an_end() {
    let server = FaultHub::start().await;
    server.add("a/b", "m.gguf", model_bytes(6, 1 << 20));
    let hub = server.client(LONG);
    let place = Place::new();
    server.break_next_lists([Fault::Hub(503, "X-Why: down"); 20]);
    let error = list(&place, &hub, "a/b").await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    let (waits, left) = (
        place.clock.waits.lock().unwrap().len(),
        server.list_faults_left(),
    );
    assert_eq!((waits, left), (5, 14));
    // Whoever is told to come back in ten minutes hears so at once, and what is not there is not looked for twice.
    let place = Place::new();
    server.break_next_lists([Fault::Hub(429, "Retry-After: 600")]);
    let error = list(&place, &hub, "a/b").await.unwrap_err();
    assert!(matches!(error, Error::Limited { .. }), "{error}");
    let error = list(&place, &hub, "not/there").await.unwrap_err();
    assert!(matches!(error, Error::Missing { .. }), "{error}");
    assert_eq!(place.clock.waits.lock().unwrap().len(), 0);
}
