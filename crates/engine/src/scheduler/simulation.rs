//! The scheduler against a model of costs with a clock of its own: random schedules of requests, cancels and limits, checked for
//! what must always hold. Milliseconds here are simulated, so nothing depends on the machine.

mod aside;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use super::*;
use crate::backend::{DecodeError, Input, Reuse, Sequence, Token};
use crate::picture::{self, Image, Pixels};
use crate::template::Template;
use crate::{Message, ModelInfo, Role, Sampling};

use self::aside::SideReader;

/// Milliseconds of any step, and of one more token in it.
const STEP_MS: f64 = 10.0;
const TOKEN_MS: f64 = 1.5;
/// Milliseconds of a picture.
const IMAGE_MS: f64 = 80.0;

/// A model that computes nothing but keeps exact books of its KV cache, as llama.cpp does: which sequence has which position, and
/// which positions are shared.
struct Costs {
    info: ModelInfo,
    template: Template,
    start: Instant,
    clock_ms: f64,
    cells: usize,
    reuse: Reuse,
    sequences: Vec<Vec<Cell>>,
    /// How many sequences have a cell, by its number.
    owners: Vec<u32>,
    free: BTreeSet<usize>,
    /// What each slot samples next, made from all it was shown, so that a wrong KV cache shows in the text.
    last_batch: Vec<Token>,
    computed: usize,
    /// Most cells that a step had to look at.
    peak: usize,
    aside: Option<SideReader>,
}

impl Costs {
    fn new(context_tokens: u32, cells: usize, reuse: Reuse) -> Self {
        Self {
            info: ModelInfo {
                sees_images: true,
                ..ModelInfo::without_weights(context_tokens)
            },
            template: Template::new(None, "", ""),
            start: Instant::now(),
            clock_ms: 0.0,
            cells,
            reuse,
            sequences: vec![Vec::new(); 8],
            owners: vec![0; cells],
            free: (0..cells).collect(),
            last_batch: Vec::new(),
            computed: 0,
            peak: 0,
            aside: None,
        }
    }

    fn used(&self) -> usize {
        self.cells - self.free.len()
    }

    /// How many cells a CPU's attention looks at: all up to the last one in use.
    fn highest(&self) -> usize {
        let last = self.owners.iter().rposition(|owners| *owners > 0);
        last.map_or(0, |last| last + 1)
    }

    fn append(&mut self, sequence: Sequence, position: usize, token: Token, inside: bool) -> u64 {
        let cells = &mut self.sequences[sequence as usize];
        assert_eq!(
            cells.len(),
            position,
            "a position was left out or computed twice"
        );
        let number = self.free.pop_first().unwrap();
        self.owners[number] = 1;
        let hash = hash(cells.last().map_or(17, |cell| cell.hash), token);
        cells.push(Cell {
            number,
            hash,
            inside,
        });
        hash
    }

    fn assert_whole(&self, sequence: Sequence, length: usize) {
        let next = self.sequences[sequence as usize].get(length);
        let inside = next.is_some_and(|cell| cell.inside);
        assert!(!inside, "a picture was cut in two");
    }

    fn give_up(&mut self, cells: impl Iterator<Item = Cell>) {
        for cell in cells {
            self.owners[cell.number] -= 1;
            if self.owners[cell.number] == 0 {
                self.free.insert(cell.number);
            }
        }
    }
}

/// One position of a sequence.
#[derive(Debug, Clone, Copy)]
struct Cell {
    number: usize,
    /// Of all tokens up to here.
    hash: u64,
    /// Whether it belongs to the same picture as the one before.
    inside: bool,
}

/// Places of a picture in the cache.
fn places(image: &Pixels) -> usize {
    1 + image.key as usize % 30
}

fn hash(before: u64, token: Token) -> u64 {
    before
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(token as u64 + 1)
        .rotate_left(23)
}

/// The token that follows a text, as the simulated model has it. Few different ones, so that guesses come true now and then.
fn next_token(hash: u64) -> Token {
    (hash >> 33) as Token % 3
}

impl Backend for Costs {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn template(&self) -> &Template {
        &self.template
    }

