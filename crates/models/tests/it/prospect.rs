//! Reading the beginning of a model at the hub: no more than it takes, from nobody else, and nothing that was not announced.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hearth_models::Header;
use hearth_models::hub::{Choice, Error, Hub, Listing, RepoId, Result, Revision, choose};

use super::download::model_bytes;
use super::hub_server::{Fault, FaultHub};
use hearth_gguf_writer::{Model, array};

const REPO: &str = "someone/model-GGUF";
const LONG: Duration = Duration::from_secs(60);
const MIB: u64 = 1 << 20;

async fn listing(hub: &Hub) -> Listing {
    let repo = RepoId::parse(REPO).unwrap();
    hub.files(&repo, &Revision::default()).await.unwrap()
}

async fn header(hub: &Hub) -> Result<Header> {
    let listing = listing(hub).await;
    let model = choose(&listing, &Choice::Best).unwrap();
    hub.header(&listing.repo, &listing.commit, &model).await
}

/// Whether it is the error that is expected.
type Is = fn(&Error) -> bool;

/// A hub with one model of these bytes.
async fn with(bytes: Vec<u8>) -> FaultHub {
    let server = FaultHub::start().await;
    server.add(REPO, "M-Q4_0.gguf", Arc::new(bytes));
    server
}

/// Bytes that were sent, once there are at least so many: the server counts after it has sent them.
async fn sent(server: &FaultHub, at_least: u64) -> u64 {
    let began = Instant::now();
    while server.sent(REPO) < at_least && began.elapsed() < LONG {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.sent(REPO)
}

/// A sound model whose header alone has more than so many bytes.
fn long_header(bytes: usize) -> Vec<u8> {
    let mut model = Model::sound();
    let filling = array(0, bytes as u64, &vec![7; bytes]);
    model.entries.push((b"someone.filling".to_vec(), filling));
    let mut file = model.build();
    file.resize(file.len() + bytes, 0);
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn the_beginning_is_enough() {
    let server = with(model_bytes(1, 5 << 20).to_vec()).await;
    let found = header(&server.client(LONG)).await.unwrap();
    assert_eq!(
        (found.architecture.as_str(), found.context_length),
        ("llama", 512)
    );
    assert_eq!(sent(&server, MIB).await, MIB);
    server.assert_token_stayed();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_header_takes_more_pieces_and_each_byte_once() {
    let file = long_header(3 << 20);
    let bytes = file.len() as u64;
    assert!(bytes < 8 * MIB, "the second piece ends with the file");
    let server = with(file).await;
    let found = header(&server.client(LONG)).await.unwrap();
    assert_eq!(found.architecture, "llama");
    assert_eq!(sent(&server, bytes).await, bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_without_ranges_is_read_from_its_beginning() {
    let server = with(long_header(3 << 20)).await;
    server.break_next(REPO, [Fault::NoRange, Fault::NoRange]);
    let found = header(&server.client(LONG)).await.unwrap();
    assert_eq!(found.architecture, "llama");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_announced_is_not_believed() {
    let server = with(long_header(3 << 20)).await;
    let hub = server.client(LONG);
    let cases: [(&[Fault], Is); 6] = [
        (&[Fault::None, Fault::WrongRange], |e| {
            matches!(e, Error::Unreadable { .. })
        }),
        (&[Fault::Page], |e| matches!(e, Error::WebPage { .. })),
        (&[Fault::OtherHash], |e| matches!(e, Error::Changed { .. })),
        (&[Fault::Downgrade], |e| matches!(e, Error::Redirect { .. })),
        (&[Fault::Reset(1000)], |e| matches!(e, Error::Broken { .. })),
        (&[Fault::Hub(403, "X-Error-Code: GatedRepo")], |e| {
            matches!(e, Error::Gated { .. })
        }),
    ];
    for (faults, is) in cases {
        server.break_next(REPO, faults.iter().copied());
        let error = header(&hub).await.unwrap_err();
        assert!(is(&error), "{faults:?}: {error:?}");
    }
    server.assert_token_stayed();
    server.break_next(REPO, [Fault::Stall(1000)]);
    let error = header(&server.client(Duration::from_millis(300))).await;
    assert!(matches!(error, Err(Error::Stalled { .. })), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_model_is_said() {
    for bytes in [vec![7; 3 << 20], model_bytes(1, 5 << 20)[..2000].to_vec()] {
        let server = with(bytes).await;
        let error = header(&server.client(LONG)).await;
        assert!(matches!(error, Err(Error::Model(_))), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_parts_count_and_what_it_sees_with_is_apart() {
    let server = FaultHub::start().await;
    let (one, two) = super::sound::two_parts();
    let second = two.len() as u64;
    server.add(REPO, "M-Q4_0-00001-of-00002.gguf", Arc::new(one.clone()));
    server.add(REPO, "M-Q4_0-00002-of-00002.gguf", Arc::new(two));
    server.add(REPO, "mmproj-F16.gguf", Arc::new(vec![7; 77]));
    let hub = server.client(LONG);
    let listing = listing(&hub).await;
    let model = choose(&listing, &Choice::Best).unwrap();
    assert_eq!((model.parts().len(), model.projector_bytes()), (2, 77));
    let both = hub.header(&listing.repo, &listing.commit, &model).await;
    let alone = hearth_models::validate_prefix(&one, one.len() as u64).unwrap();
    assert_eq!(both.unwrap().tensor_bytes, alone.tensor_bytes + second);
}
