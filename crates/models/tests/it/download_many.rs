//! Five hundred downloads at the mercy of a network, a disk and a person who pulls the plug: each ends proven or cleanly paused.
//!
//! What happens to each is drawn from its number, so a failure can be had again. Forty of them run in a process of their own that is
//! killed; the others run side by side in this one.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hearth_models::download::{Order, Outcome};
use hearth_models::hub::{Error, Hub};
use hearth_models::space::{Room, Space};
use tokio::sync::Semaphore;

use super::download::{LONG, MIB, Place, assert_only, job, model_bytes, on_disk};
use super::hub_server::{Fault, FaultHub, sha256};

const IN_PROCESS: u64 = 460;
const KILLED: u64 = 40;
/// Downloads that run at the same time.
const AT_ONCE: usize = 24;
/// What tells a child of this test what to do.
const CHILD: &str = "HEARTH_TEST_DOWNLOAD";
/// The silence after which a download asks anew. Shorter than in life, longer than a busy machine takes to answer.
const STALL: Duration = Duration::from_secs(5);
const BIG_BYTES: usize = 8 << 20;

/// Numbers that look like chance and are the same every time.
struct Dice(u64);

impl Dice {
    /// 0 to `below` - 1 (SplitMix64).
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}

/// What goes wrong with a download of `size` bytes.
fn fault(dice: &mut Dice, size: usize) -> Fault {
    let at = dice.roll(size as u64) as usize;
    match dice.roll(40) {
        0..=8 => Fault::Reset(at),
        9 => Fault::Stall(at),
        10 => Fault::Mute,
        11 => Fault::Trickle,
        12..=13 => Fault::WrongRange,
        14..=15 => Fault::NoRange,
        16 => Fault::Host(416, ""),
        17..=18 => Fault::Host(503, "Retry-After: 3"),
        19 => Fault::Hub(503, ""),
        20..=21 => Fault::Hub(429, "Retry-After: 30"),
        22 => Fault::Loop,
        23 => Fault::Downgrade,
        24..=25 => Fault::NewVersion,
        26..=28 => Fault::Flip(at),
        29 => Fault::Page,
        30 => Fault::HiddenPage,
        31 => Fault::WrongLength,
        32 => Fault::TooLong,
        33 => Fault::OtherHash,
        34 => Fault::Hub(403, ""),
        _ => Fault::None,
    }
}

/// Whether a download may end with this error: only if something happened to it that nobody can mend from here.
fn may_end(error: &Error, faults: &[Fault], disk_is_full: bool) -> bool {
    let happened = |fault: &Fault| faults.contains(fault);
    let count = |is: fn(&Fault) -> bool| faults.iter().filter(|fault| is(fault)).count();
    match error {
        Error::WebPage { .. } => happened(&Fault::Page) || happened(&Fault::HiddenPage),
        Error::Redirect { .. } => happened(&Fault::Loop) || happened(&Fault::Downgrade),
        Error::Gated { .. } => happened(&Fault::Hub(403, "")),
        Error::DiskFull { .. } => disk_is_full,
        // A machine that is busy enough is as silent as a network.
        Error::Stalled { .. } => true,
        Error::WrongHash { .. } | Error::Changed { .. } => {
            count(|f| {
                matches!(
                    f,
                    Fault::Flip(_)
                        | Fault::NewVersion
                        | Fault::OtherHash
                        | Fault::Host(416, _)
                        | Fault::TooLong
                )
            }) > 2
        }
        _ => false,
    }
}

/// How the downloads ended, for whoever reads along.
type Endings = Arc<Mutex<HashMap<String, usize>>>;

fn count(endings: &Endings, ending: impl Into<String>) {
    *endings.lock().unwrap().entry(ending.into()).or_default() += 1;
}

/// `patient` is for what shall not break.
async fn one(server: FaultHub, patient: Hub, hub: Hub, seed: u64, endings: Endings) {
    let mut dice = Dice(seed);
    let repo = format!("test/model-{seed}");
    let size = 5_000 + dice.roll(200_000) as usize;
    let bytes = model_bytes(seed, size);
    server.add(&repo, "m.gguf", bytes.clone());
    let faults: Vec<Fault> = (0..dice.roll(4)).map(|_| fault(&mut dice, size)).collect();
    server.break_next(&repo, faults.clone());
    let mut place = Place::new();
    place.tools.slow_window = Duration::from_millis(500);
    place.tools.slow_bytes = 1000;
    let disk_is_full = Arc::new(AtomicBool::new(dice.roll(20) == 0));
    let full = disk_is_full.clone();
    let space = move |_: &Path| {
        let full = full.load(Ordering::SeqCst);
        Some(Space {
            free_bytes: if full { 10 * MIB } else { 1 << 40 },
            total_bytes: 1 << 41,
        })
    };
    place.tools.room = Arc::new(Room::new(Arc::new(space)));
    let pauses = dice.roll(8) == 0;
    if pauses {
        place.orders.send_replace(Order::Pause);
    }
    let fetch = async || {
        let mut job = job(&patient, &repo, &place.downloads()).await?;
        place.run(&hub, &mut job).await
    };
    let ended = fetch().await;
    let shown = place.assert_shows_only(&[&bytes]);
    let ending = match ended {
        Ok(Outcome::Done(_)) => {
            assert_eq!(shown, 1);
            "proven".to_owned()
        }
        Ok(outcome) => {
            assert!(pauses && outcome == Outcome::Paused && shown == 0);
            "paused by order".to_owned()
        }
        Err(error) => {
            assert_eq!(shown, 0);
            let full = disk_is_full.load(Ordering::SeqCst);
            assert!(may_end(&error, &faults, full), "{seed} {faults:?}: {error}");
            let text = format!("{error:?}");
            text.split([' ', '(']).next().unwrap_or_default().to_owned()
        }
    };
    if shown == 0 {
        // Whatever it was is over: the rest comes.
        server.break_next(&repo, []);
        disk_is_full.store(false, Ordering::SeqCst);
        place.orders.send_replace(Order::Go);
        let ended = fetch().await;
        assert!(
            matches!(ended, Ok(Outcome::Done(_))),
            "{seed} {faults:?}: {ended:?}"
        );
        assert_eq!(place.assert_shows_only(&[&bytes]), 1);
    }
    count(&endings, ending);
}