    fn tokenize(&mut self, text: &str, _begins: bool) -> Result<Vec<Token>, Error> {
        Ok(text.bytes().map(Token::from).collect())
    }

    fn detokenize(&mut self, tokens: &[Token]) -> Result<Vec<u8>, Error> {
        Ok(tokens.iter().map(|token| b'0' + *token as u8).collect())
    }

    fn piece(&mut self, token: Token, _: &[&str], bytes: &mut Vec<u8>) {
        bytes.push(b'0' + token as u8);
    }

    fn is_end(&self, _token: Token) -> bool {
        false
    }

    fn batch_tokens(&self) -> usize {
        128
    }

    fn sequences(&self) -> u32 {
        self.sequences.len() as u32
    }

    fn cells(&self) -> usize {
        self.cells
    }

    fn reuse(&self) -> Reuse {
        self.reuse
    }

    /// On a CPU, where prompts are read aside too.
    fn scans_cells(&self) -> bool {
        self.aside.is_some()
    }

    fn copy(&mut self, from: Sequence, to: Sequence, length: usize) {
        assert!(self.sequences[to as usize].is_empty());
        assert!(self.reuse == Reuse::Prefix || length == self.sequences[from as usize].len());
        self.assert_whole(from, length);
        let cells = self.sequences[from as usize][..length].to_vec();
        for cell in &cells {
            self.owners[cell.number] += 1;
        }
        self.sequences[to as usize] = cells;
    }

    fn truncate(&mut self, sequence: Sequence, length: usize) -> bool {
        let whole = self.reuse == Reuse::Whole && length < self.sequences[sequence as usize].len();
        let keep = if whole {
            0
        } else {
            length.min(self.sequences[sequence as usize].len())
        };
        self.assert_whole(sequence, keep);
        let gone = self.sequences[sequence as usize].split_off(keep);
        self.give_up(gone.into_iter());
        !whole || length == 0
    }

    fn shift(&mut self, sequence: Sequence, from: usize, to: usize) -> bool {
        if self.reuse == Reuse::Whole {
            return false;
        }
        let moved = &self.sequences[sequence as usize][from..];
        assert!(
            moved.iter().all(|cell| self.owners[cell.number] == 1),
            "a shared position was moved"
        );
        let gone: Vec<Cell> = self.sequences[sequence as usize].drain(from..to).collect();
        self.give_up(gone.into_iter());
        true
    }

    fn decode(&mut self, batch: &[Input]) -> Result<(), DecodeError> {
        assert!(!batch.is_empty() && batch.len() <= self.batch_tokens());
        if batch.len() > self.free.len() {
            return Err(DecodeError::Full);
        }
        self.last_batch.clear();
        for input in batch {
            assert!(input.token >= 0, "a picture is no token");
            let hash = self.append(input.sequence, input.position as usize, input.token, false);
            self.last_batch.push(next_token(hash));
        }
        self.computed += batch.len();
        self.peak = self.peak.max(self.highest());
        self.clock_ms += STEP_MS + TOKEN_MS * batch.len() as f64;
        Ok(())
    }

    fn image(&mut self, image: &Pixels) -> Result<Vec<Token>, Error> {
        Ok(picture::names(image.key, places(image)).collect())
    }

    fn decode_image(
        &mut self,
        image: &Pixels,
        sequence: Sequence,
        position: usize,
    ) -> Result<(), DecodeError> {
        let count = places(image);
        if count > self.free.len() {
            return Err(DecodeError::Full);
        }
        for (index, name) in picture::names(image.key, count).enumerate() {
            self.append(sequence, position + index, name, index > 0);
        }
        self.computed += count;
        self.peak = self.peak.max(self.highest());
        self.clock_ms += IMAGE_MS;
        Ok(())
    }

    fn start_sampling(
        &mut self,
        _: usize,
        _: &Request,
        _: &crate::output::Syntax,
        _: &[Token],
    ) -> Result<(), Error> {
        Ok(())
    }

    fn sample(&mut self, _slot: usize, index: usize) -> Result<Token, Error> {
        Ok(self.last_batch[index])
    }

