//! Asking the hub: lists, refusals, redirects, and where the token goes.

use std::sync::Arc;
use std::time::Duration;

use hearth_models::hub::{Choice, Endpoint, Error, Hub, RepoId, Revision, choose, quantisations};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::hub_server::{COMMIT, FaultHub};

const LONG: Duration = Duration::from_secs(60);

fn repo() -> RepoId {
    RepoId::parse("someone/model-GGUF").unwrap()
}

/// A hub that gives everybody this answer.
async fn answering(answer: Vec<u8>) -> Hub {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(&answer).await;
        }
    });
    Hub::new(Endpoint::parse(&address).unwrap(), None, LONG).unwrap()
}

fn head(status: u16, headers: &str, bytes: usize) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status} X\r\n{headers}Connection: close\r\nContent-Length: {bytes}\r\n\r\n"
    );
    head.into_bytes()
}

async fn refused(status: u16, headers: &str) -> Error {
    let hub = answering(head(status, headers, 0)).await;
    hub.files(&repo(), &Revision::default()).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_listed_and_chosen() {
    let server = FaultHub::start().await;
    for name in ["M-Q8_0.gguf", "M-Q4_K_M.gguf", "README.md"] {
        server.add("someone/model-GGUF", name, Arc::new(vec![7; 10]));
    }
    let hub = server.client(LONG);
    let listing = hub.files(&repo(), &Revision::default()).await.unwrap();
    assert_eq!(listing.commit.as_str(), COMMIT);
    assert_eq!(quantisations(&listing), ["Q4_K_M", "Q8_0"]);
    let model = choose(&listing, &Choice::Best).unwrap();
    assert_eq!(
        (model.stem.as_str(), model.files[0].size_bytes),
        ("M-Q4_K_M", 10)
    );
    let other = RepoId::parse("no/where").unwrap();
    let error = hub.files(&other, &Revision::default()).await.unwrap_err();
    assert!(matches!(error, Error::Missing { .. }), "{error}");
    server.assert_token_stayed();
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_say_what_to_do() {
    let error = refused(401, "X-Error-Code: RepoNotFound\r\n").await;
    assert!(matches!(error, Error::SignIn { .. }), "{error}");
    let error = refused(403, "X-Error-Code: GatedRepo\r\n").await;
    let Error::Gated { repo, page } = &error else {
        panic!("{error}")
    };
    assert!(page.ends_with("/someone/model-GGUF") && repo == "someone/model-GGUF");
    assert!(matches!(refused(404, "").await, Error::Missing { .. }));
    let limited = refused(429, "RateLimit: \"api\";r=0;t=55\r\n").await;
    assert!(matches!(limited, Error::Limited { wait: Some(w), .. } if w.as_secs() == 55));
    let error = refused(503, "Retry-After: 7\r\n").await;
    assert!(
        matches!(error, Error::Unavailable { status: 503, wait: Some(w), .. } if w.as_secs() == 7)
    );
    let error = refused(302, "").await;
    assert!(matches!(error, Error::Redirect { .. }), "{error}");
    let error = refused(302, "Location: http://example.com/x\r\n").await;
    assert!(matches!(error, Error::Redirect { .. }), "{error}");
    let error = refused(302, "Location: /again\r\n").await;
    assert!(error.to_string().contains("circles"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_and_floods_are_bounded() {
    let page = [
        head(200, "Content-Type: text/html\r\n", 6),
        b"<html>".to_vec(),
    ]
    .concat();
    let error = answering(page)
        .await
        .files(&repo(), &Revision::default())
        .await;
    assert!(matches!(error, Err(Error::WebPage { .. })), "{error:?}");
    // More than anybody's list is long.
    let flood = [head(200, "", 64 << 20), vec![b' '; 17 << 20]].concat();
    let error = answering(flood)
        .await
        .files(&repo(), &Revision::default())
        .await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("longer than"), "{error}");
    // Nobody is there any more.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let hub = Hub::new(Endpoint::parse(&address).unwrap(), None, LONG).unwrap();
    let error = hub.files(&repo(), &Revision::default()).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_has_an_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let stall = Duration::from_millis(300);
    let hub = Hub::new(Endpoint::parse(&address).unwrap(), None, stall).unwrap();
    let error = hub.files(&repo(), &Revision::default()).await.unwrap_err();
    assert!(matches!(error, Error::Stalled { .. }), "{error}");
}
