//! Twenty secrets, each planted through another input of the running server, with the most talkative log: none may be found afterwards
//! in a log, a database, a state on disk, the figures, a command line, or in what anybody else is told.
//!
//! What may hold one: the answer to the request that brought it (a 404 names the model that was asked for), and `server.json`, which
//! is how programs of the same user get the token, and readable by that user only. The server keeps no conversations, so unlike the
//! window's chats a prompt may not be on the disk either.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::command::{hearth, signal};

/// What each is planted through; the secret is made of it.
const INPUTS: [&str; 20] = [
    "bearer",
    "xapikey",
    "apikey",
    "prompt",
    "system",
    "assistant",
    "toolname",
    "toolarguments",
    "toolresult",
    "schema",
    "stop",
    "query",
    "path",
    "model",
    "filename",
    "picture",
    "header",
    "environment",
    "embedded",
    "crash",
];

fn secret(input: &str) -> String {
    assert!(INPUTS.contains(&input), "{input}");
    format!("CANARY{input}5f3a9c")
}

/// The server with keys needed, in a folder of its own. What it prints is in there too.
struct Served {
    child: Child,
    home: tempfile::TempDir,
    port: u16,
    token: String,
}

impl Served {
    fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        std::fs::write(path("config.toml"), "[server]\nneeds_key = true\n").unwrap();
        let file = |name: &str| std::fs::File::create(path(name)).unwrap();
        let child = Command::new(hearth())
            .args(["serve", "--json", "--port", "0"])
            .env("HEARTH_HOME", home.path())
            .env("HEARTH_ENGINE", "fake")
            .env("HEARTH_LOG", "trace")
            .env("HF_TOKEN", secret("environment"))
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .unwrap();
        let mut served = Self {
            child,
            port: 0,
            token: String::new(),
            home,
        };
        for _ in 0..600 {
            if let Some(file) = served.file() {
                served.port = file["port"].as_u64().unwrap() as u16;
                file["token"]
                    .as_str()
                    .unwrap()
                    .clone_into(&mut served.token);
                return served;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the server did not start");
    }

    /// What it wrote for the programs of the same user.
    fn file(&self) -> Option<Value> {
        let text = std::fs::read(self.home.path().join("data/server.json")).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Status and body. `head` holds further lines.
    fn ask(&self, line: &str, head: &str, body: Option<&Value>) -> (u16, String) {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let (port, length) = (self.port, body.len());
        write!(
            stream,
            "{line} HTTP/1.1\r\nHost: localhost:{port}\r\n{head}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.get(9..12).unwrap().parse().unwrap();
        (status, answer)
    }

    fn let_in(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.token)
    }

    /// Sends a body to a route and expects one of these statuses.
    fn post(&self, path: &str, body: &Value, expected: &[u16]) -> String {
        let (status, answer) = self.ask(&format!("POST {path}"), &self.let_in(), Some(body));
        assert!(expected.contains(&status), "{path}: {answer}");
        answer
    }
}

/// A test that fails leaves no server behind.
impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn said(text: &str) -> Value {
    json!({ "model": "starter", "messages": [{ "role": "user", "content": text }] })
}

fn plant_keys(served: &Served) {
    for (name, value) in [
        ("Authorization", format!("Bearer {}", secret("bearer"))),
        ("x-api-key", secret("xapikey")),
        ("api-key", secret("apikey")),
    ] {
        let (status, _) = served.ask("GET /v1/models", &format!("{name}: {value}\r\n"), None);
        assert_eq!(status, 401, "{name}");
    }
    let head = format!("{}X-Own: {}\r\n", served.let_in(), secret("header"));
    let line = format!("GET /v1/models?key={}", secret("query"));
    assert_eq!(served.ask(&line, &head, None).0, 200);
    let line = format!("GET /v1/{}", secret("path"));
    assert_eq!(served.ask(&line, &served.let_in(), None).0, 404);
}

/// A conversation with everything in it, in every dialect, and what goes wrong with it.
fn plant_conversations(served: &Served) {
    let parameters =
        json!({ "type": "object", "properties": { secret("schema"): { "type": "string" } } });
    let arguments = json!({ "a": secret("toolarguments") });
    let call = json!({ "id": "c1", "type": "function",
        "function": { "name": secret("toolname"), "arguments": arguments.to_string() } });
    let mut chat = json!({ "model": "starter", "temperature": 0, "stop": [secret("stop")],
        "tools": [{ "type": "function", "function": { "name": secret("toolname"), "parameters": parameters } }],
        "messages": [
            { "role": "system", "content": secret("system") },
            { "role": "assistant", "content": secret("assistant"), "tool_calls": [call] },
            { "role": "tool", "tool_call_id": "c1", "content": secret("toolresult") },
            { "role": "user", "content": format!("!say {}", secret("prompt")) },
        ] });
    let answer = served.post("/v1/chat/completions", &chat, &[200]);
    assert!(answer.contains(&secret("prompt")), "{answer}");
    chat["stream"] = true.into();
    served.post("/v1/chat/completions", &chat, &[200]);
    let generate = json!({ "model": "starter", "system": secret("system"), "prompt": secret("prompt"), "format": parameters });
    served.post("/api/generate", &generate, &[200, 400]);
    let message = json!({ "model": "starter", "max_tokens": 50, "system": secret("system"),
        "messages": [{ "role": "user", "content": secret("prompt") }] });
    served.post("/v1/messages", &message, &[200]);
    let vectors = json!({ "model": "embedder", "input": [secret("embedded")] });
    served.post("/v1/embeddings", &vectors, &[200]);
    // What is refused.
    let mut missing = said("a");
    missing["model"] = secret("model").into();
    served.post("/v1/chat/completions", &missing, &[404]);
    served.post("/api/chat", &missing, &[404]);
    let url = format!("https://files.example/{}", secret("filename"));
    let picture = format!("data:image/png;base64,{}", secret("picture"));
    for url in [url, picture] {
        let mut shown = said("a");
        shown["messages"][0]["content"] =
            json!([{ "type": "image_url", "image_url": { "url": url } }]);
        served.post("/v1/chat/completions", &shown, &[400, 422]);
    }
    let mut unknown = said("a");
    unknown[secret("schema")] = secret("schema").into();
    served.post("/v1/chat/completions", &unknown, &[200]);
    unknown["temperature"] = secret("prompt").into();
    served.post("/v1/chat/completions", &unknown, &[400]);
}

/// The engine's process dies, talks nonsense and fails in the middle of a prompt.
fn plant_crashes(served: &Served) {
    for command in ["!error", "!abort", "!garbage"] {
        let text = format!("{command} {}", secret("crash"));
        served.post("/v1/chat/completions", &said(&text), &[500, 502, 503]);
    }
}

/// What somebody else is told afterwards.
fn told_to_others(served: &Served) -> String {
    let mut all = String::new();
    for path in [
        "/health",
        "/metrics",
        "/slots",
        "/hearth/v1/loaded",
        "/v1/models",
        "/api/tags",
        "/api/ps",
        "/openapi.json",
    ] {
        let (status, answer) = served.ask(&format!("GET {path}"), &served.let_in(), None);
        assert_eq!(status, 200, "{path}: {answer}");
        all.push_str(&answer);
    }
    // An error about the same model, and an answer of it.
    all.push_str(&served.post(
        "/v1/chat/completions",
        &json!({ "model": "starter" }),
        &[400],
    ));
    all.push_str(&served.post("/v1/chat/completions", &said("!say hi"), &[200, 503]));
    all
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if !path.is_symlink() && path.is_file() {
            found.push(path);
        }
    }
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    bytes
        .windows(secret.len())
        .any(|part| part == secret.as_bytes())
}

#[test]
fn secrets_stay_where_they_were_sent() {
    let mut served = Served::start();
    plant_keys(&served);
    plant_conversations(&served);
    plant_crashes(&served);
    let mut places = vec![(
        "what others are told".to_owned(),
        told_to_others(&served).into_bytes(),
    )];
    let line = std::fs::read(format!("/proc/{}/cmdline", served.child.id())).unwrap();
    places.push(("the command line".to_owned(), line));
    // States are written when nothing happens.
    std::thread::sleep(Duration::from_secs(3));
    signal(&served.child, rustix::process::Signal::INT);
    assert_eq!(served.child.wait().unwrap().code(), Some(0));
    let mut paths = Vec::new();
    files(served.home.path(), &mut paths);
    for path in paths {
        let name = path.strip_prefix(served.home.path()).unwrap();
        places.push((name.display().to_string(), std::fs::read(&path).unwrap()));
    }
    let logs: Vec<&(String, Vec<u8>)> = places
        .iter()
        .filter(|(name, _)| name.starts_with("logs/"))
        .collect();
    assert!(
        logs.iter()
            .any(|(_, text)| holds(text, "TRACE") || holds(text, "DEBUG")),
        "the log is not talkative"
    );
    let mut secrets: Vec<String> = INPUTS.map(secret).into();
    secrets.push(served.token.clone());
    let mut leaks = Vec::new();
    for (name, bytes) in &places {
        for secret in secrets.iter().filter(|secret| holds(bytes, secret)) {
            leaks.push(format!("{secret} is in {name}"));
        }
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}
