//! `hearth import` and `hearth alias`, and that an alias is a name at every door.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use hearth_tests::starter_path;
use serde_json::{Value, json};

use crate::command::{Served, run, text};

fn answer(home: &Path, arguments: &[&str]) -> Value {
    let output = run(home, arguments, None);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The starter model with something behind it, so that it is another file.
fn other_model(folder: &Path) -> String {
    let mut bytes = fs::read(starter_path()).unwrap();
    bytes.extend([0; 32]);
    let path = folder.join("My Model.gguf");
    fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

#[test]
fn a_file_is_imported_once_and_answers_to_its_alias() {
    let (home, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (home, file) = (home.path(), other_model(elsewhere.path()));
    let imported = answer(home, &["import", &file, "--json"]);
    assert_eq!(imported, json!({"name": "my-model", "alreadyHere": false}));
    let again = answer(home, &["import", &file, "--json"]);
    assert_eq!(again, json!({"name": "my-model", "alreadyHere": true}));
    let starter = starter_path().display().to_string();
    let known = answer(home, &["import", &starter, "--json"]);
    assert_eq!(known["name"], "starter");

    let letter = elsewhere.path().join("letter.gguf");
    fs::write(&letter, "dear reader").unwrap();
    let refused = run(home, &["import", letter.to_str().unwrap()], None);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("not a GGUF file"));
    let missing = elsewhere.path().join("nothing.gguf");
    let refused = run(home, &["import", missing.to_str().unwrap()], None);
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");

    let alias = answer(home, &["alias", "quick", "my-model", "--json"]);
    assert_eq!(alias, json!({"alias": "quick", "model": "my-model"}));
    let list = answer(home, &["list", "--json"]);
    let models = list["models"].as_array().unwrap();
    let aliases = |name: &str| {
        let model = models.iter().find(|model| model["name"] == name);
        model.unwrap()["aliases"].clone()
    };
    assert_eq!(aliases("my-model"), json!(["quick"]));
    assert_eq!(aliases("starter"), json!([]));
    assert!(text(&run(home, &["list"], None).stdout).contains("(alias quick)"));
    let said = ["run", "quick", "Say hello.", "--max-tokens", "4", "--json"];
    assert_eq!(answer(home, &said)["tokens"], 4);
    let refused = run(home, &["rm", "quick"], None);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    answer(home, &["alias", "quick", "--remove", "--json"]);
    assert_eq!(
        run(home, &["run", "quick", "hi"], None).status.code(),
        Some(3)
    );
    assert!(run(home, &["rm", "my-model"], None).status.success());
    assert!(!home.join("models/my-model").exists());
}

/// What the server says to a request, its head included.
fn ask(port: &str, method: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn an_alias_is_a_name_in_every_dialect() {
    let mut served = Served::start_on(18170);
    let home = served.home.path().to_owned();
    let home = home.as_path();
    answer(home, &["alias", "quick", "starter", "--json"]);
    let file = fs::read(home.join("data/server.json")).unwrap();
    let file: Value = serde_json::from_slice(&file).unwrap();
    let port = &file["port"].to_string();
    let messages = json!([{"role": "user", "content": "!say hello there"}]);
    for (path, more) in [
        ("/v1/chat/completions", json!({})),
        ("/api/chat", json!({"stream": false})),
        ("/v1/messages", json!({"max_tokens": 20})),
    ] {
        let mut body = json!({"model": "quick", "messages": messages});
        let fields = body.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        let said = ask(port, "POST", path, &body.to_string());
        assert!(said.starts_with("HTTP/1.1 200"), "{path}: {said}");
        assert!(said.contains("hello there"), "{path}: {said}");
    }
    // Programs offer what is listed, and some look a name up before they use it.
    for path in [
        "/v1/models",
        "/v1/models/quick",
        "/api/tags",
        "/api/v0/models",
        "/api/v0/models/quick",
    ] {
        let said = ask(port, "GET", path, "");
        assert!(said.starts_with("HTTP/1.1 200"), "{path}: {said}");
        assert!(said.contains("\"quick"), "{path}: {said}");
    }
    served.signal(rustix::process::Signal::INT);
    assert_eq!(served.child.wait().unwrap().code(), Some(0));
}
