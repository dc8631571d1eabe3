//! Another engine played by a socket: it answers as captured, refuses, breaks off, and says nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::{
    Address, Chat, Client, Error, Kind, Piece, RemoteModel, Role, Turn, chat, models, probe,
};

/// Answers by path, and remembers what was asked.
struct Other {
    address: Address,
    asked: Arc<Mutex<Vec<String>>>,
}

/// Head (status line and headers) and body of an answer.
type Answers = HashMap<&'static str, (&'static str, String)>;

async fn other(answers: Answers) -> Other {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = Address::loopback(listener.local_addr().unwrap().port()).unwrap();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let (log, answers) = (asked.clone(), Arc::new(answers));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (log, answers) = (log.clone(), answers.clone());
            tokio::spawn(async move {
                let mut request = vec![0; 65536];
                let length = stream.read(&mut request).await.unwrap();
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                log.lock().unwrap().push(request);
                let missing = ("404 Not Found\r\n", String::new());
                let (head, body) = answers.get(path.as_str()).unwrap_or(&missing);
                let text = format!("HTTP/1.1 {head}Connection: close\r\n\r\n{body}");
                stream.write_all(text.as_bytes()).await.unwrap();
            });
        }
    });
    Other { address, asked }
}

const OK: &str = "200 OK\r\nContent-Type: application/json\r\n";
const STREAM: &str = "200 OK\r\nContent-Type: text/event-stream\r\n";