    fn state_layout(&self) -> String {
        String::new()
    }

    fn export_bytes(&self, sequence: Sequence) -> u64 {
        8 * self.sequences[sequence as usize].len() as u64
    }

    fn export(&mut self, sequence: Sequence) -> Option<Vec<u8>> {
        let cells = self.sequences[sequence as usize].iter();
        let bytes: Vec<u8> = cells.flat_map(|cell| cell.hash.to_le_bytes()).collect();
        (!bytes.is_empty()).then_some(bytes)
    }

    fn import(&mut self, sequence: Sequence, state: &[u8], length: usize) -> bool {
        assert!(self.sequences[sequence as usize].is_empty());
        let (hashes, _) = state.as_chunks::<8>();
        assert_eq!(hashes.len(), length);
        if length > self.free.len() {
            return false;
        }
        for hash in hashes {
            let number = self.free.pop_first().unwrap();
            self.owners[number] = 1;
            let hash = u64::from_le_bytes(*hash);
            // Whether it was a picture is not kept.
            self.sequences[sequence as usize].push(Cell {
                number,
                hash,
                inside: false,
            });
        }
        true
    }

    fn set_threads(&mut self, threads: u32) -> Result<(), Error> {
        self.info.threads = threads;
        Ok(())
    }

    fn aside(&mut self) -> Option<&mut dyn crate::backend::Aside> {
        let reader = self.aside.as_mut()?;
        Some(reader)
    }

    fn now(&self) -> Instant {
        let aside_ms = self.aside.as_ref().map_or(0.0, |aside| aside.passed_ms);
        self.start + Duration::from_secs_f64((self.clock_ms + aside_ms) / 1000.0)
    }
}

/// What was seen of one request.
#[derive(Debug, Default)]
struct Seen {
    text: String,
    cached: u32,
    times_ms: Vec<f64>,
    end: Option<Result<Summary, Error>>,
}

/// Runs a list of (simulated millisecond, work) to the end; what was seen of each request.
fn simulate(costs: &mut Costs, slots: u32, mut work: Vec<(f64, Work)>) -> BTreeMap<u64, Seen> {
    work.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut work = work.into_iter().peekable();
    let events = std::cell::RefCell::new(Vec::new());
    let mut send = |batch| events.borrow_mut().extend::<Vec<_>>(batch);
    let start = costs.start;
    let mut seen = BTreeMap::<u64, Seen>::new();
    // The scheduler has the model to itself, so that its clock is set through the scheduler.
    let mut scheduler = Scheduler::new(costs, slots, None, &mut send);
    let mut steps = 0;
    loop {
        let now_ms = scheduler.backend.now().duration_since(start).as_secs_f64() * 1000.0;
        while work.peek().is_some_and(|(at, _)| *at <= now_ms)
            || scheduler.is_idle()
            || (scheduler.stuck && scheduler.aside.is_none())
        {
            let Some((_, next)) = work.next() else { break };
            scheduler.take(next);
        }
        for (id, event) in events.borrow_mut().drain(..) {
            let one = seen.entry(id).or_default();
            assert!(one.end.is_none(), "{id} was told {event:?} after its end");
            match event {
                Event::Started { cached_tokens, .. } => one.cached = cached_tokens,
                Event::Text { text, .. } => {
                    one.text.push_str(&text);
                    one.times_ms.push(now_ms);
                }
                Event::Finished(summary) => one.end = Some(Ok(summary)),
                Event::Failed(error) => one.end = Some(Err(error)),
                _ => {}
            }
        }
        if work.peek().is_none() && scheduler.is_idle() {
            break;
        }
        assert!(
            !scheduler.stuck || scheduler.aside.is_some() || work.peek().is_some(),
            "nothing goes on"
        );
        scheduler.step();
        steps += 1;
        assert!(steps < 100_000, "the work never ends");
    }
    // Nothing leaked: with the idle sequences gone the cache is empty and every sequence can be had.
    let (cache, backend) = scheduler.cache();
    cache.clear_idle(backend);
    assert_eq!(cache.used(), 0);
    let all: Vec<_> = std::iter::from_fn(|| cache.take(backend)).collect();
    assert_eq!(all.len(), backend.sequences() as usize);
    assert_eq!(costs.used(), 0);
    seen
}

