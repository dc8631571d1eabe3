//! What happens when requests meet: shared prefixes, long prompts beside running streams, cancels, chats that are opened again.
//!
//! Each figure is a ratio to, or a difference from, the same work alone in the same run.

use std::path::Path;
use std::time::{Duration, Instant};

use hearth_engine::{LoadSpec, StateSpec};

use super::bare::Bare;
use super::child::{Answer, Child, greedy, listen, ms, spec};
use super::report::{Must, Report, median, percentile};
use super::words;

/// About 1,000 tokens.
const SHARED_WORDS: usize = 980;
/// A prompt that takes seconds on two cores.
const LONG_WORDS: usize = 1400;
/// About 2,000 tokens.
const CHAT_WORDS: usize = 1950;

/// Decodes `streams` prompts side by side, against the bare batched loop.
pub(crate) async fn together(
    report: &mut Report,
    bare: &mut Bare<'_>,
    child: &Child,
    streams: usize,
    rounds: usize,
) {
    const TOKENS: u32 = 64;
    let mut ratios = Vec::new();
    for round in 0..=rounds {
        // Other ones for each number of streams: a prompt that was read before is found again.
        let first = 1_000 * (7 + streams) + 100 * round;
        let prompts: Vec<String> = (first..first + streams).map(|i| words(i, 40)).collect();
        let bare_ms = bare.together(&prompts, TOKENS);
        let requests = prompts.iter().map(|p| greedy(p, TOKENS));
        let started = Instant::now();
        all(child, requests).await;
        let ours_ms = ms(started.elapsed());
        if round > 0 {
            ratios.push(bare_ms / ours_ms);
        }
    }
    let name = format!("{streams} streams together, to the bare batched loop");
    report.row(
        &name,
        "×",
        median(ratios.into_iter()),
        &Must::AtLeast(0.95),
        "tokens per second, prompts of 40 words and 64 tokens each",
    );
}

/// Four clients whose prompts begin with the same 1,000 tokens.
pub(crate) async fn shared_prefix(report: &mut Report, child: &Child, rounds: usize) {
    let mut ratios = Vec::new();
    let mut cached = 0;
    for round in 0..rounds {
        let one = child
            .ask(greedy(&words(100 + round, SHARED_WORDS), 32))
            .await;
        let shared = words(200 + round, SHARED_WORDS);
        let requests = (0..4).map(|i| greedy(&format!("{shared} {i}"), 32));
        let started = Instant::now();
        let answers = all(child, requests).await;
        let four_ms = ms(started.elapsed());
        // What the issue allows: 1.35 times one client, and the decode of the other three.
        let allowed = 1.35 * one.total_ms() + 3.0 * one.summary.decode_ms;
        ratios.push(four_ms / allowed);
        let prompt = f64::from(answers[0].summary.prompt_tokens);
        cached = answers
            .iter()
            .filter(|a| f64::from(a.summary.cached_tokens) > 0.95 * prompt)
            .count();
    }
    report.row(
        "4 clients with one prefix, to the allowed time",
        "×",
        median(ratios.into_iter()),
        &Must::AtMost(1.0),
        "allowed: 1.35 × one client + decode of three",
    );
    report.row(
        "of them with the prefix from the cache",
        "",
        cached as f64,
        &Must::AtLeast(3.0),
        "more than 95 % of the prompt",
    );
}

/// A long prompt joins a running stream.
pub(crate) async fn joiner(report: &mut Report, child: &Child, rounds: usize) {
    let (mut worst, mut late, mut steps, mut slower) = (vec![], vec![], vec![], vec![]);
    for round in 0..rounds {
        let alone = child.ask(greedy(&words(300 + round, LONG_WORDS), 8)).await;
        let running = tokio::spawn({
            let child = child.clone();
            async move { child.ask(greedy(&words(400 + round, 30), 400)).await }
        });
        tokio::time::sleep(Duration::from_millis(700)).await;
        let joined = child.ask(greedy(&words(500 + round, LONG_WORDS), 8)).await;
        let stream = running.await.unwrap();
        let gaps = stream.gaps_ms();
        worst.push(gaps.iter().copied().fold(0.0, f64::max));
        steps.push(median(gaps.iter().copied()));
        late.push(percentile(gaps, 0.99));
        slower.push(joined.ttft_ms() / alone.ttft_ms());
    }
    report.row(
        "worst gap of a stream while a long prompt joins",
        "ms",
        median(worst.into_iter()),
        &Must::AtMost(250.0),
        "1,400 words",
    );
    report.row(
        "p99 of its gaps",
        "ms",
        median(late.into_iter()),
        &Must::AtMost(100.0),
        "of 400 tokens, a tenth of them while the prompt is read",
    );
    report.note(
        "its normal step in that time",
        "ms",
        median(steps.into_iter()),
    );
    report.row(
        "first token of the one that joins, to alone",
        "×",
        median(slower.into_iter()),
        &Must::AtMost(1.25),
        "",
    );
}

