//! Pictures as each dialect writes them, up to a model that can see.

use axum::http::StatusCode;
use hearth_app::engine::Image;
use serde_json::{Value, json};

use super::*;
use crate::testing::TestServer;

/// One red pixel.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";

#[test]
fn parts_stand_where_they_came() {
    let mut parts = Parts::default();
    parts.text("first");
    parts.picture(vec![1]);
    parts.picture(vec![2]);
    parts.text("last");
    let message = parts.message(Role::User);
    assert_eq!(message.content, "first\n\n\nlast");
    let places: Vec<usize> = message.images.iter().map(|image| image.at).collect();
    assert_eq!(places, [6, 7]);
    assert_eq!(message.images[1], Image::at(vec![2], 7));
}

#[test]
fn a_picture_is_taken_and_an_address_is_not() {
    let read = |url: &str| from_url(url, "p").map_err(|refusal| refusal.message);
    assert_eq!(read("data:image/png;base64,aGk="), Ok(b"hi".to_vec()));
    assert_eq!(read("data:;base64, aGk=\n"), Ok(b"hi".to_vec()));
    for (url, word) in [
        ("https://example.com/a.png", "fetches nothing"),
        ("file:///etc/passwd", "fetches nothing"),
        ("data:image/png,aGk=", "fetches nothing"),
        ("data:image/png;base64", "fetches nothing"),
        ("data:image/png;base64,***", "not base64"),
    ] {
        let message = read(url).unwrap_err();
        assert!(message.contains(word), "{url}: {message}");
    }
}

/// Requests of every dialect with the text `look`, and with a picture before it where `picture` holds one.
fn requests(model: &str, picture: Option<&str>) -> Vec<(&'static str, &'static str, Value)> {
    let url = picture.map(|data| format!("data:image/png;base64,{data}"));
    let parts = |picture: Option<Value>, text: Value| -> Value {
        picture.into_iter().chain([text]).collect()
    };
    let chat = parts(
        url.as_ref()
            .map(|url| json!({ "type": "image_url", "image_url": { "url": url } })),
        json!({ "type": "text", "text": "look" }),
    );
    let item = parts(
        url.as_ref()
            .map(|url| json!({ "type": "input_image", "image_url": url })),
        json!({ "type": "input_text", "text": "look" }),
    );
    let blocks = parts(
        picture.map(|data| {
            let source = json!({ "type": "base64", "media_type": "image/png", "data": data });
            json!({ "type": "image", "source": source })
        }),
        json!({ "type": "text", "text": "look" }),
    );
    let images: Vec<&str> = picture.into_iter().collect();
    let says = |content: Value| json!([{ "role": "user", "content": content }]);
    vec![
        (
            "/v1/chat/completions",
            "/usage/prompt_tokens",
            json!({ "model": model, "messages": says(chat) }),
        ),
        (
            "/v1/responses",
            "/usage/input_tokens",
            json!({ "model": model, "input": says(item) }),
        ),
        (
            "/v1/messages",
            "/usage/input_tokens",
            json!({ "model": model, "messages": says(blocks), "max_tokens": 9 }),
        ),
        (
            "/api/chat",
            "/prompt_eval_count",
            json!({ "model": model, "stream": false,
                    "messages": [{ "role": "user", "content": "look", "images": images }] }),
        ),
        (
            "/api/generate",
            "/prompt_eval_count",
            json!({ "model": model, "stream": false, "prompt": "look", "images": images }),
        ),
    ]
}

#[tokio::test]
async fn a_model_that_can_see_reads_pictures_in_every_dialect() {
    let server = TestServer::start();
    server.add_seeing_model();
    let with = requests("seer", Some(PNG));
    for ((path, count, plain), (.., shown)) in requests("seer", None).into_iter().zip(with) {
        let (status, plain) = server.post(path, &plain).await;
        assert_eq!(status, StatusCode::OK, "{path}: {plain}");
        let (status, shown) = server.post(path, &shown).await;
        assert_eq!(status, StatusCode::OK, "{path}: {shown}");
        // Anthropic's count leaves out what was in the cache.
        let cached = "/usage/cache_read_input_tokens";
        let number = |answer: &Value, at: &str| answer.pointer(at).and_then(Value::as_u64);
        let tokens = |answer: &Value| {
            let read = number(answer, count).unwrap();
            read + number(answer, cached).unwrap_or_default()
        };
        // The picture takes places of its own; a line break parts it from the text where the dialect has parts.
        let more = tokens(&shown) - tokens(&plain);
        assert!((4..=5).contains(&more), "{path}: {more}");
    }
    let (_, shown) = server.post("/api/show", &json!({ "model": "seer" })).await;
    let capabilities = shown["capabilities"].as_array().unwrap();
    assert!(capabilities.contains(&json!("vision")), "{shown}");
    let (_, model) = server.get("/api/v0/models/seer").await;
    assert_eq!(model["type"], "vlm");
}

#[tokio::test]
async fn what_cannot_be_seen_is_refused() {
    let server = TestServer::start();
    server.add_seeing_model();
    for (model, picture, word) in [
        ("starter", PNG, "cannot see"),
        ("seer", "aGk=", "images"),
        ("seer", "***", "base64"),
    ] {
        for (path, _, body) in requests(model, Some(picture)) {
            let (status, answer) = server.post(path, &body).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path} {model}: {answer}");
            let text = answer.to_string();
            assert!(text.contains(word), "{path} {model} {picture}: {text}");
        }
    }
}