fn request(prompt: &str, max_tokens: u32, priority: Priority) -> Box<Request> {
    Box::new(Request {
        max_tokens: Some(max_tokens),
        priority,
        // Without a seed, so that guesses are made; the simulated model says the same each time.
        sampling: Sampling::default(),
        ..Request::text(prompt)
    })
}

/// The answer of a model that serves nobody else and caches nothing.
fn alone(prompt: &[Token], max_tokens: usize) -> String {
    let mut text_hash = prompt.iter().fold(17, |before, token| hash(before, *token));
    let mut text = String::new();
    for _ in 0..max_tokens {
        let token = next_token(text_hash);
        text_hash = hash(text_hash, token);
        text.push(char::from(b'0' + token as u8));
    }
    text
}

/// A few pictures as files.
static FILES: LazyLock<[Arc<[u8]>; 4]> = LazyLock::new(|| {
    [1, 2, 3, 4].map(|size| {
        let mut file = std::io::Cursor::new(Vec::new());
        let picture = image::RgbImage::new(size, 1);
        picture
            .write_to(&mut file, image::ImageFormat::Png)
            .unwrap();
        file.into_inner().into()
    })
});

struct Random(fastrand::Rng);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0.u64(0..limit)
    }

    /// A message with one to three of a few pictures.
    fn pictures(&mut self) -> Vec<Message> {
        let mut message = Message::new(Role::User, self.prompt());
        let mut at = 0;
        for _ in 0..=self.below(3) {
            at += self.below((message.content.len() - at) as u64 + 1) as usize;
            let file = FILES[self.below(FILES.len() as u64) as usize].clone();
            message.images.push(Image::at(file, at));
        }
        vec![message]
    }

    /// Prompts that often begin alike.
    fn prompt(&mut self) -> String {
        let mut prompt = String::new();
        for _ in 0..=self.below(4) {
            let part = char::from(b'a' + self.below(3) as u8).to_string();
            prompt += &part.repeat(1 + self.below(60) as usize);
        }
        prompt
    }

    fn schedule(&mut self) -> Vec<(f64, Work)> {
        let mut work = Vec::new();
        for id in 0..2 + self.below(9) {
            let at = self.below(2000) as f64;
            let priority = [Priority::Interactive, Priority::Api, Priority::Background]
                [self.below(3) as usize];
            let mut request = request(&self.prompt(), 1 + self.below(40) as u32, priority);
            if self.below(6) == 0 {
                request.prompt = crate::Prompt::Chat(self.pictures());
            }
            request.shift = self.below(4) == 0;
            request.read_ahead = self.below(6) == 0;
            work.push((at, Work::Generate { id, request }));
            if self.below(4) == 0 {
                work.push((at + self.below(400) as f64, Work::Cancel { id }));
            }
        }
        if self.below(3) == 0 {
            let limits = Limits {
                slots: Some(1 + self.below(4) as u32),
                background: self.below(2) == 0,
                step_ms: 20 + self.below(100) as u32,
                ..Limits::default()
            };
            work.push((self.below(1000) as f64, Work::Limit { limits }));
            work.push((
                4000.0,
                Work::Limit {
                    limits: Limits::default(),
                },
            ));
        }
        work
    }
}

