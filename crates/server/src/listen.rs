//! Where the server listens: ports, addresses, connections and their limits, from start to stop.
//!
//! It must not know routes; who is let in is the gate's.

mod bind;
mod connections;
mod descriptors;
mod file;
mod follow;
mod holder;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use hearth_app::server::{ServerConfig, ServerStatus};
use hearth_app::{App, Result};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use self::follow::Follow;
use crate::gate::{Gate, Rules, is_private};
use crate::limits::Limits;

/// Starts a server.
pub struct Server;

/// Says to streams without an end of their own that the server stops.
#[derive(Clone)]
pub(crate) struct Closing(pub(crate) CancellationToken);

/// A server that listens. Dropping it ends it at once; [`Running::stop`] lets answers end.
pub struct Running {
    app: Arc<App>,
    status: ServerStatus,
    gate: Gate,
    ports: Vec<u16>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Server {
    /// Listens as the configuration says, on the next free port when the wanted one is taken. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When no port is free, when the local network is to be answered without an API key, and when keys are asked for but cannot be
    /// read: a server with keys stays closed without them.
    pub async fn start(app: Arc<App>, config: &ServerConfig) -> Result<Running> {
        Self::start_with(app, config, Limits::default()).await
    }

    async fn start_with(app: Arc<App>, config: &ServerConfig, limits: Limits) -> Result<Running> {
        let limits = Limits {
            connections: descriptors::room_for(limits.connections),
            ..limits
        };
        let rules = rules(&app, config).await?;
        let main = bind::first_free(config.port, config.lan).await?;
        let mut notices: Vec<String> = main.notice.into_iter().collect();
        let mut listeners = main.listeners;
        let mut extra_port = config.extra_port.filter(|port| *port != main.port);
        if let Some(port) = extra_port {
            if let Ok(more) = bind::exactly(port, config.lan) {
                listeners.extend(more);
            } else {
                notices.push(holder::taken(port).await);
                extra_port = None;
            }
        }
        let ports: Vec<u16> = [Some(main.port), extra_port]
            .into_iter()
            .flatten()
            .collect();
        let gate = Gate::with(Rules {
            ports: ports.clone(),
            ..rules
        });
        let status = status(&listeners, main.port, extra_port, config.lan, &notices);
        let stop = CancellationToken::new();
        let router = crate::router_behind(Arc::clone(&app), gate.clone(), limits)
            .layer(Extension(Closing(stop.clone())));
        let tasks = connections::serve_all(listeners, &router, limits, &stop);
        if let Err(error) = file::write(&app, main.port).await {
            tracing::warn!(%error, "the command will not find the server");
        }
        tracing::info!(addresses = ?status.addresses, "the server listens");
        Ok(Running {
            app,
            status,
            gate,
            ports,
            stop,
            tasks,
        })
    }
}

impl Running {
    /// Where it listens, and why not where it should.
    pub fn status(&self) -> &ServerStatus {
        &self.status
    }

    /// The port it got.
    pub fn port(&self) -> u16 {
        self.ports.first().copied().unwrap_or_default()
    }

    /// Lets in whom a changed configuration lets in, without ending what runs. Ports and addresses stay.
    ///
    /// # Errors
    /// When keys are asked for but cannot be read; nothing is changed then.
    pub async fn admit(&self, config: &ServerConfig) -> Result<()> {
        let rules = rules(&self.app, config).await?;
        self.gate.set(Rules {
            ports: self.ports.clone(),
            ..rules
        });
        Ok(())
    }

    /// Takes no more requests, lets answers end for a few seconds, and returns when every socket is closed.
    pub async fn stop(mut self) {
        self.stop.cancel();
        for task in self.tasks.drain(..) {
            if let Err(error) = task.await {
                tracing::error!(%error, "a listener ended badly");
            }
        }
        file::remove(&self.app).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Who holds a port, as a sentence; `None` when it is free. Takes it for a moment to find out.
pub async fn port_taken(port: u16) -> Option<String> {
    match bind::exactly(port, false) {
        Ok(_) => None,
        Err(_) => Some(holder::taken(port).await),
    }
}

/// Whom the configuration lets in.
async fn rules(app: &App, config: &ServerConfig) -> Result<Rules> {
    let keys = if config.needs_key || config.lan {
        let keys = app.keys()?;
        if config.lan {
            keys.need_one().await?;
        } else {
            keys.load().await?;
        }
        Some(keys)
    } else {
        None
    };
    Ok(Rules {
        ports: Vec::new(),
        lan: config.lan,
        hosts: config.hosts.clone(),
        origins: config.origins.clone(),
        keys,
    })
}

fn status(
    listeners: &[TcpListener],
    port: u16,
    extra_port: Option<u16>,
    lan: bool,
    notices: &[String],
) -> ServerStatus {
    let bound = listeners.iter().filter_map(|l| l.local_addr().ok());
    let addresses = bound
        .filter(|address| address.port() == port)
        .map(|address| {
            let loopback = SocketAddr::from(([127, 0, 0, 1], port));
            let shown = if address.ip().is_unspecified() {
                loopback
            } else {
                address
            };
            format!("http://{shown}")
        });
    let lan_ip = lan_ip().filter(|_| lan);
    ServerStatus {
        running: true,
        addresses: addresses.collect(),
        lan_addresses: lan_ip
            .map(|ip| format!("http://{ip}:{port}"))
            .into_iter()
            .collect(),
        port: Some(port),
        extra_port,
        notice: (!notices.is_empty()).then(|| notices.join(" ")),
    }
}

/// The address that other machines of the local network would reach, if it is a private one. Sends nothing: connecting a datagram
/// socket only chooses a route (to 192.0.2.1, which RFC 5737 keeps for documentation).
fn lan_ip() -> Option<IpAddr> {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
    socket.connect(("192.0.2.1", 9)).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    is_private(ip).then_some(ip)
}

/// How long answers may take to end when the server stops.
const GRACE: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests;