/// The next request after a client hung up while its prompt was read.
pub(crate) async fn cancel(report: &mut Report, child: &Child, rounds: usize) {
    let (mut later, mut decode) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let cold = child.ask(greedy(&words(600 + round, 60), 4)).await;
        let gone = child.generate(greedy(&words(700 + round, LONG_WORDS), 8));
        tokio::time::sleep(Duration::from_millis(500)).await;
        drop(gone);
        let next = child.ask(greedy(&words(800 + round, 60), 4)).await;
        later.push(next.ttft_ms() - cold.ttft_ms());

        let running = child.generate(greedy(&words(900 + round, 20), 400));
        tokio::time::sleep(Duration::from_millis(600)).await;
        let asked = Instant::now();
        running.cancel.cancel();
        decode.push(ms(listen(asked, running).await.ended - asked));
    }
    report.row(
        "first token after a cancel in prefill, beyond cold",
        "ms",
        median(later.into_iter()),
        &Must::AtMost(300.0),
        "",
    );
    report.row(
        "cancel in decode to its end",
        "ms",
        median(decode.into_iter()),
        &Must::AtMost(50.0),
        "within one step",
    );
}

/// A chat is opened again after the program was restarted.
pub(crate) async fn reopen(report: &mut Report, model: &Path, threads: u32, rounds: usize) {
    let folder = std::env::temp_dir().join(format!("hearth-bench-{}", std::process::id()));
    let spec = LoadSpec {
        state: Some(StateSpec {
            folder: folder.clone(),
            model: "starter".into(),
            cap_bytes: 1 << 32,
        }),
        ..spec(model, threads)
    };
    let (mut ratios, mut damaged) = (Vec::new(), Vec::new());
    let mut same = 0;
    for round in 0..rounds {
        let mut request = greedy(&words(1000 + round, CHAT_WORDS), 8);
        request.conversation = Some(format!("chat {round}"));
        let child = Child::start(spec.clone()).await;
        let cold = child.ask(request.clone()).await;
        // Written when the engine ends at the latest.
        child.stop().await;
        let child = Child::start(spec.clone()).await;
        let warm = child.ask(request.clone()).await;
        child.stop().await;
        ratios.push(warm.ttft_ms() / cold.ttft_ms());
        damage(&folder, round);
        let child = Child::start(spec.clone()).await;
        let again = child.ask(request).await;
        child.stop().await;
        same += usize::from(again.text == cold.text && again.summary.cached_tokens == 0);
        damaged.push(again.ttft_ms() / cold.ttft_ms());
        let _ = std::fs::remove_dir_all(&folder);
    }
    report.row(
        "first token of a reopened chat, to cold",
        "×",
        median(ratios.into_iter()),
        &Must::AtMost(0.15),
        "2,000 tokens, after a restart of the engine",
    );
    report.row(
        "damaged states after which the text is the same",
        "",
        same as f64,
        &Must::AtLeast(rounds as f64),
        "a bit flipped, the file cut short",
    );
    report.note(
        "first token with a damaged state, to cold",
        "×",
        median(damaged.into_iter()),
    );
}

/// Flips a bit in the middle of each file, or cuts it there.
fn damage(folder: &Path, round: usize) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        if round.is_multiple_of(2) {
            bytes[middle] ^= 1;
        } else {
            bytes.truncate(middle);
        }
        std::fs::write(&path, bytes).unwrap();
    }
}

/// Memory of the child over many requests.
pub(crate) async fn soak(report: &mut Report, child: &Child, requests: usize) {
    let mut points = Vec::new();
    for done in 0..requests {
        if done % (requests / 20).max(1) == 0 {
            let resident = resident_kib(child);
            eprintln!("after {done} requests: {:.1} MiB", resident / 1024.0);
            points.push((done as f64, resident));
        }
        let mut request = greedy(&words(done % 977, 3 + done % 5), 1 + done as u32 % 2);
        request.conversation = None;
        if done % 10 == 3 {
            drop(child.generate(request));
        } else {
            child.ask(request).await;
        }
    }
    // The first quarter fills the caches.
    let settled = &points[points.len() / 4..];
    report.row(
        "memory growth",
        "KiB",
        slope(settled) * 1000.0,
        &Must::AtMost(10.0),
        &format!("resident, per 1,000 requests, over {requests}"),
    );
    report.note("resident at the end", "MiB", resident_kib(child) / 1024.0);
}

fn resident_kib(child: &Child) -> f64 {
    let process = child.process().expect("the child runs");
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse().ok())
        .unwrap_or(f64::NAN)
}

/// Least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let (mean_x, mean_y) = points
        .iter()
        .fold((0.0, 0.0), |(x, y), p| (x + p.0 / count, y + p.1 / count));
    let (up, down) = points.iter().fold((0.0, 0.0), |(up, down), (x, y)| {
        (
            up + (x - mean_x) * (y - mean_y),
            down + (x - mean_x) * (x - mean_x),
        )
    });
    up / down
}

/// Sends requests at once and waits for all answers.
async fn all(child: &Child, requests: impl Iterator<Item = hearth_engine::Request>) -> Vec<Answer> {
    let asked = Instant::now();
    let running: Vec<_> = requests
        .map(|r| tokio::spawn(listen(asked, child.generate(r))))
        .collect();
    let mut answers = Vec::new();
    for one in running {
        answers.push(one.await.unwrap());
    }
    answers
}