fn check_random_schedule(random: &mut Random) {
    // Small, so that streams are parked and contexts overflow.
    let (context, cells) = (
        150 + random.below(200) as u32,
        350 + random.below(300) as usize,
    );
    let reuse = if random.below(5) == 0 {
        Reuse::Whole
    } else {
        Reuse::Prefix
    };
    let mut costs = Costs::new(context, cells, reuse);
    costs.aside = (reuse == Reuse::Prefix && random.below(2) == 0).then(SideReader::default);
    let work = random.schedule();
    let mut asked = HashMap::new();
    let mut cancelled = Vec::new();
    for (_, work) in &work {
        match work {
            Work::Generate { id, request } => drop(asked.insert(*id, request.clone())),
            Work::Cancel { id } => cancelled.push(*id),
            _ => {}
        }
    }
    let seen = simulate(&mut costs, 4, work);
    assert_eq!(seen.len(), asked.len(), "every request has an end");
    for (id, one) in seen {
        let request = &asked[&id];
        let mut plain = Costs::new(10_000, 10_000, Reuse::Prefix);
        let prompt = prompt::prepare(&mut plain, request).unwrap().tokens;
        match one.end.expect("every request has an end") {
            Err(Error::ContextOverflow { .. }) => assert!(prompt.len() >= context as usize),
            Err(error) => panic!("{id} failed: {error}"),
            Ok(summary) if summary.reason == FinishReason::Cancelled => {
                assert!(cancelled.contains(&id))
            }
            Ok(summary) => {
                let full = context as usize - prompt.len();
                let most = if request.read_ahead {
                    0
                } else {
                    request.max_tokens.unwrap() as usize
                };
                let shifts = request.shift && request.images().next().is_none();
                let tokens = if shifts { most } else { most.min(full) };
                assert!(
                    summary.tokens as usize == tokens || shifts,
                    "{summary:?} of {tokens}"
                );
                // Up to a shift of the context the text is that of a model which serves nobody else.
                let same = tokens.min(full).min(one.text.len());
                assert_eq!(one.text[..same], alone(&prompt, same), "{id}");
            }
        }
    }
}

fn random(seed: u64) -> Random {
    Random(fastrand::Rng::with_seed(seed))
}

/// All 100,000 of them, on all cores. The failure of one names its seed.
#[test]
fn random_schedules_end_with_the_right_text_and_leak_nothing() {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                for seed in (thread..100_000).step_by(threads as usize) {
                    let failed =
                        std::panic::catch_unwind(|| check_random_schedule(&mut random(seed)));
                    assert!(failed.is_ok(), "schedule {seed}");
                }
            });
        }
    });
}

#[test]
fn a_shared_beginning_is_computed_once() {
    let mut costs = Costs::new(2000, 4000, Reuse::Prefix);
    let shared = "system prompt ".repeat(70);
    let work = (0..4).map(|id| {
        let prompt = format!("{shared}question {id}");
        (
            0.0,
            Work::Generate {
                id,
                request: request(&prompt, 8, Priority::Api),
            },
        )
    });
    let seen = simulate(&mut costs, 4, work.collect());
    // The prompt once, four tails of less than 32 tokens, and the answers.
    assert!(
        costs.computed < shared.len() + 4 * 40,
        "{} of {}",
        costs.computed,
        shared.len()
    );
    assert_eq!(
        seen.values()
            .filter(|s| s.cached as usize >= shared.len())
            .count(),
        3
    );
}

#[test]
fn idle_text_slows_nobody_and_comes_back() {
    let mut costs = Costs::new(2000, 8000, Reuse::Prefix);
    let chats = ["a", "b", "c"].map(|name| name.repeat(900));
    let mut work = Vec::new();
    for round in 0..3 {
        for (i, chat) in (0..).zip(&chats) {
            let request = request(&format!("{chat}{}", "?".repeat(round)), 8, Priority::Api);
            let id = round as u64 * 10 + i;
            work.push((id as f64 * 5000.0, Work::Generate { id, request }));
        }
    }
    let seen = simulate(&mut costs, 4, work);
    assert!(costs.peak < 1100, "{} cells", costs.peak);
    let again = seen.iter().filter(|(id, _)| **id >= 10);
    let cached: Vec<u32> = again.map(|(_, one)| one.cached).collect();
    assert!(cached.iter().all(|cached| *cached >= 899), "{cached:?}");
}

