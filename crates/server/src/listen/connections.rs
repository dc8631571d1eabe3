//! Connections: how many, how long a head may take, and how they end. A slow or silent client costs one place and little memory.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::GRACE;
use crate::gate::Connection;

/// Connections at the same time; more wait in the system's queue.
const MAX_CONNECTIONS: usize = 1024;
/// How long a client may take to send the head of a request, and may be silent between two.
const HEAD_LIMIT: Duration = Duration::from_secs(30);
/// The most that is read ahead or waits to be written for one connection, in bytes; also the longest head.
const BUFFER_BYTES: usize = 64 * 1024;
/// After a failed accept (no file descriptors left) nothing gets better at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A task for each listener, until `stop`.
pub(super) fn serve_all(
    listeners: Vec<TcpListener>,
    router: &Router,
    stop: &CancellationToken,
) -> Vec<JoinHandle<()>> {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let serve = |listener| {
        tokio::spawn(accept_all(
            listener,
            router.clone(),
            stop.clone(),
            places.clone(),
        ))
    };
    listeners.into_iter().map(serve).collect()
}

async fn accept_all(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
    places: Arc<Semaphore>,
) {
    let mut open = JoinSet::new();
    loop {
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = places.clone().acquire_owned() => place,
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        while open.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer)) => {
                let (router, stop) = (router.clone(), stop.clone());
                open.spawn(async move {
                    serve(stream, peer, router, stop).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let all_ended = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, all_ended).await.is_err() {
        open.shutdown().await;
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, router: Router, stop: CancellationToken) {
    let Ok(local) = stream.local_addr() else {
        return;
    };
    // Tokens are small and each is awaited.
    let _ = stream.set_nodelay(true);
    let connection = Connection { peer, local };
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(connection);
        router.clone().oneshot(request.map(Body::new))
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}