fn ollama() -> Answers {
    let tags = r#"{"models":[
        {"name":"llama3.2:3b","size":2019393189,"details":{"family":"llama","quantization_level":"Q4_K_M"}},
        {"name":"qwen3:8b","size":5200000000,"details":{"family":"qwen3","quantization_level":"Q4_K_M"}},
        {"name":"all-minilm:latest","size":45960996,"details":{"family":"bert","quantization_level":"F16"}}]}"#;
    let ps = r#"{"models":[{"name":"qwen3:8b","size_vram":6000000000,"context_length":4096}]}"#;
    HashMap::from([
        (
            "/v1/models",
            (
                OK,
                r#"{"object":"list","data":[{"id":"llama3.2:3b","owned_by":"library"}]}"#.into(),
            ),
        ),
        ("/api/version", (OK, r#"{"version":"0.9.6"}"#.into())),
        ("/api/tags", (OK, tags.into())),
        ("/api/ps", (OK, ps.into())),
    ])
}

fn lm_studio() -> Answers {
    let list = r#"{"object":"list","data":[
        {"id":"qwen2.5-7b-instruct","type":"llm","quantization":"4bit","state":"not-loaded","max_context_length":32768},
        {"id":"gemma-3-4b","type":"vlm","quantization":"Q4_0","state":"loaded","max_context_length":131072,"loaded_context_length":8192},
        {"id":"nomic","type":"embeddings","state":"not-loaded","max_context_length":2048}]}"#;
    HashMap::from([
        ("/v1/models", (OK, r#"{"object":"list","data":[{"id":"gemma-3-4b","object":"model","owned_by":"organization_owner"}]}"#.into())),
        ("/api/v0/models", (OK, list.into())),
    ])
}

fn openai(head: &'static str, owner: &str) -> Answers {
    let list = format!(r#"{{"object":"list","data":[{{"id":"m","object":"model"{owner}}}]}}"#);
    HashMap::from([("/v1/models", (head, list))])
}

#[tokio::test]
async fn each_program_is_known_by_what_only_it_answers() {
    let client = Client::new().unwrap();
    let mlx = "200 OK\r\nServer: BaseHTTP/0.6 Python/3.12.4\r\n";
    let llama = "200 OK\r\nServer: llama.cpp\r\n";
    for (answers, kind, version) in [
        (ollama(), Kind::Ollama, Some("0.9.6")),
        (lm_studio(), Kind::LmStudio, None),
        (openai(mlx, ""), Kind::Mlx, None),
        (openai(llama, ""), Kind::LlamaCpp, None),
        (
            openai(OK, r#","owned_by":"llamacpp""#),
            Kind::LlamaCpp,
            None,
        ),
        (openai(OK, r#","owned_by":"hearth""#), Kind::Hearth, None),
        (openai(OK, r#","owned_by":"vllm""#), Kind::OpenAi, None),
    ] {
        let other = other(answers).await;
        let found = probe(&client, &other.address, None).await.unwrap();
        assert_eq!((found.kind, found.version.as_deref()), (kind, version));
    }
}

#[tokio::test]
async fn what_is_no_engine_is_not_taken_for_one() {
    let client = Client::new().unwrap();
    for body in ["", "<html>", "[]", "{}", r#"{"data":5}"#] {
        let other = other(HashMap::from([("/v1/models", (OK, body.to_owned()))])).await;
        let answer = probe(&client, &other.address, None).await;
        assert!(
            matches!(answer, Err(Error::Unreadable { .. })),
            "{body}: {answer:?}"
        );
    }
    let other = other(HashMap::new()).await;
    let answer = probe(&client, &other.address, None).await;
    assert!(matches!(answer, Err(Error::Refused { status: 404, .. })));
    let nobody = TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let address = Address::loopback(nobody.port()).unwrap();
    let answer = probe(&client, &address, None).await;
    assert!(
        matches!(answer, Err(Error::Unreachable { .. })),
        "{answer:?}"
    );
}

#[tokio::test]
async fn who_accepts_and_says_nothing_is_not_waited_for() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = Address::loopback(listener.local_addr().unwrap().port()).unwrap();
    let held = tokio::spawn(async move {
        listener
            .accept()
            .await
            .map(|(stream, _)| (stream, listener))
    });
    let begin = std::time::Instant::now();
    let answer = probe(&Client::new().unwrap(), &address, None).await;
    assert!(matches!(answer, Err(Error::Silent { .. })), "{answer:?}");
    assert!(begin.elapsed().as_secs() < 10);
    drop(held);
}

#[tokio::test]
async fn models_are_listed_with_what_is_known_and_embedders_left_out() {
    let client = Client::new().unwrap();
    let there = other(ollama()).await;
    let list = models(&client, &there.address, Kind::Ollama, None)
        .await
        .unwrap();
    let names: Vec<&str> = list.iter().map(|model| model.name.as_str()).collect();
    assert_eq!(names, ["llama3.2:3b", "qwen3:8b"]);
    let running = RemoteModel {
        name: "qwen3:8b".into(),
        size_bytes: Some(5_200_000_000),
        quantisation: Some("Q4_K_M".into()),
        context_tokens: Some(4096),
        loaded: Some(true),
    };
    assert_eq!(list[1], running);
    assert_eq!(
        (list[0].loaded, list[0].context_tokens),
        (Some(false), None)
    );
    let there = other(lm_studio()).await;
    let list = models(&client, &there.address, Kind::LmStudio, None)
        .await
        .unwrap();
    let facts: Vec<_> = list
        .iter()
        .map(|m| (m.name.as_str(), m.context_tokens, m.loaded))
        .collect();
    assert_eq!(
        facts,
        [
            ("qwen2.5-7b-instruct", Some(32768), Some(false)),
            ("gemma-3-4b", Some(8192), Some(true))
        ]
    );
}

fn question() -> Chat {
    Chat {
        model: "m".into(),
        turns: vec![Turn {
            role: Role::User,
            text: "hi".into(),
        }],
        temperature: Some(0.5),
        top_p: None,
        max_tokens: Some(7),
    }
}

/// The pieces of an answer to [`question`], and how it ended.
async fn answer(body: &str) -> (Vec<Piece>, Option<Error>, String) {
    let there = other(HashMap::from([(
        "/v1/chat/completions",
        (STREAM, body.to_owned()),
    )]))
    .await;
    let client = Client::new().unwrap();
    let mut stream = Box::pin(
        chat(&client, &there.address, Some("secret"), &question())
            .await
            .unwrap(),
    );
    let (mut pieces, mut error) = (Vec::new(), None);
    while let Some(piece) = stream.next().await {
        match piece {
            Ok(piece) => pieces.push(piece),
            Err(problem) => error = Some(problem),
        }
    }
    let asked = there.asked.lock().unwrap().join("\n");
    (pieces, error, asked)
}

#[tokio::test]
async fn an_answer_comes_in_pieces_with_its_figures() {
    let body = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n\
        : a comment\n\n\
        data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\r\n\r\n\
        data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n\
        data: {\"choices\":[{\"delta\":{\"content\":\"lo\"},\"finish_reason\":\"length\"}]}\n\n\
        data: {\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":3}}\n\n\
        data: [DONE]\n\n";
    let (pieces, error, asked) = answer(body).await;
    assert_eq!(error, None);
    let text = |text: &str| Piece::Text(text.into());
    assert_eq!(
        pieces[..4],
        [
            Piece::Begun,
            Piece::Thought("hm".into()),
            text("Hel"),
            text("lo")
        ]
    );
    let Some(Piece::Ended(ended)) = pieces.last() else {
        panic!("{pieces:?}");
    };
    assert_eq!(
        (ended.cut, ended.prompt_tokens, ended.tokens),
        (true, Some(11), Some(3))
    );
    assert!(
        asked
            .to_ascii_lowercase()
            .contains("authorization: bearer secret\r\n"),
        "{asked}"
    );
    assert!(
        asked.contains(r#""max_tokens":7"#) && asked.contains(r#""stream":true"#),
        "{asked}"
    );
    assert!(!asked.contains("top_p"), "{asked}");
}

#[tokio::test]
async fn an_end_without_the_last_line_counts_when_the_reason_came() {
    let (pieces, error, _) = answer(
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\n",
    )
    .await;
    assert_eq!(error, None);
    assert!(
        matches!(pieces.last(), Some(Piece::Ended(ended)) if !ended.cut && ended.tokens.is_none())
    );
}

#[tokio::test]
async fn what_breaks_off_or_is_garbage_says_so_after_the_text_that_came() {
    let begun = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    let long = format!("data: {}", "x".repeat(2 << 20));
    for (rest, refused) in [
        ("", false),
        ("data: {nonsense}\n\n", false),
        (long.as_str(), false),
        (
            "data: {\"error\":{\"message\":\"out of memory\"}}\n\n",
            true,
        ),
        ("data: {\"error\":\"out of memory\"}\n\n", true),
    ] {
        let (pieces, error, _) = answer(&format!("{begun}{rest}")).await;
        assert_eq!(pieces, [Piece::Begun, Piece::Text("a".into())]);
        match error.unwrap() {
            Error::Refused { message, .. } => assert!(refused && message == "out of memory"),
            Error::Unreadable { .. } => assert!(!refused),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn refusals_are_told_apart_and_nothing_is_followed_elsewhere() {
    let second = other(HashMap::new()).await;
    let away = format!("302 Found\r\nLocation: {}/stolen\r\n", second.address);
    let away: &'static str = Box::leak(away.into_boxed_str());
    let told = r#"{"error":{"message":"model 'm' not found"}}"#;
    for (head, body) in [
        ("401 Unauthorized\r\n", ""),
        ("404 Not Found\r\n", told),
        ("500 Internal Server Error\r\n", "<html>"),
        (away, ""),
    ] {
        let there = other(HashMap::from([(
            "/v1/chat/completions",
            (head, body.to_owned()),
        )]))
        .await;
        let client = Client::new().unwrap();
        let error = chat(&client, &there.address, Some("secret"), &question())
            .await
            .err()
            .unwrap();
        match head.split(' ').next().unwrap() {
            "401" => assert!(matches!(error, Error::Key { .. })),
            "404" => assert!(error.to_string().contains("model 'm' not found"), "{error}"),
            "500" => assert!(error.to_string().contains("no reason given"), "{error}"),
            _ => assert!(error.to_string().contains("not followed"), "{error}"),
        }
        assert!(!error.to_string().contains("secret"));
    }
    assert_eq!(second.asked.lock().unwrap().len(), 0);
}
