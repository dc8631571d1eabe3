//! Pictures through the child and llama.cpp: the starter model with a projector of random weights, and a tiny Qwen2-VL, which counts
//! rows and columns. What is answered makes no sense; that it depends on the picture, and on nothing else, is what counts.

mod bare;
mod tiny;

use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;

use hearth_engine::supervisor::{Launch, Supervisor};
use hearth_engine::{
    Engine, Error, Event, Generation, Image, LoadSpec, Message, Request, Role, Sampling, Summary,
    TokenReply, TokenTask,
};
use libtest_mimic::Trial;
use tempfile::NamedTempFile;

use super::{ask, collect, fake, starter_path, trial};

/// Width of the starter model's embeddings.
const STARTER_WIDTH: u64 = 576;
/// Places of a picture in the first model.
const PLACES: u32 = 64;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("llava: the answer depends on the picture", || {
            the_answer_depends_on_the_picture(llava())
        }),
        trial("qwen: the answer depends on the picture", || {
            the_answer_depends_on_the_picture(qwen())
        }),
        trial("llava: another picture leaves no trace", || {
            another_picture_leaves_no_trace(llava())
        }),
        trial("qwen: another picture leaves no trace", || {
            another_picture_leaves_no_trace(qwen())
        }),
        trial("llava: the answer is that of a bare loop", || {
            the_answer_is_that_of_a_bare_loop(llava())
        }),
        trial("qwen: the answer is that of a bare loop", || {
            the_answer_is_that_of_a_bare_loop(qwen())
        }),
        trial("llava: a picture is computed once", || {
            a_picture_is_computed_once(llava())
        }),
        trial("qwen: a picture is computed once", || {
            a_picture_is_computed_once(qwen())
        }),
        trial("llava: others run beside it", || {
            others_run_beside_it(llava())
        }),
        trial(
            "qwen: others run beside it",
            || others_run_beside_it(qwen()),
        ),
        trial("places_count_as_tokens", places_count_as_tokens),
        trial(
            "what_cannot_be_seen_is_refused",
            what_cannot_be_seen_is_refused,
        ),
        trial(
            "a_projector_of_another_model_is_refused",
            a_projector_of_another_model_is_refused,
        ),
        trial("the_fake_sees", the_fake_sees),
    ]
}

/// A child and the files it was loaded from.
struct Seeing {
    engine: Arc<Supervisor>,
    projector: NamedTempFile,
    /// `None` is the starter model.
    model: Option<NamedTempFile>,
}

impl Seeing {
    fn model_path(&self) -> PathBuf {
        let path = self.model.as_ref().map(|model| model.path().to_owned());
        path.unwrap_or_else(starter_path)
    }
}

fn load(projector: NamedTempFile, model: Option<NamedTempFile>) -> Seeing {
    let path = model.as_ref().map(|model| model.path().to_owned());
    let mut spec = LoadSpec::new(path.unwrap_or_else(starter_path));
    spec.projector = Some(projector.path().to_owned());
    spec.threads = Some(1);
    spec.context_tokens = Some(2048);
    Seeing {
        engine: Supervisor::start(Launch::this_executable().unwrap(), spec),
        projector,
        model,
    }
}

fn llava() -> Seeing {
    load(tiny::llava_projector(STARTER_WIDTH), None)
}

fn qwen() -> Seeing {
    load(tiny::qwen_projector(), Some(tiny::qwen()))
}

/// A picture with stripes; as a PNG file.
fn picture(stripe: u32) -> Vec<u8> {
    let stripes = image::RgbImage::from_fn(160, 120, |x, y| {
        let light = if (x / stripe + y / (2 * stripe)).is_multiple_of(2) {
            250
        } else {
            10
        };
        image::Rgb([light, (x % 256) as u8, 255 - light])
    });
    let mut file = Cursor::new(Vec::new());
    stripes
        .write_to(&mut file, image::ImageFormat::Png)
        .unwrap();
    file.into_inner()
}

fn question(picture: Vec<u8>, text: &str) -> Request {
    let mut message = Message::new(Role::User, text);
    message.images.push(Image::new(picture));
    let mut request = Request::chat(vec![message]);
    request.sampling = Sampling::greedy();
    request.ignore_eos = true;
    request.max_tokens = Some(16);
    request
}

async fn answer(seeing: &Seeing, request: Request) -> (String, Summary) {
    let (text, end) = collect(seeing.engine.generate(request)).await;
    (text, end.unwrap())
}

