//! Many requests on the starter model at once: what they share, what they keep from each other, and what survives a restart.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hearth_engine::supervisor::{Launch, Supervisor};
use hearth_engine::{
    Engine, Event, FinishReason, KvType, Limits, LoadSpec, Message, Overflow, Priority, Prompt,
    Request, Role, Sampling, StateSpec, Summary, kvstore,
};
use libtest_mimic::Trial;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::sampling::LlamaSampler;

use super::{collect, llama_backend, starter_path, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial(
            "greedy_text_is_that_of_a_bare_loop",
            greedy_text_is_that_of_a_bare_loop,
        ),
        trial("the_same_seed_beside_others", the_same_seed_beside_others),
        trial("a_shared_prefix_is_read_once", a_shared_prefix_is_read_once),
        trial(
            "a_long_prompt_is_read_aside_of_a_stream",
            a_long_prompt_is_read_aside_of_a_stream,
        ),
        trial(
            "a_chat_comes_back_after_a_restart",
            a_chat_comes_back_after_a_restart,
        ),
        trial(
            "a_state_that_is_wrong_costs_only_time",
            a_state_that_is_wrong_costs_only_time,
        ),
        trial(
            "limits_change_while_a_stream_runs",
            limits_change_while_a_stream_runs,
        ),
        trial(
            "more_streams_than_the_cache_holds_all_end",
            more_streams_than_the_cache_holds_all_end,
        ),
        trial("a_shifted_context_goes_on", a_shifted_context_goes_on),
        trial(
            "a_long_chat_is_cut_and_says_so",
            a_long_chat_is_cut_and_says_so,
        ),
        trial(
            "reading_ahead_saves_the_reading",
            reading_ahead_saves_the_reading,
        ),
        trial("a_small_kv_type_answers_too", a_small_kv_type_answers_too),
        trial(
            "an_adapter_changes_the_answer",
            an_adapter_changes_the_answer,
        ),
        trial("hang_ups_leak_nothing", hang_ups_leak_nothing),
    ]
}

fn spec() -> LoadSpec {
    let mut spec = LoadSpec::new(starter_path());
    // Other tests run beside this one.
    spec.threads = Some(1);
    spec
}

fn start(spec: LoadSpec) -> Arc<Supervisor> {
    Supervisor::start(Launch::this_executable().unwrap(), spec)
}

fn greedy(text: &str, max_tokens: u32) -> Request {
    Request {
        sampling: Sampling::greedy(),
        max_tokens: Some(max_tokens),
        ignore_eos: true,
        priority: Priority::Api,
        ..Request::text(text)
    }
}

fn words(number: usize, count: usize) -> String {
    let words = [
        "river", "stone", "light", "garden", "window", "letter", "winter",
    ];
    let mut text = format!("{number}:");
    for i in 0..count {
        text = text + " " + words[(i * (number + 3) + i / 7) % words.len()];
    }
    text
}

async fn answer(engine: &Supervisor, request: Request) -> (String, Summary) {
    let (text, end) = collect(engine.generate(request)).await;
    (text, end.unwrap())
}

/// Text that the model has something to say about: after a list of random words two continuations are often equally likely, and
/// the last digits decide.
const STORY: &str = "The lighthouse keeper lived alone on a small rocky island. Every evening he climbed the stairs, cleaned the \
    great glass lens and lit the lamp, so that the ships could find their way past the reef. In winter the storms shook the tower, \
    and he wrote letters to his sister, who lived in a town by the harbour and kept a bakery. ";

