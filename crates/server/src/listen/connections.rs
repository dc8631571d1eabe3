//! Connections: how many, how long a client may say or take nothing, and how they end. A slow or silent client costs one place and
//! little memory.

use std::io;
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
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinHandle, JoinSet};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::GRACE;
use crate::gate::Connection;
use crate::limits::Limits;

/// The most that is read ahead or waits to be written for one connection, in bytes; also the longest head.
const BUFFER_BYTES: usize = 64 * 1024;
/// After a failed accept (no file descriptors left) nothing gets better at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A task for each listener, until `stop`.
pub(super) fn serve_all(
    listeners: Vec<TcpListener>,
    router: &Router,
    limits: Limits,
    stop: &CancellationToken,
) -> Vec<JoinHandle<()>> {
    let places = Arc::new(Semaphore::new(limits.connections));
    let serve = |listener| {
        let door = Door {
            router: router.clone(),
            limits,
            stop: stop.clone(),
        };
        tokio::spawn(accept_all(listener, door, places.clone()))
    };
    listeners.into_iter().map(serve).collect()
}

/// What every connection is given.
#[derive(Clone)]
struct Door {
    router: Router,
    limits: Limits,
    stop: CancellationToken,
}

async fn accept_all(listener: TcpListener, door: Door, places: Arc<Semaphore>) {
    let mut open = JoinSet::new();
    while let Some(accepted) = next(&listener, &door.stop, &places).await {
        while open.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer, place)) => {
                let door = door.clone();
                open.spawn(async move {
                    serve(stream, peer, door).await;
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

/// The next connection and its place; `None` when the server stops. The place is looked for last, because a listener to which
/// nobody comes must not hold one.
async fn next(
    listener: &TcpListener,
    stop: &CancellationToken,
    places: &Arc<Semaphore>,
) -> Option<io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)>> {
    let accept = async {
        let (stream, peer) = listener.accept().await?;
        let place = places.clone().acquire_owned().await;
        Ok((stream, peer, place.map_err(io::Error::other)?))
    };
    tokio::select! {
        () = stop.cancelled() => None,
        accepted = accept => Some(accepted),
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, door: Door) {
    let Ok(local) = stream.local_addr() else {
        return;
    };
    // Tokens are small and each is awaited.
    let _ = stream.set_nodelay(true);
    let connection = Connection { peer, local };
    let Door {
        router,
        limits,
        stop,
    } = door;
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(connection);
        router.clone().oneshot(request.map(Body::new))
    });
    // A client that takes nothing breaks the connection, with that the answer, and with that the work.
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.write));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
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