async fn the_answer_depends_on_the_picture(seeing: Seeing) {
    let (first, summary) = answer(&seeing, question(picture(3), "What is it?")).await;
    assert_eq!(summary.cached_tokens, 0);
    let (other, _) = answer(&seeing, question(picture(20), "What is it?")).await;
    assert_ne!(first, other);
    let (blind, _) = answer(&seeing, {
        let mut request = ask("What is it?");
        request.sampling = Sampling::greedy();
        (request.ignore_eos, request.max_tokens) = (true, Some(16));
        request
    })
    .await;
    assert_ne!(first, blind);
}

/// What was computed before has left no trace but the last digits: entries that come back may lie elsewhere.
async fn another_picture_leaves_no_trace(seeing: Seeing) {
    let look = |stripe| {
        let mut request = question(picture(stripe), "What is it?");
        request.sampling.logprobs = Some(5);
        first_odds(seeing.engine.generate(request))
    };
    let (first, other, again) = (look(3).await, look(20).await, look(3).await);
    let (off, away) = (apart(&first, &again), apart(&first, &other));
    assert!(off < away / 2.0, "{first:?}\n{other:?}\n{again:?}");
}

async fn the_answer_is_that_of_a_bare_loop(seeing: Seeing) {
    let mut request = question(picture(3), "What is it?");
    let hearth_engine::Prompt::Chat(messages) = &mut request.prompt else {
        unreachable!()
    };
    // Without one the template of the starter model puts its own.
    messages.insert(0, Message::new(Role::System, bare::SYSTEM));
    let (text, _) = answer(&seeing, request).await;
    let projector = seeing.projector.path().to_owned();
    let model = seeing.model_path();
    let plain = tokio::task::spawn_blocking(move || {
        bare::answer(&model, &projector, &picture(3), "What is it?", 16)
    });
    assert_eq!(text, plain.await.unwrap());
}

async fn a_picture_is_computed_once(seeing: Seeing) {
    let (_, cold) = answer(&seeing, question(picture(3), "What is it?")).await;
    let (text, warm) = answer(&seeing, question(picture(3), "Is it large?")).await;
    assert!(
        warm.cached_tokens > 20 && warm.cached_tokens < cold.prompt_tokens,
        "{warm:?}"
    );
    let cold = answer(&fresh(&seeing), question(picture(3), "Is it large?")).await;
    assert_eq!(text, cold.0);
    // The conversation goes on: the picture and the first answer are still there.
    let mut request = question(picture(3), "What is it?");
    let hearth_engine::Prompt::Chat(messages) = &mut request.prompt else {
        unreachable!()
    };
    messages.push(Message::new(Role::Assistant, "Stripes."));
    let mut more = Message::new(Role::User, "And here?");
    more.images.push(Image::at(picture(20), 4));
    messages.push(more);
    let (text, summary) = answer(&seeing, request.clone()).await;
    assert!(summary.cached_tokens > 20, "{summary:?}");
    assert_eq!(text, answer(&fresh(&seeing), request).await.0);
}

/// Another child of the same kind.
fn fresh(seeing: &Seeing) -> Seeing {
    if seeing.model.is_none() {
        llava()
    } else {
        qwen()
    }
}

/// How likely the first token was, and the runners-up: text may part where two tokens are about as likely, these may not.
async fn first_odds(generation: Generation) -> Vec<(String, f32)> {
    let mut generation = generation;
    let mut odds = Vec::new();
    while let Some(event) = generation.events.recv().await {
        match event {
            Event::Text { logprobs, .. } if odds.is_empty() => {
                let top = logprobs[0].top.iter();
                odds = top.map(|t| (t.text.clone(), t.logprob)).collect();
            }
            Event::Failed(error) => panic!("{error}"),
            _ => {}
        }
    }
    odds
}

/// The largest difference between the odds of a token; infinite when one is in the first list only.
fn apart(a: &[(String, f32)], b: &[(String, f32)]) -> f32 {
    let off = |(text, odds): &(String, f32)| {
        let other = b.iter().find(|(other, _)| other == text);
        other.map_or(f32::INFINITY, |(_, is)| (odds - is).abs())
    };
    a[..a.len() - 1].iter().map(off).fold(0.0, f32::max)
}

fn assert_alike(a: &[(String, f32)], b: &[(String, f32)]) {
    let near = |(text, odds): &(String, f32)| {
        b.iter()
            .any(|(other, is)| other == text && (odds - is).abs() < 0.1)
    };
    // The last of the list may have a rival that is as likely.
    assert!(
        !a.is_empty() && a[..a.len() - 1].iter().all(near),
        "{a:?}\n{b:?}"
    );
}