/// The plainest loop there is, in this process.
fn bare(prompt: &str, tokens: usize) -> String {
    let backend = llama_backend();
    let model =
        LlamaModel::load_from_file(&backend, starter_path(), &LlamaModelParams::default()).unwrap();
    let params = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(2048))
        .with_n_threads(1)
        .with_n_threads_batch(1);
    let mut context = model.new_context(&backend, params).unwrap();
    let read = model.vocab().tokenize(prompt.as_bytes(), true, true);
    let mut batch = LlamaBatch::new(2048, 1);
    for (position, token) in read.iter().enumerate() {
        batch
            .add(*token, position as i32, &[0], position + 1 == read.len())
            .unwrap();
    }
    let mut sampler = LlamaSampler::greedy();
    let mut bytes = Vec::new();
    for position in read.len()..read.len() + tokens {
        context.decode(&mut batch).unwrap();
        let token = sampler.sample(&context, -1);
        model
            .vocab()
            .token_to_piece_into(token, &mut bytes, false, None);
        batch.clear();
        batch.add(token, position as i32, &[0], true).unwrap();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn greedy_text_is_that_of_a_bare_loop() {
    let engine = start(spec());
    for prompt in [
        "The most important thing about the sea is",
        &format!("{} The next day the keeper", STORY.repeat(3)),
        "def fibonacci(n):\n",
    ] {
        let expected = tokio::task::spawn_blocking({
            let prompt = prompt.to_owned();
            move || bare(&prompt, 96)
        });
        let (text, _) = answer(&engine, greedy(prompt, 96)).await;
        assert_eq!(text, expected.await.unwrap(), "{prompt}");
    }
}

/// Alone, the same seed gives the same text to the last token. In a batch with others llama.cpp adds in another order: the
/// probabilities differ in their last digits, and a text may take another turn where two tokens are about equally likely. Text
/// that the model is sure of is the same.
async fn the_same_seed_beside_others() {
    let engine = start(spec());
    let mut seeded = greedy("A short story about a lighthouse keeper:", 48);
    seeded.sampling = Sampling {
        seed: Some(7),
        temperature: 0.8,
        ..Sampling::default()
    };
    let (alone, _) = answer(&engine, seeded.clone()).await;
    assert_eq!(answer(&engine, seeded).await.0, alone);
    let sure = "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday, Monday, Tuesday,";
    let (alone, _) = answer(&engine, greedy(sure, 24)).await;
    let others: Vec<_> = (0..3)
        .map(|i| engine.generate(greedy(&words(i, 50), 200)))
        .collect();
    let (beside, _) = answer(&engine, greedy(sure, 24)).await;
    drop(others);
    assert_eq!(beside, alone);
    assert!(alone.contains("Sunday"), "{alone}");
}

async fn a_shared_prefix_is_read_once() {
    let engine = start(spec());
    let shared = words(1, 400);
    let running: Vec<_> = (0..4)
        .map(|i| engine.generate(greedy(&format!("{shared} {i}"), 8)))
        .collect();
    let mut cached = Vec::new();
    for generation in running {
        let summary = collect(generation).await.1.unwrap();
        cached.push(f64::from(summary.cached_tokens) / f64::from(summary.prompt_tokens));
    }
    assert_eq!(
        cached.iter().filter(|part| **part > 0.95).count(),
        3,
        "{cached:?}"
    );
    // And what was computed once is still there for one that comes later.
    let (_, later) = answer(&engine, greedy(&format!("{shared} later"), 8)).await;
    assert!(f64::from(later.cached_tokens) > 0.95 * f64::from(later.prompt_tokens));
}

/// Read in large pieces, while the stream goes on; it gives the text that it gives alone, and stays in the cache.
async fn a_long_prompt_is_read_aside_of_a_stream() {
    // A text that says itself again and again, so that the model is sure of what follows.
    let long = greedy(&STORY.repeat(8), 24);
    let alone = {
        let engine = start(spec());
        answer(&engine, long.clone()).await.0
    };
    let engine = start(spec());
    // The beginning is cached already, as that of a chat is.
    answer(&engine, greedy(&STORY.repeat(2), 1)).await;
    let mut stream = engine.generate(greedy(&words(1, 30), 1000));
    while !matches!(stream.events.recv().await, Some(Event::Text { .. })) {}
    let mut reading = engine.generate(long.clone());
    let (mut read, mut first) = (Vec::new(), String::new());
    let cached = loop {
        match reading.events.recv().await.unwrap() {
            Event::Started { cached_tokens, .. } => first += &cached_tokens.to_string(),
            Event::Prefill { done, .. } => read.push(done),
            Event::Text { .. } => break first.parse::<u32>().unwrap(),
            other => panic!("{other:?}"),
        }
    };
    let mut tokens_meanwhile = 0;
    while let Ok(event) = stream.events.try_recv() {
        tokens_meanwhile += usize::from(matches!(event, Event::Text { .. }));
    }
    assert!(cached > 100, "{cached} tokens from the cache");
    // Beside the stream it would be read in smaller pieces on any machine that takes more than 1.6 ms for a token.
    let before = std::iter::once(&cached).chain(&read);
    let pieces: Vec<u32> = read
        .iter()
        .zip(before)
        .map(|(to, from)| to - from)
        .collect();
    assert!(pieces.iter().all(|piece| *piece >= 64), "{pieces:?}");
    assert!(
        tokens_meanwhile > read.len(),
        "{tokens_meanwhile}: {read:?}"
    );
    drop(reading);
    let (text, again) = answer(&engine, long).await;
    assert_eq!(again.cached_tokens, again.prompt_tokens - 1);
    assert_eq!(text, alone);
}

fn kept_in(folder: &Path) -> LoadSpec {
    LoadSpec {
        state: Some(StateSpec {
            folder: folder.to_owned(),
            model: "starter".into(),
            cap_bytes: 1 << 30,
        }),
        ..spec()
    }
}

fn in_chat(conversation: &str) -> Request {
    Request {
        conversation: Some(conversation.into()),
        ..greedy(&words(9, 300), 24)
    }
}

async fn stop(engine: Arc<Supervisor>) {
    engine.shut_down();
    let _ = engine
        .state()
        .wait_for(|s| matches!(s, hearth_engine::State::ShutDown))
        .await;
}

async fn a_chat_comes_back_after_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let engine = start(kept_in(home.path()));
    let (text, cold) = answer(&engine, in_chat("c")).await;
    assert_eq!(cold.cached_tokens, 0);
    // Written after a while of quiet, without being asked.
    let file = home.path().join(kvstore::file_name("starter", "c"));
    for _ in 0..100 {
        if file.exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(file.exists());
    stop(engine).await;
    let engine = start(kept_in(home.path()));
    let (again, warm) = answer(&engine, in_chat("c")).await;
    assert_eq!(warm.cached_tokens, warm.prompt_tokens - 1, "{warm:?}");
    assert_eq!(again, text);
    let (_, other) = answer(
        &engine,
        Request {
            conversation: Some("d".into()),
            ..greedy(&words(2, 80), 2)
        },
    )
    .await;
    assert_eq!(other.cached_tokens, 0);
}

async fn a_state_that_is_wrong_costs_only_time() {
    let home = tempfile::tempdir().unwrap();
    let engine = start(kept_in(home.path()));
    let (text, _) = answer(&engine, in_chat("c")).await;
    // Also written when the engine ends.
    stop(engine).await;
    let file = home.path().join(kvstore::file_name("starter", "c"));
    let whole = std::fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    for (what, bytes) in [
        ("flipped", flipped),
        ("truncated", whole[..whole.len() / 3].to_vec()),
        ("empty", Vec::new()),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let engine = start(kept_in(home.path()));
        let (again, summary) = answer(&engine, in_chat("c")).await;
        assert_eq!(
            (again.as_str(), summary.cached_tokens),
            (text.as_str(), 0),
            "{what}"
        );
        stop(engine).await;
    }
    // The state of other weights, put where ours would be.
    let mut spec = kept_in(home.path());
    spec.state.as_mut().unwrap().model = "other weights".into();
    std::fs::write(
        home.path().join(kvstore::file_name("other weights", "c")),
        &whole,
    )
    .unwrap();
    let engine = start(spec);
    let (again, summary) = answer(&engine, in_chat("c")).await;
    assert_eq!((again, summary.cached_tokens), (text, 0));
}

async fn limits_change_while_a_stream_runs() {
    let engine = start(spec());
    let (expected, _) = answer(&engine, greedy("Once upon a time", 60)).await;
    engine.limit(Limits {
        background: false,
        ..Limits::default()
    });
    let mut background = greedy("never", 2);
    background.priority = Priority::Background;
    let mut waiting = engine.generate(background);
    let mut running = engine.generate(greedy("Once upon a time", 60));
    let mut text = String::new();
    let mut pieces = 0;
    while let Some(event) = running.events.recv().await {
        match event {
            Event::Text { text: more, .. } => {
                text.push_str(&more);
                pieces += 1;
                if pieces == 10 {
                    engine.limit(Limits {
                        threads: Some(2),
                        duty: 0.5,
                        background: false,
                        ..Limits::default()
                    });
                }
                if pieces == 30 {
                    engine.limit(Limits {
                        threads: Some(1),
                        slots: Some(1),
                        background: false,
                        ..Limits::default()
                    });
                }
            }
            Event::Finished(_) => break,
            _ => {}
        }
    }
    assert_eq!(
        text, expected,
        "the KV cache went over to the new number of threads"
    );
    assert!(waiting.events.try_recv().is_err(), "background work waits");
    engine.limit(Limits::default());
    assert!(collect(waiting).await.1.is_ok());
}

async fn more_streams_than_the_cache_holds_all_end() {
    let engine = start(LoadSpec {
        context_tokens: Some(512),
        ..spec()
    });
    let running: Vec<_> = (0..4)
        .map(|i| engine.generate(greedy(&words(i, 150), 60)))
        .collect();
    for (i, generation) in running.into_iter().enumerate() {
        let (text, end) = collect(generation).await;
        assert_eq!(end.unwrap().tokens, 60, "{i}: {text}");
    }
}

async fn a_shifted_context_goes_on() {
    let engine = start(LoadSpec {
        context_tokens: Some(256),
        ..spec()
    });
    let (short, end) = answer(&engine, greedy(&words(1, 60), 600)).await;
    stop(engine).await;
    assert_eq!(end.reason, FinishReason::Length);
    assert!(end.tokens < 256);
    // What the first request left in the cache would change the last digits.
    let engine = start(LoadSpec {
        context_tokens: Some(256),
        ..spec()
    });
    let (long, end) = answer(
        &engine,
        Request {
            shift: true,
            ..greedy(&words(1, 60), 600)
        },
    )
    .await;
    assert_eq!((end.tokens, end.reason), (600, FinishReason::Length));
    assert!(long.starts_with(&short));
}

async fn a_long_chat_is_cut_and_says_so() {
    let engine = start(LoadSpec {
        context_tokens: Some(512),
        ..spec()
    });
    let mut messages = vec![Message::new(Role::System, "You are brief.")];
    for i in 0..30 {
        messages.push(Message::new(Role::User, words(i, 12)));
        messages.push(Message::new(Role::Assistant, "I see."));
    }
    messages.push(Message::new(Role::User, "What is the capital of France?"));
    let mut request = Request {
        max_tokens: Some(8),
        ..Request::chat(messages)
    };
    let refused = collect(engine.generate(request.clone()))
        .await
        .1
        .unwrap_err();
    assert!(
        matches!(
            refused,
            hearth_engine::Error::ContextOverflow {
                prompt_tokens: 512..,
                context_tokens: 512
            }
        ),
        "{refused}"
    );
    request.overflow = Overflow::Cut;
    assert!(matches!(request.prompt, Prompt::Chat(_)));
    let mut generation = engine.generate(request);
    let Some(Event::Started {
        cut_messages,
        prompt_tokens,
        ..
    }) = generation.events.recv().await
    else {
        panic!("the first event is the start")
    };
    assert!(
        cut_messages >= 20 && cut_messages % 2 == 0 && prompt_tokens < 512,
        "{cut_messages} {prompt_tokens}"
    );
    assert!(collect(generation).await.1.is_ok());
}

async fn reading_ahead_saves_the_reading() {
    let engine = start(spec());
    let draft = words(3, 200);
    let ahead = Request {
        read_ahead: true,
        priority: Priority::Background,
        ..greedy(&draft, 1)
    };
    let (text, read) = answer(&engine, ahead).await;
    assert_eq!(
        (text.as_str(), read.tokens, read.reason),
        ("", 0, FinishReason::Stop)
    );
    let (_, sent) = answer(&engine, greedy(&format!("{draft} and then?"), 4)).await;
    assert!(sent.cached_tokens + 8 >= read.prompt_tokens, "{sent:?}");
}

async fn a_small_kv_type_answers_too() {
    for kv_type in [KvType::Q8_0, KvType::Q4_0] {
        let engine = start(LoadSpec { kv_type, ..spec() });
        let (text, _) = answer(&engine, greedy("The capital of France is", 8)).await;
        assert!(text.contains("Paris"), "{kv_type:?}: {text}");
    }
}

/// A thousand cancels and hang-ups, in a prompt, in an answer, and before either.
async fn hang_ups_leak_nothing() {
    let engine = start(LoadSpec {
        context_tokens: Some(1024),
        ..spec()
    });
    // Four clients, so that an end at any time meets the others at any other: 500 cancels, 500 hang-ups, and whole answers between.
    let clients = (0..4).map(|client| {
        let engine = Arc::clone(&engine);
        tokio::spawn(async move {
            for i in (client..1100_usize).step_by(4) {
                let generation = engine.generate(greedy(&words(i, i * 7 % 40), 1 + i as u32 % 20));
                let some_time = Duration::from_millis((i * 31 % 97) as u64);
                match i % 11 {
                    0 => assert!(collect(generation).await.1.is_ok()),
                    1..6 => {
                        tokio::time::sleep(some_time).await;
                        generation.cancel.cancel();
                        assert!(collect(generation).await.1.is_ok());
                    }
                    _ => {
                        tokio::time::sleep(some_time).await;
                        drop(generation);
                    }
                }
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    // All slots and the whole window are there.
    let all: Vec<_> = (0..4)
        .map(|i| engine.generate(greedy(&words(i, 20), 20)))
        .collect();
    for generation in all {
        assert_eq!(collect(generation).await.1.unwrap().tokens, 20);
    }
    let (_, last) = answer(&engine, greedy(&words(999, 900), 4)).await;
    assert_eq!(last.tokens, 4);
}

/// A GGUF with one low-rank change of the first layer's query projection, 576 × 576 in the starter model.
fn adapter_file(value: f32) -> Vec<u8> {
    const WIDTH: u64 = 576;
    let text = |to: &mut Vec<u8>, text: &str| {
        to.extend((text.len() as u64).to_le_bytes());
        to.extend(text.as_bytes());
    };
    let mut file = b"GGUF".to_vec();
    file.extend(3_u32.to_le_bytes());
    file.extend(2_u64.to_le_bytes()); // tensors
    file.extend(4_u64.to_le_bytes()); // keys
    for (key, value) in [
        ("general.type", "adapter"),
        ("general.architecture", "llama"),
        ("adapter.type", "lora"),
    ] {
        text(&mut file, key);
        file.extend(8_u32.to_le_bytes());
        text(&mut file, value);
    }
    text(&mut file, "adapter.lora.alpha");
    file.extend(6_u32.to_le_bytes());
    file.extend(1_f32.to_le_bytes());
    for (name, shape, offset) in [("lora_a", [WIDTH, 1], 0), ("lora_b", [1, WIDTH], WIDTH * 4)] {
        text(&mut file, &format!("blk.0.attn_q.weight.{name}"));
        file.extend(2_u32.to_le_bytes());
        shape.iter().for_each(|n| file.extend(n.to_le_bytes()));
        file.extend(0_u32.to_le_bytes()); // f32
        file.extend(offset.to_le_bytes());
    }
    file.resize(file.len().next_multiple_of(32), 0);
    for i in 0..2 * WIDTH {
        file.extend((if i % 3 == 0 { value } else { -value }).to_le_bytes());
    }
    file
}

async fn an_adapter_changes_the_answer() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("adapter.gguf");
    std::fs::write(&path, adapter_file(3.0)).unwrap();
    let prompt = "The capital of France is";
    let engine = start(spec());
    let (plain, _) = answer(&engine, greedy(prompt, 12)).await;
    stop(engine).await;
    for (scale, same) in [(0.0, true), (1.0, false)] {
        let engine = start(LoadSpec {
            adapters: vec![(path.clone(), scale)],
            ..spec()
        });
        let (adapted, _) = answer(&engine, greedy(prompt, 12)).await;
        assert_eq!(adapted == plain, same, "{scale}: {adapted}");
        // A new context has it too.
        engine.limit(Limits {
            threads: Some(2),
            ..Limits::default()
        });
        assert_eq!(answer(&engine, greedy(prompt, 12)).await.0 == plain, same);
        stop(engine).await;
    }
    let engine = start(LoadSpec {
        adapters: vec![(home.path().join("none"), 1.0)],
        ..spec()
    });
    assert!(collect(engine.generate(greedy(prompt, 1))).await.1.is_err());
}
