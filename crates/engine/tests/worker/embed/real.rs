//! The bundled model, and the starter model loaded for vectors: batches, long texts and hostile ones.

use std::time::{Duration, Instant};

use hearth_engine::embed::pooling::{cosine, normalize};
use hearth_engine::{Limits, Pooling, RerankRequest};
use libtest_mimic::Trial;

use super::super::{ask, collect, trial};
use super::{
    EmbedRequest, Engine, Error, Launch, LoadSpec, LongText, Priority, Purpose, State, Supervisor,
    embedder, embedder_path, info, largest_difference, load, one, starter_path, texts, until,
};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("a_batch_gives_what_single_texts_give", batch_is_as_single),
        trial("near_texts_have_near_vectors", near_texts),
        trial("ten_thousand_words_are_one_vector", ten_thousand_words),
        trial("a_long_text_is_the_mean_of_its_windows", long_is_a_mean),
        trial("hostile_texts_are_embedded_or_refused", hostile_texts),
        trial("a_cancel_waits_for_one_batch", cancel_waits_for_one_batch),
        trial("the_starter_model_makes_vectors", starter_makes_vectors),
        trial("a_model_is_held_to_its_purpose", purposes),
        trial("threads_change_while_an_embedder_is_loaded", threads_change),
    ]
}

async fn batch_is_as_single() {
    let engine = embedder();
    let inputs: Vec<String> = (0..90)
        .map(|i| "The quick brown fox. ".repeat(i % 60 + 1))
        .collect();
    let all = engine
        .embed(EmbedRequest::new(inputs.clone()))
        .await
        .unwrap();
    for i in (0..90).step_by(7) {
        let single = one(&engine, &inputs[i]).await;
        let difference = largest_difference(&single, &all.vectors[i]);
        assert!(difference < 1e-3, "{i}: {difference}");
    }
}

async fn near_texts() {
    let engine = embedder();
    let found = engine
        .embed(texts([
            "A man is eating food.",
            "A man eats a meal.",
            "The stock market fell today.",
        ]))
        .await
        .unwrap();
    let near = cosine(&found.vectors[0], &found.vectors[1]);
    let far = cosine(&found.vectors[0], &found.vectors[2]);
    assert!(near > 0.7 && far < 0.2, "{near} {far}");
    let length: f32 = found.vectors[0].iter().map(|v| v * v).sum();
    assert!((length - 1.0).abs() < 1e-5, "{length}");
    let facts = info(&engine).await;
    assert_eq!(
        (facts.dimensions, facts.window_tokens, facts.pooling),
        (384, 256, Pooling::Mean)
    );
}

async fn ten_thousand_words() {
    let engine = embedder();
    let text = "weather and harvest in the northern valleys ".repeat(10_000 / 7 + 1);
    let found = engine.embed(texts([&text])).await.unwrap();
    assert!(found.tokens[0] > 10_000, "{:?}", found.tokens);
    let near = one(&engine, "weather and harvest in the northern valleys").await;
    let far = one(&engine, "how to reset a password").await;
    let cosines = [near, far].map(|other| cosine(&found.vectors[0], &other));
    assert!(cosines[0] > 0.5 && cosines[1] < 0.2, "{cosines:?}");
    let mut refused = texts([&text]);
    refused.long = LongText::Refuse;
    assert!(matches!(
        engine.embed(refused).await,
        Err(Error::ContextOverflow { prompt_tokens, context_tokens: 256 }) if prompt_tokens > 10_000
    ));
}

/// Two windows of 200 one-token words each: the whole must be the mean of the halves, taken before they are normalised.
async fn long_is_a_mean() {
    let engine = embedder();
    let halves = ["apple ".repeat(200), "house ".repeat(200)];
    let mut request = texts([&halves[0], &halves[1], &halves.concat()]);
    request.normalize = false;
    let found = engine.embed(request).await.unwrap();
    assert_eq!(found.tokens, [202, 202, 404]);
    let [one, two, both] = &found.vectors[..] else {
        panic!("{} vectors", found.vectors.len());
    };
    let mean: Vec<f32> = one
        .iter()
        .zip(two)
        .map(|(a, b)| f32::midpoint(*a, *b))
        .collect();
    assert!(largest_difference(&mean, both) < 1e-3);
    let mut normalized = both.clone();
    normalize(&mut normalized);
    let whole = self::one(&engine, &halves.concat()).await;
    assert!(largest_difference(&normalized, &whole) < 1e-3);
}