async fn others_run_beside_it(seeing: Seeing) {
    let look = || {
        let mut request = question(picture(7), "What is it?");
        request.sampling.logprobs = Some(5);
        request
    };
    let alone = first_odds(seeing.engine.generate(look())).await;
    let other = first_odds(seeing.engine.generate({
        let mut request = look();
        request.prompt = question(picture(30), "What is it?").prompt;
        request
    }))
    .await;
    assert_ne!(alone, other);
    let mut talk = ask("Tell me about the sea.");
    (talk.ignore_eos, talk.max_tokens) = (true, Some(60));
    talk.sampling = Sampling::greedy();
    let quiet = collect(seeing.engine.generate(talk.clone())).await.0;
    let seeing = fresh(&seeing);
    let (beside, first, second) = tokio::join!(
        collect(seeing.engine.generate(talk)),
        first_odds(seeing.engine.generate(look())),
        first_odds(seeing.engine.generate(look())),
    );
    assert_alike(&alone, &first);
    assert_alike(&alone, &second);
    // Greedy text beside others may differ in late digits, not at once.
    assert_eq!(beside.0.get(..8), quiet.get(..8));
    // A hang-up in the middle leaves the engine well.
    drop(seeing.engine.generate(question(picture(9), "What is it?")));
    assert_alike(&alone, &first_odds(seeing.engine.generate(look())).await);
}

async fn places_count_as_tokens() {
    let seeing = llava();
    let count = |request: Request| {
        let engine = seeing.engine.clone();
        async move {
            match engine.tokens(TokenTask::Count(Box::new(request))).await {
                Ok(TokenReply::Count(count)) => count,
                other => panic!("{other:?}"),
            }
        }
    };
    let without = count(ask("What is it?")).await;
    let with = count(question(picture(3), "What is it?")).await;
    assert!(
        (without + PLACES..without + PLACES + 8).contains(&with),
        "{without} {with}"
    );
    // More pictures than the window holds: an error with both numbers.
    let mut request = question(picture(3), "What?");
    let hearth_engine::Prompt::Chat(messages) = &mut request.prompt else {
        unreachable!()
    };
    let more = messages[0].clone();
    messages.extend(std::iter::repeat_n(more, 15));
    let mut spec = LoadSpec::new(starter_path());
    let projector = tiny::llava_projector(STARTER_WIDTH);
    spec.projector = Some(projector.path().to_owned());
    spec.context_tokens = Some(512);
    let small = Supervisor::start(Launch::this_executable().unwrap(), spec);
    match collect(small.generate(request)).await.1 {
        Err(Error::ContextOverflow {
            prompt_tokens,
            context_tokens: 512,
        }) => assert!(prompt_tokens >= 16 * PLACES, "{prompt_tokens}"),
        other => panic!("{other:?}"),
    }
}

async fn what_cannot_be_seen_is_refused() {
    let refusal = |engine: Arc<Supervisor>, request: Request| async move {
        match collect(engine.generate(request)).await.1 {
            Err(Error::InvalidRequest { field, reason }) if field == "images" => reason,
            other => panic!("{other:?}"),
        }
    };
    let mut spec = LoadSpec::new(starter_path());
    spec.threads = Some(1);
    let blind = Supervisor::start(Launch::this_executable().unwrap(), spec);
    let reason = refusal(blind.clone(), question(picture(3), "What is it?")).await;
    assert!(reason.contains("only reads text"), "{reason}");
    let seeing = llava();
    let reason = refusal(seeing.engine.clone(), question(b"no picture".to_vec(), "?")).await;
    assert!(reason.contains("cannot be read"), "{reason}");
    // A text that looks like the mark of a picture is text.
    let mut request = question(picture(3), "[[picture 0:0]] [[picture 0:1]] what?");
    request.max_tokens = Some(1);
    answer(&seeing, request).await;
}

async fn a_projector_of_another_model_is_refused() {
    let projector = tiny::llava_projector(64);
    let seeing = load(projector, None);
    let (_, end) = collect(seeing.engine.generate(ask("hi"))).await;
    assert!(matches!(end, Err(Error::LoadFailed { .. })), "{end:?}");
}

async fn the_fake_sees() {
    let engine = fake();
    let mut request = question(picture(3), "!say seen");
    request.ignore_eos = false;
    let mut generation = engine.generate(request);
    let mut started = None;
    let mut text = String::new();
    while let Some(event) = generation.events.recv().await {
        match event {
            Event::Started { prompt_tokens, .. } => started = Some(prompt_tokens),
            Event::Text { text: more, .. } => text += &more,
            event if event.is_last() => break,
            _ => {}
        }
    }
    let rendered = "<|im_start|>user\n!say seen<|im_end|>\n<|im_start|>assistant".len() as u32;
    assert_eq!((text.as_str(), started), ("seen", Some(rendered + 4)));
}
