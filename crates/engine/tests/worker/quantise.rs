//! Smaller copies of the starter model: they load, answer, and are measured beside the original.

use std::path::Path;
use std::time::Duration;

use hearth_engine::quantise::{self, Job, Made, Quantisation, Stage};
use hearth_engine::supervisor::Launch;
use hearth_engine::{Engine, Error, Event, LoadSpec, Request, Sampling, supervisor::Supervisor};
use libtest_mimic::Trial;

use crate::starter_path;

const TEXT: &str = "A refrigerator does not make cold. It moves heat from the inside to the outside, which is why the back of it is \
    warm. The colder it is outside, the harder the work. The ferry left the harbour a little after seven, when the fog had thinned \
    enough for the captain to see the second buoy. There should have been forty crates, and she counted thirty-eight.";

pub fn trials() -> Vec<Trial> {
    vec![
        trial("quantise::copies_load_answer_and_are_measured", copies),
        trial(
            "quantise::what_matters_for_a_text_is_kept_better",
            importance,
        ),
        trial("quantise::a_dropped_job_ends_its_process", dropped),
        trial("quantise::what_cannot_be_converted_is_said", refused),
    ]
}

/// Conversions of 135 million weights, on a machine that may be busy.
fn trial<F: Future<Output = ()>>(
    name: &'static str,
    test: impl FnOnce() -> F + Send + 'static,
) -> Trial {
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        runtime.block_on(async { tokio::time::timeout(Duration::from_secs(900), test()).await })?;
        Ok(())
    })
}

fn job(source: &Path, target: &Path, to: Quantisation) -> Job {
    Job {
        source: source.to_owned(),
        target: target.to_owned(),
        to,
        threads: None,
        offload: true,
        importance_text: None,
        dry_run: false,
        measured_text: None,
    }
}

async fn make(job: &Job) -> Result<(Made, Vec<(Stage, u32, u32)>), Error> {
    let mut seen = Vec::new();
    let launch = Launch::this_executable().unwrap();
    let made = quantise::run(&launch, job, |stage, done, total| {
        seen.push((stage, done, total))
    });
    made.await.map(|made| (made, seen))
}

async fn copies() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("f16.gguf");
    make(&job(&starter_path(), &whole, Quantisation::F16))
        .await
        .unwrap();
    let bytes = |path: &Path| std::fs::metadata(path).unwrap().len();
    let mut perplexities = Vec::new();
    for (to, part) in [(Quantisation::Q8_0, 0.54), (Quantisation::Q4KM, 0.42)] {
        let target = folder.path().join(to.name());
        let mut job = job(&whole, &target, to);
        job.measured_text = Some(TEXT.to_owned());
        let foreseen = Job {
            dry_run: true,
            ..job.clone()
        };
        let foreseen = make(&foreseen).await.unwrap().0.target_bytes;
        assert!(!target.exists(), "a dry run wrote a file");
        let (made, seen) = make(&job).await.unwrap();
        assert_eq!(made.target_bytes, bytes(&target));
        // The header comes on top: 3 MB of words.
        let header = made.target_bytes - foreseen.min(made.target_bytes);
        assert!(
            (1_000_000..6_000_000).contains(&header),
            "{foreseen} foreseen of {made:?}"
        );
        assert!(
            (made.target_bytes as f64) < part * bytes(&whole) as f64,
            "{made:?}"
        );
        let tensors: Vec<_> = seen.iter().filter(|s| s.0 == Stage::Convert).collect();
        assert_eq!(tensors.first().unwrap().1, 1);
        assert_eq!(tensors.last().unwrap().1, tensors.last().unwrap().2);
        let (before, after) = (
            made.source_perplexity.unwrap(),
            made.target_perplexity.unwrap(),
        );
        println!("{}: perplexity {after:.3}, of F16 {before:.3}", to.name());
        assert!(before > 3.0 && before < 100.0, "{before}");
        perplexities.push((before, after));
        assert_eq!(answer(&target).await, answer(&target).await);
    }
    let [(whole, eight), (again, four)] = perplexities[..] else {
        unreachable!()
    };
    assert!(
        (whole - again).abs() < 1e-6 * whole,
        "the same model, the same text: {whole} {again}"
    );
    assert!(
        (eight / whole - 1.0).abs() < 0.02,
        "8 bits cost next to nothing: {eight} of {whole}"
    );
    assert!((0.95..1.6).contains(&(four / whole)), "{four} of {whole}");
}

/// A few words of the model in this file.
async fn answer(path: &Path) -> String {
    let engine = Supervisor::start(Launch::this_executable().unwrap(), LoadSpec::new(path));
    let mut generation = engine.generate(Request {
        sampling: Sampling::greedy(),
        max_tokens: Some(12),
        ..Request::text("The capital of France is")
    });
    let mut text = String::new();
    loop {
        match generation.events.recv().await.unwrap() {
            Event::Text { text: more, .. } => text.push_str(&more),
            Event::Finished(_) => break,
            Event::Failed(error) => panic!("{error}"),
            _ => {}
        }
    }
    engine.shut_down();
    assert!(text.contains("Paris"), "{text}");
    text
}

async fn importance() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, weighted) = (folder.path().join("plain"), folder.path().join("weighted"));
    let mut job = job(&starter_path(), &plain, Quantisation::Q2K);
    job.measured_text = Some(TEXT.to_owned());
    let (without, _) = make(&job).await.unwrap();
    job.target = weighted;
    job.importance_text = Some(TEXT.to_owned());
    let (with, seen) = make(&job).await.unwrap();
    assert!(seen.iter().any(|s| s.0 == Stage::Importance));
    let (without, with) = (
        without.target_perplexity.unwrap(),
        with.target_perplexity.unwrap(),
    );
    println!("Q2_K: perplexity {without:.3}, with what matters for the text {with:.3}");
    assert!(with < without, "{with} of {without}");
}

async fn dropped() {
    let folder = tempfile::tempdir().unwrap();
    let job = job(
        &starter_path(),
        &folder.path().join("copy"),
        Quantisation::Q4KM,
    );
    let launch = Launch::this_executable().unwrap();
    let started = std::sync::atomic::AtomicBool::new(false);
    {
        let running = quantise::run(&launch, &job, |_, _, _| {
            started.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        tokio::pin!(running);
        while !started.load(std::sync::atomic::Ordering::Relaxed) {
            let early = tokio::time::timeout(Duration::from_millis(5), &mut running).await;
            assert!(early.is_err(), "done before it began: {early:?}");
        }
    }
    // Nobody writes any more.
    let size = || std::fs::metadata(&job.target).map_or(0, |m| m.len());
    tokio::time::sleep(Duration::from_millis(500)).await;
    let then = size();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(size(), then);
}

async fn refused() {
    let folder = tempfile::tempdir().unwrap();
    let letter = folder.path().join("letter.gguf");
    std::fs::write(&letter, "dear reader").unwrap();
    let target = folder.path().join("copy");
    let error = make(&job(&letter, &target, Quantisation::Q8_0))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Backend { .. }), "{error:?}");
    let nowhere = folder.path().join("no/such/folder");
    let error = make(&job(&starter_path(), &nowhere, Quantisation::Q8_0))
        .await
        .unwrap_err();
    println!("{error}");
    assert!(
        matches!(error, Error::Backend { .. } | Error::Crashed { .. }),
        "{error:?}"
    );
}