/// A process that fetches until it is killed.
struct Victim(Child);

impl Victim {
    fn start(address: &str, home: &Path) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args([
                "it::download_many::child",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env(CHILD, format!("{address}|{}", home.display()))
            // What a killed process leaves there goes with everything else.
            .env("TMPDIR", home)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs only as a child of the test below.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it is started by another test"]
async fn child() {
    let Some((address, home)) = std::env::var(CHILD).ok().and_then(|orders| {
        let (address, home) = orders.split_once('|')?;
        Some((address.to_owned(), PathBuf::from(home)))
    }) else {
        return;
    };
    let place = Place::new();
    let endpoint = hearth_models::hub::Endpoint::parse(&address).unwrap();
    let token = Some(super::hub_server::TOKEN);
    let hub = hearth_models::hub::Hub::new(endpoint, token, Duration::from_secs(60)).unwrap();
    let downloads = home.join(".downloads");
    let mut job = job(&hub, "test/killed", &downloads).await.unwrap();
    place.run_in(&hub, &mut job, &home).await.unwrap();
}

async fn killed(server: FaultHub, endings: Endings) {
    let home = tempfile::tempdir().unwrap();
    let models = home.path().to_owned();
    let downloads = models.join(".downloads");
    let mut dice = Dice(4711);
    let watched = downloads.clone();
    // As much as a connection may hold that is not ours yet.
    server.limit_window(3 * MIB, Arc::new(move |hash| on_disk(&watched, hash)));
    let mut kills = 0;
    while kills < KILLED {
        // A new model each time that one is done.
        let bytes = model_bytes(1000 + kills, BIG_BYTES);
        let hash = sha256(&bytes);
        server.add("test/killed", "m.gguf", bytes.clone());
        let before = server.sent("test/killed");
        let mut kills_here = 0;
        loop {
            let mut victim = Victim::start(&server.address(), &models);
            let begun = server.sent("test/killed");
            let mark = begun + dice.roll(4 * MIB);
            let ended = loop {
                if let Some(status) = victim.0.try_wait().unwrap() {
                    assert!(status.success(), "{status}");
                    break true;
                }
                if server.sent("test/killed") > mark && kills < KILLED {
                    break false;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            };
            drop(victim);
            let shown = assert_only(&models, &[&bytes]);
            if ended || shown == 1 {
                assert_eq!(shown, 1);
                break;
            }
            (kills, kills_here) = (kills + 1, kills_here + 1);
            count(&endings, "killed");
            assert!(on_disk(&downloads, &hash) <= BIG_BYTES as u64);
        }
        let again = server.sent("test/killed") - before - bytes.len() as u64;
        assert!(
            again <= kills_here * 4 * MIB,
            "{again} bytes in {kills_here} kills"
        );
        fs::remove_dir_all(&models).unwrap();
        fs::create_dir(&models).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_downloads_end_proven_or_paused() {
    let began = Instant::now();
    let (server, endings) = (FaultHub::start().await, Endings::default());
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = tokio::task::JoinSet::new();
    // Made once: reading the system's certificates takes longer than a download here.
    let (patient, hub) = (server.client(LONG), server.client(STALL));
    for seed in 0..IN_PROCESS {
        let (server, endings) = (server.clone(), endings.clone());
        let (patient, hub) = (patient.clone(), hub.clone());
        let places = places.clone();
        running.spawn(async move {
            let _place = places.acquire().await.unwrap();
            one(server, patient, hub, seed, endings).await;
        });
    }
    let plug = FaultHub::start().await;
    running.spawn(killed(plug.clone(), endings.clone()));
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
    server.assert_token_stayed();
    plug.assert_token_stayed();
    let endings = endings.lock().unwrap().clone();
    assert_eq!(endings.values().sum::<usize>() as u64, IN_PROCESS + KILLED);
    println!("{endings:?} in {:?}", began.elapsed());
}