#[test]
fn on_a_cpu_even_little_idle_text_goes_and_comes_back() {
    let mut costs = Costs::new(2000, 8000, Reuse::Prefix);
    costs.aside = Some(SideReader::default());
    // The answer of one token has nothing of its own as long as the one after it is there.
    let asked = [("a", 1), ("a", 8), ("b", 8), ("c", 8)];
    let again = [("a", 8), ("b", 8), ("c", 8)];
    let mut work = Vec::new();
    for (id, (name, tokens)) in (0..).zip(asked.into_iter().chain(again)) {
        let request = request(&name.repeat(40), tokens, Priority::Api);
        work.push((id as f64 * 5000.0, Work::Generate { id, request }));
    }
    let seen = simulate(&mut costs, 4, work);
    assert!(costs.peak <= 48, "{} cells", costs.peak);
    let cached: Vec<u32> = seen.values().map(|one| one.cached).collect();
    assert_eq!(cached, [0, 39, 0, 0, 39, 39, 39]);
}

#[test]
fn a_long_prompt_keeps_no_stream_waiting() {
    let mut costs = Costs::new(4000, 8000, Reuse::Prefix);
    let long = "x".repeat(2000);
    let work = vec![
        (
            0.0,
            Work::Generate {
                id: 1,
                request: request("short", 400, Priority::Api),
            },
        ),
        (
            300.0,
            Work::Generate {
                id: 2,
                request: request(&long, 5, Priority::Api),
            },
        ),
    ];
    let seen = simulate(&mut costs, 4, work);
    let gaps = seen[&1].times_ms.windows(2).map(|t| t[1] - t[0]);
    let worst = gaps.fold(0.0, f64::max);
    assert!(worst <= 1.1 * f64::from(Limits::STEP_MS), "{worst} ms");
    let summary = seen[&2].end.as_ref().unwrap().as_ref().unwrap();
    let by_itself = 2000.0 * TOKEN_MS + 2000.0 / 128.0 * STEP_MS;
    assert!(
        summary.ttft_ms <= 1.25 * by_itself,
        "{} ms of {by_itself}",
        summary.ttft_ms
    );
}

#[test]
fn the_window_goes_first_and_nobody_starves() {
    let mut costs = Costs::new(1000, 4000, Reuse::Prefix);
    let mut work = vec![(
        0.0,
        Work::Generate {
            id: 999,
            request: request("background", 5, Priority::Background),
        },
    )];
    // More than the machine can do, for a minute.
    for id in 0..200 {
        let prompt = format!("{id} {}", "y".repeat(200));
        work.push((
            id as f64 * 300.0,
            Work::Generate {
                id,
                request: request(&prompt, 60, Priority::Api),
            },
        ));
    }
    work.push((
        20_000.0,
        Work::Generate {
            id: 1000,
            request: request("a person", 20, Priority::Interactive),
        },
    ));
    let seen = simulate(&mut costs, 4, work);
    let person = seen[&1000].end.as_ref().unwrap().as_ref().unwrap();
    assert!(
        person.ttft_ms < 2.5 * f64::from(Limits::STEP_MS),
        "{person:?}"
    );
    assert!(
        seen[&999].times_ms[0] < 60_000.0,
        "{:?}",
        seen[&999].times_ms
    );
    // First come, first served: nobody waits for somebody who came a lot later.
    let begun: Vec<f64> = (0..200).map(|id| seen[&id].times_ms[0]).collect();
    let overtaken = (0..200)
        .filter(|i| {
            begun[i + 1..]
                .iter()
                .any(|later| *later + 2000.0 < begun[*i])
        })
        .count();
    assert_eq!(overtaken, 0);
}

#[test]
fn a_cancel_waits_for_one_step() {
    let mut costs = Costs::new(8000, 8000, Reuse::Prefix);
    let work = vec![
        (
            0.0,
            Work::Generate {
                id: 1,
                request: request(&"z".repeat(7000), 5, Priority::Api),
            },
        ),
        (500.0, Work::Cancel { id: 1 }),
        (
            500.0,
            Work::Generate {
                id: 2,
                request: request("next", 1, Priority::Api),
            },
        ),
    ];
    let seen = simulate(&mut costs, 1, work);
    assert!(
        seen[&2].times_ms[0] < 500.0 + 250.0,
        "{:?}",
        seen[&2].times_ms
    );
}