async fn hostile_texts() {
    let engine = embedder();
    let letters = "a".repeat(1024 * 1024);
    let emoji = "😀".repeat(100_000);
    let words = "ab ".repeat(5000);
    let nuls = "\0".repeat(10_000);
    let hostile = [
        "\0",
        &nuls,
        " ",
        "\n\t",
        "a\0b",
        "[CLS][SEP][PAD][MASK][UNK]",
        "\u{feff}",
        "\u{202e}abc",
        "\u{fffd}",
        &letters,
        &emoji,
        &words,
        "e\u{301}\u{301}\u{301}",
        "\u{10ffff}",
        "\\u0000",
    ];
    let found = engine.embed(texts(hostile)).await.unwrap();
    assert_eq!(found.vectors.len(), hostile.len());
    assert!(found.vectors.iter().flatten().all(|v| v.is_finite()));
    assert!(found.tokens[11] > 5000);
    let pid = engine.child_id();
    let marks = "a\u{301}".repeat(200_000);
    engine.embed(texts([&marks])).await.unwrap();
    for (inputs, field) in [
        (vec![String::new(); 5000], "inputs"),
        (vec!["a".into(), String::new()], "inputs[1]"),
        (vec![], "inputs"),
        (vec!["a".repeat(3 * 1024 * 1024)], "inputs[0]"),
    ] {
        match engine.embed(EmbedRequest::new(inputs)).await {
            Err(Error::InvalidRequest { field: found, .. }) => assert_eq!(found, field),
            other => panic!("{field}: {other:?}"),
        }
    }
    assert_eq!(engine.child_id(), pid, "the child was lost on the way");
}

async fn cancel_waits_for_one_batch() {
    let engine = embedder();
    let _ = one(&engine, "load first").await;
    let mut request = EmbedRequest::new(vec!["some words to read ".repeat(2000); 200]);
    request.priority = Priority::Background;
    let work = engine.embed(request);
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(work);
    let asked = Instant::now();
    until(&engine, |s| matches!(s, State::Ready { active: 0, .. })).await;
    // Some ten thousand windows would take minutes; the bound is wide because the machine may be busy.
    assert!(
        asked.elapsed() < Duration::from_secs(3),
        "{:?}",
        asked.elapsed()
    );
}

async fn starter_makes_vectors() {
    // A short window, so that a text need not be long to be split.
    let mut spec = LoadSpec::new(starter_path());
    (spec.purpose, spec.threads, spec.context_tokens) = (Purpose::Embed, Some(1), Some(64));
    let engine = Supervisor::start(Launch::this_executable().unwrap(), spec);
    let facts = info(&engine).await;
    assert_eq!(
        (facts.dimensions, facts.window_tokens, facts.pooling),
        (576, 64, Pooling::Last)
    );
    let long = "The harvest was late this year. ".repeat(40);
    let mut request = texts(["Cats are small animals.", "Dogs are animals.", &long]);
    let last = engine.embed(request.clone()).await.unwrap();
    assert!(last.tokens[2] > facts.window_tokens, "{:?}", last.tokens);
    request.pooling = Some(Pooling::Mean);
    let mean = engine.embed(request.clone()).await.unwrap();
    assert!(cosine(&last.vectors[0], &mean.vectors[0]) < 0.99);
    assert!(mean.vectors.iter().flatten().all(|v| v.is_finite()));
    // A causal model keeps the last batch in its cache: what was there before must not matter.
    let text = &request.inputs[0];
    let first = one(&engine, text).await;
    let _ = one(&engine, "Something else altogether came between.").await;
    assert!(largest_difference(&first, &one(&engine, text).await) < 1e-6);
    // Quantised weights are rounded differently for one text and for many, so this is less than equal.
    assert!(cosine(&first, &last.vectors[0]) > 0.999);
    let letters = engine.embed(texts([&"a".repeat(2000)])).await.unwrap();
    assert_eq!(letters.vectors.len(), 1);
}

async fn purposes() {
    let engine = embedder();
    let (_, end) = collect(engine.generate(ask("hi"))).await;
    assert!(matches!(end, Err(Error::InvalidRequest { field, .. }) if field == "model"));
    let ranked = engine
        .rerank(RerankRequest::new("q", vec!["d".into()]))
        .await;
    assert!(matches!(ranked, Err(Error::InvalidRequest { field, .. }) if field == "model"));
    let chat = load(starter_path(), Purpose::Generate);
    let vectors = chat.embed(texts(["hi"])).await;
    assert!(matches!(vectors, Err(Error::InvalidRequest { field, .. }) if field == "model"));
    for path in [embedder_path(), starter_path()] {
        let engine = load(path, Purpose::Rerank);
        let refused = engine
            .rerank(RerankRequest::new("q", vec!["d".into()]))
            .await;
        assert!(
            matches!(&refused, Err(Error::LoadFailed { reason }) if reason.contains("head")),
            "{refused:?}"
        );
    }
}

async fn threads_change() {
    let engine = embedder();
    let text = "The governor asks for fewer threads while texts are being read.";
    let before = one(&engine, text).await;
    for threads in [2, 1] {
        engine.limit(Limits {
            threads: Some(threads),
            ..Limits::default()
        });
        let after = one(&engine, text).await;
        assert!(largest_difference(&before, &after) < 1e-3);
    }
}
